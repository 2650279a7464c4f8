"""Writing the RDB format. The design comment is in rdb_save.pxd, the format in rdb.pxd."""
from cpython.buffer cimport PyBUF_READ
from cpython.exc cimport PyErr_CheckSignals, PyErr_SetFromErrno
from cpython.memoryview cimport PyMemoryView_FromMemory
from libc.errno cimport EINTR, errno
from libc.stdint cimport (
    INT16_MAX, INT16_MIN, INT32_MAX, INT32_MIN, INT8_MAX, INT8_MIN, UINT32_MAX, UINT64_MAX, uint8_t, uint32_t,
    uint64_t,
)
from libc.string cimport memcpy, memset, strlen

from fastredis._resp cimport Arg, arg_of
from fastredis.ds.alloc cimport mem_alloc, mem_free, mem_realloc
from fastredis.ds.btree cimport BTree, BtLeaf, leaf_members, leaf_scores
from fastredis.ds.crc64 cimport crc64
from fastredis.ds.expire_heap cimport heap_when
from fastredis.ds.id_tree cimport Id, IdPlace, idt_first, idt_id, idt_next, idt_value
from fastredis.ds.intset cimport ints_bytes
from fastredis.ds.listpack cimport LpItem, lp_bytes
from fastredis.ds.lzf cimport lzf_compress
from fastredis.ds.native cimport bswap32, bswap64, prefetch, unlikely, wall_us
from fastredis.ds.numbers cimport INT64_TEXT, format_int64, parse_int64
from fastredis.ds.quicklist cimport QlNode
from fastredis.ds.sparse_array cimport ArrayIter, array_count, array_iter, array_next, word_int, word_text
from fastredis.ds.table cimport Ahead, ahead_end, ahead_start, ahead_take
from fastredis.engine.client cimport Client
from fastredis.engine.keyspace cimport KeyWalk, idle_seconds, lfu_value, walk_begin, walk_coming, walk_end, walk_next
from fastredis.persist.rdb cimport (
    RDB_ARRAY, RDB_CHECKSUM, RDB_ENC_INT16, RDB_ENC_INT32, RDB_ENC_INT8, RDB_ENC_LZF, RDB_FOOTER, RDB_HASH, RDB_HASH_2,
    RDB_HASH_LISTPACK, RDB_HASH_LISTPACK_EX, RDB_HASH_METADATA, RDB_LEN_14, RDB_LEN_32, RDB_LEN_64, RDB_LEN_ENCODED,
    RDB_LIST_QUICKLIST_2, RDB_NODE_PACKED, RDB_NODE_PLAIN, RDB_OP_AUX, RDB_OP_EOF, RDB_OP_EXPIRETIME_MS, RDB_OP_FREQ,
    RDB_OP_FUNCTION2, RDB_OP_IDLE, RDB_OP_RESIZEDB, RDB_OP_SELECTDB, RDB_SET, RDB_SET_INTSET, RDB_SET_METADATA,
    RDB_STREAM_LISTPACKS_2,
    RDB_STREAM_LISTPACKS_4, RDB_STREAM_LISTPACKS_5, RDB_STRING, RDB_VERSION, RDB_VERSION_FIELD_TTL, RDB_VERSION_IDMP,
    RDB_VERSION_OWN, RDB_VERSION_RELEASED, RDB_VERSION_VALKEY, RDB_ZSET_2, RDB_ZSET_LISTPACK, rdb_aux_blessed,
    rdb_delay,
)
from fastredis.values.array_type cimport Array, array_of, arrays_alive
from fastredis.values.entry cimport (
    ENC_EMBSTR, ENC_HASHTABLE, ENC_INT, ENC_INTSET, ENC_LISTPACK, ENC_LISTPACK_EX, TYPE_ARRAY, TYPE_HASH,
    TYPE_LIST, TYPE_MODULE, TYPE_SET, TYPE_STREAM, TYPE_STRING, entry_embedded, entry_encoding, entry_has_ttl,
    entry_key, entry_slot, entry_type,
)
from fastredis.values.hash_field cimport FieldText, field_has_ttl, field_text
from fastredis.values.hash_ttl cimport hash_soonest
from fastredis.values.hash_type cimport (
    Hash, HashIter, hash_count, hash_iter, hash_iter_end, hash_listpack, hash_next, hash_table,
)
from fastredis.values.list_type cimport list_of
from fastredis.values.member cimport member_has_deadline, member_text
from fastredis.values.opaque_type cimport opaque_bytes, opaque_of
from fastredis.values.set_type cimport (
    SetIter, set_bytes, set_count, set_iter, set_iter_end, set_next, set_soonest, set_table, set_timed,
    timed_sets_alive,
)
from fastredis.values.stream_group cimport (
    Consumer, Group, Pending, consumer_name, group_at, group_name, pending_released,
)
from fastredis.values.stream_idmp cimport Idmp, Iid, Named, NameTable, Producer, name_of
from fastredis.values.stream_type cimport (
    Stream, StreamNode, stream_first_id, stream_has_released, stream_length, stream_of,
)
from fastredis.values.string_type cimport entry_int, entry_raw, raw_data
from fastredis.values.timed cimport NO_DEADLINE
from fastredis.values.zset_type cimport zset_block_text, zset_listpack, zset_of

