"""Regular expressions. The design comment is in regex.pxd."""
from libc.string cimport memchr, memcpy

from fastredis.ds.alloc cimport mem_alloc, mem_free

cdef extern from *:
    """
    #include <locale.h>
    #include <regex.h>
    #include <stdlib.h>
    #include <string.h>
    #if defined(__APPLE__)
    #include <xlocale.h>
    #endif

    static locale_t fr_c_locale;

    /* The locale of bytes; whatever Python has set for the process makes them characters. */
    static locale_t fr_enter_c(void) {
        if (!fr_c_locale) fr_c_locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
        return uselocale(fr_c_locale);
    }

    static int fr_regcomp(regex_t *re, const char *pattern, int nocase) {
        locale_t before = fr_enter_c();
        int status = regcomp(re, pattern, REG_EXTENDED | REG_NOSUB | (nocase ? REG_ICASE : 0));
        uselocale(before);
        return status;
    }

    #ifndef REG_STARTEND
    #define REG_STARTEND 0      /* a zero byte ends the text there */
    #endif
    #if defined(__SANITIZE_ADDRESS__)
    #define FR_NEEDS_END 1      /* AddressSanitizer looks for the zero byte behind a text */
    #else
    #define FR_NEEDS_END (REG_STARTEND == 0)
    #endif

    static int fr_regexec(regex_t *re, const char *text, size_t size) {
        locale_t before = fr_enter_c();
        char *copy = NULL;
        regmatch_t whole;
        int status;

        memset(&whole, 0, sizeof(whole));
        whole.rm_eo = (regoff_t)size;
        if (FR_NEEDS_END) {
            copy = malloc(size + 1);
            if (!copy) abort();
            memcpy(copy, text, size);
            copy[size] = 0;
        }
        status = regexec(re, copy ? copy : text, 0, &whole, REG_STARTEND);
        free(copy);
        uselocale(before);
        return status;
    }
    """
    ctypedef struct regex_t:
        pass

    int fr_regcomp(regex_t* re, const char* pattern, bint nocase) nogil
    int fr_regexec(regex_t* re, const char* text, size_t size) nogil
    void regfree(regex_t* re) nogil

cdef enum:
    MOST_NODES = 16384              # bytes of a pattern, times all its counts
    STATES_TEXT = 64 * 1024         # bytes of text after which the states of a DFA are thrown away
    HEAD = 10                       # bytes of BEFORE
    LONGER = 6                      # most bytes that one of a pattern becomes: [^0-9]

cdef const char* BEFORE = b"^([^x]|x)*"         # all bytes, also zero, which a dot does not stand for


cdef size_t bracket_end(const char* p, size_t size, size_t i) noexcept:
    """Where a bracket expression that begins at i ends: behind its last byte, or at the end of the pattern."""
    cdef char kind

    i += 1
    if i < size and p[i] == c"^":
        i += 1
    if i < size and p[i] == c"]":
        i += 1
    while i < size and p[i] != c"]":
        kind = p[i + 1] if p[i] == c"[" and i + 1 < size else 0
        if kind == c":" or kind == c"." or kind == c"=":
            i += 2
            while i + 1 < size and not (p[i] == kind and p[i + 1] == c"]"):
                i += 1
            i += 1
        i += 1
    return min(i + 1, size)


cdef bint multiply(const char* p, size_t size, size_t i, size_t* nodes) noexcept:
    """Multiply by the larger number of the counts `{n,m}` that begin at i; False: that is too much."""
    cdef size_t number = 0
    cdef size_t largest = 1

    i += 1
    while i < size and p[i] != c"}":
        number = number * 10 + <size_t>(p[i] - c"0") if c"0" <= p[i] <= c"9" else 0
        if number > MOST_NODES:
            return False
        largest = max(largest, number)
        i += 1
    nodes[0] *= largest
    return nodes[0] <= MOST_NODES


cdef RegexFault translate(const char* p, size_t size, char* out, size_t* length) noexcept:
    """The pattern as the C library takes it."""
    cdef size_t nodes = size
    cdef size_t depth = 0
    cdef size_t n = 0
    cdef size_t i = 0
    cdef size_t end
    cdef bint repeated = False          # what came last says how often

    while i < size:
        end = i + 1
        if p[i] == c"[":
            end = bracket_end(p, size, i)
        elif p[i] == c"\\" and end < size:
            end += 1
            if c"1" <= p[i + 1] <= c"9":
                return REGEX_REFERENCE
            if p[i + 1] == c"d" or p[i + 1] == c"D":
                memcpy(out + n, b"[0-9]" if p[i + 1] == c"d" else b"[^0-9]", 5 if p[i + 1] == c"d" else 6)
                n += 5 if p[i + 1] == c"d" else 6
                i, repeated = end, False
                continue
        elif p[i] == c"{" and not multiply(p, size, i, &nodes):
            return REGEX_WRONG
        elif p[i] == c"(":
            depth += 1
        elif p[i] == c")":
            if depth == 0:
                return REGEX_WRONG
            depth -= 1
        elif p[i] == c"?" and repeated:
            i, repeated = end, False
            continue
        repeated = p[i] == c"*" or p[i] == c"+" or p[i] == c"?" or p[i] == c"}"
        memcpy(out + n, p + i, end - i)
        n += end - i
        i = end
    length[0] = n
    return REGEX_FINE if depth == 0 else REGEX_WRONG


cdef RegexFault regex_init(Regex* r, Account* account, const char* pattern, size_t size, bint nocase) noexcept:
    cdef size_t length = 0
    cdef RegexFault fault
    cdef regex_t* re
    cdef char* text

    if size > REGEX_LONGEST:
        return REGEX_TOO_LONG
    if memchr(pattern, 0, size) is not NULL:
        return REGEX_WRONG
    r.room = HEAD + 3 + LONGER * size
    r.pattern = <char*>mem_alloc(account, r.room)
    r.nocase, r.searched = nocase, 0
    text = r.pattern + HEAD + 1
    fault = translate(pattern, size, text, &length)
    text[length] = 0
    re = <regex_t*>mem_alloc(account, sizeof(regex_t))
    if fault == REGEX_FINE and fr_regcomp(re, text, nocase):    # alone, or it might mean something with what is around
        fault = REGEX_WRONG
    elif fault == REGEX_FINE:
        regfree(re)
        memcpy(r.pattern, BEFORE, HEAD)
        r.pattern[HEAD] = c"("
        text[length] = c")"
        text[length + 1] = 0
        if fr_regcomp(re, r.pattern, nocase):
            fault = REGEX_WRONG
    r.compiled = re
    if fault != REGEX_FINE:
        mem_free(account, r.pattern, r.room)
        mem_free(account, re, sizeof(regex_t))
    return fault


cdef void regex_clear(Regex* r, Account* account) noexcept:
    if r.compiled is not NULL:
        regfree(<regex_t*>r.compiled)
        mem_free(account, r.compiled, sizeof(regex_t))
    mem_free(account, r.pattern, r.room)


cdef bint regex_search(Regex* r, const char* text, size_t size) noexcept:
    cdef regex_t* re = <regex_t*>r.compiled

    if r.searched + size > STATES_TEXT and r.searched:
        regfree(re)
        r.searched = 0
        if fr_regcomp(re, r.pattern, r.nocase):
            r.compiled = NULL
    r.searched += size
    return r.compiled is not NULL and fr_regexec(re, text, size) == 0
