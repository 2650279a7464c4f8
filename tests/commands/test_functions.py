"""FUNCTION and FCALL: rows beside redis-server; limits, propagation and memory."""

from tests.resp import Error
from tests.rows import OK, QUEUED, WRONGTYPE, Any, Case, Save, Set, Status, wrong_args

HELLO = "redis.register_function('hello', function() return 'hello' end)"
BAD_NAME = Error("ERR Library names can only contain letters, numbers, or underscores(_) and must be at least one "
                 "character long")
OOM = Error("OOM command not allowed when used memory > 'maxmemory'.")
READ_ONLY = Error("ERR Can not execute a script with write flag using *_ro command.")
NOT_FOUND = Error("ERR Function not found")
NO_PAYLOAD = Error("ERR DUMP payload version or checksum are wrong")


def load(code, *words, name="lib"):
    return ["FUNCTION", "LOAD", *words, f"#!lua name={name}\n{code}"]


def loads(code, *words, name="lib"):
    """A row that loads a library."""
    return load(code, *words, name=name), name.encode()


def refused(code, text):
    """The row that tries to, and fails."""
    return load(code), Error(f"ERR {text}")


def fails(code, text):
    """... while the library's code runs."""
    return refused(code, f"Error registering functions: ERR {text}")


def library(*functions, name="lib", code=None):
    """What FUNCTION LIST tells of a library without flags and descriptions."""
    shown = {"library_name": name, "engine": "LUA",
             "functions": [{"name": each, "description": None, "flags": set()} for each in functions]}
    return {**shown, "library_code": code} if code else shown


def calling(body, *rows, flags=""):
    """Rows that load a function `f` with that body; then the others."""
    registered = f"redis.register_function{{function_name='f', callback=function(keys, args) {body} end, {flags}}}"
    return [loads(registered), *rows]


def stats(libraries, functions):
    return "FUNCTION STATS", {"running_script": None,
                              "engines": {"LUA": {"libraries_count": libraries, "functions_count": functions}}}


