"""What groups know of entries. The design comment is in stream_refs.pxd."""
from libc.stdint cimport UINT64_MAX, int64_t, uint32_t

from fastredis.ds.id_tree cimport IdPlace, id_equal, id_less, idt_find, idt_id, idt_next, idt_value
from fastredis.values.stream_group cimport Group, group_at, pending_remove
from fastredis.values.stream_type cimport (
    TRIM_MAXLEN, TRIM_MINID, StreamIter, StreamNode, stream_iter, stream_iter_delete, stream_length, stream_next,
)


cdef bint stream_is_referenced(const Stream* s, Id id) noexcept:
    cdef Group* group
    cdef uint32_t i

    for i in range(s.groups.count):
        group = group_at(&s.groups, i)
        if id_less(group.last_id, id) or idt_find(&group.pending, id).leaf is not NULL:
            return True
    return False


cdef bint stream_forget(Stream* s, Id id) noexcept:
    cdef bint there = False
    cdef uint32_t i

    for i in range(s.groups.count):
        there = pending_remove(group_at(&s.groups, i), id) or there
    return there


cdef bint ends_below(Stream* s, IdPlace node, Id id) noexcept:
    """Whether all entries of a node are below an id."""
    cdef IdPlace following = idt_next(node)
    cdef Id end = Id(UINT64_MAX, UINT64_MAX)
    cdef StreamIter it

    if following.leaf is not NULL and not id_less(id, idt_id(following)):
        return True
    if following.leaf is not NULL:
        end = before(idt_id(following))
    stream_iter(&it, s, idt_id(node), end, True)
    return stream_next(&it) and id_less(it.id, id)


cdef inline Id before(Id id) noexcept:
    """The next lower id; there is one."""
    return Id(id.ms, id.seq - 1) if id.seq else Id(id.ms - 1, UINT64_MAX)


cdef bint may_enter(Stream* s, const StreamTrim* trim, IdPlace at, uint64_t gone) noexcept:
    """Whether a trim goes on in a node, whose entries are all there yet."""
    cdef uint64_t live = (<StreamNode*>idt_value(&s.nodes, at)).live

    if trim.limit and <int64_t>(gone + live) > trim.limit:
        return False
    if not trim.approximate:
        return True
    if trim.kind == TRIM_MAXLEN:
        return stream_length(s) >= trim.length + live
    return ends_below(s, at, trim.min_id)


cdef uint64_t stream_trim_by(Account* account, Stream* s, const StreamTrim* trim, int policy, Id* reached) noexcept:
    cdef uint64_t gone = 0
    cdef bint inside = False                    # the walk has entered the node `base`
    cdef Id base = Id(0, 0)
    cdef StreamIter it

    stream_iter(&it, s, Id(0, 0), Id(UINT64_MAX, UINT64_MAX), False)
    while stream_next(&it):
        reached[0] = it.id
        if trim.kind == TRIM_MAXLEN and stream_length(s) <= trim.length:
            return gone
        if trim.kind == TRIM_MINID and not id_less(it.id, trim.min_id):
            return gone
        if not inside or not id_equal(base, idt_id(it.node)):
            if not may_enter(s, trim, it.node, gone):
                return gone
            inside, base = True, idt_id(it.node)
        if policy == REFS_NONE and stream_is_referenced(s, it.id):
            continue
        stream_forget(s, it.id)
        stream_iter_delete(account, &it)
        gone += 1
    reached[0] = Id(UINT64_MAX, UINT64_MAX)
    return gone
