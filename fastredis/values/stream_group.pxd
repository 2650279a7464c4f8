# Groups of a stream, their consumers, and what is pending: delivered, but not acknowledged.
#
#   Group { last id, entries read, pending: IdTree of Pending, consumers by name }
#                                     |            +--> Consumer { seen, active, pending: IdTree of ids }
#                                     +--> Pending { delivered when, how often, to which Consumer }
#
# The group's tree has the records; a consumer's has only the ids of those that are his, so that each is a walk in the
# order of ids and a change of hands is a change in two of them. The group's tree knows the oldest delivery below each
# of its nodes: what has been idle for so long is found without a look at what has not.
#
# An entry that was released (XNACK) is pending, but nobody's. Its time is before all times, and later the later it was
# released: so what was released first is the oldest of all.
#
# Groups and consumers lie in arrays in the order of their names, where they are found by halving. An entry that is
# deleted from the stream stays pending, as in Redis.
#
# Rejected: a record of its own for each pending entry, with a pointer to it in either tree (two misses more for each
# acknowledgement, 24 bytes more); a third tree by time of delivery.

from libc.stdint cimport INT64_MAX, int64_t, uint32_t, uint64_t

from fastredis.ds.alloc cimport Account
from fastredis.ds.id_tree cimport Id, IdPlace, IdTree

cdef enum:
    READ_UNKNOWN = -1           # Group.entries_read: it cannot be told how many of the entries up to last_id there were

cdef struct Consumer:
    uint64_t name_size
    int64_t seen_ms             # last time it tried to read
    int64_t active_ms           # last time it got an entry; -1: never
    IdTree pending              # ids, no values
    # name

cdef struct Pending:
    int64_t time_ms             # of the last delivery; of what is nobody's: see above
    uint64_t deliveries         # up to INT64_MAX
    Consumer* consumer          # NULL: nobody's

cdef struct Group:
    uint64_t name_size
    Id last_id                  # the last one delivered
    int64_t entries_read        # how many entries the group has read, or READ_UNKNOWN
    IdTree pending              # of Pending
    uint64_t released           # of these, nobody's
    uint64_t releases           # how often an entry was released
    Consumer** consumers        # in the order of their names
    uint32_t consumer_count
    uint32_t consumer_room
    # name

cdef struct Groups:
    void** items                # Group*, in the order of their names
    uint32_t count
    uint32_t room

# --- groups
cdef Group* group_find(const Groups* groups, const char* name, size_t size) noexcept         # NULL: there is none
# A new one; there is none of this name.
cdef Group* group_add(Account* account, Groups* groups, const char* name, size_t size, Id last_id,
                      int64_t entries_read) noexcept
cdef void group_remove(Account* account, Groups* groups, Group* group) noexcept

# --- consumers
cdef Consumer* consumer_find(const Group* group, const char* name, size_t size) noexcept
cdef Consumer* consumer_add(Account* account, Group* group, const char* name, size_t size, int64_t now_ms) noexcept
# What is pending for it goes with it; how many entries that were.
cdef uint64_t consumer_remove(Account* account, Group* group, Consumer* consumer) noexcept

# --- pending entries
cdef Pending* pending_find(const Group* group, Id id) noexcept      # NULL: it is not pending. Not to be changed.
# Note a delivery; the entry may be pending already, for whomever.
cdef void pending_give(Group* group, Id id, Consumer* consumer, int64_t time_ms, uint64_t deliveries) noexcept
cdef bint pending_remove(Group* group, Id id) noexcept
# Have an entry be nobody's, whether it is pending already or not.
cdef void pending_release(Group* group, Id id, uint64_t deliveries) noexcept
cdef IdPlace pending_oldest(const Group* group) noexcept            # leaf NULL: nothing is pending
# The ids of what was released, in that order, in group.released Ids that the caller frees; NULL: nothing.
cdef Id* pending_released(Account* account, const Group* group) noexcept

# --- all groups
cdef void groups_free(Account* account, Groups* groups) noexcept
cdef uint64_t groups_drain(Account* account, Groups* groups, uint64_t leaves) noexcept       # leaves left, about
cdef void groups_copy(Account* account, const Groups* groups, Groups* copy) noexcept
cdef size_t groups_bytes(const Groups* groups) noexcept
cdef uint64_t groups_effort(const Groups* groups) noexcept
cdef int groups_verify(const Groups* groups) except -1


cdef inline const char* group_name(const Group* group) noexcept:
    return <const char*>(group + 1)


cdef inline const char* consumer_name(const Consumer* consumer) noexcept:
    return <const char*>(consumer + 1)


cdef inline int64_t once_more(const Pending* p) noexcept:
    """How often it was delivered after one more delivery."""
    return <int64_t>min(p.deliveries + 1, <uint64_t>INT64_MAX)


cdef inline Group* group_at(const Groups* groups, uint32_t index) noexcept:
    return <Group*>groups.items[index]
