# Writing the RDB format: into memory (DUMP, a slice of a snapshot), to a file descriptor or to a function.
#
#   RdbWriter { data [ ......size ...room ], fd, crc, written }
#                        |
#                        +--> full: write(2) to fd, CRC over it, size = 0      fd < 0: the buffer grows
#
# Nothing on the way of a key is a Python object, so a forked child can write a data set while it
# touches next to nothing of what it shares with its parent: buffers come from an Account of its
# own, and values are read as they lie there: listpacks and intsets are copied whole, nodes of a list
# that are compressed already go out as they are.
# A writer writes the whole data set (rdb_save_all), or its caller walks:
#
#     rdb_writer_init(&w, account, fd)
#     rdb_write_begin(&w, engine, &info)
#     for each database: rdb_write_select(&w, db); for each entry: rdb_write_key(&w, db, e)
#     rdb_write_end(&w); rdb_flush(&w)
#     rdb_writer_clear(&w)              # in any case
#
# fd may be a file, a pipe or a socket; write(2) is repeated until all is out, so it should be a blocking one. A sink
# is a Python function that takes what else went to fd, one buffer at a time. A memory writer keeps all
# in data[:size].
# Errors: OSError of write(2). The writer can only be cleared after one.
# Source: https://rdb.fnordig.de/file_format.html

from libc.stdint cimport int64_t, uint64_t

from fastredis.ds.alloc cimport Account
from fastredis.engine.engine cimport Engine
from fastredis.engine.keyspace cimport Database
from fastredis.values.entry cimport Entry

cdef enum:
    RDB_BUFFER = 256 * 1024             # bytes that are collected for one write(2)
    RDB_SYNC = 4 * 1024 * 1024          # bytes after which the kernel is told to write them to the disk

cdef enum RdbStamp:                     # what is written of a key's last use
    RDB_STAMP_NONE
    RDB_STAMP_IDLE                      # maxmemory-policy is an LRU one
    RDB_STAMP_FREQ                      # ... an LFU one

cdef struct RdbWriter:
    Account* account                    # of the buffers
    char* data                          # what is not written yet
    size_t size                         # bytes of it
    size_t room
    int fd                              # -1: memory, or the sink
    void* sink                          # function of a memoryview, which takes all of it; NULL: there is none
    bint compress                       # rdbcompression: LZF where it pays
    bint checksum                       # rdbchecksum; else the file ends with 0
    uint64_t crc                        # of all bytes that left the buffer
    uint64_t written                    # bytes that left the buffer
    bint for_valkey                     # fields with deadlines are written as Valkey 9 has them, not as Redis 7.4
    bint without_keys                   # keys, and what a module has stored beside them, are left out
    bint without_functions
    bint incremental_sync               # rdb-save-incremental-fsync
    uint64_t synced                     # bytes that the kernel was told to write to the disk
    RdbStamp stamp
    int64_t key_delay_us                # rdb-key-save-delay: sleep after each key, for tests; below 0: 1/n us
    uint64_t keys                       # keys written
    uint64_t expires                    # ... with a deadline
    char* scratch                       # for LZF
    size_t scratch_room

# What the AUX fields tell beside what the engine knows itself.
cdef struct RdbInfo:
    bint aof_base                       # the file is the base of an AOF
    const char* repl_id                 # 40 characters; NULL: no replication fields
    int64_t repl_offset
    int repl_stream_db                  # the database the stream has selected; -1: not written

# Called after every RDB_PROGRESS_KEYS keys of rdb_save_all(), to report to a parent; an exception ends it.
ctypedef int (*RdbProgress)(void* context, RdbWriter* w) except -1

cdef enum:
    RDB_PROGRESS_KEYS = 1024

# --- life. fd -1: memory. compress and checksum are on, the rest is off.
cdef int rdb_writer_init(RdbWriter* w, Account* account, int fd) except -1
# ... to a function, which has to outlive the writer.
cdef int rdb_writer_init_sink(RdbWriter* w, Account* account, object sink) except -1
# The settings that are configured: compression, checksum, stamps, incremental sync, key delay.
cdef int rdb_writer_configure(RdbWriter* w, Engine engine) except -1
cdef void rdb_writer_clear(RdbWriter* w) noexcept
# Write what is in the buffer to fd, or the sink.
cdef int rdb_flush(RdbWriter* w) except -1

# --- a whole data set
# All databases of the engine, from header to checksum, and a flush. progress may be NULL.
cdef int rdb_save_all(RdbWriter* w, Engine engine, const RdbInfo* info, RdbProgress progress, void* context) except -1
# Header, AUX fields, libraries of functions and what the engine keeps in front of its keys. The version is the lowest
# that holds the data set.
cdef int rdb_write_begin(RdbWriter* w, Engine engine, const RdbInfo* info) except -1
cdef int rdb_write_aux(RdbWriter* w, const char* name, const char* value, size_t size) except -1
# Libraries of functions, as they stand in front of the keys.
cdef int rdb_write_libraries(RdbWriter* w, Engine engine) except -1
# Parts of the format as they are.
cdef int rdb_write_parts(RdbWriter* w, list parts) except -1
# SELECTDB and RESIZEDB; not wanted for an empty database.
cdef int rdb_write_select(RdbWriter* w, Database db) except -1
cdef int rdb_write_key(RdbWriter* w, Database db, Entry* e) except -1
cdef int rdb_write_end(RdbWriter* w) except -1

# --- pieces
cdef int rdb_write_bytes(RdbWriter* w, const void* data, size_t size) except -1     # as they are
cdef int rdb_write_length(RdbWriter* w, uint64_t n) except -1
cdef int rdb_write_string(RdbWriter* w, const char* text, size_t size) except -1
# The type byte of a value, the version of the format that has it, and the value without the type.
cdef int rdb_type_of(const Entry* e) noexcept
cdef int rdb_version_of(const Entry* e) noexcept
cdef int rdb_write_value(RdbWriter* w, const Entry* e) except -1
# The payload of DUMP, into a memory writer that is new.
cdef int rdb_write_dump(RdbWriter* w, const Entry* e) except -1
# The end of such a payload, in a memory writer that has all of it.
cdef int rdb_write_footer(RdbWriter* w, int version) except -1
# Bytes that the value would take (DEBUG OBJECT's serializedlength; saved_length() for Python).
cdef int64_t rdb_value_length(Account* account, const Entry* e, bint compress) except -1
