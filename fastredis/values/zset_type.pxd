# Sorted sets: members with a score each, in order of (score, member).
#
#   ENC_LISTPACK   slot -> listpack: member, score, member, score ... in order
#   ENC_SKIPLIST   slot -> Zset { Table members; BTree order }
#                              |              |
#                              +--> block <---+      [ score, 8 bytes ][ member: size, bytes ]
#
# A big one has one block per member, which both the table (by member: ZSCORE) and the tree
# (by order: ZRANGE, ZRANK) point to. The encoding is called "skiplist", as clients expect;
# what is in place of the skip list is a counted B+ tree (ds/btree).
#
# Whole numbers below 2^62 are integers in a listpack, other scores the shortest text that reads
# back as the same double; -0 becomes 0. Text that is an integer is stored as one, so members
# come out of a listpack printed to a scratch buffer.
#
# A listpack becomes a Zset when a member is added that makes it longer than
# zset-max-listpack-entries or is longer than zset-max-listpack-value; there is no way back but
# for results of ZUNIONSTORE and the like, which are listpacks whenever they fit.
#
# Memory: a block of a member of up to 7, 23 and 39 bytes takes 16, 32 and 48 bytes, the table 10 to
# 20 a member, the tree 17 to 21: 70 bytes for a million 15-byte members with random scores (Redis 7.0: 126).
#
# Holds: no score is NaN; the block's score is the one beside its pointer in the tree; table and
# tree have the same blocks; -0 and 0 are equal, so then the members decide.

from libc.stdint cimport int64_t, uint8_t, uint64_t

from fastredis.ds.alloc cimport Account
from fastredis.ds.btree cimport BTree, BtCursor, BtPair
from fastredis.ds.numbers cimport INT64_TEXT
from fastredis.ds.table cimport Table
from fastredis.values.entry cimport Entry, entry_slot
from fastredis.values.limits cimport Limits
from fastredis.values.member cimport member_text

cdef struct Zset:
    Table members               # of blocks, by member
    BTree order                 # of the same blocks

cdef enum:                      # how zset_add() adds; may be or-ed
    ZADD_NX = 1                 # only new members
    ZADD_XX = 2                 # only members that are there
    ZADD_GT = 4                 # of those that are there, only to a higher score
    ZADD_LT = 8                 # only to a lower one
    ZADD_INCR = 16              # the score is added to the one that the member has (0 when it is new)

cdef enum:                      # what zset_add() did
    ZADD_SAME = 0               # the member had this score already
    ZADD_ADDED = 1
    ZADD_UPDATED = 2
    ZADD_NOP = 4                # NX, XX, GT or LT forbade it
    ZADD_NAN = 8                # the score is not a number or would become none; nothing was changed

# Scores from min to max. An open end is not part of the range itself. Neither is NaN.
cdef struct ScoreRange:
    double min
    double max
    bint min_open
    bint max_open

cdef enum LexKind:
    LEX_CLOSED                  # "[text"
    LEX_OPEN                    # "(text"
    LEX_LOWEST                  # "-": below all members; its text is not looked at
    LEX_HIGHEST                 # "+": above all members

cdef struct LexBound:
    LexKind kind
    const char* text
    size_t size

# Members from min to max, by their bytes. Makes sense where all scores are the same; else the
# answer is one of several possible, as in Redis.
cdef struct LexRange:
    LexBound min
    LexBound max

# --- life
# A zset without members: a listpack where size_hint members of up to value_hint bytes fit one, else a
# Zset with a table of that size. Hints of 0: nothing is known.
cdef Entry* zset_new(Account* account, const Limits* limits, const char* key, size_t key_size,
                     uint64_t size_hint, size_t value_hint) noexcept
# Convert a listpack that will not stay one, when so many members of such a size are about to be added.
cdef int zset_expect(Account* account, const Limits* limits, Entry* e, uint64_t size_hint,
                     size_t value_hint) noexcept
cdef void zset_free_value(Account* account, Entry* e) noexcept
# Free up to so many elements. The elements left; 0: nothing outside of the entry's block is left.
cdef int64_t zset_drain(Account* account, Entry* e, int64_t elements) noexcept
cdef Entry* zset_copy(Account* account, const Entry* e, const char* key, size_t key_size) noexcept
# The same in pieces: an empty copy of a tree, to which the members from a place in the source on are added, in order.
cdef Entry* zset_copy_begin(Account* account, const Entry* e, const char* key, size_t key_size) noexcept
cdef bint zset_copy_some(Account* account, Entry* copy, BtCursor* at, int64_t members) noexcept    # True: at the end
cdef size_t zset_value_bytes(const Entry* e, int64_t samples) noexcept
cdef uint64_t zset_count(const Entry* e) noexcept
cdef int zset_verify(Entry* e) except -1

# --- one member, whose text comes with its keyed hash, or 0: it is computed if it is needed.
# Add a member or change its score: flags in, what was done out. new_score, unless NULL, gets the
# member's score after ADDED, UPDATED and SAME. The encoding may change.
cdef int zset_add(Account* account, const Limits* limits, Entry* e, double score, const char* member, size_t size,
                  uint64_t hash, int flags, double* new_score) noexcept