from fastredis import REDIS_VERSION

cdef extern from *:
    """
    #ifndef _GNU_SOURCE
    #define _GNU_SOURCE
    #endif
    #include <fcntl.h>
    #include <unistd.h>

    /* Have the kernel begin to write a range of a file to the disk; pipes and sockets refuse, which is no harm. */
    static inline void fr_sync_range(int fd, uint64_t from, uint64_t size) {
    #if defined(SYNC_FILE_RANGE_WRITE)
        (void)!sync_file_range(fd, (off_t)from, (off_t)size, SYNC_FILE_RANGE_WRITE);
    #elif defined(__APPLE__)
        (void)!fsync(fd);
    #else
        (void)!fdatasync(fd);
    #endif
    }
    """
    void sync_range "fr_sync_range"(int fd, uint64_t begin, uint64_t size) noexcept nogil

cdef extern from "<unistd.h>" nogil:
    Py_ssize_t write(int fd, const void* data, size_t size)

cdef enum:
    HEAD = 32                           # room for the longest lengths and opcodes in front of a string
    COMPRESS_LEAST = 20                 # bytes up to which a string is not compressed
    COMPRESS_GAIN = 4                   # bytes that compression has to save
    INT_TEXT = 11                       # longest text that may be stored as an integer of 32 bits


# ---------------------------------------------------------------- the buffer

cdef int rdb_writer_init(RdbWriter* w, Account* account, int fd) except -1:
    """A writer to a file descriptor, or (-1) to memory. rdb_writer_clear() it in any case."""
    memset(w, 0, sizeof(RdbWriter))
    w.account = account
    w.fd = fd
    w.compress = True
    w.checksum = True
    if fd >= 0:
        w.data = <char*>mem_alloc(account, RDB_BUFFER)
        w.room = RDB_BUFFER
    return 0


cdef int rdb_writer_init_sink(RdbWriter* w, Account* account, object sink) except -1:
    """A writer to a function. rdb_writer_clear() it in any case."""
    rdb_writer_init(w, account, -1)
    w.sink = <void*>sink
    w.data = <char*>mem_alloc(account, RDB_BUFFER)
    w.room = RDB_BUFFER
    return 0


cdef int rdb_writer_configure(RdbWriter* w, Engine engine) except -1:
    """Take over what is configured for files."""
    cdef str policy = engine.config["maxmemory-policy"]

    w.compress = engine.config["rdbcompression"]
    w.checksum = engine.config["rdbchecksum"]
    w.incremental_sync = engine.config["rdb-save-incremental-fsync"]
    w.key_delay_us = engine.config["rdb-key-save-delay"]
    w.stamp = RDB_STAMP_NONE
    if policy.endswith(("-lru", "-lrm")):
        w.stamp = RDB_STAMP_IDLE
    elif policy.endswith("-lfu"):
        w.stamp = RDB_STAMP_FREQ
    return 0


cdef void rdb_writer_clear(RdbWriter* w) noexcept:
    """Free the buffers; any number of times."""
    mem_free(w.account, w.data, w.room)
    mem_free(w.account, w.scratch, w.scratch_room)
    w.data = w.scratch = NULL
    w.room = w.scratch_room = w.size = 0


cdef inline bint is_memory(RdbWriter* w) noexcept:
    return w.fd < 0 and w.sink is NULL


cdef int send(RdbWriter* w, const void* data, size_t size) except -1:
    """Write bytes that are next to fd or the sink, all of them; CRC and counts go along."""
    cdef const char* p = <const char*>data
    cdef Py_ssize_t sent

    if w.checksum:
        w.crc = crc64(w.crc, data, size)
    w.written += size
    if w.sink is not NULL:
        (<object>w.sink)(PyMemoryView_FromMemory(<char*>data, size, PyBUF_READ))
        return 0
    while size:
        sent = write(w.fd, p, size)
        if sent < 0:
            if errno == EINTR:
                continue
            PyErr_SetFromErrno(OSError)
        p += sent
        size -= sent
    if w.incremental_sync and w.written - w.synced >= RDB_SYNC:
        sync_range(w.fd, w.synced, w.written - w.synced)
        w.synced = w.written
    return 0


cdef int rdb_flush(RdbWriter* w) except -1:
    """Write what is in the buffer; nothing in memory."""
    cdef size_t size = w.size

    if size and not is_memory(w):
        w.size = 0
        send(w, w.data, size)
    return 0


