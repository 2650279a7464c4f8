"""RDB files and DUMP payloads as Python sees them, in an engine without a server. Built for the tests only."""
from libc.stdint cimport int64_t, uint64_t, uint8_t

from fastredis._resp cimport Arg, arg_hash, arg_of
from fastredis.ds.crc64 cimport crc64
from fastredis.ds.listpack cimport LpItem, lp_append, lp_first, lp_free, lp_get, lp_new, lp_next, lp_text
from fastredis.ds.native cimport monotonic_us
from fastredis.ds.numbers cimport INT64_TEXT
from fastredis.engine.engine cimport Engine
from fastredis.engine.keyspace cimport Database, KeyWalk, walk_begin, walk_end, walk_next
from fastredis.persist.rdb_old cimport old_ziplist, old_zipmap
from fastredis.persist.rdb_read cimport rdb_dump_valid, rdb_read_dump
from fastredis.persist.rdb_save cimport (
    RdbInfo, RdbStamp, RdbWriter, rdb_save_all, rdb_value_length, rdb_write_begin, rdb_write_dump,
    rdb_write_end, rdb_write_key, rdb_write_select, rdb_writer_clear, rdb_writer_init,
)
from fastredis.values.entry cimport ENC_LISTPACK, TYPE_HASH, Entry, entry_lru, entry_new, entry_set_lru
from fastredis.values.value cimport encoding_name, entry_free, entry_verify


def crc_of(bytes data, uint64_t crc=0):
    return crc64(crc, <const char*>data, len(data))


def crc_bytes_per_us(bytes data, int times):
    """How many bytes the CRC goes over in a microsecond."""
    cdef int64_t start = monotonic_us()
    cdef uint64_t crc = 0
    cdef int _i

    for _i in range(times):
        crc = crc64(crc, <const char*>data, len(data))
    return len(data) * times / max(1, monotonic_us() - start)


cdef list pack_elements(const unsigned char* lp):
    cdef const unsigned char* p = lp_first(lp)
    cdef char[INT64_TEXT] scratch
    cdef LpItem item
    cdef size_t size
    cdef const char* text
    cdef list found = []

    while p is not NULL:
        lp_get(p, &item)
        text = lp_text(&item, scratch, &size)
        found.append(text[:size])
        p = lp_next(lp, p)
    return found


def old_elements(Engine engine not None, bytes data, bint zipmap):
    """The elements of a ziplist or zipmap, or None if it is broken."""
    cdef unsigned char* lp

    if zipmap:
        lp = old_zipmap(&engine.core.memory, data, len(data))
    else:
        lp = old_ziplist(&engine.core.memory, data, len(data))
    if lp is NULL:
        return None
    found = pack_elements(lp)
    lp_free(&engine.core.memory, lp)
    return found


def used_memory(Engine engine not None):
    return engine.core.memory.used


def set_clock(Engine engine not None, int64_t now_ms):
    engine.core.now_ms = now_ms


def set_limits(Engine engine not None, **limits):
    """Give some of the Limits, by their names, another value."""
    cdef dict fields = engine.core.limits

    fields.update(limits)
    engine.core.limits = fields


def read_payload(Engine engine not None, bytes payload):
    """Read a DUMP payload, check the value, and drop it: its encoding; None: version or checksum are wrong."""
    cdef Entry* e

    if not rdb_dump_valid(payload, len(payload), True, False):
        return None
    e = rdb_read_dump(&engine.core.memory, &engine.core.limits, payload, len(payload), b"key", 3)
    try:
        entry_verify(e)
        return (<bytes>encoding_name(e)).decode()
    finally:
        entry_free(&engine.core.memory, e)


def add_broken(Engine engine not None, int index, bytes key):
    """Put a hash that has a field twice into a database."""
    cdef Arg name = arg_of(key)
    cdef uint8_t* lp = lp_new(&engine.core.memory)

    for word in (b"field", b"1", b"field", b"2"):
        lp = lp_append(&engine.core.memory, lp, word, len(word))
    engine.db(index).add(entry_new(&engine.core.memory, TYPE_HASH, ENC_LISTPACK, name.ptr, name.size, lp),
                         arg_hash(&name))


