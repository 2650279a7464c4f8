"""Replies as Lua values and the other way round. The design comment is in replies.pxd."""
from libc.stdint cimport INT64_MIN, int64_t
from libc.stdlib cimport strtod
from libc.string cimport memchr

from fastredis.engine.errors cimport ERR_LUA_STACK
from fastredis.scripting.lua_api cimport (
    LUA_TBOOLEAN, LUA_TNIL, LUA_TNUMBER, LUA_TSTRING, LUA_TTABLE, get_field, lua, lua_pop, set_field,
)

cdef enum:
    SLOTS = 8                   # of Lua's stack, that one level of a value takes at most
    TOO_DEEP_MOST = 1000        # tables without room in one reply, after which no table is gone into any more
    MAX_ERROR_CODES = 128       # different codes in errorstats, before those that scripts make up have one in common

cdef bytes OTHER_CODES = b"ERRORSTATS_OVERFLOW of codes"


# --- protocol to Lua ------------------------------------------------------------------------

cdef const char* push_reply(lua_State* L, const char* p) noexcept nogil:
    cdef const char* end = <const char*>memchr(p, c"\r", <size_t>-1 >> 1)
    cdef const char* text = p + 1
    cdef char kind = p[0]

    lua.L_checkstack(L, SLOTS, b"reply is nested too deep")
    if kind == c":":
        lua.pushnumber(L, <double>number(text))
    elif kind == c"+":
        push_table(L, b"ok", text, end - text)
    elif kind == c"-":
        push_table(L, b"err", text, end - text)
        lua.pushboolean(L, 1)
        set_field(L, -2, b"ignore_error_stats_update")
    elif kind == c"_":
        lua.pushnil(L)
    elif kind == c"#":
        lua.pushboolean(L, text[0] == c"t")
    elif kind == c",":
        lua.createtable(L, 0, 1)
        lua.pushnumber(L, strtod(text, NULL))
        set_field(L, -2, b"double")
    elif kind == c"(":
        push_table(L, b"big_number", text, end - text)
    elif kind == c"$" or kind == c"=":
        return push_bulk(L, kind, number(text), end + 2)
    elif kind == c"|":
        return push_behind(L, number(text), end + 2)
    else:
        return push_aggregate(L, kind, number(text), end + 2)
    return end + 2


cdef int64_t number(const char* p) noexcept nogil:
    """The integer of a header, or of a reply. Unsigned in between: the lowest one has no positive sister."""
    cdef bint negative = p[0] == c"-"
    cdef size_t value = 0

    p += negative
    while p[0] != c"\r":
        value = value * 10 + (p[0] - c"0")
        p += 1
    return <int64_t>(0 - value) if negative else <int64_t>value


cdef void push_table(lua_State* L, const char* name, const char* text, size_t size) noexcept nogil:
    """Push {name = text}."""
    lua.createtable(L, 0, 2)
    lua.pushlstring(L, text, size)
    set_field(L, -2, name)


cdef const char* push_behind(lua_State* L, int64_t attributes, const char* p) noexcept nogil:
    """Push what comes behind attributes, which scripts do not see."""
    cdef int64_t _

    for _ in range(attributes * 2):
        p = push_reply(L, p)
        lua_pop(L, 1)
    return push_reply(L, p)


cdef const char* push_bulk(lua_State* L, char kind, int64_t size, const char* p) noexcept nogil:
    """Push a string, or {verbatim_string = {format, string}}; a missing one is false."""
    if size < 0:
        lua.pushboolean(L, 0)
        return p
    if kind == c"$":
        lua.pushlstring(L, p, size)
        return p + size + 2
    lua.createtable(L, 0, 1)
    lua.createtable(L, 0, 2)
    lua.pushlstring(L, p, 3)
    set_field(L, -2, b"format")
    lua.pushlstring(L, p + 4, size - 4)
    set_field(L, -2, b"string")
    set_field(L, -2, b"verbatim_string")
    return p + size + 2


cdef const char* push_aggregate(lua_State* L, char kind, int64_t count, const char* p) noexcept nogil:
    """Push an array, {map = {}} or {set = {}}; a missing array is false."""
    cdef int i, _

    if count < 0:
        lua.pushboolean(L, 0)
        return p
    if kind != c"%" and kind != c"~":
        lua.createtable(L, <int>count, 0)
        for i in range(<int>count):
            p = push_reply(L, p)
            lua.rawseti(L, -2, i + 1)
        return p
    lua.createtable(L, 0, 1)
    lua.createtable(L, 0, <int>count)
    for _ in range(<int>count):
        p = push_reply(L, p)
        if kind == c"%":
            p = push_reply(L, p)
        else:
            lua.pushboolean(L, 1)
        lua.rawset(L, -3)
    set_field(L, -2, b"map" if kind == c"%" else b"set")
    return p


# --- Lua to protocol ------------------------------------------------------------------------

cdef int too_deep = 0                   # tables of the reply under way that the stack had no room for


cdef int reply_value(Client c, lua_State* L, int resp) except -1:
    """A table that holds itself more than once has no end in any time; one that does once ends with Lua's stack."""
    global too_deep

    too_deep = 0
    return reply_part(c, L, resp)


