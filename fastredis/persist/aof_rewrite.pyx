"""Writing the base of an AOF: the whole data set as an RDB file, or as the commands that make it.

    write_base(engine, fd, as_rdb, child)

In a child process, or in a server that has no clients yet. As commands, collections come in pieces of ITEMS elements,
so that loading them takes no argument list of millions; deadlines follow their key.
Source: https://redis.io/docs/latest/operate/oss_and_stack/management/persistence/
"""
import os

from libc.stdint cimport UINT64_MAX, int64_t, uint64_t
from libc.string cimport strlen

from fastredis.ds.alloc cimport Account
from fastredis.ds.listpack cimport LpItem, lp_text
from fastredis.ds.native cimport wall_us
from fastredis.ds.numbers cimport DOUBLE_TEXT, INT64_TEXT, format_double, format_int64, format_uint64
from fastredis.ds.quicklist cimport QlIter, ql_item, ql_iter_end, ql_next
from fastredis.ds.sparse_array cimport ArrayIter, array_count, array_iter, array_next, word_text
from fastredis.engine.engine cimport Engine
from fastredis.engine.keyspace cimport NO_EXPIRE, Database, KeyWalk, walk_begin, walk_end, walk_next
from fastredis.persist.rdb_save cimport (
    RDB_PROGRESS_KEYS, RdbInfo, RdbWriter, rdb_flush, rdb_save_all, rdb_write_bytes, rdb_write_dump, rdb_writer_clear,
    rdb_writer_configure, rdb_writer_init,
)
from fastredis.values.array_type cimport Array, array_of
from fastredis.values.entry cimport (
    TYPE_ARRAY, TYPE_HASH, TYPE_LIST, TYPE_MODULE, TYPE_SET, TYPE_STREAM, TYPE_STRING, TYPE_ZSET, Entry, entry_key,
    entry_type,
)
from fastredis.values.hash_type cimport HashIter, hash_count, hash_iter, hash_iter_end, hash_next
from fastredis.values.list_type cimport list_count, list_iter
from fastredis.values.set_type cimport (
    SetIter, set_count, set_get_when, set_iter, set_iter_end, set_next, set_soonest,
)
from fastredis.values.string_type cimport string_view
from fastredis.values.timed cimport NO_DEADLINE
from fastredis.values.zset_type cimport ZsetIter, zset_count, zset_next, zset_seek_rank

cdef extern from "<stdlib.h>" nogil:
    int rand()

cdef extern from "<unistd.h>" nogil:
    int usleep(unsigned int us)

cdef enum:
    ITEMS = 64                          # elements of one command, as in Redis
    HEAD = 24                           # room for a type byte, a number and CR LF

cdef struct Base:                       # a base that is being written
    RdbWriter w                         # the buffer and the file
    void* child                         # Child to report to; NULL: none
    uint64_t keys
    Account* account


def write_base(Engine engine not None, int fd, bint as_rdb, child=None):
    """Write the data set to a file, which is synced and closed then; reports to the Child. Raises OSError."""
    cdef Account account
    cdef Base base

    account.used = account.peak = 0
    try:
        rdb_writer_init(&base.w, &account, fd)
        base.account = &account
        base.child = <void*>child if child is not None else NULL
        base.keys = 0
        try:
            rdb_writer_configure(&base.w, engine)
            base.w.incremental_sync = engine.config["aof-rewrite-incremental-fsync"]
            if as_rdb:
                write_rdb(&base, engine)
            else:
                base.w.checksum = False
                write_commands(&base, engine)
        finally:
            rdb_writer_clear(&base.w)
        os.fsync(fd)
    finally:
        os.close(fd)


cdef int report_rdb(void* context, RdbWriter* w) except -1:
    """RdbProgress: the context is the Base."""
    return report(<Base*>context, w.keys)


cdef int report(Base* base, uint64_t keys) except -1:
    """Tell how many keys are written, if there is somebody to tell."""
    if base.child is not NULL:
        (<object>base.child).keys_done = keys
        (<object>base.child).report(keys)
    return 0


cdef int write_rdb(Base* base, Engine engine) except -1:
    cdef RdbInfo info

    info.aof_base = True
    info.repl_id = NULL
    info.repl_offset = 0
    info.repl_stream_db = -1
    rdb_save_all(&base.w, engine, &info, report_rdb, base)
    return report(base, base.w.keys)


