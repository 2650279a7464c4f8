# The library `cjson`: JSON, as Redis has it (lua-cjson 2.1).
#
# - A table whose keys are positive integers is an array, with null in its holes, and an error (or an object) if most
#   of it were holes. Any other is an object, also an empty one, with numbers as text for keys.
# - null is a light userdata of NULL, cjson.null, which is true as a condition.
# - Numbers have 14 digits at most, as %.14g writes them. Unless told otherwise, nan and inf can't be encoded, but can
#   be decoded, as can hexadecimal numbers, leading zeros and a plus sign.
# - Bytes from 0x80 on are passed as they are, valid UTF-8 or not. "/" is escaped, and so is DEL.
#
# Settings are those of a module table, for all scripts; cjson.new() makes another one. What they say of buffers is kept
# and does nothing.
#
# Speed: strings are copied in runs of characters that need no escape, eight at a time; when decoded, those without an
# escape are handed to Lua from where they are. Numbers go through ds/numbers, not through printf and strtod.
# Source: https://kyne.com.au/~mark/software/lua-cjson-manual.html; https://www.rfc-editor.org/rfc/rfc4627

from fastredis.scripting.lua_api cimport lua_State

# Push the library's table. Its halves are json_encode.pyx and json_decode.pyx.
cdef void open_cjson(lua_State* L) noexcept nogil
