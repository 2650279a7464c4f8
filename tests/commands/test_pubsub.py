"""Publish and subscribe, by channel, pattern and shard, and keyspace notifications."""
from tests.rows import (
    CLOSED,
    OK,
    PONG,
    QUEUED,
    R3,
    Advance,
    Any,
    Case,
    Error,
    Matching,
    Push,
    Status,
    Unordered,
    wrong_args,
)


def event(name, key, db=0):
    """The key event message of a subscriber to __key*."""
    return Push(["pmessage", "__key*", f"__keyevent@{db}__:{name}", key])


def space(name, key, db=0):
    """The keyspace event message of a subscriber to __key*."""
    return Push(["pmessage", "__key*", f"__keyspace@{db}__:{key}", name])


WATCHING = Push(["psubscribe", "__key*", 1])

CASES = {
    "SUBSCRIBE and PUBLISH": [
        ("SUBSCRIBE c", Push(["subscribe", "c", 1])), ("@2 PUBLISH c hello", 1),
        ("<", Push(["message", "c", "hello"])), ("@2 PUBLISH d hello", 0),
        ("UNSUBSCRIBE c", Push(["unsubscribe", "c", 0])), ("@2 PUBLISH c hello", 0),
    ],
    "SUBSCRIBE to several channels and one twice": [
        ("SUBSCRIBE a b a", Push(["subscribe", "a", 1])), ("<", Push(["subscribe", "b", 2])),
        ("<", Push(["subscribe", "a", 2])), ("@2 PUBLISH a x", 1), ("<", Push(["message", "a", "x"])),
        ("UNSUBSCRIBE", Push(["unsubscribe", Matching("[ab]"), 1])),
        ("<", Push(["unsubscribe", Matching("[ab]"), 0])),
    ],
    "SUBSCRIBE of any bytes": [
        (r'SUBSCRIBE "a\x00\xff"', Push(["subscribe", b"a\x00\xff", 1])), (r'@2 PUBLISH "a\x00\xff" "v\r\n\x00"', 1),
        ("<", Push(["message", b"a\x00\xff", b"v\r\n\x00"])),
    ],
    "UNSUBSCRIBE from nothing": [
        ("UNSUBSCRIBE", Push(["unsubscribe", None, 0])), ("UNSUBSCRIBE a b", Push(["unsubscribe", "a", 0])),
        ("<", Push(["unsubscribe", "b", 0])), ("PUNSUBSCRIBE", Push(["punsubscribe", None, 0])),
        ("PUNSUBSCRIBE a*", Push(["punsubscribe", "a*", 0])), ("SUNSUBSCRIBE", Push(["sunsubscribe", None, 0])),
        ("SUNSUBSCRIBE a", Push(["sunsubscribe", "a", 0])),
    ],
    "PSUBSCRIBE": [
        ("PSUBSCRIBE a* ?b", Push(["psubscribe", "a*", 1])), ("<", Push(["psubscribe", "?b", 2])),
        ("@2 PUBLISH ab x", 2), ("<", Push(["pmessage", Any(), "ab", "x"])),
        ("<", Push(["pmessage", Any(), "ab", "x"])), ("@2 PUBLISH b x", 0),
        ("PUNSUBSCRIBE a*", Push(["punsubscribe", "a*", 1])), ("@2 PUBLISH ab y", 1),
        ("<", Push(["pmessage", "?b", "ab", "y"])), ("PUNSUBSCRIBE", Push(["punsubscribe", "?b", 0])),
    ],
    "A channel and a pattern give two messages": [
        ("SUBSCRIBE abc", Push(["subscribe", "abc", 1])), ("PSUBSCRIBE a*", Push(["psubscribe", "a*", 2])),
        ("@2 PUBLISH abc x", 2), ("<", Push(["message", "abc", "x"])), ("<", Push(["pmessage", "a*", "abc", "x"])),
        ("UNSUBSCRIBE", Push(["unsubscribe", "abc", 1])), ("PUNSUBSCRIBE", Push(["punsubscribe", "a*", 0])),
    ],
    "PSUBSCRIBE understands escapes and classes": [
        (r'PSUBSCRIBE h[ae]llo "a\\*"', Push(["psubscribe", "h[ae]llo", 1])), ("<", Push(["psubscribe", "a\\*", 2])),
        ("@2 PUBLISH hello x", 1), ("<", Push(["pmessage", "h[ae]llo", "hello", "x"])), ("@2 PUBLISH hxllo x", 0),
        ('@2 PUBLISH "a*" y', 1), ("<", Push(["pmessage", "a\\*", "a*", "y"])), ("@2 PUBLISH ab y", 0),
    ],
    "PUBLISH counts the receivers": [
        ("@2 SUBSCRIBE c", Push(["subscribe", "c", 1])), ("@3 SUBSCRIBE c", Push(["subscribe", "c", 1])),
        ("@3 PSUBSCRIBE c*", Push(["psubscribe", "c*", 2])), ("PUBLISH c x", 3),
        ("@2 <", Push(["message", "c", "x"])), ("@3 <", Push(["message", "c", "x"])),
        ("@3 <", Push(["pmessage", "c*", "c", "x"])),
    ],
    # Since 7.2 the message comes behind the reply of the command that caused it.
    "PUBLISH to oneself": Case([
        ("SUBSCRIBE c", Push(["subscribe", "c", 1])), ("PUBLISH c x", 1), ("<", Push(["message", "c", "x"])),
        ("PING", PONG),
    ], resp=(3,), since="7.2"),
    "A subscriber may only do so much in RESP2": Case([
        ("SUBSCRIBE c", ["subscribe", "c", 1]),
        ("GET k",
         Error("ERR Can't execute 'get': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are "
               "allowed in this context")),
        ("SET k v",
         Error("ERR Can't execute 'set': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are "
               "allowed in this context")),
        ("PUBLISH c x",
         Error("ERR Can't execute 'publish': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are "
               "allowed in this context")),
        ("MULTI",
         Error("ERR Can't execute 'multi': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are "
               "allowed in this context")),
        ("UNSUBSCRIBE c", ["unsubscribe", "c", 0]), ("GET k", None),
    ], resp=(2,)),
    "A subscriber may do all in RESP3": Case([
        ("SUBSCRIBE c", Push(["subscribe", "c", 1])), ("SET k v", OK), ("GET k", "v"), ("MULTI", OK),
        ("GET k", QUEUED), ("EXEC", ["v"]),
    ], resp=(3,)),
    "PING of a subscriber": [
        ("SUBSCRIBE c", Push(["subscribe", "c", 1])), ("PING", R3(["pong", ""], PONG)),
        ("PING hi", R3(["pong", "hi"], "hi")), ("UNSUBSCRIBE", Push(["unsubscribe", "c", 0])), ("PING", PONG),
    ],
    "RESET of a subscriber": [
        ("SUBSCRIBE c", Push(["subscribe", "c", 1])), ("PSUBSCRIBE d*", Push(["psubscribe", "d*", 2])),
        ("SSUBSCRIBE e", Push(["ssubscribe", "e", 1])), ("RESET", Status("RESET")), ("@2 PUBLISH c x", 0),
        ("@2 PUBSUB NUMPAT", 0),
    ],
    "QUIT of a subscriber": [
        ("SUBSCRIBE c", Push(["subscribe", "c", 1])), ("QUIT", OK), ("<", CLOSED), ("@2 PUBLISH c x", 0),
    ],
    "SSUBSCRIBE and SPUBLISH": [
        ("SSUBSCRIBE c", Push(["ssubscribe", "c", 1])), ("@2 SPUBLISH c x", 1), ("<", Push(["smessage", "c", "x"])),
        ("@2 PUBLISH c x", 0), ("@2 SPUBLISH d x", 0), ("SUNSUBSCRIBE c", Push(["sunsubscribe", "c", 0])),
        ("@2 SPUBLISH c x", 0),
    ],
    "SSUBSCRIBE counts for itself": [
        ("SSUBSCRIBE a b", Push(["ssubscribe", "a", 1])), ("<", Push(["ssubscribe", "b", 2])),
        ("SUBSCRIBE a", Push(["subscribe", "a", 1])), ("PSUBSCRIBE a*", Push(["psubscribe", "a*", 2])),
        ("SUNSUBSCRIBE", Push(["sunsubscribe", Matching("[ab]"), 1])),
        ("<", Push(["sunsubscribe", Matching("[ab]"), 0])), ("UNSUBSCRIBE", Push(["unsubscribe", "a", 1])),
        ("PUNSUBSCRIBE", Push(["punsubscribe", "a*", 0])),
    ],
    "PUBSUB CHANNELS, NUMSUB, NUMPAT": [
        ("PUBSUB CHANNELS", []), ("PUBSUB NUMPAT", 0), ("PUBSUB NUMSUB", []),
        ("@2 SUBSCRIBE a1 b1", Push(["subscribe", "a1", 1])), ("@2 <", Push(["subscribe", "b1", 2])),
        ("@3 SUBSCRIBE a1", Push(["subscribe", "a1", 1])), ("@3 PSUBSCRIBE x* y*", Push(["psubscribe", "x*", 2])),
        ("@3 <", Push(["psubscribe", "y*", 3])), ("@2 PSUBSCRIBE x*", Push(["psubscribe", "x*", 3])),
        ("PUBSUB CHANNELS", Unordered(["a1", "b1"])), ("PUBSUB CHANNELS b*", ["b1"]),
        ("PUBSUB NUMSUB a1 b1 none", ["a1", 2, "b1", 1, "none", 0]), ("PUBSUB NUMPAT", 2),
    ],
    "PUBSUB SHARDCHANNELS and SHARDNUMSUB": [
        ("PUBSUB SHARDCHANNELS", []), ("PUBSUB SHARDNUMSUB", []), ("@2 SSUBSCRIBE a", Push(["ssubscribe", "a", 1])),
        ("@2 SUBSCRIBE b", Push(["subscribe", "b", 1])), ("PUBSUB SHARDCHANNELS", ["a"]),
        ("PUBSUB SHARDCHANNELS z*", []), ("PUBSUB SHARDNUMSUB a b", ["a", 1, "b", 0]), ("PUBSUB CHANNELS", ["b"]),
    ],
    "PUBSUB refuses bad arguments": [
        ("PUBSUB", wrong_args("pubsub")),
        ("PUBSUB NOSUCH", Error("ERR unknown subcommand 'NOSUCH'. Try PUBSUB HELP.")),
        ("PUBSUB NUMPAT x", wrong_args("pubsub|numpat")),
        ("PUBSUB CHANNELS a b",
         Error("ERR unknown subcommand or wrong number of arguments for 'CHANNELS'. Try PUBSUB HELP.")),
        ("PUBSUB SHARDCHANNELS a b",
         Error("ERR unknown subcommand or wrong number of arguments for 'SHARDCHANNELS'. Try PUBSUB HELP.")),
    ],
    "PUBSUB HELP": [
        ("PUBSUB HELP",
         [Status("PUBSUB <subcommand> [<arg> [value] [opt] ...]. Subcommands are:"),
          Status("CHANNELS [<pattern>]"),
          Status("    Return the currently active channels matching a <pattern> (default: '*')."), Status("NUMPAT"),
          Status("    Return number of subscriptions to patterns."), Status("NUMSUB [<channel> ...]"),
          Status("    Return the number of subscribers for the specified channels, excluding"),
          Status("    pattern subscriptions(default: no channels)."), Status("SHARDCHANNELS [<pattern>]"),
          Status("    Return the currently active shard level channels matching a <pattern> (default: '*')."),
          Status("SHARDNUMSUB [<shardchannel> ...]"),
          Status("    Return the number of subscribers for the specified shard level channel(s)"), Status("HELP"),
          Status("    Prints this help.")]),
    ],
    "The group refuses a wrong number of arguments": [
        ("SUBSCRIBE", wrong_args("subscribe")), ("PSUBSCRIBE", wrong_args("psubscribe")),
        ("SSUBSCRIBE", wrong_args("ssubscribe")), ("PUBLISH c", wrong_args("publish")),
        ("PUBLISH", wrong_args("publish")), ("PUBLISH c x y", wrong_args("publish")),
        ("SPUBLISH c", wrong_args("spublish")),
    ],
    "PUBLISH inside MULTI": [
        ("@2 SUBSCRIBE c", Push(["subscribe", "c", 1])), ("MULTI", OK), ("PUBLISH c x", QUEUED),
        ("PUBLISH c y", QUEUED), ("EXEC", [1, 1]), ("@2 <", Push(["message", "c", "x"])),
        ("@2 <", Push(["message", "c", "y"])),
    ],
    "PUBLISH of one MiB": [
        ("@2 SUBSCRIBE c", Push(["subscribe", "c", 1])), (("PUBLISH", "c", b"x" * (1 << 20)), 1),
        ("@2 <", Push(["message", "c", b"x" * (1 << 20)])),
    ],
    "Channels know no databases": [
        ("@2 SELECT 5", OK), ("@2 SUBSCRIBE c", Push(["subscribe", "c", 1])), ("PUBLISH c x", 1),
        ("@2 <", Push(["message", "c", "x"])),
    ],
    # keyspace notifications
    "No event without a setting": [
        ("@2 PSUBSCRIBE __key*", WATCHING), ("SET k v", OK), ("PUBLISH __keyx x", 1),
        ("@2 <", Push(["pmessage", "__key*", "__keyx", "x"])),
    ],
    "notify-keyspace-events normalises its value": [
        ("CONFIG SET notify-keyspace-events AKE", OK),
        ("CONFIG GET notify-keyspace-events", {"notify-keyspace-events": "AKE"}),
        ("CONFIG SET notify-keyspace-events KEg$lshzxetdmn", OK),
        ("CONFIG GET notify-keyspace-events", {"notify-keyspace-events": "AKEm"}),
        ("CONFIG SET notify-keyspace-events KA", OK),
        ("CONFIG GET notify-keyspace-events", {"notify-keyspace-events": "AK"}),
        ("CONFIG SET notify-keyspace-events Em", OK),
        ("CONFIG GET notify-keyspace-events", {"notify-keyspace-events": "Em"}),
        ("CONFIG SET notify-keyspace-events q",
         Error("ERR CONFIG SET failed (possibly related to argument 'notify-keyspace-events') - Invalid event "
               "class character. Use 'Ag$lshzxeKEtmdn'.")),
        ('CONFIG SET notify-keyspace-events ""', OK),
        ("CONFIG GET notify-keyspace-events", {"notify-keyspace-events": ""}),
    ],
    "K gives keyspace events, E key events, both in this order": [
        ("CONFIG SET notify-keyspace-events KEA", OK),
        ("@2 PSUBSCRIBE __key*", WATCHING),
        ("SET k v", OK), ("@2 <", space("set", "k")), ("@2 <", event("set", "k")),
        ("CONFIG SET notify-keyspace-events KA", OK),
        ("DEL k", 1), ("@2 <", space("del", "k")),
        ("CONFIG SET notify-keyspace-events EA", OK),
        ("SET k v", OK), ("@2 <", event("set", "k")),
    ],
    "Classes choose the events": [
        ("CONFIG SET notify-keyspace-events Eg", OK),
        ("@2 PSUBSCRIBE __key*", WATCHING),
        ("SET k v", OK),
        ("EXPIRE k 100", 1), ("@2 <", event("expire", "k")),
        ("CONFIG SET notify-keyspace-events E$", OK),
        ("DEL k", 1),
        ("SET l v", OK), ("@2 <", event("set", "l")),
        ('CONFIG SET notify-keyspace-events "E"', OK),
        ("SET l v", OK),
        ("CONFIG SET notify-keyspace-events En", OK),
        ("SET l v", OK),
        ("SET m v", OK), ("@2 <", event("new", "m")),
    ],
    "Events tell the database": [
        ("CONFIG SET notify-keyspace-events EA", OK),
        ("@2 PSUBSCRIBE __key*", WATCHING),
        ("SELECT 9", OK),
        ("SET k v", OK), ("@2 <", event("set", "k", db=9)),
    ],
    "Events of string commands": [
        ("CONFIG SET notify-keyspace-events EA", OK),
        ("@2 PSUBSCRIBE __key*", WATCHING),
        ("SET k 1", OK), ("@2 <", event("set", "k")),
        ("SET k 1 EX 100", OK), ("@2 <", event("set", "k")), ("@2 <", event("expire", "k")),
        ("SETNX k 2", 0),
        ("SETNX n 2", 1), ("@2 <", event("set", "n")),
        ("SETEX k 100 v", OK), ("@2 <", event("set", "k")), ("@2 <", event("expire", "k")),
        ("PSETEX k 100000 v", OK), ("@2 <", event("set", "k")), ("@2 <", event("expire", "k")),
        ("GETSET k 1", "v"), ("@2 <", event("set", "k")),
        ("MSET a 1 b 2", OK), ("@2 <", event("set", "a")), ("@2 <", event("set", "b")),
        ("MSETNX c 1 d 2", 1), ("@2 <", event("set", "c")), ("@2 <", event("set", "d")),
        ("INCR k", 2), ("@2 <", event("incrby", "k")),
        ("DECR k", 1), ("@2 <", event("incrby", "k")),
        ("INCRBY k 5", 6), ("@2 <", event("incrby", "k")),
        ("DECRBY k 5", 1), ("@2 <", event("incrby", "k")),
        ("INCRBYFLOAT k 1.5", "2.5"), ("@2 <", event("incrbyfloat", "k")),
        ("APPEND k 1", 4), ("@2 <", event("append", "k")),
        ("SETRANGE k 0 x", 4), ("@2 <", event("setrange", "k")),
        ("GETEX k EX 100", "x.51"), ("@2 <", event("expire", "k")),
        ("GETEX k PERSIST", "x.51"), ("@2 <", event("persist", "k")),
        ("GETEX k PXAT 1", "x.51"), ("@2 <", event("del", "k")),
        ("SET g v", OK), ("@2 <", event("set", "g")),
        ("GETDEL g", "v"), ("@2 <", event("del", "g")),
    ],
    "Events of bitmap commands": [
        ("CONFIG SET notify-keyspace-events EA", OK),
        ("@2 PSUBSCRIBE __key*", WATCHING),
        ("SETBIT k 1 1", 0), ("@2 <", event("setbit", "k")),
        ("BITOP OR d k", 1), ("@2 <", event("set", "d")),
        ("BITOP OR d none", 0), ("@2 <", event("del", "d")),
        ("BITFIELD k SET u8 0 1", [64]), ("@2 <", event("setbit", "k")),
        ("BITFIELD k GET u8 0", [1]),
        ("BITFIELD k INCRBY u8 0 1", [2]), ("@2 <", event("setbit", "k")),
    ],
    "Events of generic commands": [
        ("CONFIG SET notify-keyspace-events EAn", OK),
        ("SET k v", OK),
        ("SET z v", OK),
        ("@2 PSUBSCRIBE __key*", WATCHING),
        ("EXPIRE k 100", 1), ("@2 <", event("expire", "k")),
        ("PERSIST k", 1), ("@2 <", event("persist", "k")),
        ("RENAME k l", OK), ("@2 <", event("new", "l")), ("@2 <", event("rename_from", "k")),
        ("@2 <", event("rename_to", "l")),
        ("COPY l m", 1), ("@2 <", event("new", "m")), ("@2 <", event("copy_to", "m")),
        ("MOVE m 3", 1), ("@2 <", event("new", "m", db=3)), ("@2 <", event("move_from", "m")),
        ("@2 <", event("move_to", "m", db=3)),
        ("DEL l none", 1), ("@2 <", event("del", "l")),
        ("UNLINK z", 1), ("@2 <", event("del", "z")),
        ("SET k v", OK), ("@2 <", event("new", "k")), ("@2 <", event("set", "k")),
        ("EXPIRE k -1", 1), ("@2 <", event("del", "k")),
        ("SET k v", OK), ("@2 <", event("new", "k")), ("@2 <", event("set", "k")),
        ("RENAMENX k o", 1), ("@2 <", event("new", "o")), ("@2 <", event("rename_from", "k")),
        ("@2 <", event("rename_to", "o")),
    ],
    "Events of new and overwritten keys": [
        ("CONFIG SET notify-keyspace-events En", OK),
        ("@2 PSUBSCRIBE __key*", WATCHING),
        ("SET k v", OK), ("@2 <", event("new", "k")),
        ("SET k w", OK),
        ("APPEND l x", 1), ("@2 <", event("new", "l")),
        ("INCR m", 1), ("@2 <", event("new", "m")),
        ("SETBIT n 1 1", 0), ("@2 <", event("new", "n")),
    ],
    "The event of an expired key that is read": [
        ("CONFIG SET notify-keyspace-events EA", OK),
        ("SET k v PX 10", OK),
        ("@2 PSUBSCRIBE __key*", WATCHING),
        Advance(30),
        ("GET k", None), ("@2 <", event("expired", "k")),
    ],
    "The event of an expired key that nobody reads": [
        ("CONFIG SET notify-keyspace-events Kx", OK),
        ("SET k v PX 10", OK),
        ("@2 PSUBSCRIBE __key*", WATCHING),
        Advance(250), ("@2 <", space("expired", "k")),
    ],
    "Events of expired keys come in the order of their times": Case([
        ("CONFIG SET notify-keyspace-events Ex", OK),
        ("@2 PSUBSCRIBE __key*", WATCHING),
        ("SET a v PX 30", OK),
        ("SET b v PX 10", OK),
        ("SET c v PX 20", OK),
        Advance(11), ("@2 <", event("expired", "b")),
        Advance(40), ("@2 <", event("expired", "c")), ("@2 <", event("expired", "a")),
        ("DBSIZE", 0),
    ], peer="expires keys in the order in which it samples them"),
    "The event of a missing key that is read": [
        ("CONFIG SET notify-keyspace-events KEm", OK),
        ("@2 PSUBSCRIBE __key*", WATCHING),
        ("GET k", None), ("@2 <", space("keymiss", "k")), ("@2 <", event("keymiss", "k")),
        ("EXISTS k", 0), ("@2 <", space("keymiss", "k")), ("@2 <", event("keymiss", "k")),
    ],
    "Events of a transaction come at EXEC": [
        ("CONFIG SET notify-keyspace-events EA", OK),
        ("@2 PSUBSCRIBE __key*", WATCHING),
        ("MULTI", OK),
        ("SET a 1", QUEUED),
        ("DEL a", QUEUED),
        ("EXEC", [OK, 1]), ("@2 <", event("set", "a")), ("@2 <", event("del", "a")),
    ],
    "No event for a command that does nothing": [
        ("CONFIG SET notify-keyspace-events EA", OK),
        ("SET k v", OK),
        ("@2 PSUBSCRIBE __key*", WATCHING),
        ("SET k v NX", None),
        ("DEL none", 0),
        ("EXPIRE none 10", 0),
        ("PERSIST k", 0),
        ("EXPIRE k 10 XX", 0),
        ("GETEX k", "v"),
        ('SETRANGE none 1 ""', 0),
        ("FLUSHDB", OK),
        ("SET last v", OK), ("@2 <", event("set", "last")),
    ],
}


def test_rows(row_case):
    row_case.check()
