"""Lua programs made up at random, for tests.scripting.fuzz."""
from tests.fuzz_draw import ODD

FUNCTIONS = str.split("""
string.byte string.char string.dump string.find string.format string.gmatch string.gfind string.gsub string.len
string.lower string.match string.rep string.reverse string.sub string.upper table.concat table.foreach table.foreachi
table.getn table.insert table.maxn table.remove table.setn table.sort math.abs math.ceil math.floor math.fmod
math.frexp math.ldexp math.max math.min math.modf math.pow math.random math.randomseed math.sqrt coroutine.create
coroutine.resume coroutine.running coroutine.status coroutine.wrap coroutine.yield os.clock bit.arshift bit.band
bit.bnot bit.bor bit.bswap bit.bxor bit.lshift bit.rol bit.ror bit.rshift bit.tobit bit.tohex struct.pack struct.size
struct.unpack cjson.encode cjson.decode cjson.new cjson.encode_max_depth cjson.decode_max_depth
cjson.encode_invalid_numbers cjson.decode_invalid_numbers cjson.encode_number_precision cjson.encode_sparse_array
cjson.encode_keep_buffer cmsgpack.pack cmsgpack.unpack cmsgpack.unpack_one cmsgpack.unpack_limit redis.error_reply
redis.status_reply redis.sha1hex redis.setresp redis.log redis.acl_check_cmd redis.replicate_commands redis.set_repl
redis.breakpoint redis.debug assert collectgarbage error gcinfo getmetatable ipairs load loadstring next pairs pcall
rawequal rawget rawset select setmetatable tonumber tostring type unpack xpcall
""")
NUMBERS = str.split("""
0 -0 1 2 3 -1 7 16 33 255 256 1000 65536 2147483647 -2147483648 4294967296 9007199254740993 1e15 1e308 -1e308 0.1
1/0 -1/0 0/0 2^31 2^53 2^63 -2^63 1e-320
""")
STRINGS = (
    r"''", "'a'", "'abc'", r"'\0'", r"'\255\254'", r"'\r\n+OK'", "'-ERR x'", "'__index'", "'%s%d%q'", "'%99.99f'",
    "'%5.3s|%x|%c|%i'", "'%b()'", "'%f[%w]'", "'(a*(.)%w(%s*))'", "'[^a-z]'", "'%1'", "'()'", "'[a'", "'%'",
    "'<i4>I8'", "'!8bBhHlLxfd'", "'i33'", "'c0'", "'s'", "'I2c0'", "'i99999999999'", "'return 1'", "'return ...'",
    "'x = 1'", "'for i = 1, 3 do'", r"'\27Lua'", r"'\27LJ\2'", "'collect'", "'count'", "'step'", "'stop'",
    "'restart'", "'#'", "'k'", r"'{\"a\":[1,2,{\"b\":null}]}'", "'[1,2'", "'[1e999]'", r"'\"\\ud800\"'",
    r"'\145\146\147'", r"'\222\255\255'", r"'\221\255\255\255\255'", r"'\199\1\2'",
)
METHODS = str.split("""
__index __newindex __call __tostring __gc __mode __len __eq __lt __le __concat __unm __add __metatable err ok
map set double verbatim_string format string
""")
OPERATORS = str.split("+ - * / % ^ .. == ~= < <= > >= and or")
NAMES = ("a", "b", "c", "f", "r", "KEYS", "ARGV", "string", "_G", "x", "redis")
PIECES = (b"\0", b"'", b'"', b"[[", b"]]", b"--", b"--[[", b"(", b")", b"end ", b"return ", b"function ", b"{", b"}",
          b",", b"\n", b"\r", b"\xff", b"1LL", b"...", b"goto x ")
DEEP = (10, 100, 199, 250, 1000, 5000)
HUGE = (10, 1000, 7999, 8001, 100_000)


