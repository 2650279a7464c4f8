"""Tables of errors, and functions of `redis` that need no engine. The design comment is in values.pxd."""
from libc.string cimport memchr, memcpy, memset, strlen

from fastredis.ds.sha1 cimport SHA1_TEXT, sha1_text
from fastredis.scripting.lua_api cimport LUA_TSTRING, LUA_TTABLE, get_field, lua, set_field
from fastredis.scripting.vm cimport Vm, buffer_room, vm_of

cdef const char* WRONG = b"wrong number or type of arguments"


cdef inline bint is_break(char c) noexcept nogil:
    return c == c"\r" or c == c"\n"


cdef void push_error(lua_State* L, const char* text, size_t size) noexcept nogil:
    cdef const char* code = b"ERR"
    cdef const char* space
    cdef size_t code_size = 3

    space = <const char*>memchr(text, 0, size)
    if space is not NULL:
        size = space - text
    if size and text[0] == c"-":
        text += 1
        size -= 1
        space = <const char*>memchr(text, c" ", size)
        if space is not NULL:
            code = text
            code_size = space - text
            text = space + 1
            size -= code_size + 1
    while size and is_break(text[0]):
        text += 1
        size -= 1
    while size and is_break(text[size - 1]):
        size -= 1
    lua.createtable(L, 0, 1)
    lua.pushlstring(L, code, code_size)
    lua.pushstring(L, b" ")
    lua.pushlstring(L, text, size)
    lua.concat(L, 3)
    set_field(L, -2, b"err")


cdef const char* read_text(lua_State* L, int index, const char* name, size_t* size) noexcept nogil:
    """Push a field of a table -> its text, or NULL if it is no string or number."""
    get_field(L, index, name)
    return lua.tolstring(L, -1, size)


cdef void read_error(lua_State* L, int index, ErrorInfo* info) noexcept nogil:
    memset(info, 0, sizeof(ErrorInfo))
    if lua.type(L, index) != LUA_TTABLE:
        lua.pushstring(L, b"ERR ")
        lua.pushvalue(L, index)
        if lua.isstring(L, -1):
            lua.concat(L, 2)
            info.text = lua.tolstring(L, -1, &info.size)
            lua.pushnil(L)
        lua.pushnil(L)
        return
    get_field(L, index, b"ignore_error_stats_update")
    info.counted = lua.toboolean(L, -1)
    lua.settop(L, -2)
    info.text = read_text(L, index, b"err", &info.size)
    info.source = read_text(L, index, b"source", NULL)
    info.line = read_text(L, index, b"line", NULL)


cdef int redis_error_reply(lua_State* L) noexcept nogil:
    cdef Vm* vm = vm_of(L)
    cdef const char* text
    cdef char* copy
    cdef size_t size

    if lua.gettop(L) != 1 or lua.type(L, 1) != LUA_TSTRING:
        push_error(L, WRONG, strlen(WRONG))
        return 1
    text = lua.tolstring(L, 1, &size)
    if size and text[0] == c"-":
        push_error(L, text, size)
        return 1
    vm.buffer.size = 0
    copy = buffer_room(L, vm, size + 1)
    copy[0] = c"-"
    memcpy(copy + 1, text, size)
    push_error(L, copy, size + 1)
    return 1


cdef int redis_status_reply(lua_State* L) noexcept nogil:
    if lua.gettop(L) != 1 or lua.type(L, 1) != LUA_TSTRING:
        push_error(L, WRONG, strlen(WRONG))
        return 1
    lua.createtable(L, 0, 1)
    lua.pushvalue(L, 1)
    set_field(L, 2, b"ok")
    return 1


cdef int redis_sha1hex(lua_State* L) noexcept nogil:
    cdef char[SHA1_TEXT] out
    cdef const char* text
    cdef size_t size = 0

    if lua.gettop(L) != 1:
        push_error(L, b"wrong number of arguments", 25)
        return lua.error(L)
    text = lua.tolstring(L, 1, &size)
    sha1_text(text, size if text is not NULL else 0, out)
    lua.pushlstring(L, out, SHA1_TEXT)
    return 1
