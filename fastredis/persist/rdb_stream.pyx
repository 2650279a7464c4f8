"""Reading streams in the RDB format. The design comment is in rdb_stream.pxd."""
from libc.stdint cimport int64_t, uint8_t, uint64_t

from fastredis.ds.id_tree cimport Id, id_less, idt_add, idt_find, idt_value
from fastredis.ds.listpack cimport LP_MAX, lp_adopt, lp_first, lp_free, lp_valid
from fastredis.ds.native cimport monotonic_us
from fastredis.persist.rdb cimport (
    RDB_STREAM_LISTPACKS, RDB_STREAM_LISTPACKS_2, RDB_STREAM_LISTPACKS_3, RDB_STREAM_LISTPACKS_4,
    RDB_STREAM_LISTPACKS_5,
)
from fastredis.persist.rdb_reader cimport (
    RDB_SCRATCH_FIELD, RDB_SCRATCH_VALUE, RdbText, rdb_corrupt, rdb_read_8, rdb_read_bytes, rdb_read_length,
    rdb_read_string,
)
from fastredis.values.stream_group cimport (
    Pending, consumer_add, consumer_find, group_add, group_find, pending_find, pending_release,
)
from fastredis.values.stream_idmp cimport IDMP_LONGEST, IDMP_MOST, idmp_new, idmp_producer, idmp_put
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
    AT_RELEASED                         # how many
    AT_RELEASED_ENTRY
    AT_IDMP                             # what is kept, and how many producers
    AT_PRODUCER                         # its name, and how many messages
    AT_MESSAGE
    AT_COUNTERS
    AT_END

cdef enum:
    ID_SIZE = 16                        # bytes of an id, the highest first
    TIME_STEPS = 64                     # steps between two looks at the clock


cdef bint is_stream_kind(int kind) noexcept:
    return form_of(kind) != 0


cdef int form_of(int kind) noexcept:
    """Which of the forms of a stream a type is, 1 to 5; 0: it is none."""
    if kind == RDB_STREAM_LISTPACKS:
        return 1
    if kind == RDB_STREAM_LISTPACKS_2:
        return 2
    if kind == RDB_STREAM_LISTPACKS_3:
        return 3
    if kind == RDB_STREAM_LISTPACKS_4:
        return 4
    return 5 if kind == RDB_STREAM_LISTPACKS_5 else 0


