"""Reading streams in the RDB format. The design comment is in rdb_stream.pxd."""
from libc.stdint cimport int64_t, uint8_t, uint64_t

from fastredis.ds.id_tree cimport Id, id_less, idt_add, idt_find, idt_value
from fastredis.ds.listpack cimport LP_MAX, lp_adopt, lp_first, lp_free, lp_valid
from fastredis.ds.native cimport monotonic_us
from fastredis.persist.rdb cimport RDB_STREAM_LISTPACKS, RDB_STREAM_LISTPACKS_2, RDB_STREAM_LISTPACKS_3
from fastredis.persist.rdb_reader cimport (
    RDB_SCRATCH_FIELD, RDB_SCRATCH_VALUE, RdbText, rdb_corrupt, rdb_read_8, rdb_read_bytes, rdb_read_length,
    rdb_read_string,
)
from fastredis.values.stream_group cimport Pending, consumer_add, consumer_find, group_add, group_find
from fastredis.values.stream_type cimport (
    Stream, stream_last_entry, stream_length, stream_new, stream_of, stream_put_node, stream_read_at,
    stream_valid_node,
)
from fastredis.values.value cimport entry_free

cdef enum:                              # steps
    AT_START = 0                        # how many nodes
    AT_NODE
    AT_NUMBERS                          # what the stream knows of itself, and how many groups follow
    AT_GROUP                            # its name and numbers, and how many entries its PEL has
    AT_GROUP_ENTRY
    AT_CONSUMERS                        # how many
    AT_CONSUMER
    AT_CONSUMER_ENTRY
    AT_END

cdef enum:
    ID_SIZE = 16                        # bytes of an id, the highest first
    TIME_STEPS = 64                     # steps between two looks at the clock


cdef bint is_stream_kind(int kind) noexcept:
    return kind == RDB_STREAM_LISTPACKS or kind == RDB_STREAM_LISTPACKS_2 or kind == RDB_STREAM_LISTPACKS_3


cdef void stream_walk_start(StreamWalk* walk, int kind) noexcept:
    walk.kind = kind
    walk.at = AT_START
    walk.e = NULL


# ---------------------------------------------------------------- pieces

cdef Id id_at(const uint8_t* p) noexcept:
    """An id in sixteen bytes, the highest first."""
    cdef Id id = Id(0, 0)
    cdef int i

    for i in range(8):
        id.ms = id.ms << 8 | p[i]
        id.seq = id.seq << 8 | p[8 + i]
    return id


cdef bint read_id(RdbReader* r, Id* id) except -1:
    """An id as two lengths."""
    return rdb_read_length(r, &id.ms) and rdb_read_length(r, &id.seq)


cdef int put_node(RdbReader* r, Stream* s, Id id, const uint8_t* data, size_t size) except -1:
    """Take a node over, if it is one that can follow on those before."""
    cdef uint8_t* lp

    if size > LP_MAX or not lp_valid(data, size, True):
        rdb_corrupt(r, "Stream listpack integrity check failed.")
    if lp_first(data) is NULL:
        rdb_corrupt(r, "Empty listpack inside stream")
    lp = lp_adopt(r.account, data, size)
    if not stream_valid_node(lp, id):
        lp_free(r.account, lp)
        rdb_corrupt(r, "Stream listpack integrity check failed.")
    if s.nodes.count and not id_less(stream_last_entry(s), id):
        lp_free(r.account, lp)
        rdb_corrupt(r, "Stream nodes out of order")
    stream_put_node(r.account, s, id, lp)
    return 0


cdef bint read_node(RdbReader* r, StreamWalk* walk) except -1:
    cdef RdbText text
    cdef Id id

    if not rdb_read_string(r, RDB_SCRATCH_FIELD, &text):
        return False
    if text.size != ID_SIZE:
        rdb_corrupt(r, "Stream node key entry is not the size of a stream ID")
    id = id_at(<const uint8_t*>text.text)
    if not rdb_read_string(r, RDB_SCRATCH_VALUE, &text):
        return False
    put_node(r, stream_of(walk.e), id, <const uint8_t*>text.text, text.size)
    walk.left[0] -= 1
    return True


cdef bint read_numbers(RdbReader* r, StreamWalk* walk) except -1:
    cdef Stream* s = stream_of(walk.e)
    cdef uint64_t length, added
    cdef Id last_id, first_id
    cdef Id deleted = Id(0, 0)
    cdef Id last

    if not rdb_read_length(r, &length) or not read_id(r, &last_id):
        return False
    added = length
    if walk.kind != RDB_STREAM_LISTPACKS and not (
            read_id(r, &first_id) and read_id(r, &deleted) and rdb_read_length(r, &added)):
        return False
    if not rdb_read_length(r, &walk.left[0]):
        return False
    if length and stream_length(s) == 0:
        rdb_corrupt(r, "Stream length inconsistent with its nodes")
    last = stream_last_entry(s)
    s.last_id = last if id_less(last_id, last) else last_id
    s.max_deleted_id = deleted
    s.entries_added = added
    walk.at = AT_GROUP
    return True