cdef int write_commands(Base* base, Engine engine) except -1:
    cdef Database db
    cdef bytes stamp

    if engine.config["aof-timestamp-enabled"]:
        stamp = b"#TS:%d\r\n" % (wall_us() // 1000000)
        rdb_write_bytes(&base.w, <const char*>stamp, len(stamp))
    write_libraries(base, engine)
    for db in engine.databases:
        if db.count():
            write_database(base, db)
    rdb_flush(&base.w)
    return report(base, base.keys)


cdef int write_libraries(Base* base, Engine engine) except -1:
    """FUNCTION LOAD, for each library of functions."""
    cdef bytes code

    if engine.scripts is not None:
        for code in engine.scripts.functions.codes():
            begin(base, 3, b"FUNCTION")
            put(base, b"LOAD", 4)
            put(base, code, len(code))
    return 0


cdef int write_database(Base* base, Database db) except -1:
    """SELECT, and all keys of a database."""
    cdef char[INT64_TEXT] digits
    cdef KeyWalk walk
    cdef Entry* e
    cdef int64_t delay_us = base.w.key_delay_us

    begin(base, 2, b"SELECT")
    put(base, digits, format_int64(digits, db.index))
    walk_begin(&walk, db)
    try:
        e = walk_next(&walk)
        while e is not NULL:
            write_key(base, db, e)
            base.keys += 1
            if base.keys % RDB_PROGRESS_KEYS == 0:
                report(base, base.keys)
            if delay_us > 0 or (delay_us < 0 and rand() % -delay_us == 0):
                rdb_flush(&base.w)
                usleep(<unsigned int>delay_us if delay_us > 0 else 1)
            e = walk_next(&walk)
    finally:
        walk_end(&walk)
    return write_blessed(base, db) if db.blessed is not None else 0


cdef int write_blessed(Base* base, Database db) except -1:
    """Which keys eviction spares."""
    cdef bytes name

    for name in db.blessed:
        begin(base, 4, b"BLESS")
        put(base, b"SET", 3)
        put(base, name, len(name))
        put(base, b"NO-EVICT", 8)
    return 0


cdef int write_key(Base* base, Database db, Entry* e) except -1:
    """The commands that make a key, and give it its deadline."""
    cdef char[INT64_TEXT] digits
    cdef const char* text
    cdef size_t size
    cdef int kind = entry_type(e)
    cdef int64_t when_ms = db.when_ms(e)

    if kind == TYPE_STRING:
        text = string_view(e, digits, &size)
        begin(base, 3, b"SET")
        put(base, entry_key(e), e.key_size)
        put(base, text, size)
    elif kind == TYPE_LIST:
        write_list(base, e)
    elif kind == TYPE_SET:
        write_set(base, e)
    elif kind == TYPE_ZSET:
        write_zset(base, e)
    elif kind == TYPE_HASH:
        write_hash(base, e)
    elif kind == TYPE_ARRAY:
        write_array(base, e)
    elif kind == TYPE_STREAM or kind == TYPE_MODULE:
        write_restore(base, e)
    else:
        raise NotImplementedError(f"no commands for values of type {kind}")
    if when_ms != NO_EXPIRE:
        begin(base, 3, b"PEXPIREAT")
        put(base, entry_key(e), e.key_size)
        put(base, digits, format_int64(digits, when_ms))
    return 0


# --- pieces of commands ---------------------------------------------------------------

cdef int put(Base* base, const char* text, size_t size) except -1:
    """One argument."""
    cdef char[HEAD] head
    cdef int length

    head[0] = c'$'
    length = 1 + format_int64(head + 1, size)
    head[length] = c'\r'
    head[length + 1] = c'\n'
    rdb_write_bytes(&base.w, head, length + 2)
    rdb_write_bytes(&base.w, text, size)
    return rdb_write_bytes(&base.w, b"\r\n", 2)


cdef int begin(Base* base, int64_t argc, const char* name) except -1:
    """The start of a command of so many arguments, its name among them."""
    cdef char[HEAD] head
    cdef int length
    cdef size_t size = 0

    head[0] = c'*'
    length = 1 + format_int64(head + 1, argc)
    head[length] = c'\r'
    head[length + 1] = c'\n'
    rdb_write_bytes(&base.w, head, length + 2)
    while name[size]:
        size += 1
    return put(base, name, size)


cdef int begin_piece(Base* base, const Entry* e, const char* name, uint64_t done, uint64_t total, int words) except -1:
    """Before an element, of `words` arguments, that is the `done`th: at the start of a piece, begin its command."""
    if done % ITEMS == 0:
        begin(base, 2 + words * <int64_t>min(total - done, <uint64_t>ITEMS), name)
        put(base, entry_key(e), e.key_size)
    return 0


cdef int put_item(Base* base, const LpItem* item) except -1:
    """One argument, as it lies in a listpack."""
    cdef char[INT64_TEXT] digits
    cdef size_t size
    cdef const char* text = lp_text(item, digits, &size)

    return put(base, text, size)


cdef int write_restore(Base* base, Entry* e) except -1:
    """A value of a type that is not known: as DUMP has it."""
    cdef RdbWriter payload

    rdb_writer_init(&payload, base.account, -1)
    try:
        rdb_write_dump(&payload, e)
        begin(base, 4, b"RESTORE")
        put(base, entry_key(e), e.key_size)
        put(base, b"0", 1)
        put(base, payload.data, payload.size)
    finally:
        rdb_writer_clear(&payload)
    return 0


cdef int write_list(Base* base, Entry* e) except -1:
    cdef QlIter it
    cdef LpItem item
    cdef uint64_t total = list_count(e)
    cdef uint64_t done = 0
    cdef bint more = list_iter(base.account, e, 0, False, &it)

    try:
        while more:
            ql_item(&it, &item)
            begin_piece(base, e, b"RPUSH", done, total, 1)
            put_item(base, &item)
            done += 1
            more = ql_next(&it)
    finally:
        ql_iter_end(&it)
    return 0


cdef int write_set(Base* base, Entry* e) except -1:
    cdef SetIter it
    cdef LpItem item
    cdef uint64_t total = set_count(e)
    cdef uint64_t done = 0

    set_iter(&it, e)
    try:
        while set_next(&it, &item):
            begin_piece(base, e, b"SADD", done, total, 1)
            put_item(base, &item)
            done += 1
    finally:
        set_iter_end(&it)
    return write_member_deadlines(base, e) if set_soonest(e) != NO_DEADLINE else 0


cdef int write_zset(Base* base, Entry* e) except -1:
    cdef ZsetIter it
    cdef char[DOUBLE_TEXT] digits
    cdef uint64_t total = zset_count(e)
    cdef uint64_t done = 0

    zset_seek_rank(&it, e, 0, total, False)
    while zset_next(&it):
        begin_piece(base, e, b"ZADD", done, total, 2)
        put(base, digits, format_double(digits, it.score))
        put(base, it.text, it.size)
        done += 1
    return 0


cdef int write_hash(Base* base, Entry* e) except -1:
    cdef HashIter it
    cdef uint64_t total = hash_count(e)
    cdef uint64_t done = 0
    cdef uint64_t deadlines = 0

    hash_iter(&it, e)
    try:
        while hash_next(&it):
            begin_piece(base, e, b"HMSET", done, total, 2)
            put(base, it.field, it.field_size)
            put(base, it.value, it.value_size)
            done += 1
            deadlines += it.when_ms != NO_DEADLINE
    finally:
        hash_iter_end(&it)
    return write_deadlines(base, e) if deadlines else 0


cdef int write_array(Base* base, Entry* e) except -1:
    """As commands, whose cursor is set behind them; a ring, whose size no command sets alone, as DUMP has it."""
    cdef char[INT64_TEXT] digits
    cdef char[INT64_TEXT] scratch
    cdef Array* a = array_of(e)
    cdef uint64_t total = array_count(&a.slots)
    cdef uint64_t done = 0
    cdef const char* text
    cdef size_t size
    cdef ArrayIter it

    if a.ring:
        return write_restore(base, e)
    array_iter(&it, &a.slots, 0, UINT64_MAX)
    while array_next(&it):
        begin_piece(base, e, b"ARMSET", done, total, 2)
        put(base, digits, format_uint64(digits, it.index))
        text = word_text(it.word, scratch, &size)
        put(base, text, size)
        done += 1
    if a.next:
        begin(base, 3, b"ARSEEK")
        put(base, entry_key(e), e.key_size)
        put(base, digits, format_uint64(digits, a.next))
    return 0


cdef int write_deadlines(Base* base, Entry* e) except -1:
    """The deadlines of a hash's fields."""
    cdef HashIter it

    hash_iter(&it, e)
    try:
        while hash_next(&it):
            if it.when_ms != NO_DEADLINE:
                write_deadline(base, e, b"HPEXPIREAT", b"FIELDS", it.when_ms, it.field, it.field_size)
    finally:
        hash_iter_end(&it)
    return 0


cdef int write_member_deadlines(Base* base, Entry* e) except -1:
    """The deadlines of a set's members."""
    cdef SetIter it
    cdef LpItem item
    cdef int64_t when_ms

    set_iter(&it, e)
    try:
        while set_next(&it, &item):
            if set_get_when(e, item.text, item.size, 0, &when_ms) and when_ms != NO_DEADLINE:
                write_deadline(base, e, b"SPEXPIREAT", b"MEMBERS", when_ms, item.text, item.size)
    finally:
        set_iter_end(&it)
    return 0


cdef int write_deadline(Base* base, Entry* e, const char* command, const char* word, int64_t when_ms,
                        const char* name, size_t size) except -1:
    """The deadline of one field or member."""
    cdef char[INT64_TEXT] digits

    begin(base, 6, command)
    put(base, entry_key(e), e.key_size)
    put(base, digits, format_int64(digits, when_ms))
    put(base, word, strlen(word))
    put(base, b"1", 1)
    return put(base, name, size)
