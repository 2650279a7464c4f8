"""Sorted sets in their two encodings. The design comment is in zset_type.pxd."""
from libc.math cimport isnan
from libc.stdint cimport INT64_MAX, int64_t, uint8_t, uint64_t
from libc.string cimport memcmp

from fastredis.ds.alloc cimport mem_alloc, mem_charge, mem_free, mem_give_up
from fastredis.ds.btree cimport (
    BtLeaf, BtPair, bt_build, bt_bytes, bt_clear, bt_count_lex, bt_count_score, bt_delete_range, bt_drain,
    bt_from_score, bt_init, bt_insert, bt_member, bt_next, bt_prefetch, bt_prev, bt_rank, bt_remove, bt_score, bt_seek,
    bt_sort, bt_update, bt_verify, leaf_members,
)
from fastredis.ds.listpack cimport (
    LP_MAX, LpItem, lp_append, lp_append_int, lp_bytes, lp_charge, lp_copy, lp_count, lp_delete, lp_find, lp_first,
    lp_free, lp_get, lp_insert, lp_insert_int, lp_new, lp_next, lp_prev, lp_replace, lp_replace_int, lp_seek, lp_text,
    lp_verify,
)
from fastredis.ds.native cimport hash_bytes, prefetch
from fastredis.ds.numbers cimport DOUBLE_TEXT, format_double, parse_double
from fastredis.ds.table cimport (
    TableIter, table_add, table_bytes, table_clear, table_count, table_drain, table_find, table_init, table_iter,
    table_iter_end, table_next, table_remove, table_reserve, table_verify,
)
from fastredis.values.entry cimport ENC_LISTPACK, ENC_SKIPLIST, TYPE_ZSET, entry_encoding, entry_new, entry_set_encoding
from fastredis.values.member cimport MEMBER_MAX, member_bytes, member_write

cdef enum:
    AHEAD = 8                   # a walk asks for the block that is so many members ahead
    DRAIN_BUCKETS = 4           # elements that a bucket of the table has, about
    PAIR_ROOM = 64              # bytes that two elements of a listpack take beside the member's text, at most


# ---------------------------------------------------------------- blocks: score, member

cdef inline double* block_score(const void* block) noexcept:
    return <double*>block


cdef void block_key(const void* block, const char** key, size_t* size) noexcept:
    """KeyOf of table and tree."""
    key[0] = zset_block_text(block, size)


cdef inline uint64_t hash_of(const char* member, size_t size, uint64_t known) noexcept:
    """The hash that a caller knows, or else it is computed."""
    return known if known else hash_bytes(member, size)


cdef inline size_t block_size(const void* block) noexcept:
    cdef size_t size

    zset_block_text(block, &size)
    return sizeof(double) + member_bytes(size)


cdef void* block_new(Account* account, double score, const char* member, size_t size) noexcept:
    cdef void* block

    if size > MEMBER_MAX:
        mem_give_up(b"a member has less than 4 GiB, not bytes:", size)
    block = mem_alloc(account, sizeof(double) + member_bytes(size))
    block_score(block)[0] = score
    member_write(<uint8_t*>block + sizeof(double), member, size)
    return block


cdef inline void block_free(Account* account, void* block) noexcept:
    mem_free(account, block, block_size(block))


cdef int free_visited(void* context, void* block) except -1:
    """Visit of table_drain; the context is the account."""
    block_free(<Account*>context, block)
    return 0


cdef void free_members(Table* members) noexcept:
    """Free a table with all its blocks. O(members)."""
    while table_drain(members, 1 << 30, free_visited, members.account):
        pass
    table_clear(members)


cdef int compare_texts(const char* a, size_t a_size, const char* b, size_t b_size) noexcept:
    """As memcmp; of two texts that begin alike the shorter is less."""
    cdef int order = memcmp(a, b, min(a_size, b_size))

    return order if order else (a_size > b_size) - (a_size < b_size)


# ---------------------------------------------------------------- ranges

cdef inline bint below_range(double score, const ScoreRange* range) noexcept:
    return score < range.min or (range.min_open and score == range.min)


cdef inline bint above_range(double score, const ScoreRange* range) noexcept:
    return score > range.max or (range.max_open and score == range.max)


cdef bint below_lex(const char* text, size_t size, const LexRange* range) noexcept:
    """Whether a member is too low for a range."""
    cdef int order

    if range.min.kind == LEX_LOWEST or range.min.kind == LEX_HIGHEST:
        return range.min.kind == LEX_HIGHEST
    order = compare_texts(text, size, range.min.text, range.min.size)
    return order < 0 or (order == 0 and range.min.kind == LEX_OPEN)