cdef bint read_group(RdbReader* r, StreamWalk* walk) except -1:
    cdef Stream* s = stream_of(walk.e)
    cdef RdbText name
    cdef Id last_id
    cdef uint64_t read = 0

    if not rdb_read_string(r, RDB_SCRATCH_VALUE, &name) or not read_id(r, &last_id):
        return False
    if walk.kind == RDB_STREAM_LISTPACKS:
        read = <uint64_t>stream_read_at(s, last_id)
    elif not rdb_read_length(r, &read):
        return False
    if not rdb_read_length(r, &walk.left[1]):
        return False
    if group_find(&s.groups, name.text, name.size) is not NULL:
        rdb_corrupt(r, "Duplicated consumer group name")
    walk.group = group_add(r.account, &s.groups, name.text, name.size, last_id, <int64_t>read)
    walk.owned = 0
    walk.at = AT_GROUP_ENTRY
    return True


cdef bint read_group_entry(RdbReader* r, StreamWalk* walk) except -1:
    cdef const uint8_t* p = NULL
    cdef Pending record

    record.consumer = NULL
    if not (rdb_read_bytes(r, ID_SIZE, &p) and rdb_read_8(r, &record.time_ms)
            and rdb_read_length(r, &record.deliveries)):
        return False
    if not idt_add(&walk.group.pending, id_at(p), &record):
        rdb_corrupt(r, "Duplicated global PEL entry loading stream consumer group")
    walk.left[1] -= 1
    return True


cdef bint read_consumer(RdbReader* r, StreamWalk* walk) except -1:
    cdef RdbText name
    cdef int64_t seen_ms, active_ms

    if not rdb_read_string(r, RDB_SCRATCH_VALUE, &name) or not rdb_read_8(r, &seen_ms):
        return False
    active_ms = seen_ms
    if walk.kind == RDB_STREAM_LISTPACKS_3 and not rdb_read_8(r, &active_ms):
        return False
    if not rdb_read_length(r, &walk.left[2]):
        return False
    if consumer_find(walk.group, name.text, name.size) is not NULL:
        rdb_corrupt(r, "Duplicated stream consumer detected")
    walk.consumer = consumer_add(r.account, walk.group, name.text, name.size, seen_ms)
    walk.consumer.active_ms = active_ms
    walk.at = AT_CONSUMER_ENTRY
    return True


cdef bint read_consumer_entry(RdbReader* r, StreamWalk* walk) except -1:
    cdef const uint8_t* p
    cdef Pending* record
    cdef Id id

    if not rdb_read_bytes(r, ID_SIZE, &p):
        return False
    id = id_at(p)
    at = idt_find(&walk.group.pending, id)
    if at.leaf is NULL:
        rdb_corrupt(r, "Consumer entry not found in group global PEL")
    record = <Pending*>idt_value(&walk.group.pending, at)
    if record.consumer is not NULL:
        rdb_corrupt(r, "Duplicated consumer PEL entry loading a stream consumer group")
    record.consumer = walk.consumer
    idt_add(&walk.consumer.pending, id, NULL)
    walk.owned += 1
    walk.left[2] -= 1
    return True


# ---------------------------------------------------------------- the walk

cdef int pass_done(RdbReader* r, StreamWalk* walk) except -1:
    """Go on to the next step when there is nothing left of what the present one repeats."""
    if walk.at == AT_NODE and walk.left[0] == 0:
        walk.at = AT_NUMBERS
    if walk.at == AT_GROUP_ENTRY and walk.left[1] == 0:
        walk.at = AT_CONSUMERS
    if walk.at == AT_CONSUMER_ENTRY and walk.left[2] == 0:
        walk.left[1] -= 1
        walk.at = AT_CONSUMER
    if walk.at == AT_CONSUMER and walk.left[1] == 0:
        if walk.owned != walk.group.pending.count:
            rdb_corrupt(r, "NACK without consumer")
        walk.left[0] -= 1
        walk.at = AT_GROUP
    if walk.at == AT_GROUP and walk.left[0] == 0:
        walk.at = AT_END
    return 0


cdef bint step(RdbReader* r, StreamWalk* walk) except -1:
    """What is next in a stream; False: more is needed."""
    cdef bint there

    if walk.at == AT_START:
        there = rdb_read_length(r, &walk.left[0])
        if there:
            walk.at = AT_NODE
    elif walk.at == AT_NODE:
        there = read_node(r, walk)
    elif walk.at == AT_NUMBERS:
        there = read_numbers(r, walk)
    elif walk.at == AT_GROUP:
        there = read_group(r, walk)
    elif walk.at == AT_GROUP_ENTRY:
        there = read_group_entry(r, walk)
    elif walk.at == AT_CONSUMERS:
        there = rdb_read_length(r, &walk.left[1])
        if there:
            walk.at = AT_CONSUMER
    elif walk.at == AT_CONSUMER:
        there = read_consumer(r, walk)
    else:
        there = read_consumer_entry(r, walk)
    if there:
        pass_done(r, walk)
    return there


cdef StreamResult stream_walk_on(RdbReader* r, StreamWalk* walk, const char* key, size_t key_size,
                                 int64_t until_us) except STREAM_FAILED:
    cdef size_t start
    cdef int steps = 0

    if walk.e is NULL:
        walk.e = stream_new(r.account, key, key_size)
    while walk.at != AT_END:
        start = r.pos
        if not step(r, walk):
            r.pos = start
            return STREAM_MORE
        steps += 1
        if steps % TIME_STEPS == 0 and walk.at != AT_END and monotonic_us() > until_us:
            return STREAM_LATER
    return STREAM_DONE


cdef void stream_walk_clear(Account* account, StreamWalk* walk) noexcept:
    if walk.e is not NULL:
        entry_free(account, walk.e)
        walk.e = NULL
