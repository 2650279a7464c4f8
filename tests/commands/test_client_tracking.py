"""CLIENT TRACKING: who is told of keys that it may have cached, and when.

Connection 1 tracks, 2 changes keys, 3 is told in place of 1 where a case says so.
"""
from tests.rows import (
    BLOCKS,
    NOT_INTEGER,
    OK,
    PONG,
    QUEUED,
    R3,
    SYNTAX,
    Advance,
    Any,
    Case,
    Error,
    Matching,
    Push,
    Save,
    Saved,
    Set,
    Unordered,
    wrong_args,
)

ONLY3 = {"resp": (3,)}
SWITCH = "before disabling tracking for this client, and then re-enabling it with a different mode."
ON = ("CLIENT TRACKING ON", OK)
OFF = ("CLIENT TRACKING OFF", OK)
SUBSCRIBED = Push(["subscribe", "__redis__:invalidate", 1])


def told(*keys):
    """The message that keys have changed."""
    return Push(["invalidate", list(keys)])


def heard(*keys):
    """The row in which connection 3 reads it, in RESP2 as a message of the channel."""
    return "@3 <", R3(Push(["message", "__redis__:invalidate", list(keys)]), told(*keys))


ALL = Push(["invalidate", None])


def quiet(connection=1):
    """The row that shows that nothing came in before its own reply."""
    return f"@{connection} ECHO quiet", "quiet"


def case3(*rows, **conditions):
    """A case for RESP3, where who tracks is told itself."""
    return Case([*rows], **ONLY3, **conditions)


def redirected(*rows, options=""):
    """A case in which connection 3 is told, in both protocols."""
    return [("@3 CLIENT ID", Save("id")), ("@3 SUBSCRIBE __redis__:invalidate", SUBSCRIBED),
            (f"CLIENT TRACKING ON REDIRECT $id {options}".rstrip(), OK), *rows, OFF]


def overlaps(prefix, which, other):
    return Error(f"ERR Prefix '{prefix}' overlaps with {which} prefix '{other}'. Prefixes for a single client must not "
                 "overlap.")


