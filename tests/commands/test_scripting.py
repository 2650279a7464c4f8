"""EVAL and its kin, SCRIPT: rows beside redis-server; the cache, propagation and what a script must not do."""
import hashlib

import pytest

from tests.resp import Error, encode
from tests.rows import BLOCKS, NIL_ARRAY, NOT_INTEGER, OK, WRONGTYPE, Any, Case, Status, Unordered, wrong_args

NO_SCRIPT = Error("NOSCRIPT No matching script. Please use EVAL.")
SET = "redis.call('SET', KEYS[1], ARGV[1])"


def sha(script):
    return hashlib.sha1(script.encode()).hexdigest()


def at(script, text, line=1):
    """An error of a script, and where it was made."""
    return Error(f"{text} script: {sha(script)}, on @user_script:{line}.")


def fails(script, text, line=1):
    """Rows: EVAL of a script without keys, and its error."""
    return [(["EVAL", script, "0"], at(script, text, line))]


def returns(script, value, *rest):
    return [(["EVAL", script, *(rest or ("0",))], value)]


BAD_MARK = Error("ERR Error compiling script (new function): user_script:1: unexpected symbol near '#'")

CASES = {
    "a number": returns("return 3", 3),
    "a number is truncated": returns("return -3.99", -3),
    "a string": returns("return 'abc'", b"abc"),
    "true": returns("return true", 1),
    "false": returns("return false", None),
    "nothing": returns("local x = 1", None),
    "a table ends at nil": returns("return {1, 'a', {2, 3}, nil, 4}", [1, b"a", [2, 3]]),
    "an empty table": returns("return {}", []),
    "a status": returns("return {ok='FINE'}", Status("FINE")),
    "a status is one line": returns("return {ok='A\\r\\nB'}", Status("A  B")),
    "an error": returns("return {err='MINE text'}", Error("MINE text")),
    "error_reply": returns("return redis.error_reply('MINE text')", Error("MINE text")),
    "status_reply": returns("return redis.status_reply('FINE')", Status("FINE")),
    "sha1hex": returns("return redis.sha1hex('')", b"da39a3ee5e6b4b0d3255bfef95601890afd80709"),
    "keys and arguments": returns("return {KEYS[1], KEYS[2], ARGV[1], #ARGV}", [b"a", b"b", b"c", 2], "2", "a", "b",
                                  "c", "d"),
    "a double": Case(returns("return {double=1.5}", b"1.5"), resp=(2,)),
    "a map": Case(returns("return {map={a=1}}", [b"a", 1]), resp=(2,)),
    "a set": Case(returns("return {set={a=true}}", [b"a"]), resp=(2,)),
    "a big number": Case(returns("return {big_number='123'}", b"123"), resp=(2,)),
    "a verbatim string": Case(returns("return {verbatim_string={string='abc', format='txt'}}", b"abc"), resp=(2,)),

    "call": [(["EVAL", f"return {SET}", "1", "k", "v"], OK), ("GET k", b"v")],
    "call takes numbers": [
        (["EVAL", "return redis.call('RPUSH', 'l', 1, 2.5, 1e20)", "0"], 3),
        ("LRANGE l 0 -1", [b"1", b"2.5", b"1e+20"])],
    "a missing value is false": returns("return redis.call('GET', 'none') == false", 1),
    "a status is a table": returns("return redis.call('SET', 'k', 'v').ok", b"OK"),
    "an array is a table": [("RPUSH l a b", 2), *returns("return redis.call('LRANGE', 'l', 0, -1)[2]", b"b")],
    "call raises": [("RPUSH l a", 1), (["EVAL", "return redis.call('INCR', 'l')", "0"],
                                       at("return redis.call('INCR', 'l')", str(WRONGTYPE)))],
    "pcall returns the error": [("RPUSH l a", 1), *returns("return redis.pcall('INCR', 'l')", WRONGTYPE)],
    "what was done stays done": [
        (["EVAL", "redis.call('SET', 'k', 'v') error('boo')", "0"],
         at("redis.call('SET', 'k', 'v') error('boo')", "ERR user_script:1: boo")), ("GET k", b"v")],
    "setresp": returns("redis.setresp(3) return redis.call('GET', 'none') == nil and 1 or 0", 1),
    "setresp is for one script": [
        *returns("redis.setresp(3) return 1", 1), *returns("return redis.call('GET', 'none') == false", 1)],
    "a map in RESP3": [("HSET h a 1", 1),
                       *returns("redis.setresp(3) return redis.call('HGETALL', 'h').map.a", b"1")],
    "a double in RESP3": [("ZADD z 1.5 a", 1),
                          *returns("redis.setresp(3) return redis.call('ZSCORE', 'z', 'a').double * 2", 3)],
    "a set in RESP3": [("SADD s a", 1),
                       *returns("redis.setresp(3) return redis.call('SMEMBERS', 's').set.a and 1 or 0", 1)],
    "attributes are passed over": [
        ("DEBUG SET-DISABLE-DENY-SCRIPTS 1", OK),
        *returns("redis.setresp(3) return redis.call('DEBUG', 'PROTOCOL', 'ATTRIB')",
                 b"Some real reply following the attribute"),
        ("DEBUG SET-DISABLE-DENY-SCRIPTS 0", OK)],
    "as many arguments as Lua's stack holds": [
        *returns("local t = {} for i = 1, 7999 do t[i] = i end return redis.call('RPUSH', 'l', unpack(t))", 7999),
        *returns("local t = {} for i = 1, 7999 do t[i] = i end return #redis.call('MGET', 'l', unpack(t))", 8000)],
    "SORT of a set as it lies there is in order": [
        ("SADD s c 10 aa b 2 a azz", 7),
        *returns("return redis.call('SORT', 's', 'BY', 'nosort')", [b"10", b"2", b"a", b"aa", b"azz", b"b", b"c"]),
        *returns("return redis.call('SORT_RO', 's', 'BY', 'x', 'DESC', 'LIMIT', 1, 2)", [b"b", b"azz"]),
        ("ZADD z 1 c 2 b 3 a", 3), *returns("return redis.call('SORT', 'z', 'BY', 'x')", [b"c", b"b", b"a"])],
    "SELECT is for the script": [
        (["EVAL", "redis.call('SELECT', '5') redis.call('SET', 'k', 'v')", "0"], None), ("GET k", None),
        ("SELECT 5", OK), ("GET k", b"v"), ("DEL k", 1)],
    "time stands still": Case(returns(
        "local a = redis.call('TIME') for i = 1, 200000 do end local b = redis.call('TIME') "
        "return a[1] == b[1] and a[2] == b[2]", 1), since="7.2"),
    "nothing blocks": Case(returns("return redis.call('BLPOP', 'none', 0)", None), since="7.2"),

    "no arguments": fails("return redis.call()", "ERR Please specify at least one argument for this redis lib call"),
    "a table for an argument": fails("return redis.call('GET', {})",
                                     "ERR Lua redis lib command arguments must be strings or integers"),
    "an unknown command": fails("return redis.call('NOSUCH')", "ERR Unknown Redis command called from script"),
    "an unknown subcommand": fails("return redis.call('CLIENT', 'NOSUCH')",
                                   "ERR Unknown Redis command called from script"),
    "wrong arity": fails("return redis.call('GET')", "ERR Wrong number of args calling Redis command from script"),
    "MULTI": fails("return redis.call('MULTI')", "ERR This Redis command is not allowed from script"),
    "EVAL": fails("return redis.call('EVAL', 'return 1', 0)", "ERR This Redis command is not allowed from script"),
    "a global": fails("x = 1", "ERR user_script:1: Attempt to modify a readonly table"),
    "a missing global": fails("return x",
                              "ERR user_script:1: Script attempted to access nonexistent global variable 'x'"),
    "the line of an error": fails("\n\nerror('boo')", "ERR user_script:3: boo", 3),
    "bad text": returns("return return", Error(
        "ERR Error compiling script (new function): user_script:1: unexpected symbol near 'return'")),
    "log's arguments": [
        *fails("redis.log(1)", "ERR redis.log() requires two arguments or more."),
        *fails("redis.log('a', 'x')", "ERR First argument must be a number (log level)."),
        *fails("redis.log(9, 'x')", "ERR Invalid debug level.")],
    "setresp's argument": [
        *fails("redis.setresp(4)", "ERR RESP version must be 2 or 3."),
        *fails("redis.setresp()", "ERR redis.setresp() requires one argument.")],
    "acl_check_cmd": [
        *returns("return redis.acl_check_cmd('SET', 'a', 'b')", 1),
        *returns("return redis.acl_check_cmd('SET')", 1),
        *returns("return redis.acl_check_cmd('CLIENT', 'KILL')", 1),
        *fails("return redis.acl_check_cmd('CLIENT', 'NOSUCH')",
               "ERR Invalid command passed to redis.acl_check_cmd()"),
        *fails("return redis.acl_check_cmd('NOSUCH')", "ERR Invalid command passed to redis.acl_check_cmd()")],
    "set_repl's argument": fails(
        "redis.set_repl(5)", "ERR Invalid replication flags. Use REPL_AOF, REPL_REPLICA, REPL_ALL or REPL_NONE."),
    "replicate_commands": returns("return redis.replicate_commands()", 1),

    "a shebang": returns("#!lua\nreturn 1", 1),
    "flags of a shebang": returns("#!lua flags=no-writes,allow-oom,allow-stale\nreturn 1", 1),
    "no-writes": fails("#!lua flags=no-writes\nreturn redis.call('SET', 'k', 'v')",
                       "ERR Write commands are not allowed from read-only scripts.", 2),
    "quotes in a shebang": returns('#!lua "flags=no-writes,allow-oom"\nreturn 1', 1),
    "no flags in a shebang": returns("#!lua flags=\nreturn 1", 1),
    "flags without a name": [
        *returns("#!lua flags=,\nreturn 1", Error("ERR Unexpected flag in script shebang: ")),
        *returns("#!lua flags=no-writes,\nreturn 1", Error("ERR Unexpected flag in script shebang: "))],
    "a quote that does not close in a shebang": returns(
        '#!lua "flags=no-writes\nreturn 1', Error("ERR Invalid engine in script shebang")),
    "another engine": returns("#!python\nreturn 1", Error("ERR Unexpected engine in script shebang: #!python")),
    "another flag": returns("#!lua flags=x\nreturn 1", Error("ERR Unexpected flag in script shebang: x")),
    "another option": returns("#!lua name=x\nreturn 1", Error("ERR Unknown lua shebang option: name=x")),
    "only a shebang": returns("#!lua", Error("ERR Invalid script shebang")),
    "a zero byte in a shebang": returns("#!lua flags=no-writes\0\nreturn 1", Error("ERR Invalid script shebang")),
    "a comment as in a shell": [
        *returns("# x\nreturn 1", BAD_MARK), *returns("#\nreturn 1", BAD_MARK), *returns("#", BAD_MARK)],

    "numkeys": [
        (["EVAL", "return 1", "x"], NOT_INTEGER),
        (["EVAL", "return 1", "2", "a"], Error("ERR Number of keys can't be greater than number of args")),
        (["EVAL", "return 1", "-1"], Error("ERR Number of keys can't be negative"))],
    "arity": [
        ("EVAL x", wrong_args("eval")), ("EVALSHA x", wrong_args("evalsha")), ("EVAL_RO x", wrong_args("eval_ro")),
        ("EVALSHA_RO x", wrong_args("evalsha_ro")), ("SCRIPT LOAD", wrong_args("script|load")),
        ("SCRIPT EXISTS", wrong_args("script|exists"))],
    "EVALSHA of what was evaluated": [
        ("SCRIPT FLUSH", OK), (f"EVALSHA {sha('return 7')} 0", NO_SCRIPT),
        (["EVAL", "return 7", "0"], 7), (f"EVALSHA {sha('return 7')} 0", 7),
        (f"EVALSHA {sha('return 7').upper()} 0", 7)],
    "SCRIPT HELP": Case([("SCRIPT HELP", Any(list))], peer="redis-server has SCRIPT DEBUG and KILL as well"),
    "EVALSHA of nonsense": [("EVALSHA abc 0", NO_SCRIPT)],
    "SCRIPT LOAD and EXISTS": [
        ("SCRIPT FLUSH SYNC", OK), (["SCRIPT", "LOAD", "return ARGV[1]"], sha("return ARGV[1]").encode()),
        (["SCRIPT", "EXISTS", sha("return ARGV[1]"), "abc"], [1, 0]),
        (["EVALSHA", sha("return ARGV[1]"), "0", "x"], b"x"), ("SCRIPT FLUSH ASYNC", OK),
        (["SCRIPT", "EXISTS", sha("return ARGV[1]")], [0])],
    "SCRIPT FLUSH of another word": [("SCRIPT FLUSH x", Error("ERR SCRIPT FLUSH only support SYNC|ASYNC option"))],
    "EVAL_RO": [
        ("SET k v", OK), (["EVAL_RO", "return redis.call('GET', KEYS[1])", "1", "k"], b"v"),
        (["EVAL_RO", f"return {SET}", "1", "k", "w"],
         at(f"return {SET}", "ERR Write commands are not allowed from read-only scripts.")),
        (["EVALSHA_RO", sha("return redis.call('GET', KEYS[1])"), "1", "k"], b"v"),
        (["EVAL_RO", "#!lua\nreturn 1", "0"],
         Error("ERR Can not execute a script with write flag using *_ro command."))],
    "in a transaction": [
        ("MULTI", OK), (["EVAL", f"{SET} return redis.call('GET', KEYS[1])", "1", "k", "v"], Status("QUEUED")),
        (["EVAL", "return redis.call('NOSUCH')", "0"], Status("QUEUED")), ("GET k", Status("QUEUED")),
        ("EXEC", [b"v", at("return redis.call('NOSUCH')", "ERR Unknown Redis command called from script"), b"v"])],
    "WATCH sees it": [
        ("WATCH k", OK), (["EVAL", SET, "1", "k", "v"], None), ("MULTI", OK), ("PING", Status("QUEUED")),
        ("EXEC", NIL_ARRAY)],
    "who waits is served after the script": [
        ("@2 BLPOP l 0", BLOCKS), (["EVAL", "redis.call('RPUSH', 'l', 'a') return redis.call('LLEN', 'l')", "0"], 1),
        ("@2 <", [b"l", b"a"])],
    "keys of EVAL": [
        (["COMMAND", "GETKEYS", "EVAL", "x", "2", "a", "b", "c"], [b"a", b"b"])],
    "all of a database": [
        ("MSET a 1 b 2", OK), (["EVAL", "return redis.call('KEYS', '*')", "0"], Unordered([b"a", b"b"]))],
}


