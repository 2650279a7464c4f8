# SHA-1: the names of scripts, and redis.sha1hex.
#
# Out of C of our own: it is called from within a script, where Python objects are out of place, and hashlib costs as
# much for the way there and back as this takes for 200 bytes. Repeated EVALs should not need it at all: who keeps
# scripts finds the same text faster by xxh3.
# Source: RFC 3174, https://www.rfc-editor.org/rfc/rfc3174

cdef enum:
    SHA1_TEXT = 40              # hexadecimal digits

# Write the SHA-1 of the data to `out`, in SHA1_TEXT small hexadecimal digits, no NUL behind them.
cdef void sha1_text(const char* data, size_t size, char* out) noexcept nogil