DEFAULT = {
    "a key that was read": case3(
        ON, ("GET k", None), ("@2 SET k v", OK), ("<", told("k")), ("@2 SET k w", OK), quiet(),
        ("GET k", "w"), ("@2 DEL k", 1), ("<", told("k")), OFF),
    "only keys that were read": case3(ON, ("GET a", None), ("@2 SET b v", OK), quiet(), OFF),
    "keys that were written are not tracked": case3(
        ON, ("SET a v", OK), ("LPUSH l x", 1), ("@2 SET a w", OK), ("@2 DEL l", 1), quiet(), OFF),
    "each key of several": case3(
        ON, ("MGET a b a", [None, None, None]), ("@2 MSET a 1 b 2 c 3", OK), ("<", told("a")), ("<", told("b")),
        quiet(), OFF),
    "all types": case3(
        ("RPUSH l 1 2", 2), ("SADD s 1", 1), ("HSET h f 1", 1), ("ZADD z 1 m", 1), ("XADD x 1-1 f v", "1-1"), ON,
        ("LRANGE l 0 -1", ["1", "2"]), ("SCARD s", 1), ("HGET h f", "1"), ("ZSCORE z m", Any()), ("XLEN x", 1),
        ("@2 RPUSH l 3", 3), ("<", told("l")), ("@2 SREM s 1", 1), ("<", told("s")), ("@2 HINCRBY h f 1", 2),
        ("<", told("h")), ("@2 ZADD z 2 m", 0), ("<", told("z")), ("@2 XADD x 1-2 f v", "1-2"), ("<", told("x")), OFF),
    "its own change, behind the reply": case3(
        ON, ("GET k", None), ("SET k v", OK), ("<", told("k")), ("HSET h f 1", 1), ("HGET h f", "1"),
        ("HDEL h f", 1), ("<", told("h")), OFF),
    "its own change, with NOLOOP": case3(
        ("CLIENT TRACKING ON NOLOOP", OK), ("MGET a k b", [None, None, None]), ("@2 SET a 1", OK), ("<", told("a")),
        ("SET k v", OK), ("@2 SET b 1", OK), ("<", told("b")), quiet(), OFF),
    "what a transaction reads and changes": case3(
        ON, ("MSET a 1 b 2", OK), ("GET a", "1"), ("MULTI", OK), ("INCR a", QUEUED), ("GET b", QUEUED),
        ("EXEC", [2, "2"]), ("<", told("a")), ("@2 INCR b", 3), ("<", told("b")), OFF),
    "what a script reads and changes": case3(
        ("MSET a 1 b 2", OK), ON, (("EVAL", "return redis.call('get', KEYS[1])", "1", "a"), "1"),
        (("EVAL", "return redis.call('set', KEYS[1], 1)", "1", "b"), OK), ("@2 SET b 3", OK), quiet(),
        ("@2 SET a 3", OK), ("<", told("a")), ("GET b", "3"),
        (("EVAL", "return redis.call('incr', KEYS[1])", "1", "b"), 4), ("<", told("b")), OFF),
    "what a script for reading reads, not what it is given": case3(
        ON, (("EVAL_RO", "return redis.call('ping')", "1", "a"), PONG), ("@2 SET a 1", OK), quiet(),
        (("EVAL_RO", "return redis.call('get', 'a')", "2", "a", "b"), "1"), ("@2 MSET b 1 a 2", OK), ("<", told("a")),
        quiet(), OFF, since="7.2"),
    "a name is one of all databases": case3(
        ON, ("GET k", None), ("@2 SELECT 1", OK), ("@2 SET k v", OK), ("<", told("k")), OFF),
    "RENAME, COPY, MOVE and RESTORE": case3(
        ("SET a 1", OK), ON, ("MGET a b c", ["1", None, None]), ("@2 RENAME a b", OK), ("<", told("a")),
        ("<", told("b")), ("@2 COPY b c", 1), ("<", told("c")), ("GET b", "1"), ("@2 MOVE b 1", 1), ("<", told("b")),
        OFF),
    "EXPIRE and PERSIST": case3(
        ("SET a 1", OK), ON, ("GET a", "1"), ("@2 EXPIRE a 100", 1), ("<", told("a")), ("GET a", "1"),
        ("@2 PERSIST a", 1), ("<", told("a")), OFF),
    "a key whose time is over": case3(
        ON, ("SET k v PX 100", OK), ("GET k", "v"), Advance(150), ("@2 GET k", None), ("<", told("k")), OFF),
    "a blocked client's own change, behind its reply": case3(
        ON, ("LRANGE dest 0 -1", []), ("BLMOVE src dest LEFT LEFT 0", BLOCKS), ("@2 RPUSH src x", 1), ("<", "x"),
        ("<", told("dest")), OFF),
    "what a blocked client reads": case3(
        ON, ("XREAD BLOCK 0 STREAMS x 0", BLOCKS), ("@2 XADD x 1-1 f v", "1-1"),
        ("<", told("x")), ("<", Any()), ("@2 XADD x 1-2 f v", "1-2"), ("<", told("x")), OFF, since="7.2"),
    "FLUSHALL of another": case3(
        ON, ("GET a", None), ("@2 FLUSHALL", OK), ("<", ALL), ("@2 SET a v", OK), quiet(), OFF),
    "FLUSHDB of its own": case3(ON, ("GET a", None), ("FLUSHDB", OK), ("<", ALL), quiet(), OFF),
    "FLUSHDB in a transaction": case3(
        ON, ("MULTI", OK), ("FLUSHDB", QUEUED), ("SET a 1", QUEUED), ("EXEC", [OK, OK]), ("<", ALL), quiet(), OFF),
    "who ended tracking is told nothing": case3(ON, ("GET a", None), OFF, ("@2 SET a v", OK), quiet()),
    "RESET ends it": case3(
        ON, ("GET a", None), ("RESET", Any()), ("HELLO 3", Any()), ("@2 SET a v", OK), quiet(),
        ("CLIENT GETREDIR", -1)),
    "two clients": case3(
        ON, ("@3 CLIENT TRACKING ON", OK), ("GET k", None), ("@3 GET k", None), ("@2 SET k v", OK), ("<", told("k")),
        ("@3 <", told("k")), ("GET k", "v"), ("@2 SET k w", OK), ("<", told("k")), quiet(3), OFF,
        ("@3 CLIENT TRACKING OFF", OK)),
    "errors of a command are no reads less": case3(
        ("SET k v", OK), ON, ("LRANGE k 0 -1", Any()), ("@2 DEL k", 1), ("<", told("k")), OFF),
}