CASES = {
    "a call": [loads(HELLO), ("FCALL hello 0", b"hello")],
    "a function's name in another case": [loads(HELLO), ("FCALL HELLO 0", b"hello")],
    "keys and arguments": calling("return {keys, args}", ("FCALL f 1 a b c", [[b"a"], [b"b", b"c"]])),
    "a command": calling("return redis.call('SET', keys[1], args[1])", ("FCALL f 1 k v", OK), ("GET k", b"v")),
    "no KEYS": calling("return KEYS[1]", ("FCALL f 1 a", Error(
        "ERR user_function:2: Script attempted to access nonexistent global variable 'KEYS' script: f, "
        "on @user_function:2."))),
    "upvalues last": [loads("local n = 0 redis.register_function('f', function() n = n + 1 return n end)"),
                      ("FCALL f 0", 1), ("FCALL f 0", 2)],
    "all libraries at the time of a call": calling(
        "return string.format('%s %d', type(cjson.encode), math.floor(1.5))", ("FCALL f 0", b"function 1")),
    "libraries share no globals": [
        *calling("x = 1", ("FCALL f 0", Error("ERR user_function:2: Attempt to modify a readonly table script: f, "
                                              "on @user_function:2.")))],
    "RESP3": Case(calling("redis.setresp(3) return redis.call('HGETALL', keys[1])", ("HSET h a 1", 1),
                          ("FCALL f 1 h", {"a": b"1"}))),
    "an error": calling("error('boo')", ("FCALL f 0", Error(
        "ERR user_function:2: boo script: f, on @user_function:2."))),
    "an error table": calling("error({err='MY boo'})", ("FCALL f 0", Error("MY boo script: f, on @user_function:2."))),
    "an error that is returned": calling("return redis.error_reply('MY boo')", ("FCALL f 0", Error("MY boo"))),
    "a command's error": calling("return redis.call('INCR', keys[1])", ("RPUSH l a", 1), ("FCALL f 1 l", Error(
        f"{WRONGTYPE} script: f, on @user_function:2."))),
    "a command's error that is caught": calling("return redis.pcall('INCR', keys[1])", ("RPUSH l a", 1),
                                                ("FCALL f 1 l", WRONGTYPE)),
    "the line of an error": [
        loads("\nredis.register_function('f', function()\nlocal a = nil + 1\nend)"), ("FCALL f 0", Error(
            "ERR user_function:4: attempt to perform arithmetic on a nil value script: f, on @user_function:4."))],
    "FCALL's errors": [
        loads(HELLO), ("FCALL nope 0", NOT_FOUND), ("FCALL nope x", NOT_FOUND),
        ("FCALL hello x", Error("ERR Bad number of keys provided")),
        ("FCALL hello -1", Error("ERR Number of keys can't be negative")),
        ("FCALL hello 1", Error("ERR Number of keys can't be greater than number of args"))],
    "arity": [("FCALL hello", wrong_args("fcall")), ("FCALL_RO hello", wrong_args("fcall_ro")),
              ("FUNCTION", wrong_args("function")), ("FUNCTION LOAD", wrong_args("function|load")),
              ("FUNCTION DELETE", wrong_args("function|delete")), ("FUNCTION DUMP x", wrong_args("function|dump")),
              ("FUNCTION STATS x", wrong_args("function|stats")), ("FUNCTION RESTORE", wrong_args("function|restore")),
              ("FUNCTION KILL x", wrong_args("function|kill"))],
    "an unknown subcommand": [("FUNCTION X", Error("ERR unknown subcommand 'X'. Try FUNCTION HELP."))],
    "keys of FCALL": [
        ("COMMAND GETKEYS FCALL f 2 a b c", [b"a", b"b"]), ("COMMAND GETKEYS FCALL_RO f 1 a b", [b"a"])],
    "not from scripts": [
        *calling("return redis.call('FCALL', 'f', 0)", ("FCALL f 0", Error(
            "ERR This Redis command is not allowed from script script: f, on @user_function:2."))),
        (["EVAL", "return redis.pcall('FUNCTION', 'FLUSH')", "0"],
         Error("ERR This Redis command is not allowed from script"))],
    "in a transaction": [
        ("MULTI", OK), (load(HELLO), QUEUED), ("FCALL hello 0", QUEUED), ("FCALL nope 0", QUEUED), ("EXEC", [
            b"lib", b"hello", NOT_FOUND])],
    "SELECT is for the call": calling(
        "redis.call('SELECT', 5) return redis.call('SET', 'k', 'v')", ("FCALL f 0", OK), ("GET k", None),
        ("SELECT 5", OK), ("GET k", b"v"), ("DEL k", 1)),

    "FCALL_RO": calling("return redis.call('GET', keys[1])", ("SET k v", OK), ("FCALL_RO f 1 k", b"v"),
                        flags="flags={'no-writes'}"),
    "FCALL_RO of what may write": calling("return 1", ("FCALL_RO f 0", READ_ONLY)),
    "no-writes": calling("return redis.call('SET', 'k', 'v')", ("FCALL f 0", Error(
        "ERR Write commands are not allowed from read-only scripts. script: f, on @user_function:2.")),
        flags="flags={'no-writes'}"),
    "out of memory": calling("return 1", ("CONFIG SET maxmemory 1", OK), ("FCALL f 0", OOM)),
    "out of memory, allow-oom": calling(
        "return redis.call('SET', 'k', 'v')", ("CONFIG SET maxmemory 1", OK), ("FCALL f 0", OK),
        flags="flags={'allow-oom'}"),
    "out of memory, no-writes": calling(
        "return 1", ("CONFIG SET maxmemory 1", OK), ("FCALL f 0", 1), ("FCALL_RO f 0", 1), flags="flags={'no-writes'}"),
    "out of memory, libraries": [
        loads(HELLO), ("FUNCTION DUMP", Save("dump")), ("CONFIG SET maxmemory 1", OK), (load(HELLO, "REPLACE"), OOM),
        ("FUNCTION RESTORE $dump REPLACE", OOM), ("FUNCTION DELETE lib", OK), ("FUNCTION FLUSH", OK)],

    "the first line": [
        (["FUNCTION", "LOAD", "return 1"], Error("ERR Missing library metadata")),
        (["FUNCTION", "LOAD", "#!lua name=x"], Error("ERR Invalid library metadata")),
        (["FUNCTION", "LOAD", "#!lua name='x\n"], Error("ERR Invalid library metadata")),
        (["FUNCTION", "LOAD", "#!lua name=\0x\nreturn 1"], Error("ERR Invalid library metadata")),
        (["FUNCTION", "LOAD", "#!lua\nreturn 1"], Error("ERR Library name was not given")),
        (["FUNCTION", "LOAD", "#!\nreturn 1"], Error("ERR Library name was not given")),
        (["FUNCTION", "LOAD", "#!lua name=a b=c\nreturn 1"], Error("ERR Invalid metadata value given: b=c")),
        (["FUNCTION", "LOAD", "#!lua name=a name=b\n"],
         Error("ERR Invalid metadata value, name argument was given multiple times")),
        (["FUNCTION", "LOAD", "#!lua name=\nreturn 1"], BAD_NAME),
        (["FUNCTION", "LOAD", "#!python name=a-b\nreturn 1"], BAD_NAME),
        (["FUNCTION", "LOAD", "#!python name=a\nreturn 1"], Error("ERR Engine 'python' not found")),
        (["FUNCTION", "LOAD", "#! name=a\nreturn 1"], Error("ERR Engine '' not found")),
        (["FUNCTION", "LOAD", f"#!LUA NAME=\"a\"\n{HELLO}"], b"a")],
    "a code that makes no library": [
        refused("return 1", "No functions registered"),
        refused("return return", "Error compiling function: user_function:2: unexpected symbol near 'return'"),
        ("FUNCTION LIST", [])],
    "what a code sees": [
        fails("x = 1", "user_function:2: Attempt to modify a readonly table"),
        fails("redis.x = 1", "user_function:2: Attempt to modify a readonly table"),
        *(fails(f"local a = {name}", f"user_function:2: Script attempted to access nonexistent global variable "
                                     f"'{name}'") for name in ("math", "string", "_G", "pairs", "error", "cjson")),
        *(fails(f"local a = redis.{name}", f"user_function:2: Script attempted to access nonexistent global variable "
                                           f"'{name}'") for name in ("call", "pcall", "sha1hex", "setresp")),
        fails("local a a()", "user_function:2: attempt to call local 'a' (a nil value)"),
        refused("local a = ('x'):upper()", "No functions registered"),
        refused("redis.log(redis.LOG_NOTICE, redis.REDIS_VERSION .. redis.REDIS_VERSION_NUM)",
                "No functions registered")],
    "register_function's arguments": [
        fails("redis.register_function()", "wrong number of arguments to redis.register_function"),
        fails("redis.register_function('a', 'b', 'c')", "wrong number of arguments to redis.register_function"),
        fails("redis.register_function('a')", "calling redis.register_function with a single argument is only "
              "applicable to Lua table (representing named arguments)."),
        fails("redis.register_function({}, 'b')", "first argument to redis.register_function must be a string"),
        fails("redis.register_function('a', 'b')", "second argument to redis.register_function must be a function"),
        refused("redis.register_function('a-b', function() end)",
                f"Error registering functions: {BAD_NAME}"),
        refused("redis.register_function('', function() end)", f"Error registering functions: {BAD_NAME}"),
        fails("redis.register_function('a', function() end) redis.register_function('a', function() end)",
              "Function already exists in the library"),
        fails("redis.register_function(1, function() end) redis.register_function('1', function() end)",
              "Function already exists in the library")],
    "register_function's named arguments": [
        fails("redis.register_function{}", "redis.register_function must get a function name argument"),
        fails("redis.register_function{callback=function() end}",
              "redis.register_function must get a function name argument"),
        fails("redis.register_function{function_name='a'}", "redis.register_function must get a callback argument"),
        fails("redis.register_function{callback=1}",
              "callback argument given to redis.register_function must be a function"),
        fails("redis.register_function{function_name={}}",
              "function_name argument given to redis.register_function must be a string"),
        fails("redis.register_function{description={}}",
              "description argument given to redis.register_function must be a string"),
        fails("redis.register_function{flags=1}",
              "flags argument to redis.register_function must be a table representing function flags"),
        fails("redis.register_function{flags={'x'}}", "unknown flag given"),
        fails("redis.register_function{flags={1}}", "unknown flag given"),
        fails("redis.register_function{flags={{}}}", "unknown flag given"),
        fails("redis.register_function{foo=1}", "unknown argument given to redis.register_function"),
        fails("redis.register_function{'a'}", "unknown argument given to redis.register_function"),
        fails("redis.register_function{[{}]=1}",
              "named argument key given to redis.register_function is not a string")],
    "register_function in a call": [
        loads("local r = redis redis.register_function('f', function() r.register_function('g', r.log) end)"),
        ("FCALL f 0", Error("ERR redis.register_function can only be called on FUNCTION LOAD command script: f, "
                            "on @user_function:2."))],
    "flags and a description": [
        loads("redis.register_function{Function_Name='f', CALLBACK=function() end, description='what f does', "
              "flags={'NO-writes', 'allow-oom', 'allow-stale', 'no-cluster', 'allow-cross-slot-keys'}}"),
        ("FUNCTION LIST", [{"library_name": "lib", "engine": "LUA", "functions": [{
            "name": "f", "description": "what f does", "flags": Set([Status(name) for name in (
                "no-writes", "allow-oom", "allow-stale", "no-cluster", "allow-cross-slot-keys")])}]}])],

    "LOAD REPLACE": [
        loads(HELLO), (load(HELLO), Error("ERR Library 'lib' already exists")),
        loads("redis.register_function('other', function() return 2 end)", "REPLACE"), ("FCALL hello 0", NOT_FOUND),
        ("FCALL other 0", 2), stats(1, 1)],
    "LOAD REPLACE of a bad code leaves the old one": [
        loads(HELLO), (load("error", "REPLACE"), Any()), (load("return 1", "REPLACE"), Any()),
        ("FCALL hello 0", b"hello"), stats(1, 1)],
    "LOAD of a function that another library has": [
        loads(HELLO), (load(HELLO, name="b"), Error("ERR Function hello already exists")),
        (load(HELLO.replace("'hello', ", "'Hello', "), name="b"), Error("ERR Function Hello already exists")),
        loads("redis.register_function('b', function() end)", name="b"),
        (load(HELLO, "REPLACE", name="b"), Error("ERR Function hello already exists")), ("FCALL b 0", None),
        stats(2, 2)],
    "LOAD of another option": [
        (load(HELLO, "REPLACE", "x"), Error("ERR Unknown option given: x")),
        (load(HELLO, "a\r\nb"), Error("ERR Unknown option given: a  b")),
        ("FUNCTION LOAD REPLACE", Error("ERR Missing library metadata"))],
    "names of libraries have a case": [
        loads(HELLO), loads("redis.register_function('b', function() end)", name="LIB"), stats(2, 2)],
    "DELETE": [
        loads(HELLO), ("FUNCTION DELETE other", Error("ERR Library not found")), ("FUNCTION DELETE lib", OK),
        ("FCALL hello 0", NOT_FOUND), stats(0, 0)],
    "FLUSH": [
        loads(HELLO), ("FUNCTION FLUSH", OK), stats(0, 0), loads(HELLO), ("FUNCTION FLUSH SYNC", OK), stats(0, 0),
        loads(HELLO), ("FUNCTION FLUSH async", OK), stats(0, 0),
        ("FUNCTION FLUSH x", Error("ERR FUNCTION FLUSH only supports SYNC|ASYNC option")),
        ("FUNCTION FLUSH SYNC x", Error(
            "ERR unknown subcommand or wrong number of arguments for 'FLUSH'. Try FUNCTION HELP."))],
    "FLUSHALL leaves functions": [loads(HELLO), ("FLUSHALL", OK), ("FLUSHDB", OK), ("FCALL hello 0", b"hello")],
    "LIST": [
        ("FUNCTION LIST", []), loads(HELLO), ("FUNCTION LIST", [library("hello")]),
        ("FUNCTION LIST WITHCODE", [library("hello", code=f"#!lua name=lib\n{HELLO}")]),
        ("FUNCTION LIST LIBRARYNAME l*", [library("hello")]), ("FUNCTION LIST LIBRARYNAME L?B", [library("hello")]),
        ("FUNCTION LIST withcode libraryname x*", []),
        ("FUNCTION LIST x", Error("ERR Unknown argument x")),
        ("FUNCTION LIST LIBRARYNAME", Error("ERR library name argument was not given")),
        ("FUNCTION LIST WITHCODE WITHCODE", Error("ERR Unknown argument WITHCODE")),
        ("FUNCTION LIST LIBRARYNAME a LIBRARYNAME b", Error("ERR Unknown argument LIBRARYNAME"))],
    "STATS": [
        stats(0, 0), loads(HELLO), stats(1, 1),
        loads("redis.register_function('a', redis.log) redis.register_function('b', redis.log)", name="b"),
        stats(2, 3)],
    "KILL": [("FUNCTION KILL", Error("NOTBUSY No scripts in execution right now."))],
    "HELP": Case([("FUNCTION HELP", Any(list))], peer="the order of the subcommands is another one"),

    "DUMP and RESTORE": [
        loads(HELLO), ("FUNCTION DUMP", Save("dump")), ("FUNCTION RESTORE $dump", Error(
            "ERR Library lib already exists")), ("FUNCTION DELETE lib", OK), ("FUNCTION RESTORE $dump", OK),
        ("FCALL hello 0", b"hello"), ("FUNCTION LIST WITHCODE", [
            library("hello", code=f"#!lua name=lib\n{HELLO}")])],
    "DUMP": [("FUNCTION DUMP", Any(bytes)), loads(HELLO), ("FUNCTION DUMP", Any(bytes))],
    "RESTORE APPEND": [
        loads(HELLO), ("FUNCTION DUMP", Save("dump")), ("FUNCTION FLUSH", OK),
        loads("local n = 0 redis.register_function('count', function() n = n + 1 return n end)", name="other"),
        ("FCALL count 0", 1), ("FUNCTION RESTORE $dump APPEND", OK), ("FCALL hello 0", b"hello"), ("FCALL count 0", 2),
        stats(2, 2)],
    "RESTORE REPLACE": [
        loads(HELLO), ("FUNCTION DUMP", Save("dump")), loads(HELLO.replace("return 'hello'", "return 1"), "REPLACE"),
        ("FCALL hello 0", 1), ("FUNCTION RESTORE $dump replace", OK), ("FCALL hello 0", b"hello"), stats(1, 1)],
    "RESTORE FLUSH": [
        loads(HELLO), ("FUNCTION DUMP", Save("dump")), loads("redis.register_function('b', redis.log)", name="b"),
        ("FUNCTION RESTORE $dump FLUSH", OK), ("FUNCTION LIST", [library("hello")]), ("FCALL hello 0", b"hello")],
    "RESTORE is all or nothing": [
        loads(HELLO), loads("redis.register_function('b', function() return 1 end)", name="b"),
        ("FUNCTION DUMP", Save("dump")), ("FUNCTION FLUSH", OK),
        loads("redis.register_function('c', function() return 2 end)", name="b"),
        loads("redis.register_function('hello', function() return 3 end)", name="d"),
        ("FUNCTION RESTORE $dump", Error("ERR Library b already exists")),
        ("FUNCTION RESTORE $dump REPLACE", Error("ERR Function hello already exists")),
        ("FCALL c 0", 2), ("FCALL hello 0", 3), ("FCALL b 0", NOT_FOUND), stats(2, 2)],
    "RESTORE of nonsense": [
        loads(HELLO), ("FUNCTION RESTORE x", NO_PAYLOAD), ("FUNCTION RESTORE x FLUSH", NO_PAYLOAD),
        ("FUNCTION RESTORE x y", Error(
            "ERR Wrong restore policy given, value should be either FLUSH, APPEND or REPLACE.")),
        ("FUNCTION RESTORE x y z", Error(
            "ERR unknown subcommand or wrong number of arguments for 'RESTORE'. Try FUNCTION HELP.")),
        ("SET k v", OK), ("DUMP k", Save("dump")), ("FUNCTION RESTORE $dump FLUSH", Error(
            "ERR given type is not a function")), ("FCALL hello 0", b"hello")],
}
CASES = {name: Case([("FUNCTION FLUSH", OK), *case.rows], case.since, case.peer, case.resp) if isinstance(case, Case)
         else [("FUNCTION FLUSH", OK), *case] for name, case in CASES.items()}