cdef int reply_part(Client c, lua_State* L, int resp) except -1:
    global too_deep
    cdef int kind = lua.type(L, -1)
    cdef const char* text
    cdef size_t size

    if (kind == LUA_TTABLE and too_deep >= TOO_DEEP_MOST) or not lua.checkstack(L, SLOTS):
        too_deep += 1
        lua_pop(L, 1)
        return c.error(ERR_LUA_STACK)
    if kind == LUA_TSTRING:
        text = lua.tolstring(L, -1, &size)
        c.reply_bulk(text, size)
    elif kind == LUA_TNUMBER:
        c.reply_int(truncated(lua.tonumber(L, -1)))
    elif kind == LUA_TBOOLEAN and resp == 3:
        c.out.boolean(lua.toboolean(L, -1))
    elif kind == LUA_TBOOLEAN and lua.toboolean(L, -1):
        c.reply_int(1)
    elif kind == LUA_TTABLE:
        return reply_table(c, L, resp)
    else:
        c.reply_null()
    lua_pop(L, 1)
    return 0


cdef inline int64_t truncated(double n) noexcept:
    """A number of Lua as an integer; what has none becomes the lowest, as the processor says it."""
    return <int64_t>n if -9223372036854775808.0 <= n < 9223372036854775808.0 else INT64_MIN


cdef bytes field_text(lua_State* L, const char* name):
    """A field of the table on top of the stack in one line; None: it is no string."""
    cdef const char* text
    cdef size_t size
    cdef bytes found = None

    get_field(L, -1, name)
    if lua.type(L, -1) == LUA_TSTRING:
        text = lua.tolstring(L, -1, &size)
        found = text[:size].replace(b"\r", b" ").replace(b"\n", b" ")
    lua_pop(L, 1)
    return found


cdef int reply_error(Client c, bytes text, bint counted) except -1:
    cdef bytes code

    if counted:
        c.core.errors_seen = c.core.errors - 1
    else:
        code = text.split(b" ", 1)[0]
        if code not in c.engine.errors and len(c.engine.errors) >= MAX_ERROR_CODES:
            c.engine.count_error(OTHER_CODES, len(OTHER_CODES))
        else:
            c.engine.count_error(text, len(text))
    return c.out.error(text, len(text))


cdef int reply_table(Client c, lua_State* L, int resp) except -1:
    """Reply the table on top of the stack, by the first of the names that it has; without any it is an array."""
    cdef bytes text = field_text(L, b"err")
    cdef bint counted

    if text is not None:
        get_field(L, -1, b"ignore_error_stats_update")
        counted = lua.toboolean(L, -1)
        lua_pop(L, 2)
        return reply_error(c, text, counted)
    text = field_text(L, b"ok")
    if text is not None:
        lua_pop(L, 1)
        return c.out.line(c"+", text, len(text))
    get_field(L, -1, b"double")
    if lua.type(L, -1) == LUA_TNUMBER:
        c.reply_double(lua.tonumber(L, -1))
        lua_pop(L, 2)
        return 0
    lua_pop(L, 1)
    if reply_pairs(c, L, b"map", resp) or reply_pairs(c, L, b"set", resp) or reply_text(c, L):
        lua_pop(L, 1)
        return 0
    return reply_array(c, L, resp)


cdef bint reply_pairs(Client c, lua_State* L, const char* name, int resp) except -1:
    """Reply the map or the set in the table on top of the stack, if there is one."""
    cdef bint is_map = name[0] == c"m"
    cdef int64_t count = 0

    get_field(L, -1, name)
    if lua.type(L, -1) != LUA_TTABLE:
        lua_pop(L, 1)
        return False
    lua.pushnil(L)
    while lua.next(L, -2):
        lua_pop(L, 1)
        count += 1
    if is_map:
        c.reply_map(count)
    else:
        c.reply_set(count)
    lua.pushnil(L)
    while lua.next(L, -2):
        lua.pushvalue(L, -2)                # next() needs the key as it is
        reply_part(c, L, resp)
        if is_map:
            reply_part(c, L, resp)
        else:
            lua_pop(L, 1)
    lua_pop(L, 1)
    return True


cdef bint reply_text(Client c, lua_State* L) except -1:
    """Reply a big number or a verbatim string, if the table on top of the stack is one."""
    cdef bytes text = field_text(L, b"big_number")
    cdef const char* format
    cdef const char* string
    cdef size_t size

    if text is not None:
        c.out.big_number(text, len(text))
        return True
    get_field(L, -1, b"verbatim_string")
    if lua.type(L, -1) != LUA_TTABLE:
        lua_pop(L, 1)
        return False
    get_field(L, -1, b"format")
    get_field(L, -2, b"string")
    if lua.type(L, -1) != LUA_TSTRING or lua.type(L, -2) != LUA_TSTRING:
        lua_pop(L, 3)
        return False
    string = lua.tolstring(L, -1, &size)
    format = lua.tolstring(L, -2, NULL)
    c.out.verbatim((<bytes>format[:3]).ljust(3), string, size)
    lua_pop(L, 3)
    return True


cdef int reply_array(Client c, lua_State* L, int resp) except -1:
    """Reply the items of the table on top of the stack, up to the first that is missing, and take it."""
    cdef int count = 0
    cdef int i

    while True:
        lua.rawgeti(L, -1, count + 1)
        if lua.type(L, -1) == LUA_TNIL:
            break
        lua_pop(L, 1)
        count += 1
    lua_pop(L, 1)
    c.reply_array(count)
    for i in range(count):
        lua.rawgeti(L, -1, i + 1)
        reply_part(c, L, resp)
    lua_pop(L, 1)
    return 0
