# The settings of one table of `cjson`, and where its functions find them.

from fastredis.scripting.lua_api cimport lua, lua_State, upvalue_index

cdef struct Settings:
    int sparse_convert          # whether an array that is mostly holes becomes an object; else it is an error
    int sparse_ratio            # mostly holes: more slots than so many for each item; 0: no array is
    int sparse_safe             # and a greater index than this
    int encode_max_depth
    int decode_max_depth
    int encode_invalid          # nan and inf: an INVALID_ value
    int decode_invalid          # whether numbers are read that JSON has not
    int precision               # digits of a number
    int keep_buffer

cdef enum:
    INVALID_OFF
    INVALID_ON
    INVALID_NULL


cdef inline Settings* settings_of(lua_State* L) noexcept nogil:
    """Those of the table that the function being called belongs to: userdata, its upvalue."""
    return <Settings*>lua.touserdata(L, upvalue_index(1))