def test_rows(row_case):
    row_case.check()


def test_what_is_propagated(local):
    """Changes of libraries as they came, and what a function did in place of its call."""
    client = local.client()

    def notes(*argv):
        client.call(*argv)
        return [words for _, words in local.notes.take()]
    setting = load("redis.register_function('f', function(k, a) return redis.call('SET', k[1], a[1]) end)")
    replacing = [*setting[:2], "REPLACE", setting[2]]
    for argv in (setting, replacing, ["FUNCTION", "FLUSH"], ["FUNCTION", "FLUSH", "SYNC"], setting):
        assert notes(*argv) == [[word.encode() for word in argv]]
    assert notes("FCALL", "f", "1", "k", "v") == [[b"SET", b"k", b"v"]]
    dump = client.call("FUNCTION", "DUMP")
    assert notes("FUNCTION", "RESTORE", dump, "FLUSH") == [[b"FUNCTION", b"RESTORE", dump, b"FLUSH"]]
    assert notes("FUNCTION", "DELETE", "lib") == [[b"FUNCTION", b"DELETE", b"lib"]]
    for argv in (["FUNCTION", "DELETE", "lib"], load("error"), ["FUNCTION", "RESTORE", "x"], ["FUNCTION", "LIST"],
                 ["FUNCTION", "DUMP"], ["FUNCTION", "STATS"], ["FCALL", "f", "0"]):
        assert notes(*argv) == []
    client.call("MULTI")
    client.call(*setting)
    client.call("FCALL", "f", "1", "k", "v")
    assert notes("EXEC") == [[b"MULTI"], [word.encode() for word in setting], [b"SET", b"k", b"v"], [b"EXEC"]]


