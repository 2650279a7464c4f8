"""Reading values in the RDB format. The design comment is in rdb_read.pxd, the format in rdb.pxd."""
from libc.math cimport INFINITY, isnan
from libc.stdint cimport INT64_MAX, uint32_t, uint8_t
from libc.string cimport memcmp, memcpy

from fastredis.ds.alloc cimport mem_calloc, mem_free
from fastredis.ds.crc64 cimport crc64
from fastredis.ds.intset cimport ints_adopt, ints_count, ints_valid
from fastredis.ds.listpack cimport (
    LP_MAX, LpItem, lp_adopt, lp_bytes_at, lp_count, lp_first, lp_free, lp_get, lp_next, lp_text, lp_valid,
)
from fastredis.ds.native cimport hash_bytes, likely, monotonic_us, unlikely
from fastredis.ds.numbers cimport INT64_TEXT, parse_double
from fastredis.ds.quicklist cimport QL_TAIL, Quicklist, ql_adopt, ql_exceeds, ql_new, ql_push, ql_release
from fastredis.ds.table cimport table_reserve
from fastredis.persist.rdb cimport (
    RDB_ARRAY, RDB_CHECKSUM, RDB_FOOTER, RDB_HASH, RDB_HASH_2, RDB_HASH_LISTPACK, RDB_HASH_LISTPACK_EX,
    RDB_HASH_LISTPACK_EX_RC,
    RDB_HASH_METADATA, RDB_HASH_METADATA_RC, RDB_HASH_ZIPLIST, RDB_HASH_ZIPMAP, RDB_LIST, RDB_LIST_QUICKLIST,
    RDB_LIST_QUICKLIST_2, RDB_LIST_ZIPLIST, RDB_MODULE, RDB_NODE_PACKED, RDB_NODE_PLAIN, RDB_SET, RDB_SET_INTSET,
    RDB_SET_LISTPACK, RDB_SET_METADATA, RDB_STREAM_LISTPACKS_5, RDB_STRING, RDB_VERSION_MAX, RDB_VERSION_OWN,
    RDB_VERSION_VALKEY, RDB_VERSION_VALKEY_MAX, RDB_ZSET, RDB_ZSET_2, RDB_ZSET_LISTPACK, RDB_ZSET_ZIPLIST,
)
from fastredis.persist.rdb_old cimport old_ziplist, old_zipmap
from fastredis.persist.rdb_opaque cimport (
    OPAQUE_DONE, OPAQUE_MORE, OpaqueResult, opaque_clear, opaque_go_on, opaque_knows, opaque_start, opaque_take,
)
from fastredis.persist.rdb_reader cimport (
    RDB_SCRATCH_FIELD, RDB_SCRATCH_VALUE, RdbText, rdb_corrupt, rdb_most, rdb_read_8, rdb_read_bytes, rdb_read_length,
    rdb_read_string, rdb_reader_clear, rdb_reader_init,
)
from fastredis.persist.rdb_array cimport (
    ARRAY_DONE, ARRAY_MORE, ArrayResult, array_walk_clear, array_walk_on, array_walk_start,
)
from fastredis.persist.rdb_stream cimport (
    STREAM_DONE, STREAM_MORE, StreamResult, is_stream_kind, stream_walk_clear, stream_walk_on, stream_walk_start,
)
from fastredis.values.entry cimport (
    ENC_HASHTABLE, ENC_INTSET, ENC_LISTPACK, ENC_LISTPACK_EX, ENC_QUICKLIST, TYPE_HASH, TYPE_LIST, TYPE_SET, TYPE_ZSET,
    entry_encoding, entry_new, entry_set_encoding, entry_slot,
)
from fastredis.values.hash_ttl cimport hash_set_when
from fastredis.values.hash_type cimport (
    HashIter, hash_count, hash_expect, hash_iter, hash_iter_end, hash_new, hash_next, hash_set, hash_to_table,
    hash_ttl_new,
)
from fastredis.values.list_type cimport LIST_TAIL, list_new, list_of, list_prepare, list_push
from fastredis.values.set_type cimport set_add, set_expect, set_new_for, set_set_when, set_table
from fastredis.values.string_type cimport string_new, string_new_int
from fastredis.values.timed cimport DEADLINE_BITS, NO_DEADLINE, Timed
from fastredis.values.value cimport entry_free
from fastredis.values.zset_type cimport (
    ZADD_ADDED, zset_add, zset_build_clear, zset_build_end, zset_build_init, zset_build_put, zset_expect, zset_new,
)

