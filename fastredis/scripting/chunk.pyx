"""Compiling scripts, safely. The design comment is in chunk.pxd.

A Reader walks through a dump. It trusts nothing: one step beyond the end makes it `bad`, and what it reads then is 0.
"""
from libc.stdint cimport uint8_t, uint32_t
from libc.string cimport memcpy

from fastredis.scripting.lua_api cimport (
    LUA_ERRSYNTAX, LUA_OK, LUA_REGISTRYINDEX, LUA_TNIL, LUA_TSTRING, lua, lua_pop,
)
from fastredis.scripting.returns cimport keep_lines
from fastredis.scripting.vm cimport Vm, buffer_room, vm_of

cdef enum:
    BYTECODE = 0x1b             # the first byte of every dump
    MARK = 0xef                 # ... of a byte order mark
    MOST_EXTRA = 5              # parameters before `...` for which Lua 5.1 always has room

cdef enum Finding:
    WRITES_GLOBALS = 1
    HAS_CDATA = 2
    OVERRUNS = 4                # the stack of Lua 5.1
    UNKNOWN = 8                 # it could not be read

cdef struct Reader:
    const uint8_t* at
    const uint8_t* end
    bint bad

# Of the process: how this Lua, which is never another one, assigns to a global. -1: not known.
cdef int setglobal = -1


# ---------------------------------------------------------------- reading a dump

cdef const uint8_t* take(Reader* r, size_t size) noexcept nogil:
    """The next bytes, which are passed; NULL and `bad` if there are not as many."""
    cdef const uint8_t* at = r.at

    if r.bad or size > <size_t>(r.end - at):
        r.bad = True
        return NULL
    r.at += size
    return at


cdef int take_byte(Reader* r) noexcept nogil:
    cdef const uint8_t* at = take(r, 1)

    return at[0] if at is not NULL else 0


cdef uint32_t take_int(Reader* r) noexcept nogil:
    """An int as the machine has it."""
    cdef const uint8_t* at = take(r, 4)
    cdef uint32_t v

    if at is NULL:
        return 0
    memcpy(&v, at, 4)
    return v


cdef size_t take_size(Reader* r) noexcept nogil:
    cdef const uint8_t* at = take(r, sizeof(size_t))
    cdef size_t v

    if at is NULL:
        return 0
    memcpy(&v, at, sizeof(size_t))
    return v


cdef uint32_t take_uleb(Reader* r) noexcept nogil:
    """A number in groups of seven bits, the lowest first."""
    cdef uint32_t v = 0
    cdef int shift = 0, byte = 0x80

    while byte & 0x80 and shift < 35:
        byte = take_byte(r)
        v |= <uint32_t>(byte & 0x7f) << shift
        shift += 7
    return v


cdef bint has_opcode(const uint8_t* code, size_t count, int mask, int opcode) noexcept nogil:
    """Whether one of `count` instructions has that opcode in its lowest bits, as both Luas have it."""
    cdef uint32_t instruction
    cdef size_t i

    for i in range(count):
        memcpy(&instruction, code + 4 * i, 4)
        if <int>(instruction & <uint32_t>mask) == opcode:
            return True
    return False


# ---------------------------------------------------------------- LuaJIT

cdef int inspect_jit(Reader* r) noexcept nogil:
    """Look at a dump of LuaJIT 2.1: a header, then all functions one behind the other."""
    cdef const uint8_t* head = take(r, 4)
    cdef uint32_t flags, size
    cdef int found = 0

    if head is NULL or head[1] != c"L" or head[2] != c"J" or head[3] != 2:
        return UNKNOWN
    flags = take_uleb(r)
    if flags & 0x04:                            # BCDUMP_F_FFI
        found |= HAS_CDATA
    if not flags & 0x02:                        # BCDUMP_F_STRIP
        take(r, take_uleb(r))
    size = take_uleb(r)
    while size and not r.bad:
        found |= inspect_jit_function(r, size, flags & 0x02)
        size = take_uleb(r)
    return found | (UNKNOWN if r.bad else 0)


cdef int inspect_jit_function(Reader* r, uint32_t size, bint stripped) noexcept nogil:
    cdef Reader f
    cdef const uint8_t* code
    cdef uint32_t count

    f.at = take(r, size)
    f.end = r.at
    f.bad = r.bad
    take(&f, 4)                                 # flags, parameters, frame size, upvalues
    take_uleb(&f)                               # constants that are objects
    take_uleb(&f)                               # numbers
    count = take_uleb(&f)
    if not stripped and take_uleb(&f):          # size of what is for debugging
        take_uleb(&f)
        take_uleb(&f)
    code = take(&f, <size_t>count * 4)
    if code is NULL:
        return UNKNOWN
    return WRITES_GLOBALS if has_opcode(code, count, 0xff, setglobal) else 0


