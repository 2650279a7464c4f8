# Idempotent producers of a stream: which messages they have sent of late, and which entries these became.
#
#   Idmp { for how long, how many, producers }
#     producer   its name (pid), its messages    Iid { name (iid), id of the entry } --> Iid --> Iid    the oldest first
#
# A message that comes again, by the names of its producer and its own, is not added once more. A producer's oldest
# message is forgotten when it has as many as are kept, and after so long; the id of the entry says since when.
# Producers and messages are found by their names in a NameTable: slots of pointers, found by a keyed hash and looked
# through from there on, at most half of them in use.
#
# Forgetting needs no timer: whoever comes by forgets what is over of the same producer, and of one other, so that
# producers who never come again do not stay. XINFO forgets all that is over first.
# Source: https://redis.io/docs/latest/develop/data-types/streams/idempotency/

from libc.stdint cimport int64_t, uint32_t, uint64_t

from fastredis.ds.alloc cimport Account
from fastredis.ds.id_tree cimport Id

cdef enum:
    IDMP_LONGEST = 86400        # seconds that a message is kept at most
    IDMP_MOST = 10000           # messages of a producer that are kept at most

cdef struct Named:
    uint64_t hash
    uint64_t size               # of the name, which ends the block
    Named* next                 # the one that came next

cdef struct NameTable:
    Named** slots
    uint64_t room               # slots, a power of two; 0: none yet
    uint64_t count
    Named* first                # the oldest
    Named* last
    uint64_t name_at            # where in a block the name is

cdef struct Iid:
    Named head
    Id id
    # name

cdef struct Producer:
    Named head
    NameTable iids
    # name

cdef struct Idmp:
    uint64_t duration_s
    uint64_t maxsize
    uint64_t added              # messages that became entries
    uint64_t duplicates         # those that did not
    uint64_t iids               # of all producers
    NameTable producers

cdef Idmp* idmp_new(Account* account, uint64_t duration_s, uint64_t maxsize) noexcept
cdef void idmp_free(Account* account, Idmp* idmp) noexcept
# Free so many messages; those that are left.
cdef uint64_t idmp_drain(Account* account, Idmp* idmp, uint64_t count) noexcept
cdef Idmp* idmp_copy(Account* account, const Idmp* idmp) noexcept
cdef size_t idmp_bytes(const Idmp* idmp) noexcept
cdef int idmp_verify(const Idmp* idmp) except -1
cdef void idmp_clear(Account* account, Idmp* idmp) noexcept             # all producers and their messages
cdef void idmp_expire(Account* account, Idmp* idmp, int64_t now_ms) noexcept
# Which entry a message became; False: it is not known.
cdef bint idmp_find(Account* account, Idmp* idmp, const char* pid, size_t pid_size, const char* iid, size_t iid_size,
                    int64_t now_ms, Id* id) noexcept
# Note a message that is not known.
cdef void idmp_record(Account* account, Idmp* idmp, const char* pid, size_t pid_size, const char* iid, size_t iid_size,
                      Id id, int64_t now_ms) noexcept
# Step by step: have a producer of that name, and its next message; False: it has one of that name.
cdef Producer* idmp_producer(Account* account, Idmp* idmp, const char* pid, size_t size) noexcept
cdef bint idmp_put(Account* account, Idmp* idmp, Producer* producer, const char* iid, size_t size, Id id) noexcept


cdef inline const char* name_of(const NameTable* t, const Named* named) noexcept:
    return <const char*>named + t.name_at