class Lua:
    """Scripts out of one random generator. endless: also such that do not end by themselves."""

    def __init__(self, pick, draw, endless):
        self.pick = pick
        self.draw = draw
        self.endless = endless
        self.functions = True
        self.inside = 0                 # functions; where nothing can be killed these do not call each other
        self.last = {True: b"return 1", False: b"return 2"}

    def script(self, functions):
        """The text of a script, as a rule one that compiles. functions: it may have some, and so recursion."""
        kind = self.pick.random()
        self.functions = functions
        if kind < 0.1:
            return self.pick.choice((self.deep, self.huge))().encode("latin1")
        if kind < 0.35:
            return self.mutated()
        self.last[functions] = self.program().encode("latin1")
        return self.last[functions]

    def argument(self):
        """An element of KEYS or ARGV."""
        kind = self.pick.random()
        if kind < 0.02:
            return self.pick.randbytes(1) * self.pick.choice(HUGE)
        if kind < 0.2:
            return self.pick.choice(ODD)
        return self.draw.value() if kind < 0.5 else b"k%d" % self.pick.randrange(9)

    # --- programs -----------------------------------------------------------------------

    def program(self):
        head = self.pick.choice(("", "", "", "#!lua flags=no-writes\n" if self.functions else "#!lua\n"))
        body = "\n".join(self.statement(3) for _ in range(self.pick.randint(1, 8)))
        return (f"{head}local a, b, c, f, r = {self.value(2)}, KEYS[1], ARGV[1], {self.function(1)}, {{}}\n{body}\n"
                f"return {self.value(2)}")

    def statement(self, depth):
        pick, value = self.pick, self.value
        kind = pick.randrange(16) if depth else pick.randrange(8)
        inner = "" if kind < 8 else "\n".join(self.statement(depth - 1) for _ in range(pick.randint(1, 3)))
        if kind < 3:
            return f"r[#r + 1] = {{pcall({pick.choice(FUNCTIONS)}, {self.values(depth)})}}"
        if kind < 5:
            return f"r[#r + 1] = {self.command()}"
        if kind == 5:
            return f"{pick.choice('abc')} = {value(depth)}"
        if kind == 6:
            return f"pcall(function() {pick.choice(NAMES)}.{pick.choice(METHODS)} = {value(depth)} end)"
        if kind == 7:
            return pick.choice((f"pcall(function() {pick.choice(NAMES)} = {value(depth)} end)",
                                f"rawset(r, {pick.choice(NUMBERS)}, {value(depth)})", "collectgarbage()"))
        if kind < 11:
            return f"for i = 1, {pick.choice((1, 2, 5))} do\n{inner}\nend"
        if kind == 11:
            return f"for k, v in pairs(type(a) == 'table' and a or r) do\n{inner}\nbreak end"
        if kind == 12:
            return f"if {value(1)} then\n{inner}\nelse\n{self.statement(depth - 1)}\nend"
        if kind == 13 and self.endless and self.functions and pick.random() < 0.02:
            return f"while true do\n{inner}\nend"
        if kind == 14 and (not self.inside or self.endless):
            return f"f = {self.function(depth)}\nr[#r + 1] = {{pcall(f, {value(1)})}}"
        return f"do local a, b = {value(1)}, {value(1)}\n{inner}\nend"

    def values(self, depth):
        return ", ".join(self.value(depth) for _ in range(self.pick.choice((1, 1, 2, 2, 3, 4))))

    def value(self, depth):
        pick = self.pick
        kind = pick.randrange(13) if depth else pick.randrange(5)
        if kind == 0:
            return pick.choice(NUMBERS)
        if kind < 3:
            return pick.choice(STRINGS)
        if kind == 3:
            names = ("a", "b", "c", "r", "f") if not self.inside or self.endless else ()
            return pick.choice((*names, "KEYS", "ARGV", "KEYS[1]", "ARGV[2]", "_G", "cjson.null"))
        if kind == 4:
            return pick.choice(("nil", "true", "false", "{}", "string", "redis", "cjson"))
        if kind == 5:
            return f"string.rep({pick.choice(STRINGS)}, {pick.choice(HUGE)})"
        if kind == 6:
            return self.function(depth - 1)
        if kind == 7:
            return f"{{{self.values(depth - 1)}}}"
        if kind == 8:
            number, one, two = pick.choice(NUMBERS[1:20]), self.value(depth - 1), self.value(depth - 1)
            return f"{{{pick.choice(METHODS)} = {one}, [{number}] = {two}}}"
        if kind == 9:
            one, two = self.value(depth - 1), self.function(depth - 1)
            methods = f"{{{pick.choice(METHODS)} = {one}, {pick.choice(METHODS)} = {two}}}"
            return f"setmetatable({{{self.value(depth - 1)}}}, {methods})"
        if kind == 10:
            return self.tried(f"({self.value(depth - 1)}) {pick.choice(OPERATORS)} ({self.value(depth - 1)})")
        if kind == 11:
            return f"select(2, pcall({pick.choice(FUNCTIONS)}, {self.values(depth - 1)}))"
        return pick.choice((f"coroutine.create({self.function(0)})" if self.functions else "1",
                            f"coroutine.wrap({self.function(0)})" if self.functions else "2",
                            self.tried(f"#({self.value(depth - 1)})"), self.tried(f"-({self.value(depth - 1)})")))

    def tried(self, expression):
        """What comes of an expression, be it an error."""
        return f"select(2, pcall(function() return {expression} end))"

    def function(self, depth):
        self.inside += 1
        body = self.statement(depth - 1) if depth > 0 else ""
        self.inside -= 1
        if not self.functions:
            return "tostring"
        result = self.pick.choice(("return", "return a", "coroutine.yield(a)", "return redis.call('GET', 'k1')",
                                   "return f(a)" if self.endless and self.pick.random() < 0.1 else "", "error(a)"))
        if self.pick.random() < 0.5:
            return f"function(...) local a = ... {body} {result} end"
        return f"function({self.pick.choice(('a', 'a, b', ''))}) {body} {result} end"

    def command(self):
        """redis.pcall of a command like those of tests.fuzz_draw."""
        words = self.draw.command() if self.pick.random() < 0.7 else [b"GET", b"k1"]
        text = ", ".join(self.literal(word) for word in words)
        if self.pick.random() < 0.1:
            text += f", {self.values(1)}"
        return f"redis.pcall({text})" if self.pick.random() < 0.9 else f"select(2, pcall(redis.call, {text}))"

    @staticmethod
    def literal(word):
        """Bytes as a string of Lua."""
        return "'" + "".join(chr(c) if 32 < c < 127 and c not in b"'\\" else f"\\{c:03}" for c in word) + "'"

    # --- what is deep, what is huge -----------------------------------------------------

    def deep(self):
        n, pick = self.pick.choice(DEEP), self.pick
        return pick.choice((
            f"return {'{' * n}{'}' * n}",
            f"return {'(' * n}1{')' * n}",
            "return " + "function() return " * n + "1" + " end" * n,
            "do " * n + " end" * n,
            f"local t = {{}} for i = 1, {n} do t = {{t}} end return t",
            f"local t = {{}} for i = 1, {n} do t = {{map = {{[t] = t}}}} end return {{pcall(cjson.encode, t)}}",
            f"redis.setresp(3) local t = {{}} for i = 1, {n} do t = {{map = {{a = t}}}} end return t",
            f"local t = {{}} for i = 1, {n} do t = {{a = t}} end "
            "return {pcall(cjson.encode, t), pcall(cmsgpack.pack, t)}",
            f"return {{pcall(cjson.decode, string.rep('[', {n}) .. string.rep(']', {n}))}}",
            f"return {{pcall(cmsgpack.unpack, string.rep('\\145', {n}))}}",
            f"return {{pcall(cmsgpack.unpack, string.rep('\\129\\192', {n}))}}",
            f"local function f(n) if n == 0 then return 1 end return (f(n - 1)) end return f({n})",
            f"local function f(n) return n == 0 or pcall(f, n - 1) end return {{pcall(f, {n})}}",
            "local function f(n) return (('x'):gsub('x', function() return n > 0 and f(n - 1) end)) end "
            f"return {{pcall(f, {n})}}",
            f"local f = loadstring('return ' .. string.rep('{{', {n}) .. string.rep('}}', {n})) return f and f()",
            f"local t = {{}} for i = 1, {n} do t = setmetatable({{}}, {{__index = t, __newindex = t}}) end "
            "return {pcall(function() t.x = 1 return t.y end)}",
            "local co co = function(n) return n == 0 and 1 or coroutine.wrap(co)(n - 1) end "
            f"return {{pcall(co, {n})}}",
        ))

    def huge(self):
        n, pick = self.pick.choice(HUGE), self.pick
        return pick.choice((
            f"local t = {{}} for i = 1, {n} do t[i] = i end return t",
            f"local t = {{}} for i = 1, {n} do t[i] = i .. '' end return {{#table.concat(t), pcall(unpack, t)}}",
            f"local t = {{}} for i = 1, {n} do t['k' .. i] = i end redis.setresp(3) return {{map = t}}",
            f"local s = string.rep('x', {n}) redis.call('SET', 'k1', s) return redis.call('GET', 'k1')",
            f"for i = 1, {n} do redis.call('RPUSH', 'list', i) end return redis.call('LRANGE', 'list', 0, -1)",
            f"local t = {{}} for i = 1, {n} do t[i] = 'k' .. i end return {{pcall(redis.call, 'MGET', unpack(t))}}",
            f"local t = cjson.decode('[' .. string.rep('1,', {n}) .. '1]') return #cjson.encode(t) + #cmsgpack.pack(t)",
            f"return {{pcall(string.format, string.rep('%s', {n}), unpack({{}}, 1, {min(n, 7000)}))}}",
            f"return {{pcall(struct.unpack, string.rep('b', {n}), string.rep('x', {n}))}}",
            f"return {{string.byte(string.rep('x', {n}), 1, -1)}}",
            f"return {{ok = string.rep('\\r\\n', {n})}}",
            f"return {{err = string.rep('x', {n})}}",
            f"error(string.rep('x\\n', {n}))",
            "local t = {" + "1," * min(n, 20_000) + "} return t",
            "local x = 1 " + "x = x + 1 " * min(n, 20_000) + " return x",
            "return '" + "x" * n + "'",
            "return " + " .. ".join(["'x'"] * min(n, 5000)),
            f"return #({self.value(1)}) + {n}",
            f"local {', '.join(f'v{i}' for i in range(min(n, 300)))} = 1 return v1",
            f"local f = loadstring('return function(' .. string.rep('a,', {min(n, 300)}) .. 'b) return b end') "
            "return f and f()",
        ))

    # --- mutations ----------------------------------------------------------------------

    def mutated(self):
        """The last program with something wrong."""
        pick, text = self.pick, bytearray(self.last[self.functions])
        for _ in range(pick.choice((1, 1, 2, 5))):
            at = pick.randrange(len(text) + 1)
            end = min(len(text), at + int(pick.paretovariate(0.8)))
            kind = pick.randrange(6)
            if kind == 0:
                del text[at:]
            elif kind == 1:
                del text[at:end]
            elif kind == 2:
                text[at:at] = text[at:min(end, at + 200)]
            elif kind == 3:
                text[at:end] = pick.randbytes(min(end - at, 4))
            elif kind == 4:
                text[at:at] = pick.choice(PIECES)
            else:
                text[at:end] = pick.choice((*STRINGS, *FUNCTIONS)).encode("latin1")
        return bytes(text)