cdef bint above_lex(const char* text, size_t size, const LexRange* range) noexcept:
    cdef int order

    if range.max.kind == LEX_LOWEST or range.max.kind == LEX_HIGHEST:
        return range.max.kind == LEX_LOWEST
    order = compare_texts(text, size, range.max.text, range.max.size)
    return order > 0 or (order == 0 and range.max.kind == LEX_OPEN)


# ---------------------------------------------------------------- listpacks of pairs; p is a member's place

cdef double score_at(const uint8_t* p) noexcept:
    """The score that the element at p is."""
    cdef LpItem item
    cdef double score = 0

    lp_get(p, &item)
    if item.text is NULL:
        return <double>item.number
    parse_double(item.text, item.size, &score)
    return score


cdef inline bint is_whole(double score) noexcept:
    """Whether a listpack has this score as an integer. -0 is one: its sign is lost there, as in Redis."""
    if not -4611686018427387904.0 <= score <= 4611686018427387904.0:
        return False
    return <double><int64_t>score == score


cdef inline const char* text_at(const uint8_t* p, char* scratch, size_t* size) noexcept:
    cdef LpItem item

    lp_get(p, &item)
    return lp_text(&item, scratch, size)


cdef uint8_t* pair_append(Account* account, uint8_t* lp, const char* member, size_t size, double score) noexcept:
    """Add a pair at the end of a listpack that is being made."""
    cdef char[DOUBLE_TEXT] text

    lp = lp_append(account, lp, member, size)
    if is_whole(score):
        return lp_append_int(account, lp, <int64_t>score)
    return lp_append(account, lp, text, format_double(text, score))


cdef int pair_insert_before(Account* account, Entry* e, uint8_t* p, const char* member, size_t size,
                            double score) noexcept:
    """Insert a pair before p; at the end when p is NULL."""
    cdef char[DOUBLE_TEXT] text
    cdef uint8_t* at

    entry_slot(e)[0] = lp_insert(account, zset_listpack(e), p, member, size, &at)
    p = lp_next(zset_listpack(e), at)
    if is_whole(score):
        entry_slot(e)[0] = lp_insert_int(account, zset_listpack(e), p, <int64_t>score, NULL)
    else:
        entry_slot(e)[0] = lp_insert(account, zset_listpack(e), p, text, format_double(text, score), NULL)
    return 0


cdef bint pair_above(const uint8_t* lp, const uint8_t* p, double score, const char* member, size_t size) noexcept:
    """Whether the pair at p comes behind this one."""
    cdef char[INT64_TEXT] scratch
    cdef const char* text
    cdef size_t text_size
    cdef double other = score_at(lp_next(lp, p))

    if other != score:
        return other > score
    text = text_at(p, scratch, &text_size)
    return compare_texts(text, text_size, member, size) > 0


cdef int pair_insert(Account* account, Entry* e, uint8_t* p, const char* member, size_t size, double score) noexcept:
    """Insert a pair where it belongs, which is not before the one at p (NULL: at the end)."""
    cdef uint8_t* lp = zset_listpack(e)

    while p is not NULL and not pair_above(lp, p, score, member, size):
        p = lp_next(lp, lp_next(lp, p))
    return pair_insert_before(account, e, p, member, size, score)


cdef int pair_update(Account* account, Entry* e, uint8_t* p, double old, double score, const char* member,
                     size_t size) noexcept:
    """Give the member at p, whose score is `old`, another one."""
    cdef char[DOUBLE_TEXT] text
    cdef uint8_t* lp = zset_listpack(e)
    cdef uint8_t* at = lp_next(lp, p)
    cdef uint8_t* neighbour = lp_next(lp, at)
    cdef size_t offset, bytes_before

    if score < old:
        neighbour = lp_prev(lp, p)
        if neighbour is not NULL:
            neighbour = lp_prev(lp, neighbour)
    if neighbour is NULL or pair_above(lp, neighbour, score, member, size) == (score > old):
        if is_whole(score):
            entry_slot(e)[0] = lp_replace_int(account, lp, &at, <int64_t>score)
        else:
            entry_slot(e)[0] = lp_replace(account, lp, &at, text, format_double(text, score))
        return 0
    # The new pair first: it may need memory, and the old one still stands if there is none.
    offset = p - lp
    bytes_before = lp_bytes(lp)
    pair_insert(account, e, neighbour if score > old else lp_first(lp), member, size, score)
    lp = zset_listpack(e)
    p = lp + offset
    if score < old:
        p += lp_bytes(lp) - bytes_before
    entry_slot(e)[0] = lp_delete(account, lp, &p, 2)
    return 0