cdef int make_room(RdbWriter* w, size_t size) except -1:
    """Room for `size` bytes more."""
    cdef size_t room

    rdb_flush(w)
    if w.room - w.size >= size:
        return 0
    room = max(w.size + size, w.room * 2)
    w.data = <char*>mem_realloc(w.account, w.data, w.room, room)
    w.room = room
    return 0


cdef inline int reserve(RdbWriter* w, size_t size) except -1:
    if unlikely(w.room - w.size < size):
        make_room(w, size)
    return 0


cdef int rdb_write_bytes(RdbWriter* w, const void* data, size_t size) except -1:
    """Write bytes as they are."""
    if size >= RDB_BUFFER and not is_memory(w):
        rdb_flush(w)
        return send(w, data, size)
    reserve(w, size)
    memcpy(w.data + w.size, data, size)
    w.size += size
    return 0


cdef inline int write_byte(RdbWriter* w, int byte) except -1:
    reserve(w, 1)
    w.data[w.size] = <char>byte
    w.size += 1
    return 0


cdef inline int write_8(RdbWriter* w, uint64_t number) except -1:
    """Eight bytes, the lowest first."""
    return rdb_write_bytes(w, &number, 8)


# ---------------------------------------------------------------- lengths and strings

cdef inline size_t put_length(char* to, uint64_t n) noexcept:
    """Write a length to where there is room for nine bytes; its size."""
    cdef uint32_t n32
    cdef uint64_t n64

    if n < 64:
        to[0] = <char>n
        return 1
    if n < 16384:
        to[0] = <char>(RDB_LEN_14 | n >> 8)
        to[1] = <char>n
        return 2
    if n <= UINT32_MAX:
        to[0] = <char>RDB_LEN_32
        n32 = bswap32(<uint32_t>n)
        memcpy(to + 1, &n32, 4)
        return 5
    to[0] = <char>RDB_LEN_64
    n64 = bswap64(n)
    memcpy(to + 1, &n64, 8)
    return 9


cdef inline size_t put_int(char* to, int64_t number) noexcept:
    """Write a string that is an integer to where there is room for five bytes; 0: it has too many bits."""
    if INT8_MIN <= number <= INT8_MAX:
        to[0] = <char>(RDB_LEN_ENCODED | RDB_ENC_INT8)
        to[1] = <char>number
        return 2
    if INT16_MIN <= number <= INT16_MAX:
        to[0] = <char>(RDB_LEN_ENCODED | RDB_ENC_INT16)
        memcpy(to + 1, &number, 2)
        return 3
    if INT32_MIN <= number <= INT32_MAX:
        to[0] = <char>(RDB_LEN_ENCODED | RDB_ENC_INT32)
        memcpy(to + 1, &number, 4)
        return 5
    return 0


cdef int rdb_write_length(RdbWriter* w, uint64_t n) except -1:
    reserve(w, 9)
    w.size += put_length(w.data + w.size, n)
    return 0


cdef int write_compressed(RdbWriter* w, const void* data, size_t size, size_t original) except -1:
    """A string that is compressed already."""
    cdef char* to

    reserve(w, HEAD)
    to = w.data + w.size
    to[0] = <char>(RDB_LEN_ENCODED | RDB_ENC_LZF)
    to += 1
    to += put_length(to, size)
    to += put_length(to, original)
    w.size = to - w.data
    return rdb_write_bytes(w, data, size)