from fastredis.persist.rdb_reader import RdbError

__all__ = ["RdbError"]

cdef enum:
    TIME_BATCH = 64                     # elements between two looks at the clock
    FEW = 16                            # elements that are compared each with each, when looking for one that is twice


# ---------------------------------------------------------------- checks of listpacks

cdef bint twice_among_few(const uint8_t* lp, uint32_t step) noexcept:
    cdef const uint8_t* seen[FEW]
    cdef const uint8_t* p = lp_first(lp)
    cdef uint32_t i, _step, n = 0

    while p is not NULL:
        for i in range(n):
            if lp_bytes_at(seen[i]) == lp_bytes_at(p) and memcmp(seen[i], p, lp_bytes_at(p)) == 0:
                return True
        seen[n] = p
        n += 1
        for _step in range(step):
            p = lp_next(lp, p)
    return False


cdef bint has_twice(Account* account, const uint8_t* lp, uint32_t step, uint64_t n) except -1:
    """Whether one of n elements, those at 0, step, 2 * step ..., equals another. They are in their shortest form."""
    cdef uint64_t mask = 1, at
    cdef uint32_t _step
    cdef uint32_t* places               # offsets in the listpack, by hash; 0: free
    cdef const uint8_t* p = lp_first(lp)
    cdef const uint8_t* other
    cdef bint found = False

    if n <= FEW:
        return twice_among_few(lp, step)
    while mask < 2 * n:
        mask *= 2
    places = <uint32_t*>mem_calloc(account, mask * sizeof(uint32_t))
    while p is not NULL and not found:
        at = hash_bytes(p, lp_bytes_at(p)) & (mask - 1)
        while places[at] and not found:
            other = lp + places[at]
            found = lp_bytes_at(other) == lp_bytes_at(p) and memcmp(other, p, lp_bytes_at(p)) == 0
            at = (at + 1) & (mask - 1)
        places[at] = <uint32_t>(p - lp)
        for _step in range(step):
            p = lp_next(lp, p)
    mem_free(account, places, mask * sizeof(uint32_t))
    return found


cdef bint score_of(const uint8_t* p, double* score) noexcept:
    """The score that an element is; False: it is none."""
    cdef LpItem item

    lp_get(p, &item)
    if item.text is NULL:
        score[0] = <double>item.number
        return True
    return parse_double(item.text, item.size, score) and not isnan(score[0])


cdef bint scores_ascend(const uint8_t* lp) noexcept:
    """Whether pairs of members and scores are in order."""
    cdef char[INT64_TEXT] scratch[2]
    cdef const char* text
    cdef const char* last = NULL
    cdef size_t size, last_size = 0
    cdef double score, last_score = -INFINITY
    cdef const uint8_t* p = lp_first(lp)
    cdef LpItem item
    cdef int order, turn = 0

    while p is not NULL:
        lp_get(p, &item)
        text = lp_text(&item, scratch[turn], &size)
        p = lp_next(lp, p)
        if not score_of(p, &score) or score < last_score:
            return False
        if last is not NULL and score == last_score:
            order = memcmp(last, text, min(last_size, size))
            if order > 0 or (order == 0 and last_size >= size):
                return False
        last, last_size, last_score = text, size, score
        turn ^= 1
        p = lp_next(lp, p)
    return True


cdef bint deadlines_ascend(const uint8_t* lp) noexcept:
    """Whether triples of field, value and deadline are in order: those without a deadline, 0, last."""
    cdef const uint8_t* p = lp_first(lp)
    cdef int64_t last = 1
    cdef LpItem item

    while p is not NULL:
        p = lp_next(lp, lp_next(lp, p))
        lp_get(p, &item)
        if item.text is not NULL or item.number >> DEADLINE_BITS:
            return False
        if item.number == NO_DEADLINE:
            last = INT64_MAX
        elif item.number < last:
            return False
        else:
            last = item.number
        p = lp_next(lp, p)
    return True


