"""HyperLogLogs in strings. The design comment is in hyperloglog.pxd."""
from libc.math cimport INFINITY, llround, sqrt
from libc.stdint cimport uint32_t
from libc.string cimport memcmp, memcpy, memmove, memset

from fastredis.ds.native cimport ctz64

cdef enum:
    REGISTER_BITS = 14
    RANK_BITS = 64 - REGISTER_BITS
    RANKS = 64                  # that six bits can hold
    ENCODING = 4                # where the encoding's byte is
    CARDINALITY = 8             # where the cardinality is
    DENSE = 0
    SPARSE = 1
    ZEROS_SHORT = 64            # longest run of zeros in one byte
    SPARSE_RANK = 32            # highest rank in a run
    SPARSE_LENGTH = 4           # longest run of ranks
    LOOK_AHEAD = 5              # runs in which equal neighbours are sought
    HASH_SEED = 0xadc83b19

cdef double ALPHA = 0.721347520444481703680     # 1 / (2 ln 2): alpha for infinitely many registers

# Dense registers are taken apart and put together by eights: 48 bits of a little-endian word, and eight bytes. Both
# ways halves, quarters and eighths of the word move apart or together at once.
cdef extern from *:
    """
    #if defined(__BYTE_ORDER__) && __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
    #error "dense registers are read and written as little-endian words"
    #endif

    static inline uint64_t fr_spread(uint64_t x) {
        x = (x & 0xffffffu) | (x & 0xffffff000000u) << 8;
        x = (x & 0x00000fff00000fffu) | (x & 0x00fff00000fff000u) << 4;
        return (x & 0x003f003f003f003fu) | (x & 0x0fc00fc00fc00fc0u) << 2;
    }

    static inline uint64_t fr_gather(uint64_t x) {
        x = (x & 0x003f003f003f003fu) | (x & 0x3f003f003f003f00u) >> 2;
        x = (x & 0x00000fff00000fffu) | (x & 0x0fff00000fff0000u) >> 4;
        return (x & 0xffffffu) | (x & 0xffffff00000000u) >> 8;
    }
    """
    uint64_t fr_spread(uint64_t x) noexcept nogil
    uint64_t fr_gather(uint64_t x) noexcept nogil


# --- header -------------------------------------------------------------------------------

cdef bint hll_is_valid(const char* text, size_t size) noexcept nogil:
    """Whether a string begins as a HyperLogLog does, and has the size of a dense one if it says that it is."""
    return (size >= HLL_HEADER and memcmp(text, b"HYLL", 4) == 0
            and (text[ENCODING] == SPARSE or text[ENCODING] == DENSE and size == HLL_DENSE))


cdef bint hll_is_dense(const char* text) noexcept nogil:
    return text[ENCODING] == DENSE


cdef void hll_clear(char* text) noexcept nogil:
    """Write the HLL_EMPTY bytes of a sparse string without elements; its cardinality, 0, is known."""
    memset(text, 0, HLL_EMPTY)
    memcpy(text, b"HYLL", 4)
    text[ENCODING] = SPARSE
    write_zeros(text + HLL_HEADER, HLL_REGISTERS)


cdef bint hll_cached(const char* text, uint64_t* cardinality) noexcept nogil:
    """The cardinality as it was counted last; False when registers changed since then."""
    memcpy(cardinality, text + CARDINALITY, 8)
    return cardinality[0] >> 63 == 0


cdef void hll_cache(char* text, uint64_t cardinality) noexcept nogil:
    """Keep the cardinality that hll_estimate() told."""
    memcpy(text + CARDINALITY, &cardinality, 8)


cdef void hll_uncache(char* text) noexcept nogil:
    """Registers changed: what was counted is no longer true."""
    text[CARDINALITY + 7] = <char>(<uint8_t>text[CARDINALITY + 7] | 0x80)


# --- elements -----------------------------------------------------------------------------

cdef inline uint64_t murmur64(const char* text, size_t size) noexcept nogil:
    """MurmurHash2's 64-bit variant A. Source: https://github.com/aappleby/smhasher, public domain"""
    cdef uint64_t factor = 0xc6a4a7935bd1e995
    cdef uint64_t hash = HASH_SEED ^ size * factor
    cdef uint64_t word
    cdef size_t tail = size & 7

    for _ in range(size >> 3):
        memcpy(&word, text, 8)
        word *= factor
        word ^= word >> 47
        hash = (hash ^ word * factor) * factor
        text += 8
    if tail:
        word = 0
        memcpy(&word, text, tail)
        hash = (hash ^ word) * factor
    hash = (hash ^ hash >> 47) * factor
    return hash ^ hash >> 47