# ---------------------------------------------------------------- Lua 5.1

cdef void skip_string(Reader* r) noexcept nogil:
    take(r, take_size(r))


cdef int inspect_plain(Reader* r) noexcept nogil:
    """Look at a dump of Lua 5.1: a header, then a function with the inner ones inside of it."""
    cdef const uint8_t* head = take(r, 12)

    if head is NULL or head[4] != 0x51 or head[7] != 4 or head[8] != sizeof(size_t) or head[9] != 4 or head[10] != 8:
        return UNKNOWN
    return inspect_plain_function(r) | (UNKNOWN if r.bad else 0)


cdef int inspect_plain_function(Reader* r) noexcept nogil:
    """Recursive: Lua's parser allows 200 levels."""
    cdef const uint8_t* head
    cdef const uint8_t* code
    cdef uint32_t count, _i
    cdef int found = 0

    skip_string(r)                              # source
    take(r, 8)                                  # first and last line
    head = take(r, 4)                           # upvalues, parameters, `...`, stack
    if head is NULL:
        return UNKNOWN
    if head[2] & 2 and head[1] > MOST_EXTRA:    # VARARG_ISVARARG
        found |= OVERRUNS
    count = take_int(r)
    code = take(r, <size_t>count * 4)
    if code is NULL:
        return UNKNOWN
    if has_opcode(code, count, 0x3f, setglobal):
        found |= WRITES_GLOBALS
    skip_constants(r)
    count = take_int(r)
    for _i in range(count):
        if r.bad:
            break
        found |= inspect_plain_function(r)
    skip_debug(r)
    return found


cdef void skip_constants(Reader* r) noexcept nogil:
    cdef uint32_t count = take_int(r), _i
    cdef int type

    for _i in range(count):
        if r.bad:
            return
        type = take_byte(r)
        if type == LUA_TSTRING:
            skip_string(r)
        elif type != LUA_TNIL:
            take(r, 1 if type == 1 else 8)      # a boolean, or a number


cdef void skip_debug(Reader* r) noexcept nogil:
    cdef uint32_t count, _i

    take(r, <size_t>take_int(r) * 4)            # lines
    count = take_int(r)                         # names of locals, and where they live
    for _i in range(count):
        if r.bad:
            return
        skip_string(r)
        take(r, 8)
    count = take_int(r)                         # names of upvalues
    for _i in range(count):
        if r.bad:
            return
        skip_string(r)


# ---------------------------------------------------------------- compiling

cdef int write_piece(lua_State* L, const void* piece, size_t size, void* vm) noexcept nogil:
    """lua_dump() hands pieces of the dump over."""
    memcpy(buffer_room(L, <Vm*>vm, size), piece, size)
    (<Vm*>vm).buffer.size += size
    return 0


cdef int inspect(lua_State* L) noexcept nogil:
    """Findings about the function on top of the stack."""
    cdef Vm* vm = vm_of(L)
    cdef Reader r

    vm.buffer.size = 0
    if lua.dump(L, write_piece, vm) != 0:
        return UNKNOWN
    r.at = <const uint8_t*>vm.buffer.data
    r.end = r.at + vm.buffer.size
    r.bad = False
    return inspect_jit(&r) if lua.is_jit else inspect_plain(&r)


cdef const char* shown(const char* name) noexcept nogil:
    """A chunk's name as messages have it; the text of a chunk is no name."""
    if name[0] == c"@" or name[0] == c"=":
        return name + 1
    return b"[string]"


cdef int finish(lua_State* L, const char* name) noexcept nogil:
    """Judge the function on top of the stack, and give it its globals -> status, with a message in its place."""
    cdef Vm* vm = vm_of(L)
    cdef int found = inspect(L)

    if found & (HAS_CDATA | OVERRUNS):
        lua_pop(L, 1)
        if found & HAS_CDATA:
            lua.pushfstring(L, b"%s: malformed number (LL, ULL and i are not supported)", shown(name))
        else:
            lua.pushfstring(L, b"%s: a function with '...' has more than %d other parameters", shown(name), MOST_EXTRA)
        return LUA_ERRSYNTAX
    if setglobal < 0 or found & (UNKNOWN | WRITES_GLOBALS):
        lua.rawgeti(L, LUA_REGISTRYINDEX, vm.guarded)
    else:
        lua.rawgeti(L, LUA_REGISTRYINDEX, vm.globals)
    lua.setfenv(L, -2)
    return LUA_OK


