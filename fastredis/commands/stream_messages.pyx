"""Messages of idempotent producers. The design comment is in stream_messages.pxd."""
from libc.stdint cimport uint64_t
from libc.string cimport memcpy

from fastredis._resp cimport arg_bytes
from fastredis.ds.xxh3 cimport xxh3_64
from fastredis.values.stream_idmp cimport idmp_find, idmp_new, idmp_record


cdef inline uint64_t mixed(uint64_t x) noexcept:
    """The finalizer of SplitMix64: each bit depends on all."""
    x = (x ^ (x >> 30)) * <uint64_t>0xBF58476D1CE4E5B9ULL
    x = (x ^ (x >> 27)) * <uint64_t>0x94D049BB133111EBULL
    return x ^ (x >> 31)


cdef void name_message(Message* message, const Arg* pairs, int count) noexcept:
    """Sums of the pairs' hashes do not depend on their order."""
    cdef uint64_t[2] sums
    cdef uint64_t pair
    cdef int i

    sums[0] = sums[1] = <uint64_t>count
    for i in range(count):
        pair = mixed(xxh3_64(pairs[2 * i].ptr, pairs[2 * i].size) + <uint64_t>0x9E3779B97F4A7C15ULL)
        pair = mixed(pair ^ xxh3_64(pairs[2 * i + 1].ptr, pairs[2 * i + 1].size))
        sums[0] += pair
        sums[1] += mixed(~pair)
    memcpy(message.made, sums, IID_SIZE)
    message.iid, message.iid_size = message.made, IID_SIZE


cdef bint message_known(Client c, Stream* s, Message* message) noexcept:
    if s.idmp is NULL or not idmp_find(&c.core.memory, s.idmp, message.pid.ptr, message.pid.size, message.iid,
                                       message.iid_size, c.core.now_ms, &message.id):
        return False
    s.idmp.duplicates += 1
    return True


cdef int message_added(Client c, Stream* s, const Message* message, Id id) except -1:
    want_idmp(c, s)
    idmp_record(&c.core.memory, s.idmp, message.pid.ptr, message.pid.size, message.iid, message.iid_size, id,
                c.core.now_ms)
    if not c.propagates():
        return 0
    return c.effect([b"XIDMPRECORD", arg_bytes(&c.argv[1]), arg_bytes(message.pid), message.iid[:message.iid_size],
                     b"%d-%d" % (id.ms, id.seq)])


cdef int want_idmp(Client c, Stream* s) except -1:
    if s.idmp is NULL:
        config = c.engine.config
        s.idmp = idmp_new(&c.core.memory, config.stream_idmp_duration, config.stream_idmp_maxsize)
    return 0
