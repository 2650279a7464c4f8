"""The tree of fastredis.ds.btree as a Python class, for tests and measurements only."""
from libc.stdint cimport int64_t, uint32_t, uint64_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy
from libc.time cimport clock

from fastredis.ds.alloc cimport Account, mem_alloc, mem_free
from fastredis.ds.btree cimport (
    BT_LEAF, BTree, BtCursor, BtPair, bt_build, bt_bytes, bt_clear, bt_count_lex, bt_count_score, bt_delete_range,
    bt_drain, bt_from_score, bt_init, bt_insert, bt_member, bt_next, bt_prefetch, bt_prev, bt_rank, bt_remove,
    bt_score, bt_seek, bt_sort, bt_update, bt_verify,
)

LEAF = BT_LEAF

cdef struct Member:
    uint32_t size
    # bytes


cdef void member_key(const void* member, const char** key, size_t* size) noexcept:
    key[0] = <const char*>(<Member*>member + 1)
    size[0] = (<Member*>member).size


cdef bytes member_bytes(void* member):
    return (<char*>(<Member*>member + 1))[:(<Member*>member).size]


cdef Member* member_new(bytes text) except NULL:
    cdef Member* member = <Member*>malloc(sizeof(Member) + len(text))

    if member is NULL:
        raise MemoryError
    member.size = len(text)
    memcpy(member + 1, <const char*>text, len(text))
    return member


cdef void append_member(void* context, void* member) noexcept:
    (<list>context).append(member_bytes(member))
    free(member)


cdef inline uint64_t next_random(uint64_t* state) noexcept:
    state[0] ^= state[0] << 13
    state[0] ^= state[0] >> 7
    state[0] ^= state[0] << 17
    return state[0]


cdef class TreeProbe:
    """Pairs of a score and bytes; each member is freed when it goes."""
    cdef Account account
    cdef BTree tree
    cdef dict members               # bytes -> address

    def __cinit__(self):
        self.members = {}
        bt_init(&self.tree, &self.account, member_key)

    def __dealloc__(self):
        bt_clear(&self.tree)
        for address in self.members.values():
            free(<void*><size_t>address)

    @property
    def used(self):
        return self.account.used

    @property
    def depth(self):
        return self.tree.depth

    @property
    def leaves(self):
        return self.tree.leaves

    @property
    def bytes(self):
        return bt_bytes(&self.tree)

    def __len__(self):
        return self.tree.count

    def insert(self, double score, bytes text):
        cdef Member* member = member_new(text)

        assert text not in self.members
        bt_insert(&self.tree, score, member)
        self.members[text] = <size_t>member

    def remove(self, double score, bytes text):
        """Whether the pair was there."""
        cdef void* member = <void*><size_t>self.members[text]

        if not bt_remove(&self.tree, score, member):
            return False
        del self.members[text]
        free(member)
        return True

    def update(self, double score, bytes text, double new_score):
        bt_update(&self.tree, score, <void*><size_t>self.members[text], new_score)

    def delete_range(self, uint64_t first, uint64_t count):
        """The members that were removed."""
        gone = []
        bt_delete_range(&self.tree, first, count, append_member, <void*>gone)
        for text in gone:
            del self.members[text]
        return gone

    def build(self, pairs):
        """Sort (score, bytes) pairs and fill the empty tree with them."""
        cdef BtPair* array = <BtPair*>mem_alloc(&self.account, len(pairs) * sizeof(BtPair) + 1)
        cdef size_t i

        for i, (score, text) in enumerate(pairs):
            array[i].score = score
            array[i].member = member_new(text)
            self.members[text] = <size_t>array[i].member
        bt_sort(&self.tree, array, len(pairs))
        bt_build(&self.tree, array, len(pairs))
        mem_free(&self.account, array, len(pairs) * sizeof(BtPair) + 1)

    def drain(self, uint64_t leaves):
        return bt_drain(&self.tree, leaves)

    def rank(self, double score, bytes text):
        return bt_rank(&self.tree, score, <void*><size_t>self.members[text])

    def count_score(self, double score, bint after):
        return bt_count_score(&self.tree, score, after)

    def from_score(self, double score):
        """The pair that a walk from this score begins with; None when there is none."""
        cdef BtCursor at = bt_from_score(&self.tree, score)

        return None if at.leaf is NULL else (bt_score(&at), member_bytes(bt_member(&at)))

    def count_lex(self, bytes text, bint after):
        return bt_count_lex(&self.tree, text, len(text), after)

    def walk(self, uint64_t rank=0, count=None, bint reverse=False):
        """Pairs from a rank on, upwards or downwards."""
        cdef BtCursor at = bt_seek(&self.tree, rank)

        pairs = []
        while at.leaf is not NULL and len(pairs) != count:
            pairs.append((bt_score(&at), member_bytes(bt_member(&at))))
            if reverse:
                bt_prev(&at)
            else:
                bt_next(&at)
        return pairs

    def verify(self):
        bt_verify(&self.tree)


def bench(uint64_t n, bint ask_ahead=False):
    """ns per operation for n random scores: insert, rank, seek, remove; bytes per pair; full share of leaves."""
    cdef Account account
    cdef BTree t
    cdef BtCursor at
    cdef uint64_t state = 88172645463325252, i, sum = 0
    cdef double* scores = <double*>malloc(n * sizeof(double))
    cdef char* members = <char*>malloc(n * 32)
    cdef int64_t began

    account.used = account.peak = 0
    bt_init(&t, &account, member_key)
    for i in range(n):
        scores[i] = <double>(next_random(&state) >> 11)
        (<Member*>(members + 32 * i)).size = 12
        memcpy(members + 32 * i + 4, &i, 8)
    figures = {}
    began = <int64_t>clock()
    for i in range(n):
        if ask_ahead:
            bt_prefetch(&t, scores[i])
        bt_insert(&t, scores[i], members + 32 * i)
    figures["insert"] = (<int64_t>clock() - began) * 1000 / n
    figures["bytes"] = account.used / n
    figures["full"] = n / (t.leaves * <double>BT_LEAF)
    began = <int64_t>clock()
    for i in range(n):
        sum += bt_rank(&t, scores[i], members + 32 * i)
    figures["rank"] = (<int64_t>clock() - began) * 1000 / n
    began = <int64_t>clock()
    for i in range(n):
        at = bt_seek(&t, (i + next_random(&state)) % n)
        sum += <uint64_t>at.leaf.count
    figures["seek"] = (<int64_t>clock() - began) * 1000 / n
    began = <int64_t>clock()
    for i in range(n):
        bt_update(&t, scores[i], members + 32 * i, scores[i] + 1)
        scores[i] += 1
    figures["update"] = (<int64_t>clock() - began) * 1000 / n
    began = <int64_t>clock()
    for i in range(n):
        bt_remove(&t, scores[i], members + 32 * i)
    figures["remove"] = (<int64_t>clock() - began) * 1000 / n
    assert t.count == 0 and account.used == 0
    free(scores)
    free(members)
    return figures
