"""The library `cjson`: its settings and its table. The design comment is in cjson.pxd."""
from libc.limits cimport INT_MAX

from fastredis.scripting.json_decode cimport json_decode
from fastredis.scripting.json_encode cimport json_encode
from fastredis.scripting.json_settings cimport INVALID_NULL, INVALID_OFF, INVALID_ON, Settings, settings_of
from fastredis.scripting.lua_api cimport (
    LUA_TBOOLEAN, LUA_TNIL, lua, lua_CFunction, set_field, set_function, Text,
)

cdef enum:
    SPARSE_RATIO = 2
    SPARSE_SAFE = 10
    MAX_DEPTH = 1000
    PRECISION = 14

cdef Text[4] WORDS = [b"off", b"on", b"null", NULL]
cdef Text[3] SWITCH = [b"off", b"on", NULL]


cdef Settings* arguments(lua_State* L, int most) noexcept nogil:
    """The settings, once there are `most` arguments, with nil for those that are missing."""
    if lua.gettop(L) > most:
        lua.L_argerror(L, most + 1, b"found too many arguments")
    lua.settop(L, most)
    return settings_of(L)


cdef int integer_setting(lua_State* L, int index, int* setting, int least, int most) noexcept nogil:
    """Change a setting to the argument, if there is one, and push what it is."""
    cdef int value

    if lua.type(L, index) != LUA_TNIL:
        value = <int>lua.L_checkinteger(L, index)
        if not least <= value <= most:
            # Redis names the first argument, whichever it is.
            return lua.L_argerror(L, 1, lua.pushfstring(L, b"expected integer between %d and %d", least, most))
        setting[0] = value
    lua.pushnumber(L, setting[0])
    return 1


cdef int word_setting(lua_State* L, int index, int* setting, const char** words) noexcept nogil:
    """The same for one that is false, true, or a word."""
    if lua.type(L, index) == LUA_TBOOLEAN:
        setting[0] = INVALID_ON if lua.toboolean(L, index) else INVALID_OFF
    elif lua.type(L, index) != LUA_TNIL:
        setting[0] = lua.L_checkoption(L, index, NULL, words)
    if setting[0] == INVALID_NULL:
        lua.pushstring(L, words[setting[0]])
    else:
        lua.pushboolean(L, setting[0])
    return 1


cdef int encode_sparse_array(lua_State* L) noexcept nogil:
    cdef Settings* settings = arguments(L, 3)

    word_setting(L, 1, &settings.sparse_convert, SWITCH)
    integer_setting(L, 2, &settings.sparse_ratio, 0, INT_MAX)
    integer_setting(L, 3, &settings.sparse_safe, 0, INT_MAX)
    return 3


cdef int encode_max_depth(lua_State* L) noexcept nogil:
    return integer_setting(L, 1, &arguments(L, 1).encode_max_depth, 1, INT_MAX)


cdef int decode_max_depth(lua_State* L) noexcept nogil:
    return integer_setting(L, 1, &arguments(L, 1).decode_max_depth, 1, INT_MAX)


cdef int encode_number_precision(lua_State* L) noexcept nogil:
    return integer_setting(L, 1, &arguments(L, 1).precision, 1, PRECISION)


cdef int encode_keep_buffer(lua_State* L) noexcept nogil:
    return word_setting(L, 1, &arguments(L, 1).keep_buffer, SWITCH)


cdef int encode_invalid_numbers(lua_State* L) noexcept nogil:
    return word_setting(L, 1, &arguments(L, 1).encode_invalid, WORDS)


cdef int decode_invalid_numbers(lua_State* L) noexcept nogil:
    return word_setting(L, 1, &arguments(L, 1).decode_invalid, SWITCH)


cdef int json_new(lua_State* L) noexcept nogil:
    """cjson.new() -> a table of its own, with settings of its own. It is not read-only."""
    open_cjson(L)
    return 1


cdef void set_with_settings(lua_State* L, const char* name, lua_CFunction f) noexcept nogil:
    """Put a function into the table below the settings on top of the stack."""
    lua.pushvalue(L, -1)
    lua.pushcclosure(L, f, 1)
    set_field(L, -3, name)


cdef void open_cjson(lua_State* L) noexcept nogil:
    cdef Settings* settings

    lua.createtable(L, 0, 13)
    set_function(L, b"new", json_new)
    lua.pushlightuserdata(L, NULL)
    set_field(L, -2, b"null")
    lua.pushstring(L, b"cjson")
    set_field(L, -2, b"_NAME")
    lua.pushstring(L, b"2.1.0")
    set_field(L, -2, b"_VERSION")
    settings = <Settings*>lua.newuserdata(L, sizeof(Settings))
    settings.sparse_convert = False
    settings.sparse_ratio = SPARSE_RATIO
    settings.sparse_safe = SPARSE_SAFE
    settings.encode_max_depth = MAX_DEPTH
    settings.decode_max_depth = MAX_DEPTH
    settings.encode_invalid = INVALID_OFF
    settings.decode_invalid = True
    settings.precision = PRECISION
    settings.keep_buffer = True
    set_with_settings(L, b"encode", json_encode)
    set_with_settings(L, b"decode", json_decode)
    set_with_settings(L, b"encode_sparse_array", encode_sparse_array)
    set_with_settings(L, b"encode_max_depth", encode_max_depth)
    set_with_settings(L, b"decode_max_depth", decode_max_depth)
    set_with_settings(L, b"encode_number_precision", encode_number_precision)
    set_with_settings(L, b"encode_keep_buffer", encode_keep_buffer)
    set_with_settings(L, b"encode_invalid_numbers", encode_invalid_numbers)
    set_with_settings(L, b"decode_invalid_numbers", decode_invalid_numbers)
    lua.settop(L, -2)