REDIRECT = {
    "to a subscriber": redirected(("GET a", None), ("@2 SET a 1", OK), heard("a"), quiet()),
    "of all keys": redirected(
        ("GET a", None), ("@2 FLUSHALL", OK),
        ("@3 <", R3(Push(["message", "__redis__:invalidate", None]), ALL))),
    "of prefixes": redirected(
        ("@2 MSET a:1 1 b:1 2 c:1 3", OK), heard("a:1"), heard("b:1"), options="BCAST PREFIX a: PREFIX b:"),
    "of all names": redirected(
        ("@2 MSET a 1 b 2", OK),
        ("@3 <", R3(Push(["message", "__redis__:invalidate", Unordered(["a", "b"])]),
                    Push(["invalidate", Unordered(["a", "b"])]))), options="BCAST"),
    "with NOLOOP": redirected(
        ("MGET a b", [None, None]), ("SET a 1", OK), ("@2 SET b 1", OK), heard("b"), options="NOLOOP"),
    "to one that is gone": case3(
        ("@3 CLIENT ID", Save("id")), ("CLIENT TRACKING ON REDIRECT $id", OK), ("GET k", None),
        ("@2 CLIENT KILL ID $id", 1), ("@2 SET k v", OK), ("<", Push(["tracking-redir-broken", Saved("id")])),
        ("CLIENT TRACKINGINFO", {"flags": Set(["on", "broken_redirect"]), "redirect": Saved("id"), "prefixes": []}),
        OFF),
    "GETREDIR": [
        ("CLIENT GETREDIR", -1), ON, ("CLIENT GETREDIR", 0), OFF, *redirected(("CLIENT GETREDIR", Saved("id")))],
}

BCAST = {
    "all keys": case3(
        ("CLIENT TRACKING ON BCAST", OK), ("@2 SET a 1", OK), ("<", told("a")), ("SET b 1", OK), ("<", told("b")), OFF),
    "prefixes that are added": case3(
        ("CLIENT TRACKING ON BCAST PREFIX b PREFIX aa", OK), ("CLIENT TRACKING ON BCAST PREFIX c", OK),
        ("CLIENT TRACKINGINFO", {"flags": Set(["on", "bcast"]), "redirect": 0, "prefixes": ["aa", "b", "c"]}),
        ("@2 SET a 1", OK), ("@2 SET aa1 1", OK), ("<", told("aa1")), ("@2 SET c 1", OK), ("<", told("c")), OFF),
    "NOLOOP": case3(
        ("CLIENT TRACKING ON BCAST NOLOOP", OK), ("@2 SET a 1", OK), ("<", told("a")), ("SET b 1", OK),
        ("@2 SET c 1", OK), ("<", told("c")), OFF),
    "keys that were read before are forgotten": case3(
        ON, ("GET k", None), OFF, ("CLIENT TRACKING ON BCAST PREFIX a", OK), ("@2 SET k v", OK), quiet(), OFF),
    "prefixes that overlap": [
        ("CLIENT TRACKING ON BCAST PREFIX FOOBAR PREFIX FOO", overlaps("FOOBAR", "another provided", "FOO")),
        ("CLIENT TRACKING ON BCAST PREFIX FOO PREFIX FOOBAR", overlaps("FOO", "another provided", "FOOBAR")),
        ("CLIENT TRACKING ON BCAST PREFIX FOO PREFIX BAR", OK),
        ("CLIENT TRACKING ON BCAST PREFIX FO", overlaps("FO", "an existing", "FOO")),
        ("CLIENT TRACKING ON BCAST PREFIX BARB", overlaps("BARB", "an existing", "BAR")), OFF],
}