def test_rows(row_case):
    row_case.check()


def test_what_a_script_did_is_one_transaction(local):
    client = local.client()
    script = "redis.call('SET', 'a', 1) redis.call('INCR', 'a') redis.call('GET', 'a') return redis.call('SPOP', 'b')"
    assert client.call("EVAL", script, "0") is None
    assert local.notes.take() == [(-1, [b"MULTI"]), (0, [b"SET", b"a", b"1"]), (0, [b"INCR", b"a"]), (-1, [b"EXEC"])]
    client.call("EVAL", "redis.call('DEL', 'a')", "0")
    assert local.notes.take() == [(0, [b"DEL", b"a"])]
    client.call("EVAL", "return redis.call('GET', 'a')", "0")
    assert local.notes.take() == []


def test_scripts_that_eval_brought_are_forgotten_at_last(local):
    client = local.client()
    kept = client.call("SCRIPT", "LOAD", "return 'kept'")
    first = sha("return 0")
    for number in range(500):
        assert client.call("EVAL", f"return {number}", "0") == number
    assert client.call("EVALSHA", first, "0") == 0, "and is the newest now"
    client.call("EVAL", "return 'one more'", "0")
    assert client.call("SCRIPT", "EXISTS", first, sha("return 1"), sha("return 2"), kept) == [1, 0, 1, 1]
    info = client.call("INFO", "everything")
    assert b"\r\nnumber_of_cached_scripts:501\r\n" in info and b"\r\nevicted_scripts:1\r\n" in info


