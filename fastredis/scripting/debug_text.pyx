"""Lua's values and replies as text. The design comment is in debug_text.pxd."""
from libc.string cimport strchr

from fastredis.scripting.lua_api cimport (
    LUA_MINSTACK, LUA_TBOOLEAN, LUA_TFUNCTION, LUA_TLIGHTUSERDATA, LUA_TNIL, LUA_TNUMBER, LUA_TSTRING, LUA_TTABLE,
    LUA_TTHREAD, LUA_TUSERDATA, lua, lua_pop,
)

from fastredis.text import quote, to_bytes, to_text

cdef enum:
    MOST_LEVELS = LUA_MINSTACK // 2

cdef bytes TOO_DEEP = b"<max recursion level reached! Nested table?>"
cdef dict POINTERS = {LUA_TFUNCTION: "function", LUA_TUSERDATA: "userdata", LUA_TTHREAD: "thread",
                      LUA_TLIGHTUSERDATA: "light-userdata"}


cdef bytes quoted(bytes text):
    return to_bytes(quote(to_text(text)))


cdef bytes value_text(lua_State* L, int level):
    cdef int type = lua.type(L, -1)
    cdef const char* text
    cdef size_t size

    if level == MOST_LEVELS or not lua.checkstack(L, LUA_MINSTACK):
        return TOO_DEEP
    if type == LUA_TSTRING:
        text = lua.tolstring(L, -1, &size)
        return quoted(text[:size])
    if type == LUA_TBOOLEAN:
        return b"true" if lua.toboolean(L, -1) else b"false"
    if type == LUA_TNUMBER:
        return b"%g" % lua.tonumber(L, -1)
    if type == LUA_TNIL:
        return b"nil"
    if type == LUA_TTABLE:
        return table_text(L, level + 1)
    return f'"{POINTERS.get(type, "unknown")}@{<size_t>lua.topointer(L, -1):#x}"'.encode()


cdef bytes table_text(lua_State* L, int level):
    """{1; 2} if its keys come as 1, 2, ..., else {["k"]=1; [2]=3}."""
    cdef list values = []
    cdef list pairs = []
    cdef bint is_array = True
    cdef bytes value

    lua.pushnil(L)
    while lua.next(L, -2):
        value = value_text(L, level)
        lua_pop(L, 1)
        values.append(value)
        if lua.type(L, -1) != LUA_TNUMBER or lua.tonumber(L, -1) != len(values):
            is_array = False
        pairs.append(b"[" + value_text(L, level) + b"]=" + value)
    return b"{" + b"; ".join(values if is_array else pairs) + b"}"


cdef bytes reply_as_text(const char* reply):
    return read_reply(&reply)


cdef bytes read_reply(const char** at):
    """The same, from where `at` is on to the reply's end."""
    cdef char kind = at[0][0]
    cdef const char* end = strchr(at[0], c"\r")
    cdef bytes line = at[0][1:end - at[0]]
    cdef Py_ssize_t size

    at[0] = end + 2
    if kind == c":":
        return line
    if kind == c"+" or kind == c"-":
        return quoted((b"+" if kind == c"+" else b"-") + line)
    if kind == c"_":
        return b"(null)"
    if kind == c"#":
        return b"#true" if line == b"t" else b"#false"
    if kind == c",":
        return b"(double) " + line
    size = int(line)
    if size == -1:
        return b"NULL"
    if kind == c"$":
        at[0] += size + 2
        return quoted(end[2:2 + size])
    if kind == c"%":
        return b"{" + b",".join([read_reply(at) + b" => " + read_reply(at) for _ in range(size)]) + b"}"
    items = b",".join([read_reply(at) for _ in range(size)])
    return b"~(" + items + b")" if kind == c"~" else b"[" + items + b"]"
