"""Numbers as text, both ways. What holds for all of it is in numbers.pxd.

Integers are written two digits at a time. Doubles are written by Schubfach: the shortest
decimal that reads back as the same double, and of those the nearest, for one table of
617 powers of ten and three 64x128-bit products.
Rejected: trying %.15g, %.16g and %.17g until one reads back (ten times slower), and
Grisu2 as in Redis (about one result in a thousand is a digit too long).
Source: https://fmt.dev/papers/Schubfach4.pdf (Raffaello Giulietti, The Schubfach way to
render doubles)
"""
from libc cimport errno
from libc.float cimport DBL_MAX, DBL_MIN
from libc.math cimport INFINITY, fabs, isinf, isnan
from libc.stdint cimport int64_t, uint32_t, uint64_t
from libc.stdio cimport snprintf
from libc.stdlib cimport free, malloc
from libc.string cimport memchr, memcpy, memmove, memset

from fastredis.ds.native cimport clz64

cdef extern from "<string.h>" nogil:
    size_t strnlen(const char* s, size_t most)

cdef extern from *:
    """
    #include <locale.h>
    #include <stdlib.h>
    #if defined(__APPLE__) || defined(__FreeBSD__)
    #include <xlocale.h>
    #endif

    /* The locale that text of the protocol is in; made at import, freed never. */
    static locale_t fr_c_locale;

    static int fr_make_c_locale(void) {
        fr_c_locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
        return fr_c_locale != (locale_t)0;
    }

    /* High 64 bits of g * x for g of 128 bits, with the lowest bit set if anything was cut off. */
    static inline uint64_t fr_round_to_odd(uint64_t g_high, uint64_t g_low, uint64_t x) {
        unsigned __int128 low = (unsigned __int128)g_low * x;
        unsigned __int128 sum = (unsigned __int128)g_high * x + (uint64_t)(low >> 64);
        return (uint64_t)(sum >> 64) | ((uint64_t)sum > 1);
    }
    """
    ctypedef struct locale_t:
        pass
    locale_t fr_c_locale
    bint fr_make_c_locale() noexcept nogil
    locale_t uselocale(locale_t locale) noexcept nogil
    uint64_t fr_round_to_odd(uint64_t g_high, uint64_t g_low, uint64_t x) noexcept nogil
    double strtod(const char* s, char** end) noexcept nogil
    long double strtold(const char* s, char** end) noexcept nogil

cdef enum:
    SHORT_TEXT = 128            # a number up to this long is copied to the stack to be parsed
    LEAST_POWER = -292          # the powers of ten that Schubfach needs for all doubles
    MOST_POWER = 324
    EXACT_POWERS = 23           # 10**0 to 10**22 are exact as doubles

cdef struct Power:              # 10**k as high:low * 2**e with its top bit set, rounded up
    uint64_t high
    uint64_t low

cdef struct Decimal:            # digits * 10**exponent
    uint64_t digits
    int exponent

cdef char[200] PAIRS            # "00" to "99"
cdef uint64_t[20] TENS          # 10**i
cdef double[EXACT_POWERS] EXACT_TENS
cdef Power[MOST_POWER - LEAST_POWER + 1] POWERS


