# Loading a data set in the RDB format, in slices of time, from a file or from pieces as they come.
#
#   RdbLoad --- run() --> keys --+--> pending [32] --> tables and expire heaps of the databases
#      |                         |        hashed, their buckets prefetched
#      |                         +--> RdbBuild (rdb_read): a collection that the last slice did not finish
#      +--- buffer <--- feed(bytes), or read(2) from fd
#
#     load = rdb_load_new(engine, engine.databases, fd, total)
#     while not load.run(monotonic_us() + slice): (come back later)          # from a file
#     while not load.run(...): if load.hungry: load.feed(data, size) or load.finish()        # from a socket
#
# What cannot be trusted and how that is met: rdb_read.pxd. RESIZEDB is a hint that is believed as far as the bytes
# that may come could hold so many keys.
# After an exception (RdbError, OSError) the load can only be dropped; what it put into databases is there.

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t

from fastredis.engine.engine cimport Engine
from fastredis.engine.keyspace cimport Database
from fastredis.persist.rdb_opaque cimport OpaqueWalk
from fastredis.persist.rdb_read cimport RDB_MORE, RdbBuild, RdbResult
from fastredis.persist.rdb_reader cimport RdbReader
from fastredis.values.entry cimport Entry

cdef enum:
    LOAD_BATCH = 32                     # keys that are decoded before they go into their table
    LOAD_TYPES = 8                      # by TYPE_*

cdef struct RdbPending:                 # a key that is about to go into its table
    Entry* e
    uint64_t hash
    int64_t when_ms                     # NO_EXPIRE: none
    uint32_t lru                        # as the entry has it


cdef class RdbLoad:
    """A data set that is being loaded; see rdb_load_new()."""
    cdef Engine engine                  # whose memory, limits and clock are used
    cdef list databases                 # of Database; None: nothing is kept, all is only read (--check-rdb)
    cdef RdbReader r
    cdef RdbBuild build
    cdef bint building                  # `build` is under way; its key is in `key`
    cdef OpaqueWalk beside              # through what a module has stored beside the keys
    cdef bint passing                   # ... it is under way
    cdef bint is_behind                 # ... that stands behind the keys
    cdef uint8_t* buffer                # the window's
    cdef size_t room
    cdef size_t summed                  # how far in the buffer the CRC went
    cdef uint64_t crc
    cdef readonly int fd                # read(2) from; -1: fed
    cdef bint header_read
    cdef Database db                    # selected
    cdef char* key                      # of the build under way
    cdef size_t key_size
    cdef size_t key_room
    cdef int64_t when_ms                # of the key that follows, or is under way
    cdef int64_t idle_s                 # -1: not stored
    cdef int frequency                  # -1: not stored
    cdef RdbPending[LOAD_BATCH] pending
    cdef int pending_count
    cdef uint64_t[LOAD_TYPES] counts    # keys read by type, expired ones too
    cdef public bint drop_expired       # keys whose time has come: on a master, but not from an AOF's base
    cdef public bint replace            # keys that are there already are replaced; else they are an error
    cdef public bint verify             # the checksum
    cdef public bint any_version        # of the format is tried (rdb-version-check relaxed); else only those known
    cdef public int64_t key_delay_us    # key-load-delay: sleep after each key, for tests; below 0: 1/n us
    cdef readonly int version           # of the format
    cdef readonly bint done
    cdef readonly bint has_checksum     # the end has come, and with it a checksum
    cdef readonly bint hungry           # run() stopped for want of bytes: feed(), or finish()
    cdef readonly uint64_t total        # bytes of the file, as far as known; 0: not
    cdef readonly uint64_t keys         # put into databases (or only read)
    cdef readonly uint64_t expires      # of these, with a deadline
    cdef readonly uint64_t expired      # dropped, their time had come
    cdef readonly uint64_t empty        # skipped, collections without elements as old servers' bugs made them
    cdef readonly dict aux              # AUX fields: name -> value (bytes)
    cdef list blessed                   # what those of RDB_AUX_BLESSED say: b"database key"
    cdef readonly object kept           # Kept: what is no key and is not known, to be written back
    cdef readonly uint64_t library_count    # libraries of functions
    cdef public object libraries        # a set of them, for Libraries (fastredis.engine.hooks); None: there was none
    cdef public object dropped          # called with the database's number and each key that is dropped; else None
    cdef public object tell             # a check's: called with a text for each AUX field and database. Else None
    cdef readonly int kind              # of the latest key, when somebody is told; -1: there was none

    cdef int feed(self, const char* data, size_t size) except -1
    cdef int finish(self) except -1     # no more bytes will be fed; running out of them is an error now
    cdef bint run(self, int64_t until_us) except -1     # until the monotonic clock says so; whether all is loaded
    # What was fed, or read, behind the data set; good until the object goes.
    cdef const uint8_t* rest(self, size_t* size) noexcept

    # Steps of these, for nobody else.
    cdef int make_room(self, size_t size) except -1
    cdef int sum_up(self) noexcept
    cdef int come(self, size_t size) noexcept
    cdef int refill(self) except -1
    cdef int put(self, RdbPending* p) except -1
    cdef int put_pending(self) except -1
    cdef int take(self, Entry* e) except -1
    cdef int forget_key(self) noexcept
    cdef bint read_header(self) except -1
    cdef bint read_end(self) except -1
    cdef bint read_aux(self) except -1
    cdef int bless(self) except -1
    cdef bint read_library(self) except -1
    cdef bint begin_module_aux(self) except -1
    cdef RdbResult pass_module_aux(self, int64_t until_us) except? RDB_MORE
    cdef bint select(self) except -1
    cdef bint read_sizes(self) except -1
    cdef bint read_deadline(self, int code) except -1
    cdef bint read_use(self, int code) except -1
    cdef bint skip_lengths(self, int count) except -1
    cdef bint read_opcode(self, int code) except -1
    cdef int keep_key(self, const char* key, size_t size) except -1
    cdef RdbResult go_on(self, const char* key, size_t size, int64_t until_us) except? RDB_MORE
    cdef RdbResult read_part(self, int64_t until_us) except? RDB_MORE


# fd -1: it will be fed. total: bytes that will come, 0: not known. databases: None to read only.
cdef RdbLoad rdb_load_new(Engine engine, list databases, int fd, uint64_t total)