def test_loading_takes_half_a_second_at_most(local):
    client = local.client()
    assert client.call(*load("while true do end")) == Error(
        "ERR Error registering functions: ERR FUNCTION LOAD timeout")
    assert client.call(*load(HELLO)) == b"lib" and client.call("FCALL", "hello", "0") == b"hello"


def test_an_error_calls_the_server_as_the_library_does(local):
    """By Valkey's name or by Redis's: their own words."""
    client = local.client()
    for name in ("redis", "server"):
        reply = client.call(*load(f"{name}.register_function()", "REPLACE"))
        assert str(reply).endswith(f"wrong number of arguments to {name}.register_function")
        reply = client.call(*load(f"{name}.register_function{{flags=1}}", "REPLACE"))
        assert str(reply).endswith(
            f"flags argument to {name}.register_function must be a table representing function flags")
        assert client.call(*load(f"{name}.register_function('f', {name}.log)", "REPLACE")) == b"lib"


def test_functions_that_differ_in_case(local):
    """redis-server 7.0 and 8.2 end when such a library is replaced."""
    client = local.client()
    client.call(*load("redis.register_function('a', function() return 1 end) "
                      "redis.register_function('A', function() return 2 end)"))
    assert client.call("FCALL", "a", "0") == client.call("FCALL", "A", "0") == 1
    assert client.call(*load("redis.register_function('A', function() return 3 end)", "REPLACE")) == b"lib"
    assert client.call("FCALL", "a", "0") == 3 and client.call("FUNCTION", "DELETE", "lib") == OK
    assert client.call("FCALL", "a", "0") == NOT_FOUND