cdef bint compress(RdbWriter* w, const char* text, size_t size) except -1:
    """Write a string compressed, if that saves anything worth it."""
    cdef size_t room = size - COMPRESS_GAIN

    if w.scratch_room < room:
        w.scratch = <char*>mem_realloc(w.account, w.scratch, w.scratch_room, room + room // 4)
        w.scratch_room = room + room // 4
    size = lzf_compress(text, size, w.scratch, room)
    if size == 0:
        return False
    write_compressed(w, w.scratch, size, room + COMPRESS_GAIN)
    return True


cdef int rdb_write_string(RdbWriter* w, const char* text, size_t size) except -1:
    """Write a string: as an integer or compressed where that is shorter."""
    cdef int64_t number
    cdef size_t head

    if size <= INT_TEXT and parse_int64(text, size, &number):
        reserve(w, HEAD)
        head = put_int(w.data + w.size, number)
        if head:
            w.size += head
            return 0
    elif w.compress and size > COMPRESS_LEAST and compress(w, text, size):
        return 0
    reserve(w, HEAD)
    w.size += put_length(w.data + w.size, size)
    return rdb_write_bytes(w, text, size)


cdef int write_number(RdbWriter* w, int64_t number) except -1:
    """Write an integer as a string."""
    cdef char[INT64_TEXT] digits
    cdef size_t head

    reserve(w, HEAD)
    head = put_int(w.data + w.size, number)
    if head == 0:
        return rdb_write_string(w, digits, format_int64(digits, number))
    w.size += head
    return 0


cdef inline void ask_for_value(Database db, Entry* e) noexcept:
    """Ask for what writing a key looks at outside of its entry, which has come."""
    cdef char* value

    if e is NULL:
        return
    db.prefetch_deadline(e)
    if entry_encoding(e) != ENC_EMBSTR and entry_encoding(e) != ENC_INT:
        value = <char*>entry_slot(e)[0]
        prefetch(value)
        prefetch(value + 64)
        prefetch(value + 128)


# ---------------------------------------------------------------- values

cdef int rdb_type_of(const Entry* e) noexcept:
    """The type byte that the value is written with."""
    cdef int encoding = entry_encoding(e)

    if entry_type(e) == TYPE_STRING:
        return RDB_STRING
    if entry_type(e) == TYPE_LIST:
        return RDB_LIST_QUICKLIST_2
    if entry_type(e) == TYPE_SET:
        if set_soonest(e) != NO_DEADLINE:
            return RDB_SET_METADATA
        return RDB_SET_INTSET if encoding == ENC_INTSET else RDB_SET
    if entry_type(e) == TYPE_HASH:
        if encoding == ENC_LISTPACK:
            return RDB_HASH_LISTPACK
        if hash_soonest(e) == NO_DEADLINE:
            return RDB_HASH
        return RDB_HASH_METADATA if encoding == ENC_HASHTABLE else RDB_HASH_LISTPACK_EX
    if entry_type(e) == TYPE_STREAM:
        if stream_has_released(stream_of(e)):
            return RDB_STREAM_LISTPACKS_5
        return RDB_STREAM_LISTPACKS_2 if stream_of(e).idmp is NULL else RDB_STREAM_LISTPACKS_4
    if entry_type(e) == TYPE_ARRAY:
        return RDB_ARRAY
    if entry_type(e) == TYPE_MODULE:
        return opaque_of(e).kind
    return RDB_ZSET_LISTPACK if encoding == ENC_LISTPACK else RDB_ZSET_2


cdef int rdb_version_of(const Entry* e) noexcept:
    """The lowest version of the format that has such a value."""
    cdef int kind = rdb_type_of(e)

    if kind == RDB_HASH_METADATA or kind == RDB_HASH_LISTPACK_EX:
        return RDB_VERSION_FIELD_TTL
    if kind == RDB_ARRAY or kind == RDB_SET_METADATA:
        return RDB_VERSION_OWN
    if kind == RDB_STREAM_LISTPACKS_4:
        return RDB_VERSION_IDMP
    return RDB_VERSION_RELEASED if kind == RDB_STREAM_LISTPACKS_5 else RDB_VERSION


cdef int write_string_value(RdbWriter* w, const Entry* e) except -1:
    if entry_encoding(e) == ENC_EMBSTR:
        return rdb_write_string(w, entry_embedded(e), e.value_size)
    if entry_encoding(e) == ENC_INT:
        return write_number(w, entry_int(e))
    return rdb_write_string(w, raw_data(entry_raw(e)), entry_raw(e).size)


cdef int write_list(RdbWriter* w, const Entry* e) except -1:
    """Nodes as they are; a listpack alone is one."""
    cdef QlNode* node
    cdef const char* data

    if entry_encoding(e) == ENC_LISTPACK:
        rdb_write_length(w, 1)
        rdb_write_length(w, RDB_NODE_PACKED)
        data = <const char*>entry_slot(<Entry*>e)[0]
        return rdb_write_string(w, data, lp_bytes(<const uint8_t*>data))
    rdb_write_length(w, list_of(e).nodes)
    node = list_of(e).head
    while node is not NULL:
        prefetch(node.next)
        rdb_write_length(w, RDB_NODE_PLAIN if node.plain else RDB_NODE_PACKED)
        if node.compressed:
            write_compressed(w, node.block, node.room, node.bytes)
        else:
            rdb_write_string(w, <const char*>node.block + node.start, node.bytes)
        node = node.next
    return 0


cdef int write_set(RdbWriter* w, const Entry* e) except -1:
    """A table, or a listpack, which Redis before 7.2 does not know as a set: member by member.

    Deadlines of members stand in front of them if there are any, as those of fields in a hash's table.
    """
    cdef int64_t soonest = set_soonest(e)
    cdef Ahead ahead
    cdef SetIter it
    cdef LpItem item
    cdef void* member
    cdef const char* text
    cdef size_t size

    if soonest != NO_DEADLINE:
        write_8(w, soonest)
    rdb_write_length(w, set_count(e))
    if entry_encoding(e) == ENC_LISTPACK:
        set_iter(&it, e)
        while set_next(&it, &item):
            if item.text is NULL:
                write_number(w, item.number)
            else:
                rdb_write_string(w, item.text, item.size)
        set_iter_end(&it)
        return 0
    ahead_start(&ahead, set_table(e))
    try:
        while True:
            member = ahead_take(&ahead)
            if member is NULL:
                return 0
            if soonest != NO_DEADLINE:
                rdb_write_length(w, heap_when(&set_timed(e).expires, member) - soonest + 1 if (
                    member_has_deadline(<uint8_t*>member)) else 0)
            text = member_text(<const uint8_t*>member, &size)
            rdb_write_string(w, text, size)
    finally:
        ahead_end(&ahead)


cdef int write_zset(RdbWriter* w, const Entry* e) except -1:
    """A tree, from its highest member to the lowest, so that whoever loads it into a skip list adds in front only."""
    cdef BTree* order = &zset_of(e).order
    cdef BtLeaf* leaf = order.last
    cdef void** members
    cdef const char* text
    cdef size_t size
    cdef double score
    cdef int i

    rdb_write_length(w, order.count)
    while leaf is not NULL:
        prefetch(leaf.prev)
        members = leaf_members(leaf)
        for i in range(leaf.count):
            prefetch(members[i])
        for i in range(<int>leaf.count - 1, -1, -1):
            text = zset_block_text(members[i], &size)
            rdb_write_string(w, text, size)
            score = leaf_scores(leaf)[i]
            rdb_write_bytes(w, &score, sizeof(double))
        leaf = leaf.prev
    return 0


cdef int write_hash_table(RdbWriter* w, const Entry* e) except -1:
    """A table, its deadlines in front of the fields if there are any."""
    cdef Hash* h = hash_table(e)
    cdef int64_t soonest = hash_soonest(e)
    cdef Ahead ahead
    cdef FieldText text
    cdef void* block

    if soonest != NO_DEADLINE:
        write_8(w, soonest)
    rdb_write_length(w, hash_count(e))
    ahead_start(&ahead, &h.fields)
    try:
        while True:
            block = ahead_take(&ahead)
            if block is NULL:
                return 0
            if soonest != NO_DEADLINE:
                rdb_write_length(w, heap_when(&h.expires, block) - soonest + 1 if field_has_ttl(<uint8_t*>block) else 0)
            field_text(<const uint8_t*>block, &text)
            rdb_write_string(w, text.field, text.field_size)
            rdb_write_string(w, text.value, text.value_size)
    finally:
        ahead_end(&ahead)


cdef int write_hash_plain(RdbWriter* w, const Entry* e) except -1:
    """A listpack of triples of which no field has a deadline any more."""
    cdef HashIter it

    rdb_write_length(w, hash_count(e))
    hash_iter(&it, e)
    while hash_next(&it):
        rdb_write_string(w, it.field, it.field_size)
        rdb_write_string(w, it.value, it.value_size)
    hash_iter_end(&it)
    return 0


cdef int write_pack(RdbWriter* w, const uint8_t* lp) except -1:
    return rdb_write_string(w, <const char*>lp, lp_bytes(lp))


cdef int write_hash(RdbWriter* w, const Entry* e) except -1:
    cdef int64_t soonest

    if entry_encoding(e) == ENC_HASHTABLE:
        return write_hash_table(w, e)
    if entry_encoding(e) == ENC_LISTPACK_EX:
        soonest = hash_soonest(e)
        if soonest == NO_DEADLINE:
            return write_hash_plain(w, e)
        write_8(w, soonest)
    return write_pack(w, hash_listpack(e))


cdef bint is_for_valkey(RdbWriter* w, const Entry* e) noexcept:
    """Whether it is a hash with deadlines, for a reader that has another form of those."""
    return w.for_valkey and rdb_version_of(e) == RDB_VERSION_FIELD_TTL


cdef int write_hash_for_valkey(RdbWriter* w, const Entry* e) except -1:
    """Fields, values and deadlines, -1 without one."""
    cdef HashIter it

    rdb_write_length(w, hash_count(e))
    hash_iter(&it, e)
    try:
        while hash_next(&it):
            rdb_write_string(w, it.field, it.field_size)
            rdb_write_string(w, it.value, it.value_size)
            write_8(w, <uint64_t>it.when_ms if it.when_ms != NO_DEADLINE else <uint64_t>-1)
    finally:
        hash_iter_end(&it)
    return 0


cdef inline void put_id(uint8_t* to, Id id) noexcept:
    """An id in sixteen bytes, the highest first."""
    cdef int i

    for i in range(8):
        to[i] = <uint8_t>(id.ms >> (56 - 8 * i))
        to[8 + i] = <uint8_t>(id.seq >> (56 - 8 * i))


cdef int write_id(RdbWriter* w, Id id) except -1:
    """An id as two lengths."""
    rdb_write_length(w, id.ms)
    return rdb_write_length(w, id.seq)


cdef int write_consumer(RdbWriter* w, const Consumer* consumer, int kind) except -1:
    cdef IdPlace at = idt_first(&consumer.pending)
    cdef uint8_t[16] id

    rdb_write_string(w, consumer_name(consumer), consumer.name_size)
    write_8(w, <uint64_t>consumer.seen_ms)
    if kind != RDB_STREAM_LISTPACKS_2:
        write_8(w, <uint64_t>consumer.active_ms)
    rdb_write_length(w, consumer.pending.count)
    while at.leaf is not NULL:
        put_id(id, idt_id(at))
        rdb_write_bytes(w, id, sizeof(id))
        at = idt_next(at)
    return 0


cdef int write_released(RdbWriter* w, const Group* group) except -1:
    """The ids of released entries, in the order in which they were released."""
    cdef Id* ids = pending_released(w.account, group)
    cdef uint8_t[16] id
    cdef uint64_t i

    try:
        rdb_write_length(w, group.released)
        for i in range(group.released):
            put_id(id, ids[i])
            rdb_write_bytes(w, id, sizeof(id))
    finally:
        mem_free(w.account, ids, group.released * sizeof(Id))
    return 0


cdef enum:
    IDMP_DEFAULT = 100              # seconds, and messages, that are kept of producers where nothing else is said

cdef int write_idmp(RdbWriter* w, const Idmp* idmp) except -1:
    """What is known of producers; NULL: nothing."""
    cdef Named* producer = idmp.producers.first if idmp is not NULL else NULL
    cdef Named* iid
    cdef NameTable* iids

    rdb_write_length(w, idmp.duration_s if idmp is not NULL else IDMP_DEFAULT)
    rdb_write_length(w, idmp.maxsize if idmp is not NULL else IDMP_DEFAULT)
    rdb_write_length(w, idmp.producers.count if idmp is not NULL else 0)
    while producer is not NULL:
        iids = &(<Producer*>producer).iids
        rdb_write_string(w, name_of(&idmp.producers, producer), producer.size)
        rdb_write_length(w, iids.count)
        iid = iids.first
        while iid is not NULL:
            rdb_write_string(w, name_of(iids, iid), iid.size)
            write_id(w, (<Iid*>iid).id)
            iid = iid.next
        producer = producer.next
    rdb_write_length(w, idmp.added if idmp is not NULL else 0)
    return rdb_write_length(w, idmp.duplicates if idmp is not NULL else 0)


cdef int write_group(RdbWriter* w, const Group* group, int kind) except -1:
    cdef IdPlace at = idt_first(&group.pending)
    cdef const Pending* record
    cdef uint8_t[16] id
    cdef uint32_t i

    rdb_write_string(w, group_name(group), group.name_size)
    write_id(w, group.last_id)
    rdb_write_length(w, <uint64_t>group.entries_read)
    rdb_write_length(w, group.pending.count)
    while at.leaf is not NULL:
        record = <const Pending*>idt_value(&group.pending, at)
        put_id(id, idt_id(at))
        rdb_write_bytes(w, id, sizeof(id))
        write_8(w, <uint64_t>record.time_ms if record.consumer is not NULL else 0)
        rdb_write_length(w, record.deliveries)
        at = idt_next(at)
    rdb_write_length(w, group.consumer_count)
    for i in range(group.consumer_count):
        write_consumer(w, group.consumers[i], kind)
    return write_released(w, group) if kind == RDB_STREAM_LISTPACKS_5 else 0


cdef int write_stream(RdbWriter* w, Stream* s, int kind) except -1:
    cdef IdPlace at = idt_first(&s.nodes)
    cdef uint8_t[16] id
    cdef uint32_t i

    rdb_write_length(w, s.nodes.count)
    while at.leaf is not NULL:
        put_id(id, idt_id(at))
        rdb_write_string(w, <const char*>id, sizeof(id))
        write_pack(w, (<const StreamNode*>idt_value(&s.nodes, at)).lp)
        at = idt_next(at)
    rdb_write_length(w, stream_length(s))
    write_id(w, s.last_id)
    write_id(w, stream_first_id(s))
    write_id(w, s.max_deleted_id)
    rdb_write_length(w, s.entries_added)
    rdb_write_length(w, s.groups.count)
    for i in range(s.groups.count):
        write_group(w, group_at(&s.groups, i), kind)
    return write_idmp(w, s.idmp) if kind != RDB_STREAM_LISTPACKS_2 else 0


cdef int write_array(RdbWriter* w, const Array* a) except -1:
    """See rdb_array.pxd."""
    cdef char[INT64_TEXT] scratch
    cdef uint64_t index = 0
    cdef int64_t number
    cdef const char* text
    cdef size_t size
    cdef ArrayIter it

    rdb_write_length(w, a.next)
    rdb_write_length(w, a.ring)
    rdb_write_length(w, array_count(&a.slots))
    array_iter(&it, &a.slots, 0, UINT64_MAX)
    while array_next(&it):
        rdb_write_length(w, it.index - index)
        index = it.index + 1
        if word_int(it.word, &number):
            write_number(w, number)
            continue
        text = word_text(it.word, scratch, &size)
        rdb_write_string(w, text, size)
    return 0


cdef int rdb_write_value(RdbWriter* w, const Entry* e) except -1:
    """Write a value as rdb_type_of() says."""
    cdef int kind = entry_type(e)

    if kind == TYPE_STRING:
        return write_string_value(w, e)
    if kind == TYPE_LIST:
        return write_list(w, e)
    if kind == TYPE_HASH:
        return write_hash(w, e)
    if kind == TYPE_SET:
        if entry_encoding(e) == ENC_INTSET:
            return rdb_write_string(w, <const char*>set_bytes(e), ints_bytes(set_bytes(e)))
        return write_set(w, e)
    if kind == TYPE_STREAM:
        return write_stream(w, stream_of(e), rdb_type_of(e))
    if kind == TYPE_ARRAY:
        return write_array(w, array_of(e))
    if kind == TYPE_MODULE:
        return rdb_write_bytes(w, opaque_bytes(opaque_of(e)), opaque_of(e).size)
    if entry_encoding(e) == ENC_LISTPACK:
        return write_pack(w, zset_listpack(e))
    return write_zset(w, e)


cdef int rdb_write_dump(RdbWriter* w, const Entry* e) except -1:
    """DUMP: type, value, version and checksum, in the buffer of a memory writer that has nothing in it."""
    write_byte(w, rdb_type_of(e))
    rdb_write_value(w, e)
    return rdb_write_footer(w, rdb_version_of(e))


cdef int rdb_write_footer(RdbWriter* w, int version) except -1:
    """What a payload ends with: version and checksum."""
    cdef uint64_t crc

    reserve(w, RDB_FOOTER)
    w.data[w.size] = <char>version
    w.data[w.size + 1] = <char>(version >> 8)
    w.size += RDB_FOOTER - RDB_CHECKSUM
    crc = crc64(0, w.data, w.size)
    return write_8(w, crc)


cdef int64_t rdb_value_length(Account* account, const Entry* e, bint compress) except -1:
    """Bytes that the value takes in a file. O(value) in time and memory."""
    cdef RdbWriter w

    rdb_writer_init(&w, account, -1)
    w.compress = compress
    try:
        rdb_write_value(&w, e)
        return w.size
    finally:
        rdb_writer_clear(&w)


def saved_length(Client c not None, bytes key not None):
    """Bytes that the value of a key in the client's database takes in a file; None without the key."""
    cdef Arg name = arg_of(key)
    cdef Entry* e = c.db.peek(&name)

    return rdb_value_length(&c.core.memory, e, c.engine.config["rdbcompression"]) if e is not NULL else None


# ---------------------------------------------------------------- data sets

cdef int rdb_write_aux(RdbWriter* w, const char* name, const char* value, size_t size) except -1:
    """An AUX field, which readers that do not know it pass over."""
    write_byte(w, RDB_OP_AUX)
    rdb_write_string(w, name, strlen(name))
    return rdb_write_string(w, value, size)


cdef int write_aux_number(RdbWriter* w, const char* name, int64_t value) except -1:
    cdef char[INT64_TEXT] digits

    return rdb_write_aux(w, name, digits, format_int64(digits, value))


cdef bint has_own_form(Engine engine) except -1:
    """Whether a value has only a form of our own: an array, or a set some of whose members have deadlines.

    O(1) if there is none in the process, else up to O(keys).
    """
    cdef Database db
    cdef KeyWalk walk
    cdef Entry* e = NULL

    if arrays_alive() == 0 and timed_sets_alive() == 0:
        return False
    for db in engine.databases:
        walk_begin(&walk, db)
        e = walk_next(&walk)
        while e is not NULL and rdb_version_of(e) != RDB_VERSION_OWN:
            e = walk_next(&walk)
        walk_end(&walk)
        if e is not NULL:
            return True
    return False


cdef int rdb_write_begin(RdbWriter* w, Engine engine, const RdbInfo* info) except -1:
    """Header, AUX fields, what is kept in front of the keys, and libraries of functions."""
    cdef bytes redis_version = REDIS_VERSION.encode()
    cdef int version = RDB_VERSION
    cdef bytes magic
    cdef Database db

    for db in engine.databases:
        if db.part_deadline_count():
            version = RDB_VERSION_FIELD_TTL
    if has_own_form(engine) and not w.without_keys:
        version = RDB_VERSION_OWN
    if version == RDB_VERSION_FIELD_TTL and w.for_valkey:
        magic = b"VALKEY%03d" % RDB_VERSION_VALKEY
    else:
        magic = b"REDIS%04d" % version
    rdb_write_bytes(w, <const char*>magic, len(magic))
    rdb_write_aux(w, b"redis-ver", redis_version, len(redis_version))
    write_aux_number(w, b"redis-bits", sizeof(void*) * 8)
    write_aux_number(w, b"ctime", wall_us() // 1000000)
    write_aux_number(w, b"used-mem", engine.core.memory.used)
    if info.repl_id is not NULL:
        write_aux_number(w, b"repl-stream-db", info.repl_stream_db)
        rdb_write_aux(w, b"repl-id", info.repl_id, strlen(info.repl_id))
        write_aux_number(w, b"repl-offset", info.repl_offset)
    write_aux_number(w, b"aof-base", info.aof_base)
    for db in engine.databases:
        if db.blessed is not None and not w.without_keys:
            write_blessed(w, db)
    if engine.kept is not None and not w.without_keys:
        rdb_write_parts(w, engine.kept.before)
    return 0 if w.without_functions else rdb_write_libraries(w, engine)


cdef int write_blessed(RdbWriter* w, Database db) except -1:
    """Which keys of a database eviction spares: an AUX field each, "number name"."""
    cdef bytes name, value

    for name in db.blessed:
        value = b"%d %s" % (db.index, name)
        rdb_write_aux(w, rdb_aux_blessed(), value, len(value))
    return 0


cdef int rdb_write_libraries(RdbWriter* w, Engine engine) except -1:
    cdef bytes code

    if engine.scripts is not None:
        for code in engine.scripts.functions.codes():
            write_byte(w, RDB_OP_FUNCTION2)
            rdb_write_string(w, <const char*>code, len(code))
    return 0


cdef int rdb_write_parts(RdbWriter* w, list parts) except -1:
    """Parts of the format as they are, opcodes included."""
    cdef bytes part

    for part in parts:
        rdb_write_bytes(w, <const char*>part, len(part))
    return 0


cdef int rdb_write_select(RdbWriter* w, Database db) except -1:
    """Whose keys follow, and how many there are about."""
    write_byte(w, RDB_OP_SELECTDB)
    rdb_write_length(w, db.index)
    write_byte(w, RDB_OP_RESIZEDB)
    rdb_write_length(w, db.count())
    return rdb_write_length(w, db.volatile_count())


cdef int write_stamp(RdbWriter* w, Database db, const Entry* e) except -1:
    """When, or how often, the key was used."""
    if w.stamp == RDB_STAMP_IDLE:
        write_byte(w, RDB_OP_IDLE)
        return rdb_write_length(w, idle_seconds(db.core, e))
    write_byte(w, RDB_OP_FREQ)
    return write_byte(w, lfu_value(db.core, e))


cdef int rdb_write_key(RdbWriter* w, Database db, Entry* e) except -1:
    """One key with its deadline, its value, and how it was used if that matters."""
    if entry_has_ttl(e):
        write_byte(w, RDB_OP_EXPIRETIME_MS)
        write_8(w, db.when_ms(e))
        w.expires += 1
    if w.stamp != RDB_STAMP_NONE:
        write_stamp(w, db, e)
    if unlikely(is_for_valkey(w, e)):
        write_byte(w, RDB_HASH_2)
        rdb_write_string(w, entry_key(e), e.key_size)
        write_hash_for_valkey(w, e)
    else:
        write_byte(w, rdb_type_of(e))
        rdb_write_string(w, entry_key(e), e.key_size)
        rdb_write_value(w, e)
    w.keys += 1
    if unlikely(w.key_delay_us != 0):
        rdb_delay(w.key_delay_us)
        PyErr_CheckSignals()
    return 0


cdef int rdb_write_end(RdbWriter* w) except -1:
    """What tells that nothing is missing: EOF and the checksum."""
    cdef uint64_t crc

    write_byte(w, RDB_OP_EOF)
    crc = crc64(w.crc, w.data, w.size) if w.checksum else 0
    return write_8(w, crc)


cdef int write_database(RdbWriter* w, Database db, RdbProgress progress, void* context) except -1:
    cdef KeyWalk walk
    cdef Entry* e

    rdb_write_select(w, db)
    walk_begin(&walk, db)
    try:
        while True:
            e = walk_next(&walk)
            if e is NULL:
                return 0
            ask_for_value(db, walk_coming(&walk))
            rdb_write_key(w, db, e)
            if unlikely(w.keys % RDB_PROGRESS_KEYS == 0) and progress is not NULL:
                progress(context, w)
    finally:
        walk_end(&walk)


cdef int rdb_save_all(RdbWriter* w, Engine engine, const RdbInfo* info, RdbProgress progress, void* context) except -1:
    """The whole data set, from header to checksum, and a flush."""
    cdef Database db

    rdb_write_begin(w, engine, info)
    if not w.without_keys:
        for db in engine.databases:
            if db.count():
                write_database(w, db, progress, context)
        if engine.kept is not None:
            rdb_write_parts(w, engine.kept.after)
    rdb_write_end(w)
    return rdb_flush(w)