def _fill_tables():
    """Work out the constant tables, once, when the module is imported (1 ms)."""
    pairs = b"".join(b"%02d" % i for i in range(100))
    memcpy(PAIRS, <const char*>pairs, sizeof(PAIRS))
    for i in range(20):
        TENS[i] = 10 ** i
    for i in range(EXACT_POWERS):
        EXACT_TENS[i] = 10.0 ** i
    for k in range(LEAST_POWER, MOST_POWER + 1):
        if k >= 0:
            shift = (10 ** k).bit_length() - 128
            power = -(-10 ** k >> shift) if shift > 0 else 10 ** k << -shift
        else:
            divisor = 10 ** -k
            power = -(-(1 << 127 + divisor.bit_length()) // divisor)
        POWERS[k - LEAST_POWER] = Power(power >> 64, power & 0xffffffffffffffff)
    if not fr_make_c_locale():
        raise MemoryError("no memory for the C locale")


_fill_tables()


# ---- Integers

cdef bint parse_int64(const char* s, size_t n, int64_t* out) noexcept nogil:
    """Read a signed integer in its only canonical form, the one format_int64() writes.

    False, and `out` untouched, for anything else: a leading zero or plus sign, "-0",
    blanks, an empty string, or a value that needs more than 64 bits.
    """
    cdef uint64_t v
    cdef unsigned int digit
    cdef size_t i = 0
    cdef bint negative = False

    if n == 0:
        return False
    if s[0] == c"-":
        negative = True
        i = 1
    # 19 digits cannot overflow 64 unsigned bits.
    if n - i > 19 or n == i:
        return False
    digit = <unsigned char>s[i] - <unsigned int>c"0"
    if digit > 9 or digit == 0:
        if digit == 0 and n == 1:
            out[0] = 0
            return True
        return False
    v = digit
    i += 1
    while i < n:
        digit = <unsigned char>s[i] - <unsigned int>c"0"
        if digit > 9:
            return False
        v = v * 10 + digit
        i += 1
    if v > <uint64_t>0x7fffffffffffffff + negative:
        return False
    out[0] = <int64_t>(0 - v if negative else v)
    return True


cdef bint parse_uint64(const char* s, size_t n, uint64_t* out) noexcept nogil:
    """Read an unsigned integer as Redis 8 reads stream ids and cursors; a zero byte ends the text.

    Looser than parse_int64(): blanks and a sign in front and leading zeros are fine. A
    negative number counts from 2**64 down ("-01"), unless it is the proper text of one ("-1").
    False, and `out` untouched, for that, anything behind the digits, no digit at all, or
    more than 64 bits.
    """
    cdef uint64_t v = 0
    cdef int64_t proper
    cdef unsigned int digit
    cdef size_t i = 0
    cdef bint negative

    n = strnlen(s, n)
    if parse_int64(s, n, &proper):
        if proper >= 0:
            out[0] = <uint64_t>proper
        return proper >= 0
    while i < n and is_blank(s[i]):
        i += 1
    negative = i < n and s[i] == c"-"
    if negative or (i < n and s[i] == c"+"):
        i += 1
    if i == n:
        return False
    while i < n:
        digit = <unsigned char>s[i] - <unsigned int>c"0"
        if digit > 9 or v > <uint64_t>0xffffffffffffffff // 10:
            return False
        if v * 10 > <uint64_t>0xffffffffffffffff - digit:
            return False
        v = v * 10 + digit
        i += 1
    out[0] = 0 - v if negative else v
    return True


cdef inline bint is_blank(char c) noexcept nogil:
    """isspace() of the C locale."""
    return c == c" " or c"\t" <= c <= c"\r"


cdef int digits_uint64(uint64_t v) noexcept nogil:
    """How many decimal digits v has; 1 for 0."""
    # Bits times log10(2) is the number of digits or one less.
    cdef int guess = (64 - clz64(v | 1)) * 1233 >> 12

    return guess + (v >= TENS[guess]) if v else 1


cdef int format_uint64(char* out, uint64_t v) noexcept nogil:
    """Write v in decimal to `out` (INT64_TEXT bytes of room). Returns the length."""
    cdef int length = digits_uint64(v)

    write_digits(out, v, length)
    return length


cdef int format_int64(char* out, int64_t v) noexcept nogil:
    """Write v in decimal to `out` (INT64_TEXT bytes of room). Returns the length."""
    if v >= 0:
        return format_uint64(out, <uint64_t>v)
    out[0] = c"-"
    return 1 + format_uint64(out + 1, 0 - <uint64_t>v)


cdef inline void write_digits(char* out, uint64_t v, int length) noexcept nogil:
    """Write the `length` digits of v, from the last to the first."""
    cdef char* p = out + length
    cdef uint64_t rest
    cdef uint32_t four

    while v >= 10000:
        rest = v // 10000
        four = <uint32_t>(v - rest * 10000)
        p -= 4
        memcpy(p, &PAIRS[four // 100 * 2], 2)
        memcpy(p + 2, &PAIRS[four % 100 * 2], 2)
        v = rest
    while v >= 100:
        rest = v // 100
        p -= 2
        memcpy(p, &PAIRS[(v - rest * 100) * 2], 2)
        v = rest
    if v >= 10:
        memcpy(p - 2, &PAIRS[v * 2], 2)
    else:
        (p - 1)[0] = <char>(c"0" + v)


# ---- Doubles

cdef bint parse_double(const char* s, size_t n, double* out) noexcept nogil:
    """Read a double: all that strtod() takes, hexadecimal and "inf" included, over the whole text.

    False for an empty text, blanks in front, anything behind the number, NaN, and what
    overflows or becomes 0 although it is not ("1e400", "1e-400"). `out` is then undefined.
    """
    if parse_plain_decimal(s, n, out):
        return True
    return n != 0 and not is_blank(s[0]) and parse_with_strtod(s, n, out, False)


cdef bint parse_bound(const char* s, size_t n, double* out) noexcept nogil:
    """Read a bound of a range as Redis 8 does: a zero byte ends the text, "" is 0, "1e400" is an infinity.

    False for blanks in front, hexadecimal numbers, anything behind the number, and NaN.
    """
    n = strnlen(s, n)
    if parse_plain_decimal(s, n, out):
        return True
    if n == 0:
        out[0] = 0
        return True
    if is_blank(s[0]) or memchr(s, c"x", n) is not NULL or memchr(s, c"X", n) is not NULL:
        return False
    return parse_with_strtod(s, n, out, True)


cdef bint parse_with_strtod(const char* s, size_t n, double* out, bint beyond) noexcept nogil:
    """Read a double that is no plain decimal. beyond: what overflows or becomes 0 is good."""
    cdef char[SHORT_TEXT] short_text
    cdef char* text = short_text
    cdef char* end
    cdef locale_t before
    cdef bint good

    if n >= SHORT_TEXT:
        text = <char*>malloc(n + 1)
        if text is NULL:
            return False
    memcpy(text, s, n)
    text[n] = 0
    before = uselocale(fr_c_locale)
    errno.errno = 0
    out[0] = strtod(text, &end)
    good = (<size_t>(end - text) == n and not isnan(out[0])
            and (beyond or not (errno.errno == errno.ERANGE and (isinf(out[0]) or out[0] == 0))))
    uselocale(before)
    if text is not short_text:
        free(text)
    return good


cdef size_t parse_leading_double(const char* s, double* out) noexcept nogil:
    """Read the double that a text, with a NUL behind it, begins with, as strtod() does -> its length, or 0."""
    cdef locale_t before = uselocale(fr_c_locale)
    cdef char* end

    out[0] = strtod(s, &end)
    uselocale(before)
    return end - s


cdef bint parse_plain_decimal(const char* s, size_t n, double* out) noexcept nogil:
    """Read an exact short decimal such as -12.5 without strtod(); False if it is not one.

    Both the digits (below 2**53) and the power of ten are exact, so one division rounds
    once, as strtod() does. Source: https://dl.acm.org/doi/10.1145/93542.93557 (Clinger)
    """
    cdef uint64_t v = 0
    cdef unsigned int digit
    cdef size_t i = 0, first, point = n

    if n and s[0] == c"-":
        i = 1
    first = i
    if n - i > 17 or n == i:
        return False
    while i < n:
        digit = <unsigned char>s[i] - <unsigned int>c"0"
        if digit <= 9:
            v = v * 10 + digit
        elif s[i] == c"." and point == n and n - first > 1:
            point = i
        else:
            return False
        i += 1
    if v > <uint64_t>1 << 53:
        return False
    out[0] = <double>v
    if point < n:
        out[0] /= EXACT_TENS[n - point - 1]
    if first:
        out[0] = -out[0]
    return True


cdef int format_double(char* out, double v) noexcept nogil:
    """Write the shortest text that reads back as v, to `out` (DOUBLE_TEXT bytes of room). Returns the length.

    The form is that of Redis 7.2 and later: "3", "-0", "0.1", "1e-7", "1e+20", "inf", "-inf", "nan".
    """
    cdef int64_t whole

    if isnan(v):
        memcpy(out, b"nan", 3)
        return 3
    if v == 0:
        return format_zero(out, v)
    # Up to half of what 64 bits hold Redis writes integers in full.
    if -4611686018427387904.0 <= v <= 4611686018427387904.0:
        whole = <int64_t>v
        if <double>whole == v:
            return format_int64(out, whole)
    if v < 0:
        out[0] = c"-"
        return 1 + format_positive(out + 1, -v)
    return format_positive(out, v)


cdef int format_zero(char* out, double v) noexcept nogil:
    if 1 / v < 0:
        out[0] = c"-"
        out[1] = c"0"
        return 2
    out[0] = c"0"
    return 1


cdef int format_positive(char* out, double v) noexcept nogil:
    """Lay out the digits of a double above 0: in full, with a point, or with an exponent."""
    cdef Decimal decimal
    cdef int count, power, magnitude

    if isinf(v):
        memcpy(out, b"inf", 3)
        return 3
    decimal = shortest_decimal(v)
    count = digits_uint64(decimal.digits)
    power = decimal.exponent
    magnitude = power + count - 1           # of the first digit
    if (power >= 0 and magnitude < count + 7) or -7 < power < 0 or (power < 0 and -4 < magnitude < 4):
        return format_in_full(out, decimal, count)
    return format_scientific(out, decimal.digits, count, magnitude, 1)


cdef int format_scientific(char* out, uint64_t digits, int count, int magnitude, int width) noexcept nogil:
    """Write d.ddde+n; the exponent is signed, with `width` digits (1 or 2) at least."""
    cdef int length = 1
    cdef uint64_t exponent = <uint64_t>(-magnitude if magnitude < 0 else magnitude)

    write_digits(out + 1, digits, count)
    out[0] = out[1]
    if count > 1:
        out[1] = c"."
        length = count + 1
    out[length] = c"e"
    out[length + 1] = c"-" if magnitude < 0 else c"+"
    length += 2
    if width == 2 and exponent < 10:
        out[length] = c"0"
        length += 1
    return length + format_uint64(out + length, exponent)


cdef int format_general(char* out, double v, int precision) noexcept nogil:
    """Write v as %.*g does, with 1 to 15 digits, to `out` (DOUBLE_TEXT bytes of room). Returns the length.

    The shortest decimal, padded or rounded, is what v itself would give: it is nearer to v than half a digit, and a
    point halfway between two results that lay between it and v would be a shorter decimal, or a nearer one. Only when
    it is such a point itself, the digits behind it count, and printf knows them. Subnormal numbers are too coarse.
    """
    cdef int start, count, magnitude
    cdef uint64_t scale
    cdef Decimal decimal

    if v == 0:
        return format_zero(out, v)
    if not DBL_MIN <= fabs(v) <= DBL_MAX:
        return format_with_printf(out, v, precision)
    if fabs(v) < <double>TENS[precision] and <double><int64_t>v == v:
        return format_int64(out, <int64_t>v)
    start = v < 0
    if start:
        out[0] = c"-"
    decimal = shortest_decimal(-v if start else v)
    count = digits_uint64(decimal.digits)
    magnitude = decimal.exponent + count - 1
    if count > precision:
        scale = TENS[count - precision]
        if decimal.digits % scale == scale // 2:
            return format_with_printf(out, v, precision)
        decimal = without_zeros((decimal.digits + scale // 2) // scale, decimal.exponent + count - precision)
        count = digits_uint64(decimal.digits)
        magnitude = decimal.exponent + count - 1
    if -4 <= magnitude < precision:
        return start + format_in_full(out + start, decimal, count)
    return start + format_scientific(out + start, decimal.digits, count, magnitude, 2)


cdef int format_with_printf(char* out, double v, int precision) noexcept nogil:
    cdef locale_t before = uselocale(fr_c_locale)
    cdef int length = snprintf(out, DOUBLE_TEXT, b"%.*g", precision, v)

    uselocale(before)
    return length


cdef int print_double(char* out, size_t room, const char* format, double v) noexcept nogil:
    """Write v as one conversion of printf says. Returns the length that it has, or would have with more room."""
    cdef locale_t before = uselocale(fr_c_locale)
    cdef int length = snprintf(out, room, format, v)

    uselocale(before)
    return length


cdef int format_in_full(char* out, Decimal decimal, int count) noexcept nogil:
    """Write a decimal of `count` digits without an exponent."""
    cdef int offset = count + decimal.exponent      # digits in front of the point

    if decimal.exponent >= 0:
        write_digits(out, decimal.digits, count)
        memset(out + count, c"0", decimal.exponent)
        return offset
    if offset <= 0:
        memset(out, c"0", 2 - offset)
        out[1] = c"."
        write_digits(out + 2 - offset, decimal.digits, count)
        return 2 - offset + count
    write_digits(out + 1, decimal.digits, count)
    memmove(out, out + 1, offset)
    out[offset] = c"."
    return count + 1


cdef Decimal shortest_decimal(double v) noexcept nogil:
    """The decimal with fewest digits that rounds to v (finite, above 0), the nearest of those; no trailing zeros.

    Names are the paper's: v = c * 2**q; s and s' = 10 * (s // 10) are the candidates
    below v at two lengths, and everything is scaled by 4 to keep boundaries whole.
    """
    cdef uint64_t bits, c, s, tens, below, above, middle, fraction
    cdef int biased, q, k, h
    cdef bint odd, narrow, under_fits, over_fits
    cdef Power g

    memcpy(&bits, &v, 8)
    fraction = bits & ((<uint64_t>1 << 52) - 1)
    biased = <int>(bits >> 52)
    c = fraction | <uint64_t>1 << 52 if biased else fraction
    q = (biased if biased else 1) - 1075
    odd = c & 1
    narrow = fraction == 0 and biased > 1   # a power of two: the gap below is half of that above

    k = (q * 1262611 - (524031 if narrow else 0)) >> 22
    h = q + ((-k * 1741647) >> 19) + 1
    g = POWERS[-k - LEAST_POWER]
    below = fr_round_to_odd(g.high, g.low, (4 * c - 2 + narrow) << h) + odd
    middle = fr_round_to_odd(g.high, g.low, (4 * c) << h)
    above = fr_round_to_odd(g.high, g.low, (4 * c + 2) << h) - odd

    s = middle // 4
    if s >= 10:
        tens = s // 10
        under_fits = below <= 40 * tens
        over_fits = 40 * tens + 40 <= above
        if under_fits != over_fits:
            return without_zeros(tens + over_fits, k + 1)
    under_fits = below <= 4 * s
    over_fits = 4 * s + 4 <= above
    if under_fits != over_fits:
        return without_zeros(s + over_fits, k)
    return without_zeros(s + (middle > 4 * s + 2 or (middle == 4 * s + 2 and (s & 1) == 1)), k)


cdef inline Decimal without_zeros(uint64_t digits, int exponent) noexcept nogil:
    cdef Decimal decimal

    while digits % 10 == 0:
        digits //= 10
        exponent += 1
    decimal.digits = digits
    decimal.exponent = exponent
    return decimal


# ---- Long doubles: what INCRBYFLOAT and HINCRBYFLOAT count in

cdef bint parse_long_double(const char* s, size_t n, long double* out) noexcept nogil:
    """Read a long double, with the rules of parse_double(). Text of LONG_DOUBLE_TEXT bytes or more is refused."""
    cdef char[LONG_DOUBLE_TEXT] text
    cdef char* end
    cdef locale_t before
    cdef long double v
    cdef bint out_of_range

    if n == 0 or n >= LONG_DOUBLE_TEXT or is_blank(s[0]):
        return False
    memcpy(text, s, n)
    text[n] = 0
    before = uselocale(fr_c_locale)
    errno.errno = 0
    v = strtold(text, &end)
    out_of_range = errno.errno == errno.ERANGE and (v == 0 or v == INFINITY or v == -INFINITY)
    uselocale(before)
    out[0] = v
    return <size_t>(end - text) == n and v == v and not out_of_range


cdef int format_long_double(char* out, long double v, bint human) noexcept nogil:
    """Write v to `out` (LONG_DOUBLE_TEXT bytes of room). Returns the length.

    For humans: never an exponent, at most 17 decimals, no zeros at the end, no "-0".
    Otherwise 17 significant digits, as %.17Lg gives them.
    """
    cdef locale_t before
    cdef int length

    if v != v:
        memcpy(out, b"nan", 3)
        return 3
    if v == INFINITY or v == -INFINITY:
        return format_double(out, <double>v)
    # Most counters are whole numbers: no need for printf.
    if human and -9e18 <= v <= 9e18 and <long double><int64_t>v == v:
        return format_int64(out, <int64_t>v)
    before = uselocale(fr_c_locale)
    length = snprintf(out, LONG_DOUBLE_TEXT, b"%.17Lf" if human else b"%.17Lg", v)
    uselocale(before)
    if not human:
        return length
    while out[length - 1] == c"0":
        length -= 1
    if out[length - 1] == c".":
        length -= 1
    if length == 2 and out[0] == c"-" and out[1] == c"0":
        out[0] = c"0"
        return 1
    return length