cdef void stream_walk_start(StreamWalk* walk, int kind) noexcept:
    walk.form = form_of(kind)
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
    if walk.form > 1 and not (
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
    if walk.form == 1:
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
    if walk.form >= 3 and not rdb_read_8(r, &active_ms):
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


cdef bint read_released_entry(RdbReader* r, StreamWalk* walk) except -1:
    cdef const uint8_t* p = NULL
    cdef Pending* record
    cdef Id id

    if not rdb_read_bytes(r, ID_SIZE, &p):
        return False
    id = id_at(p)
    record = pending_find(walk.group, id)
    if record is NULL:
        rdb_corrupt(r, "NACKed entry not found in group global PEL")
    if record.consumer is not NULL or record.time_ms < 0:
        rdb_corrupt(r, "NACKed entry has a consumer, or comes twice")
    walk.group.released += 1            # as it has no consumer
    pending_release(walk.group, id, record.deliveries)
    walk.owned += 1
    walk.left[2] -= 1
    return True


cdef bint read_idmp(RdbReader* r, StreamWalk* walk) except -1:
    cdef uint64_t duration_s, maxsize

    if not (rdb_read_length(r, &duration_s) and rdb_read_length(r, &maxsize) and rdb_read_length(r, &walk.left[0])):
        return False
    if not 1 <= duration_s <= IDMP_LONGEST or not 1 <= maxsize <= IDMP_MOST:
        rdb_corrupt(r, "Stream keeps messages of producers too long, or too many")
    stream_of(walk.e).idmp = idmp_new(r.account, duration_s, maxsize)
    walk.at = AT_PRODUCER
    return True


cdef bint read_producer(RdbReader* r, StreamWalk* walk) except -1:
    cdef Stream* s = stream_of(walk.e)
    cdef uint64_t known = s.idmp.producers.count
    cdef RdbText name

    if not rdb_read_string(r, RDB_SCRATCH_VALUE, &name) or not rdb_read_length(r, &walk.left[1]):
        return False
    if name.size == 0:
        rdb_corrupt(r, "Empty name of a stream's producer")
    walk.producer = idmp_producer(r.account, s.idmp, name.text, name.size)
    if s.idmp.producers.count == known:
        rdb_corrupt(r, "Duplicated producer of a stream")
    walk.at = AT_MESSAGE
    return True


cdef bint read_message(RdbReader* r, StreamWalk* walk) except -1:
    cdef RdbText name
    cdef Id id

    if not rdb_read_string(r, RDB_SCRATCH_VALUE, &name) or not read_id(r, &id):
        return False
    if name.size == 0 or not idmp_put(r.account, stream_of(walk.e).idmp, walk.producer, name.text, name.size, id):
        rdb_corrupt(r, "Empty or duplicated message of a stream's producer")
    walk.left[1] -= 1
    return True


cdef bint read_counters(RdbReader* r, StreamWalk* walk) except -1:
    cdef Stream* s = stream_of(walk.e)

    if not (rdb_read_length(r, &s.idmp.added) and rdb_read_length(r, &s.idmp.duplicates)):
        return False
    walk.at = AT_END
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
        walk.left[2] = 0
        walk.at = AT_RELEASED if walk.form == 5 else AT_RELEASED_ENTRY
    if walk.at == AT_RELEASED_ENTRY and walk.left[2] == 0:
        if walk.owned != walk.group.pending.count:
            rdb_corrupt(r, "NACK without consumer")
        walk.left[0] -= 1
        walk.at = AT_GROUP
    if walk.at == AT_GROUP and walk.left[0] == 0:
        walk.at = AT_IDMP if walk.form >= 4 else AT_END
    if walk.at == AT_MESSAGE and walk.left[1] == 0:
        walk.left[0] -= 1
        walk.at = AT_PRODUCER
    if walk.at == AT_PRODUCER and walk.left[0] == 0:
        walk.at = AT_COUNTERS
    return 0


cdef bint read_count(RdbReader* r, StreamWalk* walk, int which, int then) except -1:
    """How many there are of what comes next."""
    if not rdb_read_length(r, &walk.left[which]):
        return False
    walk.at = then
    return True


cdef bint take(RdbReader* r, StreamWalk* walk) except -1:
    """Read what is next in a stream; False: more is needed."""
    if walk.at == AT_START:
        return read_count(r, walk, 0, AT_NODE)
    if walk.at == AT_NODE:
        return read_node(r, walk)
    if walk.at == AT_NUMBERS:
        return read_numbers(r, walk)
    if walk.at == AT_GROUP:
        return read_group(r, walk)
    if walk.at == AT_GROUP_ENTRY:
        return read_group_entry(r, walk)
    if walk.at == AT_CONSUMERS:
        return read_count(r, walk, 1, AT_CONSUMER)
    if walk.at == AT_CONSUMER:
        return read_consumer(r, walk)
    if walk.at == AT_CONSUMER_ENTRY:
        return read_consumer_entry(r, walk)
    if walk.at == AT_RELEASED:
        return read_count(r, walk, 2, AT_RELEASED_ENTRY)
    if walk.at == AT_RELEASED_ENTRY:
        return read_released_entry(r, walk)
    if walk.at == AT_IDMP:
        return read_idmp(r, walk)
    if walk.at == AT_PRODUCER:
        return read_producer(r, walk)
    return read_message(r, walk) if walk.at == AT_MESSAGE else read_counters(r, walk)


cdef bint step(RdbReader* r, StreamWalk* walk) except -1:
    """The same, and go on to what comes next then."""
    if not take(r, walk):
        return False
    pass_done(r, walk)
    return True


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
