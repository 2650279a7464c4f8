# Glob patterns, as in KEYS, SCAN MATCH, PSUBSCRIBE and CONFIG GET.
#
#   *  any bytes       [abc]  one of them      [a-z]  a range, either way round
#   ?  one byte        [^abc] none of them     \x     x itself, in a class too
#
# Bytes, not characters. Source: https://redis.io/docs/latest/commands/keys/

cdef bint glob_match(const char* pattern, size_t pn, const char* s, size_t n, bint nocase) noexcept nogil
cdef bint glob_has_wildcards(const char* pattern, size_t pn) noexcept nogil