cdef int refuse(lua_State* L, const char* message) noexcept nogil:
    lua.pushstring(L, message)
    return LUA_ERRSYNTAX


cdef struct Text:
    const char* data
    size_t size
    bint begun                  # the blank has been given


cdef const char* read_text(lua_State* L, void* data, size_t* size) noexcept nogil:
    """A blank, and then the text."""
    cdef Text* text = <Text*>data

    if not text.begun:
        text.begun = True
        size[0] = 1
        return b" "
    size[0] = text.size
    text.size = 0
    return text.data if size[0] else NULL


cdef int compile_text(lua_State* L, const char* data, size_t size, const char* name) noexcept nogil:
    """Have Lua compile it. LuaJIT passes over a first line with `#` and a byte order mark, but not behind a blank."""
    cdef Text text

    if not lua.is_jit or size == 0 or (data[0] != c"#" and <uint8_t>data[0] != MARK):
        return lua.L_loadbuffer(L, data, size, name)
    text.data = data
    text.size = size
    text.begun = False
    return lua.load(L, read_text, &text, name)


cdef int chunk_load(lua_State* L, const char* text, size_t size, const char* name) noexcept nogil:
    cdef int status

    if size and text[0] == BYTECODE:
        return refuse(L, b"attempt to load bytecode")
    if size > MOST_SOURCE:
        return refuse(L, b"chunk is too long")
    lua.pushstring(L, name)
    status = compile_text(L, text, size, name)
    if status == LUA_OK:
        status = finish(L, name)
    lua.remove(L, -2)
    return status


cdef struct Pieces:
    size_t size                 # bytes so far
    bint begun                  # a blank has been given, as by read_text()


cdef const char* read_piece(lua_State* L, void* data, size_t* size) noexcept nogil:
    """Call the function in slot 1 for the next piece, and keep that in slot 3, for Lua has its address only."""
    cdef Pieces* pieces = <Pieces*>data
    cdef const char* text

    if not pieces.begun:
        pieces.begun = True
        size[0] = 1
        return b" "
    lua.L_checkstack(L, 2, b"too many nested functions")
    lua.pushvalue(L, 1)
    lua.call(L, 0, 1)
    if lua.type(L, -1) == LUA_TNIL:
        size[0] = 0
        return NULL
    if not lua.isstring(L, -1):
        lua.L_error(L, b"reader function must return a string")
        return NULL
    lua.replace(L, 3)
    text = lua.tolstring(L, 3, size)
    if pieces.size == 0 and size[0] and text[0] == BYTECODE:
        lua.L_error(L, b"attempt to load bytecode")
    pieces.size += size[0]
    if pieces.size > MOST_SOURCE:
        lua.L_error(L, b"chunk is too long")
    return text


cdef int chunk_load_pieces(lua_State* L, const char* name) noexcept nogil:
    cdef Pieces pieces
    cdef int status

    pieces.size = 0
    pieces.begun = not lua.is_jit
    status = lua.load(L, read_piece, &pieces, name)
    return finish(L, name) if status == LUA_OK else status


cdef int vm_load(Vm* vm, const char* text, size_t size, const char* name) noexcept:
    cdef size_t changed = keep_lines(vm.L, text, size) if lua.is_jit and size <= MOST_SOURCE else 0
    cdef int status = LUA_ERRSYNTAX

    if changed:
        status = chunk_load(vm.L, vm.buffer.data, changed, name)
        if status != LUA_OK:
            lua_pop(vm.L, 1)            # what is wrong is said about the text as it came
    if status != LUA_OK:
        status = chunk_load(vm.L, text, size, name)
    return lua.L_ref(vm.L, LUA_REGISTRYINDEX) if status == LUA_OK else 0


cdef void chunk_learn(lua_State* L) noexcept nogil:
    """The second of the instructions of `x=1`: load 1, assign it, return."""
    global setglobal
    cdef int opcode

    if setglobal >= 0:
        return
    for opcode in range(256 if lua.is_jit else 64):
        setglobal = opcode
        if found_in(L, b"x=1") and not found_in(L, b"local x=1 return") and not found_in(L, b"return x,y.z,{}"):
            return
    setglobal = -1


cdef bint found_in(lua_State* L, const char* text) noexcept nogil:
    """Whether `setglobal` is the opcode of an instruction of a text."""
    cdef int found
    cdef size_t size = 0

    while text[size]:
        size += 1
    lua.L_loadbuffer(L, text, size, b"=learn")
    found = inspect(L)
    lua_pop(L, 1)
    return found == WRITES_GLOBALS
