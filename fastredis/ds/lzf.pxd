# LZF: the quick compression of strings in RDB files and of the inner nodes of lists.
#
#   000nnnnn                     n + 1 bytes follow as they are
#   nnnooooo oooooooo            n + 2 bytes are those from o + 1 bytes back on (n: 1 to 6)
#   111ooooo nnnnnnnn oooooooo   n + 9 bytes, likewise
#
# A copy may reach into what it writes itself: "ab", then 6 bytes from 2 back, is "abababab".
# Out of C of our own: the packages for Python that have LZF take and return bytes objects only.
# The table of the compressor lies on the stack, small and zeroed for each call, so equal
# input gives equal output.
# Source: http://oldhome.schmorp.de/marc/liblzf.html (the format)

# Bytes written; 0 when `room` bytes are not enough.
cdef size_t lzf_compress(const void* data, size_t size, void* out, size_t room) noexcept
# Bytes written, always `room`; 0 when the data is corrupt or decompresses to another size.
cdef size_t lzf_decompress(const void* data, size_t size, void* out, size_t room) noexcept