cdef inline uint8_t* pair_find(const Entry* e, const char* member, size_t size) noexcept:
    cdef uint8_t* lp = zset_listpack(e)
    cdef uint8_t* p = lp_first(lp)

    return lp_find(lp, p, member, size, 1) if p is not NULL else NULL


# ---------------------------------------------------------------- life

cdef Zset* tree_new(Account* account) noexcept:
    cdef Zset* zset = <Zset*>mem_alloc(account, sizeof(Zset))

    table_init(&zset.members, account, block_key)
    bt_init(&zset.order, account, block_key)
    return zset


cdef void tree_free(Account* account, Zset* zset) noexcept:
    bt_clear(&zset.order)
    free_members(&zset.members)
    mem_free(account, zset, sizeof(Zset))


cdef Entry* zset_new(Account* account, const Limits* limits, const char* key, size_t key_size,
                     uint64_t size_hint, size_t value_hint) noexcept:
    """A zset without members, of the encoding that the hints ask for."""
    cdef uint8_t* lp
    cdef Zset* zset

    if <int64_t>size_hint <= limits.zset_max_listpack_entries and <int64_t>value_hint <= limits.zset_max_listpack_value:
        lp = lp_new(account)
        return entry_new(account, TYPE_ZSET, ENC_LISTPACK, key, key_size, lp)
    zset = tree_new(account)
    if size_hint:
        table_reserve(&zset.members, size_hint)
    return entry_new(account, TYPE_ZSET, ENC_SKIPLIST, key, key_size, zset)


cdef void zset_free_value(Account* account, Entry* e) noexcept:
    """Free all outside of the entry's block; also what zset_drain() has left. O(members)."""
    if entry_slot(e)[0] is NULL:
        return
    if entry_encoding(e) == ENC_LISTPACK:
        lp_free(account, zset_listpack(e))
    else:
        tree_free(account, zset_of(e))
    entry_slot(e)[0] = NULL