def memory_fields(client):
    lines = client.call("INFO", "memory").decode().splitlines()
    found = dict(line.split(":", 1) for line in lines if ":" in line)
    return {name: int(found[name]) for name in (
        "number_of_libraries", "number_of_functions", "used_memory_vm_functions", "used_memory_functions",
        "used_memory_vm_total", "used_memory_scripts")}


def test_info(local):
    client = local.client()
    assert not any(memory_fields(client).values())
    client.call(*load(HELLO))
    client.call(*load("redis.register_function('a', redis.log) redis.register_function('b', redis.log)", name="two"))
    found = memory_fields(client)
    assert (found["number_of_libraries"], found["number_of_functions"]) == (2, 3)
    assert found["used_memory_vm_functions"] == found["used_memory_vm_total"] > 10_000
    assert found["used_memory_functions"] == found["used_memory_scripts"] > 1000
    client.call("FUNCTION", "FLUSH")
    assert not any(memory_fields(client).values())


def test_memory_is_given_back(local):
    client = local.client()

    def after_many(way):
        for number in range(100):
            code = f"local t = '{'x' * 3000}' redis.register_function('f', function() return {number} end)"
            assert client.call(*load(code, "REPLACE")) == b"lib"
            assert client.call("FCALL", "f", "0") == number
            assert isinstance(client.call(*load("local t = {} error", "REPLACE")), Error)
            dump = client.call("FUNCTION", "DUMP")
            assert client.call("FUNCTION", "RESTORE", dump, way) == OK
            assert client.call("FUNCTION", "RESTORE", dump) == Error("ERR Library lib already exists")
        client.call("FUNCTION", "FLUSH")
        return local.settled_memory()
    for way in ("REPLACE", "FLUSH"):
        after_many(way)
        assert after_many(way) == after_many(way)


def test_payloads_that_are_mutated(local):
    """An error, and nothing is there; the checksum is not looked at."""
    client = local.client()
    client.call("DEBUG", "SET-SKIP-CHECKSUM-VALIDATION", "1")
    client.call(*load(HELLO))
    payload = client.call("FUNCTION", "DUMP")
    client.call("FUNCTION", "FLUSH")
    for at in range(len(payload) - 10):
        for byte in (0, payload[at] ^ 1, 0x80, 0xFF):
            changed = payload[:at] + bytes([byte]) + payload[at + 1:]
            reply = client.call("FUNCTION", "RESTORE", changed)
            assert isinstance(reply, Error) or client.call("FUNCTION", "FLUSH") == OK
            assert client.call("FUNCTION", "LIST") == []


def test_monitor_shows_a_call_and_its_commands(local):
    client, watcher = local.client(), local.client()
    client.call(*load("redis.register_function('f', function() return redis.call('GET', 'k') end)"))
    assert watcher.call("MONITOR") == OK
    client.call("FCALL", "f", "0")
    shown = watcher.socket.recv(None).decode()
    assert '"FCALL" "f" "0"' in shown.splitlines()[0] and shown.splitlines()[1].endswith('lua] "GET" "k"')