# ---------------------------------------------------------------- values that are one string

WHAT = {                                # that is one block of bytes, as Redis names it in its log
    RDB_HASH_ZIPMAP: "Zipmap", RDB_LIST_ZIPLIST: "List ziplist", RDB_SET_INTSET: "Intset",
    RDB_ZSET_ZIPLIST: "Zset ziplist", RDB_HASH_ZIPLIST: "Hash ziplist", RDB_LIST_QUICKLIST: "Ziplist",
    RDB_HASH_LISTPACK: "Hash listpack", RDB_ZSET_LISTPACK: "Zset listpack", RDB_LIST_QUICKLIST_2: "Listpack",
    RDB_SET_LISTPACK: "Set listpack", RDB_HASH_LISTPACK_EX_RC: "Hash listpack", RDB_HASH_LISTPACK_EX: "Hash listpack",
}


cdef int broken(const RdbReader* r, int kind, str why) except -1:
    """Raise for a block of a value of that type."""
    return rdb_corrupt(r, f"{WHAT[kind]} integrity check failed: {why}")


cdef uint8_t* pack_of(RdbReader* r, int kind, const RdbText* text) except NULL:
    """A listpack of the account out of a string that has to be one."""
    if not lp_valid(<const uint8_t*>text.text, text.size, True) or text.size > LP_MAX:
        broken(r, kind, "it is no listpack")
    return lp_adopt(r.account, <const uint8_t*>text.text, text.size)


cdef uint8_t* ziplist_pack(RdbReader* r, int kind, const RdbText* text) except NULL:
    """The same out of a ziplist."""
    cdef uint8_t* lp = old_ziplist(r.account, <const uint8_t*>text.text, text.size)

    if lp is NULL:
        broken(r, kind, "it is no ziplist")
    return lp


cdef uint8_t* zipmap_pack(RdbReader* r, const RdbText* text) except NULL:
    """The same out of a zipmap."""
    cdef uint8_t* lp = old_zipmap(r.account, <const uint8_t*>text.text, text.size)

    if lp is NULL:
        broken(r, RDB_HASH_ZIPMAP, "it is no zipmap, or an empty one")
    return lp