cdef int64_t zset_drain(Account* account, Entry* e, int64_t elements) noexcept:
    """A leaf of the tree counts as an element; then the table's turn comes."""
    cdef Zset* zset = zset_of(e)
    cdef int64_t left

    if entry_encoding(e) == ENC_SKIPLIST and zset is not NULL:
        left = zset.order.leaves
        if left:
            bt_drain(&zset.order, elements)
            elements -= left
        if elements > 0:
            table_drain(&zset.members, elements // DRAIN_BUCKETS + 1, free_visited, account)
        if zset.order.leaves or table_count(&zset.members):
            return table_count(&zset.members)
    zset_free_value(account, e)
    return 0


cdef Entry* zset_copy(Account* account, const Entry* e, const char* key, size_t key_size) noexcept:
    """A deep copy under another key, of the same encoding. O(members)."""
    cdef BtCursor at
    cdef uint8_t* lp
    cdef Entry* copy

    if entry_encoding(e) == ENC_LISTPACK:
        lp = lp_copy(account, zset_listpack(e))
        return entry_new(account, TYPE_ZSET, ENC_LISTPACK, key, key_size, lp)
    copy = zset_copy_begin(account, e, key, key_size)
    at = bt_seek(&zset_of(e).order, 0)
    zset_copy_some(account, copy, &at, INT64_MAX)
    return copy


cdef Entry* zset_copy_begin(Account* account, const Entry* e, const char* key, size_t key_size) noexcept:
    """For an ENC_SKIPLIST zset: one without members, but with room for e's."""
    cdef Zset* zset = tree_new(account)

    table_reserve(&zset.members, zset_count(e))
    return entry_new(account, TYPE_ZSET, ENC_SKIPLIST, key, key_size, zset)


cdef bint zset_copy_some(Account* account, Entry* copy, BtCursor* at, int64_t members) noexcept:
    cdef Zset* zset = zset_of(copy)
    cdef const char* text
    cdef size_t size

    while members > 0 and at.leaf is not NULL:
        text = zset_block_text(bt_member(at), &size)
        tree_put_last(account, zset, text, size, bt_score(at))
        bt_next(at)
        members -= 1
    return at.leaf is NULL


cdef int tree_put_last(Account* account, Zset* zset, const char* text, size_t size, double score) noexcept:
    """Add a member that is not there yet and comes last."""
    cdef uint64_t hash = hash_bytes(text, size)
    cdef void* block = block_new(account, score, text, size)

    table_add(&zset.members, block, hash)
    bt_insert(&zset.order, score, block)
    return 0


cdef size_t zset_value_bytes(const Entry* e, int64_t samples) noexcept:
    """Bytes outside of the entry's block; members are taken to be as the first `samples` are. 0: all are looked at."""
    cdef Zset* zset = zset_of(e)
    cdef BtCursor at
    cdef size_t blocks = 0
    cdef uint64_t seen = 0

    if entry_encoding(e) == ENC_LISTPACK:
        return lp_charge(zset_listpack(e))
    at = bt_seek(&zset.order, 0)
    while at.leaf is not NULL and (samples == 0 or seen < <uint64_t>samples):
        blocks += mem_charge(bt_member(&at), block_size(bt_member(&at)))
        seen += 1
        bt_next(&at)
    if seen:
        blocks = <size_t>(<double>blocks / seen * zset.order.count)
    return mem_charge(zset, sizeof(Zset)) + table_bytes(&zset.members) + bt_bytes(&zset.order) + blocks


cdef uint64_t zset_count(const Entry* e) noexcept:
    """Members."""
    if entry_encoding(e) == ENC_LISTPACK:
        return lp_count(zset_listpack(e)) // 2
    return zset_of(e).order.count


# ---------------------------------------------------------------- conversion

cdef int convert_to_tree(Account* account, Entry* e, uint64_t members) noexcept:
    """Make a Zset of a listpack, with a table for so many members."""
    cdef ZsetBuild b
    cdef ZsetIter it
    cdef Zset* zset
    cdef uint64_t n = zset_count(e)

    zset_build_init(&b, account)
    zset_build_reserve(&b, max(n, members))
    zset_seek_rank(&it, e, 0, n, False)
    while zset_next(&it):
        zset_build_put_new(&b, it.text, it.size, 0, it.score)
    zset = build_tree(&b)
    lp_free(account, zset_listpack(e))
    entry_set_encoding(e, ENC_SKIPLIST)
    entry_slot(e)[0] = zset
    return 0


cdef int zset_expect(Account* account, const Limits* limits, Entry* e, uint64_t size_hint,
                     size_t value_hint) noexcept:
    if entry_encoding(e) == ENC_LISTPACK and (<int64_t>size_hint > limits.zset_max_listpack_entries
                                              or <int64_t>value_hint > limits.zset_max_listpack_value):
        convert_to_tree(account, e, size_hint)
    return 0


# ---------------------------------------------------------------- one member

cdef int new_score_of(double old, double score, int flags, double* result) noexcept:
    """What zset_add() does to a member that is there: SAME, UPDATED, NOP or NAN, and its new score."""
    if flags & ZADD_NX:
        return ZADD_NOP
    if flags & ZADD_INCR:
        score += old
        if isnan(score):
            return ZADD_NAN
    if (flags & ZADD_LT and score >= old) or (flags & ZADD_GT and score <= old):
        return ZADD_NOP
    result[0] = score
    return ZADD_SAME if score == old else ZADD_UPDATED


cdef bint has_room(const Limits* limits, const Entry* e, size_t size) noexcept:
    """Whether a listpack can take one more member of so many bytes."""
    return (<int64_t>zset_count(e) + 1 <= limits.zset_max_listpack_entries
            and <int64_t>size <= limits.zset_max_listpack_value
            and lp_bytes(zset_listpack(e)) + size + PAIR_ROOM <= LP_MAX)


cdef int add_to_tree(Account* account, Zset* zset, double score, const char* member, size_t size, uint64_t hash,
                     int flags, double* result) noexcept:
    cdef void* block
    cdef int done

    hash = hash_of(member, size, hash)
    block = table_find(&zset.members, member, size, hash)
    if block is not NULL:
        done = new_score_of(block_score(block)[0], score, flags, result)
        if done == ZADD_UPDATED:
            bt_update(&zset.order, block_score(block)[0], block, result[0])
            block_score(block)[0] = result[0]
        return done
    if flags & ZADD_XX:
        return ZADD_NOP
    bt_prefetch(&zset.order, score)     # the leaf comes while the table is changed
    block = block_new(account, score, member, size)
    table_add(&zset.members, block, hash)
    bt_insert(&zset.order, score, block)
    result[0] = score
    return ZADD_ADDED


cdef int zset_add(Account* account, const Limits* limits, Entry* e, double score, const char* member, size_t size,
                  uint64_t hash, int flags, double* new_score) noexcept:
    """Add a member or change its score. O(log n); O(n) in a listpack."""
    cdef double result = 0, old
    cdef uint8_t* p
    cdef int done

    if isnan(score):
        return ZADD_NAN
    if entry_encoding(e) == ENC_LISTPACK:
        p = pair_find(e, member, size)
        if p is not NULL:
            old = score_at(lp_next(zset_listpack(e), p))
            done = new_score_of(old, score, flags, &result)
            if done == ZADD_UPDATED:
                pair_update(account, e, p, old, result, member, size)
        elif flags & ZADD_XX:
            done = ZADD_NOP
        elif has_room(limits, e, size):
            pair_insert(account, e, lp_first(zset_listpack(e)), member, size, score)
            result = score
            done = ZADD_ADDED
        else:
            convert_to_tree(account, e, zset_count(e) + 1)
            done = add_to_tree(account, zset_of(e), score, member, size, hash, flags, &result)
    else:
        done = add_to_tree(account, zset_of(e), score, member, size, hash, flags, &result)
    if new_score is not NULL and not done & (ZADD_NOP | ZADD_NAN):
        new_score[0] = result
    return done


cdef bint zset_remove(Account* account, Entry* e, const char* member, size_t size, uint64_t hash) noexcept:
    """Whether the member was there. O(log n); O(n) in a listpack."""
    cdef uint8_t* p
    cdef void* block

    if entry_encoding(e) == ENC_LISTPACK:
        p = pair_find(e, member, size)
        if p is NULL:
            return False
        entry_slot(e)[0] = lp_delete(account, zset_listpack(e), &p, 2)
        return True
    block = table_remove(&zset_of(e).members, member, size, hash_of(member, size, hash))
    if block is NULL:
        return False
    bt_remove(&zset_of(e).order, block_score(block)[0], block)
    block_free(account, block)
    return True


cdef bint zset_score(const Entry* e, const char* member, size_t size, uint64_t hash, double* score) noexcept:
    """Whether the member is there, and its score. O(1); O(n) in a listpack."""
    cdef uint8_t* p
    cdef void* block

    if entry_encoding(e) == ENC_LISTPACK:
        p = pair_find(e, member, size)
        if p is NULL:
            return False
        score[0] = score_at(lp_next(zset_listpack(e), p))
        return True
    block = table_find(&zset_of(e).members, member, size, hash_of(member, size, hash))
    if block is NULL:
        return False
    score[0] = block_score(block)[0]
    return True


cdef int64_t zset_rank(const Entry* e, const char* member, size_t size, uint64_t hash, bint reverse,
                       double* score) noexcept:
    """O(log n); O(n) in a listpack."""
    cdef uint8_t* lp
    cdef uint8_t* p
    cdef void* block
    cdef double found
    cdef int64_t rank

    if entry_encoding(e) == ENC_LISTPACK:
        lp = zset_listpack(e)
        p = pair_find(e, member, size)
        if p is NULL:
            return -1
        found = score_at(lp_next(lp, p))
        rank = -1
        while p is not NULL:
            rank += 1
            p = lp_prev(lp, p)
            if p is not NULL:
                p = lp_prev(lp, p)
    else:
        block = table_find(&zset_of(e).members, member, size, hash_of(member, size, hash))
        if block is NULL:
            return -1
        found = block_score(block)[0]
        rank = bt_rank(&zset_of(e).order, found, block)
    if score is not NULL:
        score[0] = found
    return <int64_t>zset_count(e) - 1 - rank if reverse else rank


# ---------------------------------------------------------------- ranges

cdef uint64_t zset_count_score(const Entry* e, const ScoreRange* range, uint64_t* first) noexcept:
    """O(log n); O(n) in a listpack."""
    cdef const BTree* order
    cdef uint8_t* lp
    cdef uint8_t* p
    cdef uint64_t end

    if entry_encoding(e) == ENC_SKIPLIST:
        order = &zset_of(e).order
        first[0] = bt_count_score(order, range.min, range.min_open)
        end = bt_count_score(order, range.max, not range.max_open)
        return end - first[0] if end > first[0] else 0
    lp = zset_listpack(e)
    p = lp_first(lp)
    end = 0
    while p is not NULL and below_range(score_at(lp_next(lp, p)), range):
        end += 1
        p = lp_next(lp, lp_next(lp, p))
    first[0] = end
    while p is not NULL and not above_range(score_at(lp_next(lp, p)), range):
        end += 1
        p = lp_next(lp, lp_next(lp, p))
    return end - first[0]


cdef uint64_t lex_end(const BTree* order, const LexBound* bound, bint itself) noexcept:
    """Members below a bound, or (itself) up to it where it is closed."""
    if bound.kind == LEX_LOWEST:
        return 0
    if bound.kind == LEX_HIGHEST:
        return order.count
    return bt_count_lex(order, bound.text, bound.size, itself)


cdef uint64_t zset_count_lex(const Entry* e, const LexRange* range, uint64_t* first) noexcept:
    """O(log n); O(n) in a listpack."""
    cdef char[INT64_TEXT] scratch
    cdef const char* text
    cdef size_t size
    cdef const BTree* order
    cdef uint8_t* lp
    cdef uint8_t* p
    cdef uint64_t end = 0

    if entry_encoding(e) == ENC_SKIPLIST:
        order = &zset_of(e).order
        first[0] = lex_end(order, &range.min, range.min.kind == LEX_OPEN)
        end = lex_end(order, &range.max, range.max.kind == LEX_CLOSED)
        return end - first[0] if end > first[0] else 0
    lp = zset_listpack(e)
    p = lp_first(lp)
    first[0] = 0
    while p is not NULL:
        text = text_at(p, scratch, &size)
        if end == first[0] and below_lex(text, size, range):
            first[0] += 1
        elif above_lex(text, size, range):
            break
        end += 1
        p = lp_next(lp, lp_next(lp, p))
    return end - first[0]


cdef void release_member(void* context, void* block) noexcept:
    """BtRelease: take a member out of the table, too, and free it."""
    cdef Table* members = <Table*>context
    cdef size_t size
    cdef const char* text = zset_block_text(block, &size)

    table_remove(members, text, size, hash_bytes(text, size))
    block_free(members.account, block)


cdef int zset_delete_range(Account* account, Entry* e, uint64_t first, uint64_t count) noexcept:
    """O(log n + count); O(n) in a listpack."""
    cdef uint8_t* p

    if count == 0:
        return 0
    if entry_encoding(e) == ENC_LISTPACK:
        p = lp_seek(zset_listpack(e), 2 * first)
        entry_slot(e)[0] = lp_delete(account, zset_listpack(e), &p, 2 * count)
    else:
        bt_delete_range(&zset_of(e).order, first, count, release_member, &zset_of(e).members)
    return 0


# ---------------------------------------------------------------- walking

cdef uint64_t zset_seek_rank(ZsetIter* it, const Entry* e, uint64_t first, uint64_t count, bint reverse) noexcept:
    """O(log n); in a listpack O(first)."""
    cdef uint64_t members = zset_count(e)

    it.reverse = reverse
    it.lp = NULL
    it.left = min(count, members - first) if first < members else 0
    if it.left == 0:
        return 0
    if reverse:
        first = members - 1 - first
    if entry_encoding(e) == ENC_LISTPACK:
        it.lp = zset_listpack(e)
        it.p = lp_seek(it.lp, 2 * first)
    else:
        it.at = bt_seek(&zset_of(e).order, first)
    return it.left


cdef uint64_t seek_found(ZsetIter* it, const Entry* e, uint64_t first, uint64_t count, bint reverse,
                         int64_t offset, int64_t limit) noexcept:
    """Walk through `count` members from rank `first` on, or downwards to it, as LIMIT says."""
    if offset < 0 or <uint64_t>offset >= count:
        it.left = 0
        return 0
    if reverse:
        first = zset_count(e) - first - count
    count -= offset
    if limit >= 0:
        count = min(count, <uint64_t>limit)
    return zset_seek_rank(it, e, first + offset, count, reverse)


cdef uint64_t zset_seek_score(ZsetIter* it, const Entry* e, const ScoreRange* range, bint reverse,
                              int64_t offset, int64_t limit) noexcept:
    """O(log n); O(n) in a listpack."""
    cdef uint64_t first
    cdef uint64_t count = zset_count_score(e, range, &first)

    return seek_found(it, e, first, count, reverse, offset, limit)


cdef BtCursor zset_from_score(const Entry* e, double score) noexcept:
    return bt_from_score(&zset_of(e).order, score)


cdef uint64_t zset_seek_lex(ZsetIter* it, const Entry* e, const LexRange* range, bint reverse,
                            int64_t offset, int64_t limit) noexcept:
    """O(log n); O(n) in a listpack."""
    cdef uint64_t first
    cdef uint64_t count = zset_count_lex(e, range, &first)

    return seek_found(it, e, first, count, reverse, offset, limit)


cdef inline void pair_step(ZsetIter* it) noexcept:
    """To the next pair of a listpack, where there is one."""
    if it.reverse:
        it.p = lp_prev(it.lp, lp_prev(it.lp, it.p))
    else:
        it.p = lp_next(it.lp, lp_next(it.lp, it.p))


cdef inline void prefetch_ahead(const BtCursor* at, bint reverse) noexcept:
    """Ask for the block that a walk comes to a few members later."""
    cdef BtLeaf* leaf = at.leaf

    if reverse:
        if at.index >= AHEAD:
            prefetch(leaf_members(leaf)[at.index - AHEAD])
    elif at.index + AHEAD < leaf.count:
        prefetch(leaf_members(leaf)[at.index + AHEAD])
    elif leaf.next is not NULL and leaf.next.count > AHEAD:
        prefetch(leaf_members(leaf.next)[at.index + AHEAD - leaf.count])


cdef bint zset_next(ZsetIter* it) noexcept:
    """Put the next member into text, size and score; False when there is none."""
    if it.left == 0:
        return False
    it.left -= 1
    if it.lp is not NULL:
        it.text = text_at(it.p, it.scratch, &it.size)
        it.score = score_at(lp_next(it.lp, it.p))
        if it.left:
            pair_step(it)
        return True
    prefetch_ahead(&it.at, it.reverse)
    it.text = zset_block_text(bt_member(&it.at), &it.size)
    it.score = bt_score(&it.at)
    if it.reverse:
        bt_prev(&it.at)
    else:
        bt_next(&it.at)
    return True


# ---------------------------------------------------------------- building

cdef void zset_build_init(ZsetBuild* b, Account* account) noexcept:
    table_init(&b.members, account, block_key)


cdef int zset_build_reserve(ZsetBuild* b, uint64_t members) noexcept:
    if members:
        table_reserve(&b.members, members)
    return 0


cdef double* build_add(ZsetBuild* b, const char* member, size_t size, double score, uint64_t hash) noexcept:
    cdef void* block = block_new(b.members.account, score, member, size)

    table_add(&b.members, block, hash)
    return block_score(block)


cdef double* zset_build_put(ZsetBuild* b, const char* member, size_t size, uint64_t hash, double score,
                            bint* added) noexcept:
    """The member's score; it is put in first when it is not there."""
    cdef void* block

    hash = hash_of(member, size, hash)
    block = table_find(&b.members, member, size, hash)
    if added is not NULL:
        added[0] = block is NULL
    return block_score(block) if block is not NULL else build_add(b, member, size, score, hash)


cdef int zset_build_put_new(ZsetBuild* b, const char* member, size_t size, uint64_t hash, double score) noexcept:
    build_add(b, member, size, score, hash_of(member, size, hash))
    return 0


cdef bint zset_build_remove(ZsetBuild* b, const char* member, size_t size, uint64_t hash) noexcept:
    """Whether the member was there."""
    cdef void* block = table_remove(&b.members, member, size, hash_of(member, size, hash))

    if block is not NULL:
        block_free(b.members.account, block)
    return block is not NULL


cdef uint64_t zset_build_count(ZsetBuild* b) noexcept:
    return table_count(&b.members)


cdef void zset_build_clear(ZsetBuild* b) noexcept:
    """Free what is left; any number of times."""
    free_members(&b.members)


cdef BtPair* build_pairs(ZsetBuild* b, BTree* order) noexcept:
    """All that was put in, in order: table_count() pairs, one block of so many and one more, the caller's."""
    cdef Account* account = b.members.account
    cdef uint64_t count = table_count(&b.members)
    cdef BtPair* pairs = <BtPair*>mem_alloc(account, (count + 1) * sizeof(BtPair))
    cdef TableIter it
    cdef void* block
    cdef uint64_t i = 0

    table_iter(&it, &b.members)
    block = table_next(&it)
    while block is not NULL:
        pairs[i].score = block_score(block)[0]
        pairs[i].member = block
        i += 1
        block = table_next(&it)
    table_iter_end(&it)
    bt_sort(order, pairs, count)
    return pairs


cdef BtPair* zset_build_pairs(ZsetBuild* b) noexcept:
    """O(n log n); zset_build_free_pairs() frees them."""
    cdef BTree order                # for its way of comparing

    bt_init(&order, b.members.account, block_key)
    return build_pairs(b, &order)


cdef void zset_build_free_pairs(ZsetBuild* b, BtPair* pairs) noexcept:
    mem_free(b.members.account, pairs, (table_count(&b.members) + 1) * sizeof(BtPair))


cdef Zset* build_tree(ZsetBuild* b) noexcept:
    """A Zset of what was put in; the build is empty then."""
    cdef Account* account = b.members.account
    cdef uint64_t count = table_count(&b.members)
    cdef Zset* zset = tree_new(account)
    cdef BtPair* pairs = build_pairs(b, &zset.order)

    bt_build(&zset.order, pairs, count)
    mem_free(account, pairs, (count + 1) * sizeof(BtPair))
    zset.members = b.members
    table_init(&b.members, account, block_key)
    return zset


cdef Entry* build_end_tree(ZsetBuild* b, const char* key, size_t key_size) noexcept:
    cdef Zset* zset = build_tree(b)

    return entry_new(b.members.account, TYPE_ZSET, ENC_SKIPLIST, key, key_size, zset)


cdef bint build_fits_listpack(ZsetBuild* b, const Limits* limits) noexcept:
    cdef TableIter it
    cdef void* block
    cdef size_t size, longest = 0, total = 0
    cdef uint64_t count = table_count(&b.members)

    if <int64_t>count > limits.zset_max_listpack_entries:
        return False
    table_iter(&it, &b.members)
    block = table_next(&it)
    while block is not NULL:
        zset_block_text(block, &size)
        longest = max(longest, size)
        total += size
        block = table_next(&it)
    table_iter_end(&it)
    return <int64_t>longest <= limits.zset_max_listpack_value and total + count * PAIR_ROOM <= LP_MAX


cdef uint8_t* build_listpack(ZsetBuild* b) noexcept:
    cdef Account* account = b.members.account
    cdef uint64_t count = table_count(&b.members), i
    cdef BtPair* pairs
    cdef uint8_t* lp
    cdef const char* text
    cdef size_t size

    pairs = zset_build_pairs(b)
    lp = lp_new(account)
    for i in range(count):
        text = zset_block_text(pairs[i].member, &size)
        lp = pair_append(account, lp, text, size, pairs[i].score)
    zset_build_free_pairs(b, pairs)
    return lp


cdef Entry* zset_build_end(ZsetBuild* b, const Limits* limits, const char* key, size_t key_size) noexcept:
    """O(n log n); O(n) where members were put in in order."""
    cdef uint8_t* lp
    cdef Entry* e

    if not build_fits_listpack(b, limits):
        return build_end_tree(b, key, key_size)
    lp = build_listpack(b)
    e = entry_new(b.members.account, TYPE_ZSET, ENC_LISTPACK, key, key_size, lp)
    zset_build_clear(b)
    return e


# ---------------------------------------------------------------- checks

cdef int fail(str text) except -1:
    raise AssertionError(f"sorted set: {text}")


cdef int verify_listpack(const uint8_t* lp) except -1:
    cdef char[INT64_TEXT] scratch
    cdef const uint8_t* p = lp_first(lp)
    cdef const uint8_t* following
    cdef const char* text
    cdef size_t size
    cdef double score

    lp_verify(lp)
    if lp_count(lp) % 2:
        fail("a member without a score")
    while p is not NULL:
        following = lp_next(lp, lp_next(lp, p))
        score = score_at(lp_next(lp, p))
        text = text_at(p, scratch, &size)
        if isnan(score):
            fail("a score is NaN")
        if following is not NULL and not pair_above(lp, following, score, text, size):
            fail("pairs in the wrong order")
        if following is not NULL and lp_find(lp, following, text, size, 1) is not NULL:
            fail("a member is there twice")
        p = following
    return 0


cdef int zset_verify(Entry* e) except -1:
    """Walk through the memory; AssertionError where order, links or the two halves of a Zset are wrong."""
    cdef Zset* zset
    cdef BtCursor at
    cdef void* block
    cdef const char* text
    cdef size_t size

    if entry_encoding(e) == ENC_LISTPACK:
        return verify_listpack(zset_listpack(e))
    if entry_encoding(e) != ENC_SKIPLIST:
        fail(f"encoding {entry_encoding(e)}")
    zset = zset_of(e)
    table_verify(&zset.members)
    bt_verify(&zset.order)
    if table_count(&zset.members) != zset.order.count:
        fail(f"{table_count(&zset.members)} members in the table, {zset.order.count} in the tree")
    at = bt_seek(&zset.order, 0)
    while at.leaf is not NULL:
        text = zset_block_text(bt_member(&at), &size)
        block = table_find(&zset.members, text, size, hash_bytes(text, size))
        if block != bt_member(&at):
            fail(f"the table does not have the tree's {text[:size]!r}")
        if block_score(block)[0] != bt_score(&at):
            fail(f"two scores for {text[:size]!r}")
        bt_next(&at)
    return 0
