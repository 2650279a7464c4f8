"""Glob patterns: matching as Redis does, in a loop instead of by recursion.

When a star has matched too little, only the last star needs to take more: what an earlier
one could win by a longer match, the later one has tried already. So a match costs at most
pattern length times string length, whatever the pattern, and no stack.
Redis recurses, and gives up on a match that needs more than 1000 stars; so does this, for the same replies.
"""

cdef enum:
    MAX_STARS = 1000


cdef bint glob_match(const char* pattern, size_t pn, const char* s, size_t n, bint nocase) noexcept nogil:
    """Whether the whole of s[:n] matches pattern[:pn]; `nocase` folds ASCII letters.

    Cost: O(pn * n) at worst, O(n) without a star in the middle.
    """
    cdef size_t p = 0, i = 0, width
    cdef size_t star_p = 0, star_i = 0      # behind the last star, and what it has eaten up to
    cdef int stars = 0                      # runs of stars that were passed

    while i < n:
        if p < pn and pattern[p] == c"*":
            p = skip_stars(pattern, p, pn)
            if p == pn:
                return True
            stars += 1
            if stars > MAX_STARS:
                return False
            star_p = p
            star_i = i
            continue
        width = match_one(pattern + p, pn - p, s[i], nocase) if p < pn else 0
        if width:
            p += width
            i += 1
        elif stars:
            star_i += 1
            i = star_i
            p = star_p
        else:
            return False
    # Redis lets a star match nothing everywhere but in an empty string.
    return (skip_stars(pattern, p, pn) if n else p) == pn


cdef bint glob_has_wildcards(const char* pattern, size_t pn) noexcept nogil:
    """False if the pattern matches just the string that reads like it: no star, mark, class or backslash."""
    cdef size_t i

    for i in range(pn):
        if pattern[i] == c"*" or pattern[i] == c"?" or pattern[i] == c"[" or pattern[i] == c"\\":
            return True
    return False


cdef inline size_t skip_stars(const char* pattern, size_t p, size_t pn) noexcept nogil:
    while p < pn and pattern[p] == c"*":
        p += 1
    return p


cdef inline char fold(char c) noexcept nogil:
    return c + 32 if c"A" <= c <= c"Z" else c


cdef inline size_t match_one(const char* p, size_t pn, char c, bint nocase) noexcept nogil:
    """Length of the element at p (not a star) if it matches c, else 0."""
    cdef size_t width = 1

    if p[0] == c"?":
        return 1
    if p[0] == c"[":
        return match_class(p, pn, c, nocase)
    # A backslash at the very end stands for itself.
    if p[0] == c"\\" and pn >= 2:
        p += 1
        width = 2
    if p[0] == c or (nocase and fold(p[0]) == fold(c)):
        return width
    return 0


cdef size_t match_class(const char* p, size_t pn, char c, bint nocase) noexcept nogil:
    """Length of the class at p, which starts with its bracket, if c is in it, else 0.

    Odd, and as in Redis: a class that is not closed ends with the pattern; "]" closes
    even as the first member, but as the end of a range it is a member; bytes in ranges
    are signed; an escaped member keeps its case under `nocase`; a range is put in order
    before its ends are folded.
    """
    cdef size_t i = 1
    cdef bint found = False, negated
    cdef signed char low, high, byte

    negated = pn > 1 and p[1] == c"^"
    i += negated
    while i < pn:
        if p[i] == c"\\" and pn - i >= 2:
            i += 1
            found |= p[i] == c
        elif p[i] == c"]":
            i += 1
            break
        elif pn - i >= 3 and p[i + 1] == c"-":
            low = min(<signed char>p[i], <signed char>p[i + 2])
            high = max(<signed char>p[i], <signed char>p[i + 2])
            byte = c
            if nocase:
                low = fold(low)
                high = fold(high)
                byte = fold(byte)
            i += 2
            found |= low <= byte <= high
        else:
            found |= p[i] == c or (nocase and fold(p[i]) == fold(c))
        i += 1
    return i if found != negated else 0