cdef int check_pack(RdbReader* r, int rdb_kind, int kind, const uint8_t* lp) except -1:
    """What has to hold for the listpack of a value that is one, beside that it is a listpack with elements."""
    cdef uint32_t step = 1

    if kind == TYPE_LIST:
        return 0
    if kind == TYPE_HASH or kind == TYPE_ZSET:
        step = 2
    elif kind != TYPE_SET:
        step = 3
    if lp_count(lp) % step:
        broken(r, rdb_kind, "an element too many")
    if has_twice(r.account, lp, step, lp_count(lp) // step):
        broken(r, rdb_kind, "a member or field that is there twice")
    if kind == TYPE_ZSET and not scores_ascend(lp):
        broken(r, rdb_kind, "scores that are out of order, or none")
    if step == 3 and not deadlines_ascend(lp):
        broken(r, rdb_kind, "deadlines that are out of order, or none")
    return 0


cdef enum:
    TRIPLES = -1                        # for check_pack() and pack_value(): a hash, its fields with deadlines


cdef Entry* pack_entry(RdbReader* r, int kind, const char* key, size_t key_size, uint8_t* lp) except NULL:
    """A value that has this listpack."""
    cdef Entry* e
    cdef Timed* ttl

    e = entry_new(r.account, TYPE_HASH if kind == TRIPLES else kind, ENC_LISTPACK, key, key_size, lp)
    if kind == TRIPLES:
        ttl = hash_ttl_new(r.account, e)
        ttl.lp = lp
        entry_slot(e)[0] = ttl
        entry_set_encoding(e, ENC_LISTPACK_EX)
    return e


cdef int fit_limits(RdbReader* r, int kind, Entry* e, uint64_t count) except -1:
    """Give a value that is a listpack the encoding that the limits want: those of sizes do not count, as in Redis."""
    if kind == TYPE_LIST:
        return list_prepare(r.account, r.limits, e, 0, 0)
    if kind == TYPE_SET:
        return set_expect(r.account, r.limits, e, count)
    if kind == TYPE_ZSET:
        return zset_expect(r.account, r.limits, e, count // 2, 0)
    return hash_expect(r.account, r.limits, e, count // (3 if kind == TRIPLES else 2))


cdef RdbResult pack_value(RdbReader* r, RdbBuild* b, int kind, const char* key, size_t key_size,
                          uint8_t* lp) except RDB_FAILED:
    """Make a value of a listpack, which is freed if it is not good for one. kind: TYPE_*, or TRIPLES."""
    cdef uint64_t count = lp_count(lp)

    if count == 0:
        lp_free(r.account, lp)
        return RDB_EMPTY
    try:
        check_pack(r, b.kind, kind, lp)
    except RdbError:
        lp_free(r.account, lp)
        raise
    b.e = pack_entry(r, kind, key, key_size, lp)
    fit_limits(r, kind, b.e, count)
    return RDB_DONE


cdef RdbResult intset_value(RdbReader* r, RdbBuild* b, const char* key, size_t key_size,
                            const RdbText* text) except RDB_FAILED:
    cdef const uint8_t* data = <const uint8_t*>text.text
    cdef uint8_t* ints

    if not ints_valid(data, text.size, True):
        broken(r, RDB_SET_INTSET, "it is no intset")
    if ints_count(data) == 0:
        return RDB_EMPTY
    ints = ints_adopt(r.account, data, text.size)
    b.e = entry_new(r.account, TYPE_SET, ENC_INTSET, key, key_size, ints)
    set_expect(r.account, r.limits, b.e, ints_count(ints))
    return RDB_DONE


cdef RdbResult zipmap_value(RdbReader* r, RdbBuild* b, const char* key, size_t key_size,
                            const RdbText* text) except RDB_FAILED:
    """Zipmaps were limited otherwise, so the sizes of fields and values are looked at, too."""
    cdef RdbResult result = pack_value(r, b, TYPE_HASH, key, key_size, zipmap_pack(r, text))
    cdef size_t longest = 0
    cdef HashIter it

    if result == RDB_DONE and entry_encoding(b.e) == ENC_LISTPACK:
        hash_iter(&it, b.e)
        while hash_next(&it):
            longest = max(longest, it.field_size, it.value_size)
        hash_iter_end(&it)
        if <int64_t>longest > r.limits.hash_max_listpack_value:
            hash_to_table(r.account, b.e, hash_count(b.e))
    return result


cdef RdbResult blob_value(RdbReader* r, RdbBuild* b, const char* key, size_t key_size) except RDB_FAILED:
    """A value that is one string, but for a deadline in front of RDB_HASH_LISTPACK_EX."""
    cdef size_t start = r.pos
    cdef int64_t soonest
    cdef RdbText text

    if (b.kind == RDB_HASH_LISTPACK_EX and not rdb_read_8(r, &soonest)) or (
            not rdb_read_string(r, RDB_SCRATCH_VALUE, &text)):
        r.pos = start
        return RDB_MORE
    if b.kind == RDB_STRING:
        if text.is_number:
            b.e = string_new_int(r.account, key, key_size, text.number)
        else:
            b.e = string_new(r.account, key, key_size, text.text, text.size)
        return RDB_DONE
    if b.kind == RDB_HASH_LISTPACK:
        return pack_value(r, b, TYPE_HASH, key, key_size, pack_of(r, b.kind, &text))
    if b.kind == RDB_ZSET_LISTPACK:
        return pack_value(r, b, TYPE_ZSET, key, key_size, pack_of(r, b.kind, &text))
    if b.kind == RDB_SET_INTSET:
        return intset_value(r, b, key, key_size, &text)
    if b.kind == RDB_SET_LISTPACK:
        return pack_value(r, b, TYPE_SET, key, key_size, pack_of(r, b.kind, &text))
    if b.kind == RDB_LIST_ZIPLIST:
        return pack_value(r, b, TYPE_LIST, key, key_size, ziplist_pack(r, b.kind, &text))
    if b.kind == RDB_ZSET_ZIPLIST:
        return pack_value(r, b, TYPE_ZSET, key, key_size, ziplist_pack(r, b.kind, &text))
    if b.kind == RDB_HASH_ZIPLIST:
        return pack_value(r, b, TYPE_HASH, key, key_size, ziplist_pack(r, b.kind, &text))
    if b.kind == RDB_HASH_ZIPMAP:
        return zipmap_value(r, b, key, key_size, &text)
    return pack_value(r, b, TRIPLES, key, key_size, pack_of(r, b.kind, &text))


# ---------------------------------------------------------------- values element by element; False: more is needed

cdef bint list_element(RdbReader* r, RdbBuild* b, const char* key, size_t key_size) except -1:
    cdef RdbText text

    if not rdb_read_string(r, RDB_SCRATCH_VALUE, &text):
        return False
    if b.e is NULL:
        b.e = list_new(r.account, key, key_size)
    list_prepare(r.account, r.limits, b.e, text.size, 1)
    list_push(r.account, r.limits, b.e, LIST_TAIL, text.text, text.size)
    return True


cdef int add_node(RdbReader* r, RdbBuild* b, const char* key, size_t key_size, uint8_t* lp) except -1:
    """Append a listpack, which may be empty, to a list, which has it then."""
    if lp_first(lp) is NULL:
        lp_free(r.account, lp)
        return 0
    if b.e is NULL and b.left == 1:
        b.e = pack_entry(r, TYPE_LIST, key, key_size, lp)
        return list_prepare(r.account, r.limits, b.e, 0, 0)
    start_quicklist(r, b, key, key_size)
    ql_adopt(r.account, list_of(b.e), lp)
    return 0


cdef int start_quicklist(RdbReader* r, RdbBuild* b, const char* key, size_t key_size) except -1:
    cdef Quicklist* ql

    if b.e is not NULL:
        return 0
    ql = ql_new(r.account, r.limits.list_max_listpack_size, r.limits.list_compress_depth)
    b.e = entry_new(r.account, TYPE_LIST, ENC_QUICKLIST, key, key_size, ql)
    return 0


cdef bint list_node(RdbReader* r, RdbBuild* b, const char* key, size_t key_size) except -1:
    """A node of either kind of quicklist, or an element by itself."""
    cdef uint64_t container = RDB_NODE_PACKED
    cdef RdbText text

    if b.kind == RDB_LIST_QUICKLIST_2 and not rdb_read_length(r, &container):
        return False
    if not rdb_read_string(r, RDB_SCRATCH_VALUE, &text):
        return False
    if b.kind == RDB_LIST_QUICKLIST:
        add_node(r, b, key, key_size, ziplist_pack(r, b.kind, &text))
    elif container == RDB_NODE_PACKED:
        add_node(r, b, key, key_size, pack_of(r, b.kind, &text))
    elif container == RDB_NODE_PLAIN and text.size:
        start_quicklist(r, b, key, key_size)
        ql_push(r.account, list_of(b.e), QL_TAIL, text.text, text.size, 1)
    else:
        rdb_corrupt(r, f"Quicklist integrity check failed: a node in container {container}, of {text.size} bytes")
    return True


cdef bint set_member(RdbReader* r, RdbBuild* b, const char* key, size_t key_size) except -1:
    """A member, its deadline in front of it if the set has some."""
    cdef int64_t when_ms = NO_DEADLINE
    cdef RdbText text

    if b.kind == RDB_SET_METADATA and not read_deadline(r, b, &when_ms):
        return False
    if not rdb_read_string(r, RDB_SCRATCH_VALUE, &text):
        return False
    if b.e is NULL:
        b.e = set_new_for(r.account, r.limits, key, key_size, text.text, text.size, b.left)
        if entry_encoding(b.e) == ENC_HASHTABLE:
            table_reserve(set_table(b.e), rdb_most(r, b.left, 1))
    if not set_add(r.account, r.limits, b.e, text.text, text.size, 0):
        rdb_corrupt(r, "Duplicate set members detected")
    if when_ms != NO_DEADLINE:
        set_set_when(r.account, b.e, text.text, text.size, 0, when_ms)
    return True


cdef bint read_score(RdbReader* r, int kind, double* score) except -1:
    """A score, binary or as text."""
    cdef const uint8_t* p
    cdef int size

    if kind == RDB_ZSET_2:
        if not rdb_read_bytes(r, sizeof(double), &p):
            return False
        memcpy(score, p, sizeof(double))
    else:
        if not rdb_read_bytes(r, 1, &p):
            return False
        size = p[0]
        if size >= 254:
            score[0] = INFINITY if size == 254 else -INFINITY
            return True
        if size == 253:
            rdb_corrupt(r, "Zset with NAN score detected")
        if not rdb_read_bytes(r, size, &p):
            return False
        if not parse_double(<const char*>p, size, score):
            rdb_corrupt(r, "a score that is not a number")
    if isnan(score[0]):
        rdb_corrupt(r, "Zset with NAN score detected")
    return True


cdef int start_zset(RdbReader* r, RdbBuild* b, const char* key, size_t key_size) except -1:
    """Members of a small one are put together first, and sorted. A big one needs no sort, which would take long at
    once: its members come from the highest to the lowest, and adding in front of a tree is cheap."""
    cdef uint64_t most = max(r.limits.zset_max_listpack_entries, <int64_t>0)

    if b.left <= most:
        zset_build_init(&b.zset, r.account)
        b.sorting = True
    else:
        b.e = zset_new(r.account, r.limits, key, key_size, max(rdb_most(r, b.left, 2), most + 1), 0)
    return 0


cdef bint zset_member(RdbReader* r, RdbBuild* b, const char* key, size_t key_size) except -1:
    cdef RdbText text
    cdef double score
    cdef bint added

    if not rdb_read_string(r, RDB_SCRATCH_VALUE, &text) or not read_score(r, b.kind, &score):
        return False
    if b.e is NULL and not b.sorting:
        start_zset(r, b, key, key_size)
    if not b.sorting:
        added = zset_add(r.account, r.limits, b.e, score, text.text, text.size, 0, 0, NULL) == ZADD_ADDED
    else:
        zset_build_put(&b.zset, text.text, text.size, 0, score, &added)
    if not added:
        rdb_corrupt(r, "Duplicate zset fields detected")
    if b.left == 1 and b.sorting:
        b.e = zset_build_end(&b.zset, r.limits, key, key_size)
    return True


cdef bint read_deadline(RdbReader* r, RdbBuild* b, int64_t* when_ms) except -1:
    """The deadline in front of a field or a member of a value that has some; NO_DEADLINE: it has none."""
    cdef uint64_t n

    if not rdb_read_length(r, &n):
        return False
    if n and b.kind != RDB_HASH_METADATA_RC:
        n += b.soonest_ms - 1
    if n >> DEADLINE_BITS:
        rdb_corrupt(r, f"a deadline of {n} ms")
    when_ms[0] = n
    return True


cdef bint hash_pair(RdbReader* r, RdbBuild* b, const char* key, size_t key_size) except -1:
    """A field with its value; its deadline in front of it, or (Valkey) behind."""
    cdef bint of_valkey = r.version >= RDB_VERSION_VALKEY and b.kind == RDB_HASH_2
    cdef int64_t when_ms = NO_DEADLINE
    cdef RdbText field, value

    if b.kind != RDB_HASH and not of_valkey and not read_deadline(r, b, &when_ms):
        return False
    if not rdb_read_string(r, RDB_SCRATCH_FIELD, &field) or not rdb_read_string(r, RDB_SCRATCH_VALUE, &value):
        return False
    if of_valkey:
        if not rdb_read_8(r, &when_ms):
            return False
        if when_ms < 0:
            when_ms = NO_DEADLINE
        elif when_ms == 0 or when_ms >> DEADLINE_BITS:      # Valkey's own may be later, which no type of Redis's can be
            rdb_corrupt(r, f"a deadline of {when_ms} ms")
    if b.e is NULL:
        b.e = hash_new(r.account, key, key_size)
        if b.left > <uint64_t>r.limits.hash_max_listpack_entries:
            hash_expect(r.account, r.limits, b.e, max(
                rdb_most(r, b.left, 2), <uint64_t>r.limits.hash_max_listpack_entries + 1))
    if not hash_set(r.account, r.limits, b.e, field.text, field.size, 0, value.text, value.size, False):
        rdb_corrupt(r, "Duplicate hash fields detected")
    if when_ms != NO_DEADLINE:
        hash_set_when(r.account, r.limits, b.e, field.text, field.size, 0, when_ms)
    return True


ctypedef bint (*ReadElement)(RdbReader* r, RdbBuild* b, const char* key, size_t key_size) except -1


cdef ReadElement element_reader(int kind) noexcept:
    """What reads an element of a value of that type; NULL: it is one string."""
    if kind == RDB_LIST:
        return list_element
    if kind == RDB_LIST_QUICKLIST or kind == RDB_LIST_QUICKLIST_2:
        return list_node
    if kind == RDB_SET or kind == RDB_SET_METADATA:
        return set_member
    if kind == RDB_ZSET or kind == RDB_ZSET_2:
        return zset_member
    if kind == RDB_HASH or kind == RDB_HASH_METADATA or kind == RDB_HASH_METADATA_RC:
        return hash_pair
    return NULL


cdef bint read_count(RdbReader* r, RdbBuild* b) except -1:
    """How many elements follow, and what stands in front of that."""
    cdef size_t start = r.pos
    cdef bint timed = b.kind == RDB_HASH_METADATA or b.kind == RDB_SET_METADATA

    if timed and not rdb_read_8(r, &b.soonest_ms):
        return False
    if not rdb_read_length(r, &b.left):
        r.pos = start
        return False
    if timed and b.soonest_ms >> DEADLINE_BITS:
        rdb_corrupt(r, f"a deadline of {b.soonest_ms} ms")
    b.counted = True
    return True


cdef int finish_list(RdbReader* r, RdbBuild* b) except -1:
    """Make a list of one node that is small enough a listpack."""
    cdef Quicklist* ql

    if entry_encoding(b.e) == ENC_LISTPACK:
        return 0
    ql = list_of(b.e)
    if ql.nodes == 1 and not ql.head.plain and not ql_exceeds(r.limits.list_max_listpack_size, ql.head.bytes, ql.count):
        entry_slot(b.e)[0] = ql_release(r.account, ql)
        entry_set_encoding(b.e, ENC_LISTPACK)
    return 0


# ---------------------------------------------------------------- building

cdef int refuse(RdbReader* r, int kind) except -1:
    """Raise for a type that is not read."""
    if kind == RDB_MODULE:
        rdb_corrupt(r, "values of modules in the format of a release candidate")
    return rdb_corrupt(r, f"unknown type {kind}")


cdef bint is_known(int kind) noexcept:
    return (0 <= kind <= RDB_STREAM_LISTPACKS_5 and kind != 8 and kind != RDB_MODULE) or (
        kind == RDB_ARRAY or kind == RDB_SET_METADATA)


cdef void rdb_build_start(RdbBuild* b, int kind) noexcept:
    b.kind = kind
    b.e = NULL
    b.counted = False
    b.sorting = False
    opaque_start(&b.walk, kind)
    stream_walk_start(&b.stream, kind)
    array_walk_start(&b.array)


cdef RdbResult stream_value(RdbReader* r, RdbBuild* b, const char* key, size_t key_size,
                            int64_t until_us) except RDB_FAILED:
    """A stream, as far as it goes."""
    cdef StreamResult result = stream_walk_on(r, &b.stream, key, key_size, until_us)

    if result != STREAM_DONE:
        return RDB_MORE if result == STREAM_MORE else RDB_LATER
    b.e, b.stream.e = b.stream.e, NULL
    return RDB_DONE


cdef RdbResult array_value(RdbReader* r, RdbBuild* b, const char* key, size_t key_size,
                           int64_t until_us) except RDB_FAILED:
    """An array, as far as it goes."""
    cdef ArrayResult result = array_walk_on(r, &b.array, key, key_size, until_us)

    if result != ARRAY_DONE:
        return RDB_MORE if result == ARRAY_MORE else RDB_LATER
    b.e, b.array.e = b.array.e, NULL
    return RDB_DONE


cdef RdbResult opaque_value(RdbReader* r, RdbBuild* b, const char* key, size_t key_size,
                            int64_t until_us) except RDB_FAILED:
    """A value of a type that is not known, as far as it goes."""
    cdef OpaqueResult result = opaque_go_on(r, &b.walk, until_us)

    if result != OPAQUE_DONE:
        return RDB_MORE if result == OPAQUE_MORE else RDB_LATER
    b.e = opaque_take(r.account, &b.walk, key, key_size)
    return RDB_DONE


cdef RdbResult rdb_build_go_on(RdbReader* r, RdbBuild* b, const char* key, size_t key_size,
                               int64_t until_us) except RDB_FAILED:
    """Read on; after RDB_MORE and RDB_LATER pos is where the next call goes on."""
    cdef ReadElement element
    cdef size_t start

    if likely(b.kind == RDB_STRING):
        return blob_value(r, b, key, key_size)
    if not is_known(b.kind):
        refuse(r, b.kind)
    if is_stream_kind(b.kind):
        return stream_value(r, b, key, key_size, until_us)
    if b.kind == RDB_ARRAY:
        return array_value(r, b, key, key_size, until_us)
    if unlikely(opaque_knows(b.kind)):
        return opaque_value(r, b, key, key_size, until_us)
    element = element_reader(b.kind)
    if element is NULL:
        return blob_value(r, b, key, key_size)
    if not b.counted and not read_count(r, b):
        return RDB_MORE
    while b.left:
        start = r.pos
        if not element(r, b, key, key_size):
            r.pos = start
            return RDB_MORE
        b.left -= 1
        if b.left % TIME_BATCH == 0 and b.left and monotonic_us() > until_us:
            return RDB_LATER
    if b.e is NULL:
        return RDB_EMPTY
    if b.kind == RDB_LIST_QUICKLIST or b.kind == RDB_LIST_QUICKLIST_2:
        finish_list(r, b)
    return RDB_DONE


cdef void rdb_build_clear(RdbReader* r, RdbBuild* b) noexcept:
    """Free what was built; any number of times, after rdb_build_start()."""
    opaque_clear(r.account, &b.walk)
    stream_walk_clear(r.account, &b.stream)
    array_walk_clear(r.account, &b.array)
    if b.sorting:
        zset_build_clear(&b.zset)
        b.sorting = False
    if b.e is not NULL:
        entry_free(r.account, b.e)
        b.e = NULL


# ---------------------------------------------------------------- DUMP payloads

cdef inline int footer_version(const char* payload, size_t size) noexcept:
    cdef const uint8_t* footer = <const uint8_t*>payload + size - RDB_FOOTER

    return footer[0] | footer[1] << 8


cdef bint rdb_dump_valid(const char* payload, size_t size, bint verify, bint any_version) noexcept:
    """Whether the version (any_version: whatever it is) and (verify) the checksum of a DUMP payload are right."""
    cdef int version
    cdef uint64_t crc

    if size < RDB_FOOTER:
        return False
    version = footer_version(payload, size)
    if not (any_version or version <= RDB_VERSION_MAX or version == RDB_VERSION_OWN
            or RDB_VERSION_VALKEY <= version <= RDB_VERSION_VALKEY_MAX):
        return False
    memcpy(&crc, payload + size - RDB_CHECKSUM, RDB_CHECKSUM)
    return not verify or crc == crc64(0, payload, size - RDB_CHECKSUM)


cdef Entry* rdb_read_dump(Account* account, const Limits* limits, const char* payload, size_t size,
                          const char* key, size_t key_size) except NULL:
    """The value of a payload that rdb_dump_valid() accepted, under this key. RdbError: it is corrupt, or empty."""
    cdef RdbReader r
    cdef RdbBuild b
    cdef const uint8_t* kind = NULL
    cdef Entry* done

    rdb_reader_init(&r, account, limits, payload, size - RDB_FOOTER)
    r.ended = True
    r.to_come = 0
    r.version = footer_version(payload, size)
    rdb_build_start(&b, RDB_STRING)
    try:
        rdb_read_bytes(&r, 1, &kind)
        rdb_build_start(&b, kind[0])
        if rdb_build_go_on(&r, &b, key, key_size, INT64_MAX) != RDB_DONE:
            rdb_corrupt(&r, "a collection without elements")
        if r.pos != r.size:
            rdb_corrupt(&r, f"{r.size - r.pos} bytes behind the value")
        done = b.e
        b.e = NULL
        return done
    finally:
        rdb_build_clear(&r, &b)
        rdb_reader_clear(&r)
