"""HyperLogLog commands: PFADD, PFCOUNT, PFMERGE, PFDEBUG, PFSELFTEST. Their strings are those of ds/hyperloglog."""
from libc.stdint cimport uint8_t, uint64_t
from libc.string cimport memset

from fastredis._resp cimport Arg, arg_bytes
from fastredis.ds.hyperloglog cimport (
    HLL_CHANGED, HLL_CORRUPT, HLL_DENSE, HLL_EMPTY, HLL_FULL, HLL_GROWTH, HLL_HEADER, HLL_REGISTERS, HllCursor,
    HllOutcome, hll_cache, hll_cached, hll_clear, hll_estimate, hll_is_dense, hll_is_valid, hll_make_dense, hll_merge,
    hll_rank, hll_read, hll_run, hll_set, hll_uncache,
)
from fastredis.ds.numbers cimport INT64_TEXT
from fastredis.engine.client cimport Client
from fastredis.engine.command cimport native
from fastredis.engine.core cimport NOTIFY_STRING
from fastredis.engine.errors cimport ERR_HLL_CORRUPT, ERR_HLL_NO_KEY, ERR_HLL_NOT_SPARSE, ERR_HLL_TYPE
from fastredis.engine.flags cimport ADMIN, DENYOOM, FAST, MAY_REPLICATE, READONLY, WRITE
from fastredis.engine.options cimport arg_is
from fastredis.values.entry cimport ENC_INT, ENC_RAW, Entry, entry_encoding
from fastredis.values.string_type cimport Raw, entry_raw, raw_data, string_to_raw, string_view

from fastredis.engine.command import declarer
from fastredis.engine.declarations import key_at, key_range

declare = declarer("hyperloglog")

cdef enum:
    CHECKED_ELEMENTS = 1000000          # that PFSELFTEST adds
    ERROR_BOUND = 6                     # standard errors that an estimate may be off


# --- shared pieces ------------------------------------------------------------------------

cdef bint is_hll(Client c, Entry* e) except -1:
    """True for NULL or a string that begins as a HyperLogLog; else replies the error and is False."""
    cdef char[INT64_TEXT] scratch
    cdef size_t size
    cdef const char* text

    if e is NULL:
        return True
    if not c.is_string(e):
        return False
    text = string_view(e, scratch, &size)
    if entry_encoding(e) == ENC_INT or not hll_is_valid(text, size):
        c.error(ERR_HLL_TYPE)
        return False
    return True


cdef Entry* resized(Client c, Arg* key, Entry* e, size_t size) except NULL:
    """The key's string anew, that many bytes long, in a block that fits."""
    cdef Entry* fresh = string_to_raw(&c.core.memory, e, size)

    c.db.replace(key, e, fresh, True)
    return fresh


cdef Entry* made_raw(Client c, Arg* key, Entry* e) except NULL:
    """The key's string as one that can be changed; in Redis, too, OBJECT ENCODING says so from then on."""
    cdef char[INT64_TEXT] scratch
    cdef size_t size

    if entry_encoding(e) == ENC_RAW:
        return e
    string_view(e, scratch, &size)
    return resized(c, key, e, size)


cdef Entry* created(Client c, Arg* key) except NULL:
    cdef Entry* e = c.db.add_raw(key, HLL_EMPTY)

    hll_clear(raw_data(entry_raw(e)))
    return e


cdef Entry* made_dense(Client c, Arg* key, Entry* e, const uint8_t* registers) except NULL:
    """The key's string with these registers, dense."""
    if entry_encoding(e) != ENC_RAW or entry_raw(e).size != HLL_DENSE:
        e = resized(c, key, e, HLL_DENSE)
    hll_make_dense(raw_data(entry_raw(e)), registers)
    return e


