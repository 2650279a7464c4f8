"""Coroutines, of which create, resume and wrap are our own."""
import pytest

from tests.scripting.rows import Raised, check, row_params


def across_c_call(reply):
    """LuaJIT words it otherwise."""
    return len(reply) == 2 and reply[0] is None and reply[1].endswith(b"C-call boundary")


ROWS = {
    "coroutines": [
        ("return {pcall(coroutine.create,5)}", [None, b"bad argument #1 to '?' (Lua function expected)"]),
        ("return {pcall(coroutine.create)}", [None, b"bad argument #1 to '?' (Lua function expected)"]),
        ("return {pcall(coroutine.create,tostring)}", [None, b"bad argument #1 to '?' (Lua function expected)"]),
        ("return {pcall(coroutine.wrap,5)}", [None, b"bad argument #1 to '?' (Lua function expected)"]),
        ("return {pcall(coroutine.resume,5)}", [None, b"bad argument #1 to '?' (coroutine expected)"]),
        ("return {pcall(coroutine.resume)}", [None, b"bad argument #1 to '?' (coroutine expected)"]),
        ("return {pcall(coroutine.status,5)}", [None, b"bad argument #1 to '?' (coroutine expected)"]),
        ("local co=coroutine.create(function() end) coroutine.resume(co) return {coroutine.resume(co)}",
         [None, b"cannot resume dead coroutine"]),
        ("local co co=coroutine.create(function() return coroutine.resume(co) end) return {coroutine.resume(co)}",
         [1, None, b"cannot resume running coroutine"]),
        ("local co co=coroutine.create(function() return coroutine.status(co) end) return {coroutine.status(co),"
         "coroutine.resume(co)}",
         [b"suspended", 1, b"running"]),
        ("local a,b a=coroutine.create(function() return coroutine.resume(b) end) b=coroutine.create(function() "
         "return coroutine.resume(a) end) return {coroutine.resume(a)}",
         [1, 1, None, b"cannot resume normal coroutine"]),
        ("local a a=coroutine.create(function() local b=coroutine.create(function() return coroutine.status(a) "
         "end) return coroutine.resume(b) end) return {coroutine.resume(a)}",
         [1, 1, b"normal"]),
        ("local co=coroutine.create(function(...) return select('#',...) end) return {coroutine.resume(co,nil,"
         "nil)}",
         [1, 2]),
        ("local co=coroutine.create(function(...) local a,b=coroutine.yield(...) return b,a end) return "
         "{coroutine.resume(co,1,2,3),(select(2,coroutine.resume(co,4,5)))}",
         [1, 5]),
        ("local f=coroutine.wrap(function() error('q') end) return {pcall(f)}", [None, b"user_script:1: q"]),
        ("local f=coroutine.wrap(function() error({err='q'}) end) return {pcall(f)}", [None, b"q"]),
        ("local f=coroutine.wrap(function() error({x='q'}) end) local ok,e=pcall(f) return e.x", b"q"),
        ("local f=coroutine.wrap(function() return 1 end) f() return {pcall(f)}",
         [None, b"cannot resume dead coroutine"]),
        ("local f=coroutine.wrap(function() return 1 end) f() f()",
         Raised("user_script:1: cannot resume dead coroutine")),
        ("local f=coroutine.wrap(function() local x=nil; x.y=1 end) f()",
         Raised("user_script:1: user_script:1: attempt to index local 'x' (a nil value)")),
        ("local f=coroutine.wrap(function() coroutine.yield(1,2) return 3 end) return {f(),f()}", [1, 3]),
        ("local co=coroutine.create(function() return redis.sha1hex() end) local ok,e=coroutine.resume(co) return "
         "{tostring(ok),e.err}",
         [b"false", b"ERR wrong number of arguments"]),
        ("local co=coroutine.wrap(function() return redis.sha1hex() end) co()", Raised("wrong number of arguments")),
        ("local n=0 local f=coroutine.wrap(function() for i=1,1000 do coroutine.yield(i) end end) for i=1,1000 do "
         "n=n+f() end return n",
         500500),
        ("local function gen(n) return coroutine.wrap(function() for i=1,n do coroutine.yield(i) end end) end "
         "local s=0 for i in gen(10) do s=s+i end return s",
         55),
        ("local function f(n) if n==0 then return 0 end return 1+coroutine.wrap(f)(n-1) end return f(100)", 100),
        ("return {pcall(coroutine.yield)}", across_c_call),
        ("return {pcall(function() "
         "return (coroutine.wrap(function() string.gsub('a', 'a', coroutine.yield) end))() end)}",
         across_c_call),
    ],
}


@pytest.mark.parametrize("rows", row_params(ROWS))
def test_rows(rows, side):
    check(rows, side)