cdef int hll_rank(const char* element, size_t size, int* register) noexcept nogil:
    """An element's rank, 1 to 51, and its register."""
    cdef uint64_t hash = murmur64(element, size)

    register[0] = hash & (HLL_REGISTERS - 1)
    return ctz64(hash >> REGISTER_BITS | <uint64_t>1 << RANK_BITS) + 1


cdef HllOutcome hll_set(char* text, size_t* size, int register, int rank, size_t sparse_max,
                        HllCursor* cursor) noexcept nogil:
    """Raise a register to a rank.

    A sparse string, of which there must be room for HLL_GROWTH bytes more, may change its size; beyond sparse_max
    bytes it does not grow. A cursor, zero at first, spares the way when registers come in rising order: one cursor
    for one string. The cached cardinality is left to the caller.
    """
    if text[ENCODING] == DENSE:
        return set_dense(<uint8_t*>text + HLL_HEADER, register, rank)
    return set_sparse(text, size, register, rank, sparse_max, cursor)


cdef inline HllOutcome set_dense(uint8_t* registers, int register, int rank) noexcept nogil:
    cdef int bit = register * 6
    cdef uint8_t* low = registers + (bit >> 3)
    cdef int shift = bit & 7
    cdef uint32_t pair = low[0]

    if shift > 2:                               # the register goes on in the next byte
        pair |= <uint32_t>low[1] << 8
    if <int>(pair >> shift & 63) >= rank:
        return HLL_SAME
    pair = pair & ~(<uint32_t>63 << shift) | <uint32_t>rank << shift
    low[0] = <uint8_t>pair
    if shift > 2:
        low[1] = <uint8_t>(pair >> 8)
    return HLL_CHANGED


# --- sparse strings -----------------------------------------------------------------------

cdef inline size_t write_zeros(char* out, int length) noexcept nogil:
    """A run of that many zeros; the bytes it takes, none for length 0."""
    if length == 0:
        return 0
    if length <= ZEROS_SHORT:
        out[0] = <char>(length - 1)
        return 1
    out[0] = <char>(0x40 | (length - 1) >> 8)
    out[1] = <char>((length - 1) & 0xff)
    return 2


cdef inline size_t write_rank(char* out, int length, int rank) noexcept nogil:
    """A run of that many registers of a rank; the bytes it takes, none for length 0."""
    if length == 0:
        return 0
    out[0] = <char>(0x80 | (rank - 1) << 2 | (length - 1))
    return 1


cdef inline size_t write_run(char* out, int length, int rank) noexcept nogil:
    return write_rank(out, length, rank) if rank else write_zeros(out, length)


cdef size_t hll_run(const char* text, size_t size, size_t place, int* length, int* rank) noexcept nogil:
    """The run at a place in a sparse string: its length, its rank, 0 for zeros, and how many bytes it takes.

    0 at the end of the string, and where it ends within a run.
    """
    cdef uint8_t byte

    if place >= size:
        return 0
    byte = <uint8_t>text[place]
    rank[0] = 0
    if byte & 0x80:
        rank[0] = (byte >> 2 & 31) + 1
        length[0] = (byte & 3) + 1
    elif not byte & 0x40:
        length[0] = byte + 1
    elif place + 1 < size:
        length[0] = ((byte & 63) << 8 | <uint8_t>text[place + 1]) + 1
        return 2
    else:
        return 0
    return 1


cdef HllOutcome set_sparse(char* text, size_t* size, int register, int rank, size_t sparse_max,
                           HllCursor* cursor) noexcept nogil:
    cdef size_t place = HLL_HEADER              # of the run that has the register
    cdef size_t before = HLL_HEADER             # of the run in front of it, or where the runs begin
    cdef size_t taken, fresh
    cdef int first = 0                          # register of that run
    cdef int before_first = 0
    cdef int length, old_rank
    cdef char[5] runs

    if rank > SPARSE_RANK:
        return HLL_FULL
    if cursor is not NULL and cursor.place != 0:
        place = before = cursor.place
        first = before_first = cursor.first
    while True:
        taken = hll_run(text, size[0], place, &length, &old_rank)
        if taken == 0 or first + length > HLL_REGISTERS:
            return HLL_CORRUPT
        if register < first + length:
            break
        if cursor is not NULL:
            # One run behind `before`: it may be joined with the next, and must then be found in front of it again.
            cursor.place = before
            cursor.first = before_first
        before = place
        before_first = first
        place += taken
        first += length

    if old_rank >= rank:
        return HLL_SAME
    # The run becomes up to three: what is in front of the register, the register, what is behind it.
    fresh = write_run(runs, register - first, old_rank)
    fresh += write_rank(runs + fresh, 1, rank)
    fresh += write_run(runs + fresh, first + length - 1 - register, old_rank)
    if fresh > taken and size[0] + fresh - taken > sparse_max:
        return HLL_FULL
    memmove(text + place + fresh, text + place + taken, size[0] - place - taken)
    memcpy(text + place, runs, fresh)
    size[0] += fresh - taken
    join_runs(text, size, before)
    return HLL_CHANGED