CHOICE = {
    "OPTIN": case3(
        ("CLIENT TRACKING ON OPTIN", OK), ("GET a", None), ("@2 SET a 1", OK), quiet(), ("CLIENT CACHING YES", OK),
        ("GET a", "1"), ("GET b", None), ("@2 SET b 1", OK), ("@2 SET a 2", OK), ("<", told("a")), quiet(), OFF),
    "OPTIN with other CLIENT commands between": case3(
        ("CLIENT TRACKING ON OPTIN", OK), ("CLIENT CACHING YES", OK), ("CLIENT ID", Any(int)), ("GET a", None),
        ("@2 SET a 2", OK), ("<", told("a")), OFF),
    "OPTIN for a transaction": case3(
        ("CLIENT TRACKING ON OPTIN", OK), ("MULTI", OK), ("CLIENT CACHING YES", QUEUED), ("GET a", QUEUED),
        ("GET b", QUEUED), ("EXEC", [OK, None, None]), ("GET c", None), ("@2 SET c 1", OK), ("@2 SET a 1", OK),
        ("<", told("a")), ("@2 SET b 1", OK), ("<", told("b")), OFF),
    "OPTOUT": case3(
        ("CLIENT TRACKING ON OPTOUT", OK), ("GET a", None), ("@2 SET a 1", OK), ("<", told("a")),
        ("CLIENT CACHING NO", OK), ("GET a", "1"), ("@2 SET a 2", OK), quiet(), OFF),
    "CACHING where it makes no sense": [
        ("CLIENT CACHING YES", Error("ERR CLIENT CACHING can be called only when the client is in tracking mode with "
                                     "OPTIN or OPTOUT mode enabled")),
        ("CLIENT TRACKING ON OPTOUT", OK),
        ("CLIENT CACHING YES", Error("ERR CLIENT CACHING YES is only valid when tracking is enabled in OPTIN mode.")),
        ("CLIENT CACHING x", SYNTAX), OFF, ("CLIENT TRACKING ON OPTIN", OK),
        ("CLIENT CACHING NO", Error("ERR CLIENT CACHING NO is only valid when tracking is enabled in OPTOUT mode.")),
        OFF, ("CLIENT CACHING", wrong_args("client|caching"))],
}


def info(flags, redirect=0, prefixes=()):
    return "CLIENT TRACKINGINFO", {"flags": Set(flags), "redirect": redirect, "prefixes": list(prefixes)}


