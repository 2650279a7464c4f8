# Set algebra: intersection, union and difference of sets in any encoding.
#
#   source set --> batch of 64 members --> filters: is it in that set? --> sink
#
# Members go through in batches, so that the cache misses of a batch overlap: all buckets are asked
# for, then all members whose tag matches, then they are compared.
#
# Tables of one process hash alike. The place where a member lies tells the low bits of its hash and the
# top byte (told_hash in ds/table.pxd), which is enough to find the bucket of another table, though it
# had up to EXPAND times as many buckets as the bits tell apart: nothing is hashed, and both tables are
# gone through in the order of their memory. The full hash is computed only for a table that is much
# larger still, and for members from intsets and listpacks.
#
# Nothing is copied but into the scratch table of a union or difference of many sets.

from libc.stdint cimport int64_t, uint8_t, uint64_t

from fastredis.ds.alloc cimport Account
from fastredis.ds.listpack cimport LpItem
from fastredis.ds.table cimport Table
from fastredis.values.entry cimport Entry
from fastredis.values.limits cimport Limits

cdef enum:
    PROBES = 64                         # members of a batch
    EXPAND = 4                          # buckets that are looked at rather than hash a member

cdef struct Probe:
    LpItem item                         # its text lies in the source set
    uint64_t hash                       # of its bits those that `known` has
    uint64_t known                      # 0: none; all ones: all

cdef struct Batch:
    int count
    Probe probe[PROBES]

# Takes the members that are in the result; True: it has enough.
ctypedef bint (*Sink)(void* context, Batch* batch) except -1

cdef struct Algebra:
    Account* account
    Entry** sets                        # the caller's; NULL: an empty set. They may be put in another order.
    int count                           # of sets
    Sink sink
    void* context
    Table* scratch                      # what had to be copied; items may lie in there
    int64_t gone_ms                     # members with deadlines before it are hidden; 0: none is (set_type)

cdef struct Collected:                  # what collect_sink() has taken
    Account* account
    Probe* probes
    uint64_t count
    uint64_t room

cdef int algebra_intersect(Algebra* a) except -1
cdef int algebra_unite(Algebra* a) except -1
cdef int algebra_subtract(Algebra* a) except -1
cdef void algebra_end(Algebra* a) noexcept

cdef bint collect_sink(void* context, Batch* batch) except -1
cdef void collected_free(Collected* found) noexcept
cdef Entry* collected_set(Account* account, const Limits* limits, Collected* found, int encoding, bint to_intset,
                          const char* key, size_t key_size) noexcept