cdef void join_runs(char* text, size_t* size, size_t place) noexcept nogil:
    """Join neighbours of one rank, as far as a run can be long."""
    cdef size_t taken
    cdef int length, rank, next_length, next_rank

    for _ in range(LOOK_AHEAD):
        taken = hll_run(text, size[0], place, &length, &rank)
        if taken == 0:
            return
        if (rank and hll_run(text, size[0], place + 1, &next_length, &next_rank) and next_rank == rank
                and length + next_length <= SPARSE_LENGTH):
            write_rank(text + place, length + next_length, rank)
            memmove(text + place + 1, text + place + 2, size[0] - place - 2)
            size[0] -= 1
        else:
            place += taken


# --- all registers ------------------------------------------------------------------------

cdef bint hll_read(const char* text, size_t size, uint8_t* registers) noexcept nogil:
    """The HLL_REGISTERS registers, a byte each; False if the string is corrupt."""
    cdef size_t place = HLL_HEADER
    cdef size_t taken
    cdef int first = 0
    cdef int length, rank

    if text[ENCODING] == DENSE:
        read_dense(<const uint8_t*>text + HLL_HEADER, registers)
        return True
    while True:
        taken = hll_run(text, size, place, &length, &rank)
        if taken == 0:
            return place == size and first == HLL_REGISTERS
        if first + length > HLL_REGISTERS:
            return False
        memset(registers + first, rank, length)
        place += taken
        first += length


cdef void read_dense(const uint8_t* packed, uint8_t* registers) noexcept nogil:
    cdef uint64_t word
    cdef int i

    for i in range(HLL_REGISTERS // 8):
        word = 0
        memcpy(&word, packed + 6 * i, 6)
        word = fr_spread(word)
        memcpy(registers + 8 * i, &word, 8)


cdef void hll_make_dense(char* text, const uint8_t* registers) noexcept nogil:
    """Make a string dense, with these registers. It has its header, and is HLL_DENSE bytes long."""
    cdef char* packed = text + HLL_HEADER
    cdef uint64_t word
    cdef int i

    text[ENCODING] = DENSE
    for i in range(HLL_REGISTERS // 8):
        memcpy(&word, registers + 8 * i, 8)
        word = fr_gather(word)
        memcpy(packed + 6 * i, &word, 6)


cdef bint hll_merge(const char* text, size_t size, uint8_t* registers) noexcept nogil:
    """Raise the registers to those of a string; False if it is corrupt."""
    cdef uint8_t[HLL_REGISTERS] own
    cdef int i

    if not hll_read(text, size, own):
        return False
    for i in range(HLL_REGISTERS):
        registers[i] = max(registers[i], own[i])
    return True


# --- the estimate -------------------------------------------------------------------------

cdef double sigma(double x) noexcept nogil:
    """x + the sum of x^(2^k) * 2^(k-1) for k from 1: corrects for registers that are zero."""
    cdef double power = 1
    cdef double total = x
    cdef double last

    if x == 1:
        return INFINITY
    while True:
        x *= x
        last = total
        total += x * power
        power += power
        if total == last:
            return total


cdef double tau(double x) noexcept nogil:
    """(1 - x - the sum of (1 - x^(2^-k))^2 * 2^-k for k from 1) / 3: corrects for registers that can rise no more."""
    cdef double power = 1
    cdef double total = 1 - x
    cdef double last

    if x == 0 or x == 1:
        return 0
    while True:
        x = sqrt(x)
        last = total
        power *= 0.5
        total -= (1 - x) * (1 - x) * power
        if total == last:
            return total / 3


cdef uint64_t hll_estimate(const uint8_t* registers) noexcept nogil:
    """How many different elements these registers have seen, within a standard error of 0.81 %."""
    cdef uint32_t[4][RANKS] counts              # by four, so that equal neighbours do not wait for each other
    cdef double m = HLL_REGISTERS
    cdef double z
    cdef int i, rank

    memset(counts, 0, sizeof(counts))
    for i in range(0, HLL_REGISTERS, 4):
        counts[0][registers[i] & (RANKS - 1)] += 1
        counts[1][registers[i + 1] & (RANKS - 1)] += 1
        counts[2][registers[i + 2] & (RANKS - 1)] += 1
        counts[3][registers[i + 3] & (RANKS - 1)] += 1
    for rank in range(RANKS):
        counts[0][rank] += counts[1][rank] + counts[2][rank] + counts[3][rank]
    z = m * tau((m - counts[0][RANK_BITS + 1]) / m)
    for rank in range(RANK_BITS, 0, -1):
        z = (z + counts[0][rank]) * 0.5
    z += m * sigma(counts[0][0] / m)
    return llround(ALPHA * m * m / z)
