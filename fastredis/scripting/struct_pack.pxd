# The library `struct`: binary records by a format, as Redis has it.
#
#   > <        big and little endian           !n        align to n at most; 1 in the beginning
#   b B h H    integers of 1, 2 bytes          l L T     of 8
#   i I in In  of 4, of n bytes, up to 32      f d       floats of 4, 8
#   cn         n bytes of a string; c0: when packing all of it, when unpacking as many as the number before says
#   s          a string with a zero byte behind it       x    a byte that is skipped
#
# Integers of more than 8 bytes are packed with zeros in the others, also negative ones.
# Source: http://www.inf.puc-rio.br/~roberto/struct/

from fastredis.scripting.lua_api cimport lua_State

# Push the library's table.
cdef void open_struct(lua_State* L) noexcept nogil
