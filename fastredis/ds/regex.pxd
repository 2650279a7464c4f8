# Regular expressions for values: the C library's, with what keeps it from taking for ever.
#
# Syntax: POSIX extended, and \d \D \w \W \s \S \b \B \< \>; `*?` and its like mean what `*` means, as all that is
# asked is whether there is a match. Bytes, not characters; case is that of ASCII. No references to groups (\1).
#
# The C library matches with a DFA that it makes as it goes, and begins anew at each place of the text. So a pattern is
# compiled with all that may stand before it in front, and a text is gone through once. Each byte may make a state of
# the DFA, up to some 50 us and 5 KB with the worst of patterns. Hence: patterns are limited in length and in what
# repetition counts make of them, texts in length, and the states are thrown away after STATES_TEXT bytes.
# Who searches many texts looks at the clock between them.
# Rejected: Python's re, which needs a time that is exponential in the text for patterns like (a+)+$.

from fastredis.ds.alloc cimport Account

cdef enum:
    REGEX_LONGEST = 2048            # bytes of a pattern
    REGEX_TEXT = 64 * 1024          # bytes of a text

cdef enum RegexFault:
    REGEX_FINE = 0
    REGEX_TOO_LONG                  # the pattern
    REGEX_REFERENCE                 # it refers to a group
    REGEX_WRONG                     # it is none, or would be too large when its counts are written out

cdef struct Regex:
    void* compiled                  # regex_t
    char* pattern                   # as it is given to the C library
    size_t room
    bint nocase
    size_t searched                 # bytes of text since it was compiled

cdef RegexFault regex_init(Regex* r, Account* account, const char* pattern, size_t size, bint nocase) noexcept
cdef void regex_clear(Regex* r, Account* account) noexcept      # only after REGEX_FINE
# Whether there is a match in a text of up to REGEX_TEXT bytes.
cdef bint regex_search(Regex* r, const char* text, size_t size) noexcept
