# Numbers as text: what a stored string or an argument means as a number, and back.
#
# Text comes as pointer and length and needs no NUL behind it; what is written gets none
# and its length is returned. Nothing here needs the GIL, allocates Python objects or
# depends on the locale of the program around it.

from libc.stdint cimport int64_t, uint64_t

cdef enum:
    INT64_TEXT = 21             # room for any format_int64() or format_uint64(), in bytes
    DOUBLE_TEXT = 128           # room for any format_double() or format_general()
    LONG_DOUBLE_TEXT = 5 * 1024     # room for any format_long_double(); longer text is refused as one

cdef bint parse_int64(const char* s, size_t n, int64_t* out) noexcept nogil
cdef bint parse_uint64(const char* s, size_t n, uint64_t* out) noexcept nogil
cdef int format_int64(char* out, int64_t v) noexcept nogil
cdef int format_uint64(char* out, uint64_t v) noexcept nogil
cdef int digits_uint64(uint64_t v) noexcept nogil

cdef bint parse_double(const char* s, size_t n, double* out) noexcept nogil
cdef bint parse_bound(const char* s, size_t n, double* out) noexcept nogil
cdef size_t parse_leading_double(const char* s, double* out) noexcept nogil
cdef int format_double(char* out, double v) noexcept nogil
cdef int format_general(char* out, double v, int precision) noexcept nogil
cdef int print_double(char* out, size_t room, const char* format, double v) noexcept nogil
cdef bint parse_long_double(const char* s, size_t n, long double* out) noexcept nogil
cdef int format_long_double(char* out, long double v, bint human) noexcept nogil