cdef HllOutcome raise_register(Client c, Arg* key, Entry** e, int register, int rank,
                               HllCursor* cursor) except? HLL_CORRUPT:
    """hll_set() for a key's string, which gets the room that it may need."""
    cdef char[INT64_TEXT] scratch
    cdef size_t size
    cdef Raw* raw

    if entry_encoding(e[0]) != ENC_RAW or (entry_raw(e[0]).room < entry_raw(e[0]).size + HLL_GROWTH
                                           and not hll_is_dense(raw_data(entry_raw(e[0])))):
        string_view(e[0], scratch, &size)
        e[0] = resized(c, key, e[0], size + size // 4 + HLL_GROWTH)
        entry_raw(e[0]).size = size
    raw = entry_raw(e[0])
    return hll_set(raw_data(raw), &raw.size, register, rank, c.core.limits.hll_sparse_max_bytes, cursor)


# --- PFADD, PFCOUNT, PFMERGE --------------------------------------------------------------

cdef int cmd_pfadd(Client c) except -1:
    """PFADD key [element ...] -> 1 if the estimate may have changed or the key is new, else 0.

    Errors: WRONGTYPE; INVALIDOBJ for a corrupt value.
    Source: https://redis.io/docs/latest/commands/pfadd/
    """
    cdef Arg* key = &c.argv[1]
    cdef Entry* e = c.db.lookup_write(key)
    cdef bint changed = e is NULL
    cdef uint8_t[HLL_REGISTERS] registers
    cdef HllOutcome outcome
    cdef int register, rank, i

    if not is_hll(c, e):
        return 0
    e = created(c, key) if e is NULL else made_raw(c, key, e)
    for i in range(2, c.argc):
        rank = hll_rank(c.argv[i].ptr, c.argv[i].size, &register)
        outcome = raise_register(c, key, &e, register, rank, NULL)
        if outcome == HLL_FULL:
            if not hll_read(raw_data(entry_raw(e)), entry_raw(e).size, registers):
                return c.error(ERR_HLL_CORRUPT)
            e = made_dense(c, key, e, registers)
            outcome = raise_register(c, key, &e, register, rank, NULL)
        if outcome == HLL_CORRUPT:
            return c.error(ERR_HLL_CORRUPT)
        changed |= outcome == HLL_CHANGED
    if changed:
        hll_uncache(raw_data(entry_raw(e)))         # raw: it is new, or a register rose
        c.modified(key, NOTIFY_STRING, b"pfadd")
    return c.reply_int(changed)


declare(
    b"pfadd", native(cmd_pfadd), arity=-2, flags=WRITE | DENYOOM | FAST, keys=key_at(1, "RW insert"), since="2.8.9",
    complexity="O(1) for each element",
    summary="Adds elements to a HyperLogLog, which is created if need be.",
    args="key [element...]",
)


cdef int cmd_pfcount(Client c) except -1:
    """PFCOUNT key [key ...] -> integer: about how many different elements were added to any of the keys.

    The estimate has a standard error of 0.81 %. That of one key is kept in its value until elements change it.
    Errors: WRONGTYPE; INVALIDOBJ for a corrupt value.
    Source: https://redis.io/docs/latest/commands/pfcount/
    """
    cdef uint8_t[HLL_REGISTERS] registers
    cdef uint64_t cardinality
    cdef size_t size
    cdef char* text
    cdef Entry* e

    if c.argc > 2:
        if not merged(c, registers, NULL):
            return 0
        return c.reply_int(hll_estimate(registers))
    e = c.db.lookup_read(&c.argv[1])
    if not is_hll(c, e):
        return 0
    if e is NULL:
        return c.reply_int(0)
    e = made_raw(c, &c.argv[1], e)
    text = raw_data(entry_raw(e))
    size = entry_raw(e).size
    if not hll_cached(text, &cardinality):
        if not hll_read(text, size, registers):
            return c.error(ERR_HLL_CORRUPT)
        cardinality = hll_estimate(registers)
        c.db.before_change(e)
        hll_cache(text, cardinality)
        c.modified(&c.argv[1], 0, b"")
    return c.reply_int(cardinality)


declare(
    b"pfcount", native(cmd_pfcount), arity=-2, flags=READONLY | MAY_REPLICATE,
    keys=key_range(1, -1, 1, "RW access", notes="RW as the estimate of one key is kept in its value"), since="2.8.9",
    complexity="O(1) for one key, with a small constant when its estimate is known; O(N) for N keys",
    summary="Returns about how many different elements HyperLogLogs have seen together.",
    args="key...",
)


cdef bint merged(Client c, uint8_t* registers, bint* dense) except -1:
    """The highest registers of all keys from argv[1] on; False after an error. dense: set if one of them is."""
    cdef char[INT64_TEXT] scratch
    cdef const char* text
    cdef size_t size
    cdef Entry* e
    cdef int i

    memset(registers, 0, HLL_REGISTERS)
    for i in range(1, c.argc):
        e = c.db.lookup_read(&c.argv[i])
        if not is_hll(c, e):
            return False
        if e is NULL:
            continue
        text = string_view(e, scratch, &size)
        if not hll_merge(text, size, registers):
            c.error(ERR_HLL_CORRUPT)
            return False
        if dense is not NULL:
            dense[0] |= hll_is_dense(text)
    return True


cdef int cmd_pfmerge(Client c) except -1:
    """PFMERGE destination [source ...] -> OK: the destination has seen what it and the sources have seen.

    It is created if need be, keeps its TTL, and is dense if one of them is.
    Errors: WRONGTYPE; INVALIDOBJ for a corrupt value.
    Source: https://redis.io/docs/latest/commands/pfmerge/
    """
    cdef Arg* key = &c.argv[1]
    cdef uint8_t[HLL_REGISTERS] registers
    cdef HllCursor cursor = HllCursor(0, 0)
    cdef char[INT64_TEXT] scratch
    cdef bint dense = False
    cdef size_t size
    cdef int register
    cdef Entry* e

    if not merged(c, registers, &dense):
        return 0
    e = c.db.lookup_write(key)
    e = created(c, key) if e is NULL else made_raw(c, key, e)
    for register in range(HLL_REGISTERS):
        if dense:
            e = made_dense(c, key, e, registers)
            break
        if registers[register]:
            dense = raise_register(c, key, &e, register, registers[register], &cursor) == HLL_FULL
    hll_uncache(<char*>string_view(e, scratch, &size))
    c.modified(key, NOTIFY_STRING, b"pfadd")
    return c.reply_ok()


declare(
    b"pfmerge", native(cmd_pfmerge), arity=-2, flags=WRITE | DENYOOM,
    keys=(key_at(1, "RW access insert"), key_range(2, -1, 1, "RO access")), since="2.8.9",
    complexity="O(N) for N keys, with a large constant",
    summary="Merges HyperLogLogs into one.",
    args="destkey:key [sourcekey:key...]",
)


# --- PFDEBUG and PFSELFTEST ---------------------------------------------------------------

cdef int cmd_pfdebug(Client c) except -1:
    """PFDEBUG GETREG | DECODE | ENCODING | TODENSE key -> what is inside, for tests.

    GETREG: the 16384 registers, after making the value dense. DECODE: a sparse value's runs as text: z:n and Z:n for
    n zeros in one byte and in two, v:r,n for n times rank r. ENCODING: dense or sparse. TODENSE: 1 if it was sparse.
    Errors: a missing key; WRONGTYPE; INVALIDOBJ; DECODE of a dense value; an unknown subcommand.
    Source: https://redis.io/docs/latest/commands/pfdebug/
    """
    cdef Arg* what = &c.argv[1]
    cdef Arg* key = &c.argv[2]
    cdef uint8_t[HLL_REGISTERS] registers
    cdef char[INT64_TEXT] scratch
    cdef const char* text
    cdef size_t size
    cdef bint dense
    cdef int i
    cdef Entry* e = c.db.lookup_write(key)

    if e is NULL:
        return c.error(ERR_HLL_NO_KEY)
    if not is_hll(c, e):
        return 0
    text = string_view(e, scratch, &size)
    dense = hll_is_dense(text)
    if arg_is(what, b"encoding"):
        return c.reply_status(b"dense" if dense else b"sparse")
    if arg_is(what, b"decode"):
        return c.error(ERR_HLL_NOT_SPARSE) if dense else reply_runs(c, text, size)
    if not (arg_is(what, b"getreg") or arg_is(what, b"todense")):
        return c.error_text(b"ERR Unknown PFDEBUG subcommand '" + arg_bytes(what) + b"'")
    if not hll_read(text, size, registers):
        return c.error(ERR_HLL_CORRUPT)
    if not dense:
        made_dense(c, key, e, registers)
        c.modified(key, 0, b"")
    if arg_is(what, b"todense"):
        return c.reply_int(not dense)
    c.reply_array(HLL_REGISTERS)
    for i in range(HLL_REGISTERS):
        c.reply_int(registers[i])
    return 0


cdef int reply_runs(Client c, const char* text, size_t size) except -1:
    cdef size_t place = HLL_HEADER
    cdef size_t taken
    cdef int length, rank
    cdef list runs = []

    while True:
        taken = hll_run(text, size, place, &length, &rank)
        if taken == 0:
            break
        runs.append(b"v:%d,%d" % (rank, length) if rank else b"%c:%d" % (c"Z" if taken == 2 else c"z", length))
        place += taken
    decoded = b" ".join(runs)
    return c.reply_bulk(decoded, len(decoded))


declare(
    b"pfdebug", native(cmd_pfdebug), arity=3, flags=WRITE | DENYOOM | ADMIN, keys=key_at(2, "RW access"),
    since="2.8.9",
    complexity="N/A",
    summary="Shows the inside of a HyperLogLog, for tests.",
    args="subcommand key",
    doc_flags=("syscmd",),
)


cdef int cmd_pfselftest(Client c) except -1:
    """PFSELFTEST -> OK after adding a million elements to a sparse and a dense value, comparing them on the way.

    Errors: TESTFAILED with what went wrong.
    Source: https://redis.io/docs/latest/commands/pfselftest/
    """
    cdef char[HLL_DENSE] sparse
    cdef char[HLL_DENSE] dense
    cdef uint8_t[HLL_REGISTERS] registers
    cdef uint8_t[HLL_REGISTERS] same
    cdef size_t sparse_size = HLL_EMPTY
    cdef size_t dense_size = HLL_DENSE
    cdef uint64_t element, estimate
    cdef uint64_t check_at = 1
    cdef int register, rank
    cdef double bound

    memset(registers, 0, HLL_REGISTERS)
    hll_clear(sparse)
    hll_clear(dense)
    hll_make_dense(dense, registers)
    for element in range(1, CHECKED_ELEMENTS + 1):
        rank = hll_rank(<const char*>&element, sizeof(element), &register)
        hll_set(dense, &dense_size, register, rank, 0, NULL)
        if hll_set(sparse, &sparse_size, register, rank, HLL_DENSE - HLL_GROWTH, NULL) == HLL_FULL:
            hll_read(sparse, sparse_size, registers)
            hll_make_dense(sparse, registers)
            sparse_size = HLL_DENSE
            hll_set(sparse, &sparse_size, register, rank, 0, NULL)
        if element < check_at:
            continue
        if not hll_read(dense, HLL_DENSE, registers) or not hll_read(sparse, sparse_size, same):
            return c.error_text(b"TESTFAILED a HyperLogLog that cannot be read after %d elements" % element)
        if registers[:HLL_REGISTERS] != same[:HLL_REGISTERS]:
            return c.error_text(b"TESTFAILED dense/sparse disagree after %d elements" % element)
        estimate = hll_estimate(registers)
        bound = 1 + element * ERROR_BOUND * 1.04 / 128         # the square root of the number of registers
        if not -bound <= <double>estimate - <double>element <= bound:
            return c.error_text(b"TESTFAILED Too big error. card:%d estimate:%d" % (element, estimate))
        check_at *= 10
    return c.reply_ok()


declare(
    b"pfselftest", native(cmd_pfselftest), arity=1, flags=ADMIN, since="2.8.9",
    complexity="N/A",
    summary="Tests the HyperLogLogs of this build.",
    doc_flags=("syscmd",),
)