def read_value(Engine engine not None, bytes value, int version=12):
    """The same for type and value without their footer."""
    body = value + bytes([version, 0])
    return read_payload(engine, body + crc_of(body).to_bytes(8, "little"))


def restore(Engine engine not None, int index, bytes key, bytes payload, int64_t when_ms=-1):
    """Put the value of a DUMP payload into a database, under a key that is not there."""
    cdef Database db = engine.db(index)
    cdef Arg name = arg_of(key)
    cdef Entry* e = rdb_read_dump(&engine.core.memory, &engine.core.limits, payload, len(payload), name.ptr, name.size)

    db.add(e, arg_hash(&name))
    if when_ms >= 0:
        db.set_expire(e, when_ms)


def dump(Engine engine not None, int index, bytes key, bint compress=True):
    cdef Database db = engine.db(index)
    cdef Arg name = arg_of(key)
    cdef RdbWriter w

    rdb_writer_init(&w, &engine.core.memory, -1)
    w.compress = compress
    try:
        rdb_write_dump(&w, db.peek(&name))
        return w.data[:w.size]
    finally:
        rdb_writer_clear(&w)


def value_length(Engine engine not None, int index, bytes key):
    cdef Arg name = arg_of(key)

    return rdb_value_length(&engine.core.memory, engine.db(index).peek(&name), True)


def facts(Engine engine not None, int index, bytes key):
    """(encoding, deadline or -1, LRU bits) of a key."""
    cdef Database db = engine.db(index)
    cdef Arg name = arg_of(key)
    cdef Entry* e = db.peek(&name)

    return (<bytes>encoding_name(e)).decode(), db.when_ms(e), entry_lru(e)


def set_lru(Engine engine not None, int index, bytes key, lru):
    cdef Arg name = arg_of(key)

    entry_set_lru(engine.db(index).peek(&name), lru)


def set_policy(Engine engine not None, bint lfu, lru_clock):
    engine.core.lfu = lfu
    engine.core.lru_clock = lru_clock


def save(Engine engine not None, bint compress=True, bint checksum=True, int stamp=0, repl_id=None):
    """The whole data set as an RDB file in memory."""
    cdef RdbWriter w
    cdef RdbInfo info

    info.aof_base = False
    info.repl_id = NULL
    if repl_id is not None:
        info.repl_id = <bytes>repl_id
        info.repl_offset = 1234
        info.repl_stream_db = 3
    rdb_writer_init(&w, &engine.core.memory, -1)
    w.compress = compress
    w.checksum = checksum
    w.stamp = <RdbStamp>stamp
    try:
        rdb_save_all(&w, engine, &info, NULL, NULL)
        return w.data[:w.size]
    finally:
        rdb_writer_clear(&w)


cdef int count_call(void* context, RdbWriter* w) except -1:
    (<list>context).append(w.keys)
    return 0


def save_to(Engine engine not None, int fd, bint sync=False):
    """The same to a file descriptor: (bytes written, keys, keys with a deadline, progress calls)."""
    cdef RdbWriter w
    cdef RdbInfo info
    cdef list calls = []

    info.aof_base = True
    info.repl_id = NULL
    rdb_writer_init(&w, &engine.core.memory, fd)
    w.incremental_sync = sync
    try:
        rdb_save_all(&w, engine, &info, count_call, <void*>calls)
        return w.written, w.keys, w.expires, calls
    finally:
        rdb_writer_clear(&w)


def save_by_walk(Engine engine not None):
    """The same by the pieces that a walk of one's own uses."""
    cdef RdbWriter w
    cdef RdbInfo info
    cdef Database db
    cdef KeyWalk walk
    cdef Entry* e

    info.aof_base = False
    info.repl_id = NULL
    rdb_writer_init(&w, &engine.core.memory, -1)
    try:
        rdb_write_begin(&w, engine, &info)
        for db in engine.databases:
            if db.count() == 0:
                continue
            rdb_write_select(&w, db)
            walk_begin(&walk, db)
            e = walk_next(&walk)
            while e is not NULL:
                rdb_write_key(&w, db, e)
                e = walk_next(&walk)
            walk_end(&walk)
        rdb_write_end(&w)
        return w.data[:w.size]
    finally:
        rdb_writer_clear(&w)
