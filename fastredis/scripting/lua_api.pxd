# The C API of Lua 5.1, of a library that is not ours.
#
# The package lupa has LuaJIT 2.1 and Lua 5.1 as shared objects that export the API whole. load() opens the file of one
# of them, without importing lupa, and looks every function up once, into one table: lua.pushnumber(L, 1) calls
# lua_pushnumber. No header of Lua is needed to build this, and no Python object is on the way of a call.
#
#   find_spec("lupa") --> luajit21*.so, else lua51*.so --> dlopen(RTLD_LOCAL) --> dlsym, 80 times --> lua
#
# RTLD_LOCAL, as a second Lua of the same process with the same names in view would be mistaken for this one; and
# RTLD_DEEPBIND, as this one's calls of itself would go to a second Lua that is in view already (fakeredis has lupa load
# one like that). Where that can't be had, such a Lua is a reason not to have one. The table
# belongs to the process and is never changed once it is filled: code, as it were. All that a script sees is in a Vm.
#
# LuaJIT with its compiler off comes first: its interpreter takes half the time of Lua 5.1's, its parser and `unpack`
# have no known holes, and, other than in compiled code, its hooks work. Lua 5.1 is used where lupa has no LuaJIT, or
# one that can't have an allocator of ours; what is unsafe in it is refused by chunk.pyx and base_library.pyx.
#
# Errors leave by a jump. lua_error(), and nearly every other function here, when memory runs out, unwinds the C stack
# up to the nearest lua_pcall() without returning. All functions that Lua calls, and all that these call while they
# use the API, must be safe to be left like that, so they are `noexcept nogil` (they run with the GIL, but the
# compiler then refuses whatever touches a Python object, and so a reference that nobody would give back), have no
# try, and own no memory: it is Lua's (on its stack, or userdata), or the Vm's (vm.buffer). What has to be done by
# Python is done by a function that is called in between, returns before anything is raised, and calls nothing that
# raises.

cdef extern from *:
    """
    #ifndef FR_LUA_API
    #define FR_LUA_API
    typedef struct lua_State lua_State;

    typedef struct lua_Debug {
        int event;
        const char *name;               /* (n) */
        const char *namewhat;           /* (n) */
        const char *what;               /* (S) "Lua", "C", "main", "tail" */
        const char *source;             /* (S) "@name", "=name", or the text */
        int currentline;                /* (l) -1: it has none */
        int nups;                       /* (u) */
        int linedefined;                /* (S) */
        int lastlinedefined;            /* (S) */
        char short_src[60];             /* (S) */
        int i_ci;                       /* the library's own */
    } lua_Debug;
    #endif
    """
    ctypedef struct lua_State:
        pass
    ctypedef struct lua_Debug:
        int event
        const char* name
        const char* what
        const char* source
        int currentline

ctypedef const char* Text

ctypedef int (*lua_CFunction)(lua_State* L) noexcept nogil
ctypedef const char* (*lua_Reader)(lua_State* L, void* data, size_t* size) noexcept nogil
ctypedef int (*lua_Writer)(lua_State* L, const void* piece, size_t size, void* data) noexcept nogil
ctypedef void* (*lua_Alloc)(void* ud, void* block, size_t old_size, size_t new_size) noexcept nogil
ctypedef void (*lua_Hook)(lua_State* L, lua_Debug* ar) noexcept nogil

cdef enum:
    LUA_MULTRET = -1
    LUA_REGISTRYINDEX = -10000
    LUA_GLOBALSINDEX = -10002
    LUA_MINSTACK = 20               # slots that a C function finds free

    LUA_OK = 0
    LUA_YIELD = 1
    LUA_ERRRUN = 2
    LUA_ERRSYNTAX = 3
    LUA_ERRMEM = 4
    LUA_ERRERR = 5

    LUA_TNONE = -1
    LUA_TNIL = 0
    LUA_TBOOLEAN = 1
    LUA_TLIGHTUSERDATA = 2
    LUA_TNUMBER = 3
    LUA_TSTRING = 4
    LUA_TTABLE = 5
    LUA_TFUNCTION = 6
    LUA_TUSERDATA = 7
    LUA_TTHREAD = 8

    LUA_GCSTOP = 0
    LUA_GCRESTART = 1
    LUA_GCCOLLECT = 2
    LUA_GCCOUNT = 3                 # KiB
    LUA_GCCOUNTB = 4                # and bytes beyond
    LUA_GCSTEP = 5
    LUA_GCSETPAUSE = 6
    LUA_GCSETSTEPMUL = 7

    LUA_HOOKCOUNT = 3
    LUA_MASKLINE = 4
    LUA_MASKCOUNT = 8

    LUAJIT_MODE_ENGINE = 0
    LUAJIT_MODE_OFF = 0x000