cdef bint zset_remove(Account* account, Entry* e, const char* member, size_t size, uint64_t hash) noexcept
cdef bint zset_score(const Entry* e, const char* member, size_t size, uint64_t hash, double* score) noexcept
# Place of the member, 0 first; counted from the highest score when reverse. -1: it is not there. score may be NULL.
cdef int64_t zset_rank(const Entry* e, const char* member, size_t size, uint64_t hash, bint reverse,
                       double* score) noexcept

# --- ranges
# How many members are in a range, and the rank of the first one (forwards, also when there is none).
cdef uint64_t zset_count_score(const Entry* e, const ScoreRange* range, uint64_t* first) noexcept
cdef uint64_t zset_count_lex(const Entry* e, const LexRange* range, uint64_t* first) noexcept
# Remove `count` members from rank `first` (forwards) on; both must lie within the zset. ZPOPMIN removes
# (0, n), ZPOPMAX (zset_count - n, n), ZREMRANGEBY* what zset_count_score() or _lex() found.
cdef int zset_delete_range(Account* account, Entry* e, uint64_t first, uint64_t count) noexcept

# --- walking: seek, then zset_next() until it says False. Any change of the zset ends a walk.
#
#     n = zset_seek_score(&it, e, &range, reverse, offset, limit)
#     c.reply_array(n)
#     while zset_next(&it):
#         c.reply_bulk(it.text, it.size)
cdef struct ZsetIter:
    const char* text            # the member; good until the next call with this iterator
    size_t size                 # bytes of text
    double score
    uint64_t left               # members still to come; may be set to less
    bint reverse
    const uint8_t* lp           # the listpack; NULL: a tree
    const uint8_t* p            # next member in it
    BtCursor at                 # next member in the tree
    char[INT64_TEXT] scratch    # an integer's text

# Each starts a walk, upwards or (reverse) downwards, and returns how many members it will give.
# first: members to pass over, counted in the direction of the walk, so ZREVRANGE 0 begins with the highest score.
# offset and limit: as LIMIT; a negative limit is none, a negative offset gives an empty walk (as Redis).
cdef uint64_t zset_seek_rank(ZsetIter* it, const Entry* e, uint64_t first, uint64_t count, bint reverse) noexcept
cdef uint64_t zset_seek_score(ZsetIter* it, const Entry* e, const ScoreRange* range, bint reverse,
                              int64_t offset, int64_t limit) noexcept
cdef uint64_t zset_seek_lex(ZsetIter* it, const Entry* e, const LexRange* range, bint reverse,
                            int64_t offset, int64_t limit) noexcept
cdef bint zset_next(ZsetIter* it) noexcept
# The first pair of a tree with this score or a higher one, for walks that need no count.
cdef BtCursor zset_from_score(const Entry* e, double score) noexcept

# --- building: members in any order, then one sort and full leaves. For ZUNION, ZINTER, ZDIFF, ZRANGESTORE,
# GEOSEARCHSTORE, loading.
#
#     zset_build_init(&b, account)
#     try:
#         score = zset_build_put(&b, text, size, 0, first_score, &added)
#         if not added:
#             score[0] = aggregate(score[0], more)      # score points into the member's block
#         if zset_build_count(&b):
#             e = zset_build_end(&b, limits, key, key_size)
#     finally:
#         zset_build_clear(&b)
cdef struct ZsetBuild:
    Table members               # of blocks; no order yet

cdef void zset_build_init(ZsetBuild* b, Account* account) noexcept
cdef int zset_build_reserve(ZsetBuild* b, uint64_t members) noexcept           # so many will be put in, about
# The score of a member, for changing, good until the member goes. One that is not there is put in first: then `added`
# (unless NULL) is True and it has this score.
cdef double* zset_build_put(ZsetBuild* b, const char* member, size_t size, uint64_t hash, double score,
                            bint* added) noexcept
# Put in a member that certainly is not there.
cdef int zset_build_put_new(ZsetBuild* b, const char* member, size_t size, uint64_t hash, double score) noexcept
cdef bint zset_build_remove(ZsetBuild* b, const char* member, size_t size, uint64_t hash) noexcept
cdef uint64_t zset_build_count(ZsetBuild* b) noexcept
# The zset of what was put in, a listpack where the limits allow; the build is empty then. No score may be NaN.
cdef Entry* zset_build_end(ZsetBuild* b, const Limits* limits, const char* key, size_t key_size) noexcept
# What was put in, in order, for replies: zset_build_count() pairs of a score and a block, which stays the build's.
cdef BtPair* zset_build_pairs(ZsetBuild* b) noexcept
cdef void zset_build_free_pairs(ZsetBuild* b, BtPair* pairs) noexcept           # before anything else goes or comes
cdef void zset_build_clear(ZsetBuild* b) noexcept                               # free what is left; any number of times


cdef inline uint8_t* zset_listpack(const Entry* e) noexcept:
    """The listpack of an ENC_LISTPACK zset."""
    return <uint8_t*>entry_slot(<Entry*>e)[0]


cdef inline Zset* zset_of(const Entry* e) noexcept:
    """The table and tree of an ENC_SKIPLIST zset."""
    return <Zset*>entry_slot(<Entry*>e)[0]


cdef inline double zset_block_score(const void* block) noexcept:
    """The score of a member's block, as the table of a Zset and that of a ZsetBuild have them."""
    return (<const double*>block)[0]


cdef inline const char* zset_block_text(const void* block, size_t* size) noexcept:
    """The bytes of a member's block, and how many."""
    return member_text(<const uint8_t*>block + sizeof(double), size)