def test_memory_of_scripts_is_given_back(local):
    client = local.client()

    def after_many():
        for number in range(300):
            client.call("EVAL", f"local t = {{}} for i = 1, 100 do t[i] = 'x' .. i end return {number}", "0")
        client.call("SCRIPT", "FLUSH")
        return local.settled_memory()
    after_many()
    assert after_many() == after_many()


@pytest.mark.parametrize("flags, runs", [("", False), (" flags=allow-oom", True), (" flags=no-writes", True)])
def test_out_of_memory(local, flags, runs):
    client = local.client()
    client.call("SET", "k", "v")
    client.call("CONFIG", "SET", "maxmemory", "1")
    reply = client.call("EVAL", f"#!lua{flags}\nreturn redis.call('GET', 'k')", "0")
    assert reply == b"v" if runs else str(reply).startswith("OOM command not allowed")
    reply = client.call("EVAL", "return redis.call('SET', 'k', 'w')", "0")
    assert str(reply).startswith("OOM command not allowed when used memory > 'maxmemory'. script: ")
    assert client.call("EVAL", "redis.call('DEL', 'none') return redis.call('SET', 'k', 'w')", "0") == OK


def test_a_deep_reply_is_an_error(local):
    client = local.client()
    script = "local t = {} local top = t for i = 1, 100000 do t[1] = {} t = t[1] end return top"
    client.socket.sendall(encode("EVAL", script, "0"))
    reply = client.socket.recv(None)
    assert reply.startswith(b"*1\r\n*1\r\n") and reply.endswith(b"-ERR reached lua stack limit\r\n")
    assert client.call("EVAL", "return 1", "0") == 1


@pytest.mark.parametrize("script", [
    "local t = {} t[1] = t t[2] = t return t", "local t = {} for i = 1, 50 do t[i] = t end return {t, 7, t}",
    "local t = {} t.map = {a = t, b = t} return t",
])
def test_a_reply_that_holds_itself_twice_ends(local, script):
    client = local.client()
    client.socket.sendall(encode("EVAL", script, "0"))
    assert client.socket.recv(None).endswith(b"-ERR reached lua stack limit\r\n")
    assert client.call("EVAL", "return 1", "0") == 1