ABOUT = {
    "TRACKINGINFO": [
        info(["off"], -1), ON, info(["on"]), ("CLIENT TRACKING ON NOLOOP", OK), info(["on", "noloop"]), OFF,
        ("CLIENT TRACKING ON OPTIN NOLOOP", OK), info(["on", "optin", "noloop"]), ("CLIENT CACHING YES", OK),
        info(["on", "optin", "caching-yes", "noloop"]), OFF, ("CLIENT TRACKING ON OPTOUT", OK),
        ("CLIENT CACHING NO", OK), info(["on", "optout", "caching-no"]), ("PING", Any()), info(["on", "optout"]), OFF,
        ("CLIENT TRACKING ON BCAST PREFIX b PREFIX a", OK), info(["on", "bcast"], 0, ["a", "b"]), OFF,
        ("CLIENT TRACKING ON BCAST", OK), info(["on", "bcast"], 0, [""]), OFF, info(["off"], -1),
        ("CLIENT TRACKINGINFO x", wrong_args("client|trackinginfo"))],
    "CLIENT LIST": [
        ("CLIENT INFO", Matching(r"(?s).* flags=N .* redir=-1 .*")), ON,
        ("CLIENT INFO", Matching(r"(?s).* flags=t .* redir=0 .*")), OFF, ("CLIENT TRACKING ON BCAST", OK),
        ("CLIENT INFO", Matching(r"(?s).* flags=tB .* redir=0 .*")), OFF],
    "INFO": [
        ("INFO clients", Matching(r"(?s).*\ntracking_clients:0\r\n.*")), ON, ("MGET a b", [None, None]),
        ("@3 CLIENT TRACKING ON", OK), ("@3 GET b", None), ("@2 CLIENT TRACKING ON BCAST PREFIX x", OK),
        ("INFO clients", Matching(r"(?s).*\ntracking_clients:3\r\n.*")),
        ("INFO stats", Matching(r"(?s).*\ntracking_total_keys:2\r\ntracking_total_items:3\r\n"
                                r"tracking_total_prefixes:1\r\n.*")),
        OFF, ("@2 CLIENT TRACKING OFF", OK), ("@3 CLIENT TRACKING OFF", OK),
        ("INFO clients", Matching(r"(?s).*\ntracking_clients:0\r\n.*")),
        ("INFO stats", Matching(r"(?s).*\ntracking_total_prefixes:0\r\n.*"))],
    "options that cannot be": [
        ("CLIENT TRACKING", wrong_args("client|tracking")), ("CLIENT TRACKING maybe", SYNTAX),
        ("CLIENT TRACKING ON x", SYNTAX), ("CLIENT TRACKING ON REDIRECT", SYNTAX),
        ("CLIENT TRACKING ON PREFIX", SYNTAX),
        ("CLIENT TRACKING ON REDIRECT x", NOT_INTEGER),
        ("CLIENT TRACKING ON REDIRECT 999999999", Error("ERR The client ID you want redirect to does not exist")),
        ("CLIENT TRACKING OFF REDIRECT 999999999", Error("ERR The client ID you want redirect to does not exist")),
        ("CLIENT ID", Save("id")), ("CLIENT TRACKING ON REDIRECT $id REDIRECT $id",
                                    Error("ERR A client can only redirect to a single other client")),
        ("CLIENT TRACKING ON PREFIX a", Error("ERR PREFIX option requires BCAST mode to be enabled")),
        ("CLIENT TRACKING ON BCAST OPTIN", Error("ERR OPTIN and OPTOUT are not compatible with BCAST")),
        ("CLIENT TRACKING ON OPTIN OPTOUT", Error("ERR You can't specify both OPTIN mode and OPTOUT mode")),
        ON, ("CLIENT TRACKING ON BCAST", Error(f"ERR You can't switch BCAST mode on/off {SWITCH}")),
        ("CLIENT TRACKING ON OPTIN", OK),
        ("CLIENT TRACKING ON OPTOUT", Error(f"ERR You can't switch OPTIN/OPTOUT mode {SWITCH}")), OFF],
    "in RESP2 without a redirection": Case([
        ON, ("GET k", None), ("@2 SET k v", OK), quiet(), OFF], resp=(2,)),
    "no keys in the table beyond tracking-table-max-keys": case3(
        ("CONFIG SET tracking-table-max-keys 1", OK), ON, ("GET a", None), ("GET b", None),
        ("<", Push(["invalidate", Any()])), OFF,
        ("CONFIG SET tracking-table-max-keys 1000000", OK)),
}

CASES = {
    **{f"tracking: {name}": case for name, case in DEFAULT.items()},
    **{f"REDIRECT {name}": case for name, case in REDIRECT.items()},
    **{f"BCAST: {name}": case for name, case in BCAST.items()},
    **{f"caching: {name}": case for name, case in CHOICE.items()},
    **ABOUT,
}


def test_rows(row_case):
    row_case.check()