# lua_name is lua.name; luaL_name is lua.L_name; luaopen_name is lua.open_name.
cdef struct Api:
    bint is_jit                     # LuaJIT, not Lua 5.1

    # The state
    lua_State* (*newstate)(lua_Alloc f, void* ud) noexcept nogil
    void (*close)(lua_State* L) noexcept nogil
    lua_CFunction (*atpanic)(lua_State* L, lua_CFunction panic) noexcept nogil
    lua_Alloc (*getallocf)(lua_State* L, void** ud) noexcept nogil
    int (*gc)(lua_State* L, int what, int data) noexcept nogil
    int (*sethook)(lua_State* L, lua_Hook hook, int mask, int count) noexcept nogil
    int (*jit_setmode)(lua_State* L, int index, int mode) noexcept nogil       # NULL: it is Lua 5.1

    # The stack
    int (*gettop)(lua_State* L) noexcept nogil
    void (*settop)(lua_State* L, int index) noexcept nogil
    void (*pushvalue)(lua_State* L, int index) noexcept nogil
    void (*remove)(lua_State* L, int index) noexcept nogil
    void (*insert)(lua_State* L, int index) noexcept nogil
    void (*replace)(lua_State* L, int index) noexcept nogil
    int (*checkstack)(lua_State* L, int slots) noexcept nogil

    # Looking at values
    int (*type)(lua_State* L, int index) noexcept nogil
    const char* (*typename)(lua_State* L, int type) noexcept nogil
    int (*isnumber)(lua_State* L, int index) noexcept nogil
    int (*isstring)(lua_State* L, int index) noexcept nogil
    double (*tonumber)(lua_State* L, int index) noexcept nogil
    int (*toboolean)(lua_State* L, int index) noexcept nogil
    const char* (*tolstring)(lua_State* L, int index, size_t* size) noexcept nogil
    int (*iscfunction)(lua_State* L, int index) noexcept nogil
    lua_State* (*tothread)(lua_State* L, int index) noexcept nogil
    void* (*touserdata)(lua_State* L, int index) noexcept nogil
    const void* (*topointer)(lua_State* L, int index) noexcept nogil
    size_t (*objlen)(lua_State* L, int index) noexcept nogil

    # Pushing values
    void (*pushnil)(lua_State* L) noexcept nogil
    void (*pushnumber)(lua_State* L, double n) noexcept nogil
    void (*pushinteger)(lua_State* L, ssize_t n) noexcept nogil
    void (*pushboolean)(lua_State* L, int b) noexcept nogil
    void (*pushlightuserdata)(lua_State* L, void* p) noexcept nogil
    void (*pushlstring)(lua_State* L, const char* s, size_t size) noexcept nogil
    void (*pushstring)(lua_State* L, const char* s) noexcept nogil
    const char* (*pushfstring)(lua_State* L, const char* format, ...) noexcept nogil
    void (*pushcclosure)(lua_State* L, lua_CFunction f, int upvalues) noexcept nogil
    void (*concat)(lua_State* L, int n) noexcept nogil

    # Tables
    void (*createtable)(lua_State* L, int array, int hash) noexcept nogil
    void* (*newuserdata)(lua_State* L, size_t size) noexcept nogil
    void (*rawget)(lua_State* L, int index) noexcept nogil
    void (*rawgeti)(lua_State* L, int index, int n) noexcept nogil
    void (*rawset)(lua_State* L, int index) noexcept nogil
    void (*rawseti)(lua_State* L, int index, int n) noexcept nogil
    int (*getmetatable)(lua_State* L, int index) noexcept nogil
    int (*setmetatable)(lua_State* L, int index) noexcept nogil
    int (*setfenv)(lua_State* L, int index) noexcept nogil
    int (*next)(lua_State* L, int index) noexcept nogil

    # Calls
    void (*call)(lua_State* L, int arguments, int results) noexcept nogil
    int (*pcall)(lua_State* L, int arguments, int results, int handler) noexcept nogil
    int (*error)(lua_State* L) noexcept nogil
    lua_State* (*newthread)(lua_State* L) noexcept nogil
    int (*resume)(lua_State* L, int arguments) noexcept nogil
    int (*status)(lua_State* L) noexcept nogil
    void (*xmove)(lua_State* L, lua_State* to, int n) noexcept nogil
    int (*load)(lua_State* L, lua_Reader reader, void* data, const char* name) noexcept nogil
    int (*dump)(lua_State* L, lua_Writer writer, void* data) noexcept nogil
    int (*getstack)(lua_State* L, int level, lua_Debug* ar) noexcept nogil
    int (*getinfo)(lua_State* L, const char* what, lua_Debug* ar) noexcept nogil
    const char* (*getlocal)(lua_State* L, lua_Debug* ar, int n) noexcept nogil

    # The auxiliary library
    int (*L_loadbuffer)(lua_State* L, const char* text, size_t size, const char* name) noexcept nogil
    int (*L_ref)(lua_State* L, int table) noexcept nogil
    void (*L_unref)(lua_State* L, int table, int ref) noexcept nogil
    void (*L_where)(lua_State* L, int level) noexcept nogil
    int (*L_error)(lua_State* L, const char* format, ...) noexcept nogil
    int (*L_argerror)(lua_State* L, int argument, const char* message) noexcept nogil
    int (*L_typerror)(lua_State* L, int argument, const char* name) noexcept nogil
    void (*L_checkany)(lua_State* L, int argument) noexcept nogil
    void (*L_checktype)(lua_State* L, int argument, int type) noexcept nogil
    double (*L_checknumber)(lua_State* L, int argument) noexcept nogil
    ssize_t (*L_checkinteger)(lua_State* L, int argument) noexcept nogil
    ssize_t (*L_optinteger)(lua_State* L, int argument, ssize_t otherwise) noexcept nogil
    const char* (*L_checklstring)(lua_State* L, int argument, size_t* size) noexcept nogil
    const char* (*L_optlstring)(lua_State* L, int argument, const char* otherwise, size_t* size) noexcept nogil
    int (*L_checkoption)(lua_State* L, int argument, const char* otherwise, const char** options) noexcept nogil
    void (*L_checkstack)(lua_State* L, int slots, const char* message) noexcept nogil
    int (*L_getmetafield)(lua_State* L, int index, const char* name) noexcept nogil

    # Libraries
    int (*open_base)(lua_State* L) noexcept nogil
    int (*open_table)(lua_State* L) noexcept nogil
    int (*open_string)(lua_State* L) noexcept nogil
    int (*open_math)(lua_State* L) noexcept nogil
    int (*open_os)(lua_State* L) noexcept nogil
    int (*open_bit)(lua_State* L) noexcept nogil        # NULL: it is Lua 5.1

cdef Api lua                        # all NULL before load()


cdef inline int upvalue_index(int i) noexcept nogil:
    """The index of the i-th value that a function carries, counted from 1."""
    return LUA_GLOBALSINDEX - i


cdef inline void lua_pop(lua_State* L, int n) noexcept nogil:
    lua.settop(L, -n - 1)


cdef inline void set_field(lua_State* L, int table, const char* name) noexcept nogil:
    """table[name] = the value on top of the stack, which is taken; past metatables. A `table` < 0 counts with it."""
    lua.pushstring(L, name)
    lua.insert(L, -2)
    lua.rawset(L, table - 1 if LUA_REGISTRYINDEX < table < 0 else table)


cdef inline void get_field(lua_State* L, int table, const char* name) noexcept nogil:
    """Push table[name]; past metatables."""
    lua.pushstring(L, name)
    lua.rawget(L, table - 1 if LUA_REGISTRYINDEX < table < 0 else table)


cdef inline void set_function(lua_State* L, const char* name, lua_CFunction f) noexcept nogil:
    """Put a function into the table on top of the stack."""
    lua.pushcclosure(L, f, 0)
    set_field(L, -2, name)
