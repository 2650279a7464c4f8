"""Transactions: MULTI, EXEC, DISCARD, WATCH, UNWATCH."""
from tests.rows import (
    CLOSED,
    NIL_ARRAY,
    NOT_INTEGER,
    OK,
    PONG,
    QUEUED,
    R3,
    Advance,
    Any,
    Case,
    Error,
    Push,
    Status,
    wrong_args,
)

CASES = {
    "MULTI queues, EXEC runs": [
        ("MULTI", OK), ("SET k 1", QUEUED), ("INCR k", QUEUED), ("GET k", QUEUED), ("PING", QUEUED),
        ("EXEC", [OK, 2, "2", PONG]), ("GET k", "2"),
    ],
    "MULTI may be empty": [("MULTI", OK), ("EXEC", [])],
    "DISCARD drops the queue": [
        ("MULTI", OK), ("SET k 1", QUEUED), ("DISCARD", OK), ("EXISTS k", 0),
        ("EXEC", Error("ERR EXEC without MULTI")),
    ],
    "EXEC and DISCARD need MULTI": [
        ("EXEC", Error("ERR EXEC without MULTI")), ("DISCARD", Error("ERR DISCARD without MULTI")),
    ],
    "MULTI cannot be nested": [
        ("MULTI", OK), ("MULTI", Error("ERR MULTI calls can not be nested")), ("SET k v", QUEUED), ("EXEC", [OK]),
        ("GET k", "v"),
    ],
    "MULTI EXEC DISCARD WATCH UNWATCH take no wrong number of arguments": [
        ("MULTI x", wrong_args("multi")),
        ("EXEC x", Error("EXECABORT Transaction discarded because of: wrong number of arguments for 'exec' command")),
        ("DISCARD x", wrong_args("discard")), ("WATCH", wrong_args("watch")), ("UNWATCH x", wrong_args("unwatch")),
    ],
    "EXEC goes on after an error at run time": [
        ("MULTI", OK), ("SET k abc", QUEUED), ("INCR k", QUEUED), ("SET l 1", QUEUED),
        ("EXEC", [OK, NOT_INTEGER, OK]), ("MGET k l", ["abc", "1"]),
    ],
    "EXEC aborts after an unknown command": [
        ("MULTI", OK), ("SET k 1", QUEUED),
        ("NOSUCH a", Error("ERR unknown command 'NOSUCH', with args beginning with: 'a' ")),
        ("EXEC", Error("EXECABORT Transaction discarded because of previous errors.")), ("EXISTS k", 0),
        ("PING", PONG),
    ],
    "EXEC aborts after a wrong number of arguments": [
        ("MULTI", OK), ("GET", wrong_args("get")), ("SET k 1", QUEUED),
        ("EXEC", Error("EXECABORT Transaction discarded because of previous errors.")), ("EXISTS k", 0),
    ],
    "DISCARD after an error in the queue": [
        ("MULTI", OK), ("GET", wrong_args("get")), ("DISCARD", OK), ("EXEC", Error("ERR EXEC without MULTI")),
    ],
    "WATCH is refused inside MULTI": [
        ("MULTI", OK), ("WATCH k", Error("ERR WATCH inside MULTI is not allowed")), ("UNWATCH", QUEUED),
        ("EXEC", [OK]),
    ],
    "SELECT inside MULTI": [
        ("MULTI", OK), ("SELECT 1", QUEUED), ("SET k v", QUEUED), ("EXEC", [OK, OK]), ("GET k", "v"),
        ("SELECT 0", OK), ("GET k", None),
    ],
    "SUBSCRIBE inside MULTI": Case([
        ("MULTI", OK), ("SUBSCRIBE c", QUEUED), ("EXEC", [Push(["subscribe", "c", 1])]),
    ], resp=(3,)),
    "RESP3 shapes inside EXEC": [
        ("SET k a", OK), ("SET l ab", OK), ("MULTI", OK), ("GET none", QUEUED), ("LCS k l IDX", QUEUED),
        ("CONFIG GET maxmemory", QUEUED),
        ("EXEC", [None, {"matches": [[[0, 0], [0, 0]]], "len": 1}, {"maxmemory": "0"}]),
    ],
    "HELLO inside MULTI": Case([
        ("MULTI", OK), ("HELLO 3", QUEUED), ("EXEC", [Any(dict)]), ("HELLO 2", Any(list)),
    ], resp=(2,)),
    "WATCH lets an untouched key pass": [
        ("SET k 1", OK), ("WATCH k", OK), ("MULTI", OK), ("INCR k", QUEUED), ("EXEC", [2]),
    ],
    "WATCH stops EXEC when another client writes": [
        ("SET k 1", OK), ("WATCH k", OK), ("@2 SET k 2", OK), ("MULTI", OK), ("SET k 3", QUEUED),
        ("EXEC", NIL_ARRAY), ("GET k", "2"),
    ],
    "WATCH stops EXEC when the same client writes": [
        ("WATCH k", OK), ("SET k 2", OK), ("MULTI", OK), ("EXEC", NIL_ARRAY),
    ],
    "WATCH of a missing key that is created": [
        ("WATCH k", OK), ("@2 SET k 1", OK), ("MULTI", OK), ("PING", QUEUED), ("EXEC", NIL_ARRAY),
    ],
    "WATCH of several keys": [
        ("WATCH a b c", OK), ("@2 SET c 1", OK), ("MULTI", OK), ("EXEC", NIL_ARRAY), ("MULTI", OK), ("PING", QUEUED),
        ("EXEC", [PONG]),
    ],
    "WATCH of a key that is deleted": [
        ("SET k v", OK), ("WATCH k", OK), ("@2 DEL k", 1), ("MULTI", OK), ("EXEC", NIL_ARRAY),
    ],
    "WATCH sees a write of the same value": [
        ("SET k v", OK), ("WATCH k", OK), ("@2 SET k v", OK), ("MULTI", OK), ("EXEC", NIL_ARRAY),
    ],
    "WATCH sees no write that does nothing": [
        ("SET k v", OK), ("WATCH k none", OK), ("@2 SET k w NX", None), ("@2 DEL none", 0), ("@2 EXPIRE none 10", 0),
        ("@2 PERSIST k", 0), ('@2 SETRANGE none 1 ""', 0), ("MULTI", OK), ("PING", QUEUED), ("EXEC", [PONG]),
    ],
    "WATCH sees EXPIRE and PERSIST": [
        ("SET k v", OK), ("WATCH k", OK), ("@2 EXPIRE k 100", 1), ("MULTI", OK), ("EXEC", NIL_ARRAY),
        ("WATCH k", OK), ("@2 PERSIST k", 1), ("MULTI", OK), ("EXEC", NIL_ARRAY),
    ],
    "WATCH sees APPEND, but no SETBIT that changes nothing": [
        ("SET k v", OK), ("WATCH k", OK), ('@2 APPEND k ""', 1), ("MULTI", OK), ("EXEC", NIL_ARRAY), ("WATCH k", OK),
        ("@2 SETBIT k 0 0", 0), ("MULTI", OK), ("EXEC", []),
    ],
    "WATCH is not woken by reading": [
        ("SET k v", OK), ("WATCH k", OK), ("@2 GET k", "v"), ("@2 GETEX k", "v"), ("@2 TOUCH k", 1),
        ("@2 OBJECT ENCODING k", "embstr"), ("MULTI", OK), ("PING", QUEUED), ("EXEC", [PONG]),
    ],
    "WATCH ends with EXEC, DISCARD and UNWATCH": [
        ("WATCH k", OK), ("UNWATCH", OK), ("@2 SET k 1", OK), ("MULTI", OK), ("PING", QUEUED), ("EXEC", [PONG]),
        ("WATCH k", OK), ("MULTI", OK), ("DISCARD", OK), ("@2 SET k 2", OK), ("MULTI", OK), ("PING", QUEUED),
        ("EXEC", [PONG]), ("WATCH k", OK), ("MULTI", OK), ("EXEC", []), ("@2 SET k 3", OK), ("MULTI", OK),
        ("PING", QUEUED), ("EXEC", [PONG]),
    ],
    "UNWATCH without WATCH": [("UNWATCH", OK), ("UNWATCH", OK)],
    "WATCH of one database does not see another": [
        ("WATCH k", OK), ("@2 SELECT 1", OK), ("@2 SET k v", OK), ("MULTI", OK), ("PING", QUEUED), ("EXEC", [PONG]),
    ],
    "WATCH remembers its database": [
        ("SELECT 1", OK), ("WATCH k", OK), ("SELECT 0", OK), ("@2 SELECT 1", OK), ("@2 SET k v", OK), ("MULTI", OK),
        ("PING", QUEUED), ("EXEC", NIL_ARRAY),
    ],
    "WATCH and FLUSHALL": [
        ("SET k v", OK), ("WATCH k", OK), ("@2 FLUSHALL", OK), ("MULTI", OK), ("PING", QUEUED), ("EXEC", NIL_ARRAY),
    ],
    "WATCH and DEBUG RELOAD": [
        ("SET k v", OK), ("WATCH k", OK), ("DEBUG RELOAD", OK), ("MULTI", OK), ("PING", QUEUED), ("EXEC", NIL_ARRAY),
        ("WATCH none", OK), ("DEBUG RELOAD", OK), ("MULTI", OK), ("PING", QUEUED), ("EXEC", [PONG]),
    ],
    "WATCH of a missing key and FLUSHALL": [
        ("WATCH k", OK), ("@2 FLUSHALL", OK), ("MULTI", OK), ("PING", QUEUED), ("EXEC", [PONG]),
    ],
    "WATCH and FLUSHDB": [
        ("SET k v", OK), ("WATCH k", OK), ("@2 FLUSHDB", OK), ("MULTI", OK), ("PING", QUEUED), ("EXEC", NIL_ARRAY),
        ("SET k v", OK), ("WATCH k", OK), ("@2 SELECT 1", OK), ("@2 FLUSHDB", OK), ("MULTI", OK), ("PING", QUEUED),
        ("EXEC", [PONG]),
    ],
    "WATCH and SWAPDB": [
        ("SET k v", OK), ("WATCH k", OK), ("@2 SWAPDB 0 1", OK), ("MULTI", OK), ("PING", QUEUED),
        ("EXEC", NIL_ARRAY),
    ],
    "WATCH and SWAPDB with the key on the other side": [
        ("SELECT 1", OK), ("SET k v", OK), ("SELECT 0", OK), ("WATCH k", OK), ("@2 SWAPDB 0 1", OK), ("MULTI", OK),
        ("PING", QUEUED), ("EXEC", NIL_ARRAY),
    ],
    "WATCH and SWAPDB without the key": [
        ("WATCH k", OK), ("@2 SWAPDB 0 1", OK), ("MULTI", OK), ("PING", QUEUED), ("EXEC", [PONG]),
    ],
    "WATCH of a key that expires before EXEC": [
        ("SET k v PX 100", OK), ("WATCH k", OK), Advance(130), ("MULTI", OK), ("PING", QUEUED), ("EXEC", NIL_ARRAY),
    ],
    "WATCH of a key that had expired already": [
        ("SET k v PX 20", OK), Advance(40), ("WATCH k", OK), ("MULTI", OK), ("PING", QUEUED), ("EXEC", [PONG]),
    ],
    "WATCH and RENAME, COPY, MOVE": [
        ("SET a 1", OK), ("WATCH a b", OK), ("@2 RENAME a b", OK), ("MULTI", OK), ("EXEC", NIL_ARRAY),
        ("WATCH c", OK), ("@2 COPY b c", 1), ("MULTI", OK), ("EXEC", NIL_ARRAY), ("WATCH b", OK), ("@2 MOVE b 1", 1),
        ("MULTI", OK), ("EXEC", NIL_ARRAY),
    ],
    "EXEC of a failed WATCH ends the transaction": [
        ("WATCH k", OK), ("@2 SET k v", OK), ("MULTI", OK), ("EXEC", NIL_ARRAY), ("SET k w", OK), ("GET k", "w"),
    ],
    "EXEC runs undisturbed": [
        ("MULTI", OK), ("SET k 1", QUEUED), ("@2 SET k 2", OK), ("GET k", QUEUED), ("EXEC", [OK, "1"]),
        ("GET k", "1"),
    ],
    "EXEC after an aborted queue also drops WATCH": [
        ("WATCH k", OK), ("MULTI", OK), ("GET", wrong_args("get")),
        ("EXEC", Error("EXECABORT Transaction discarded because of previous errors.")), ("@2 SET k v", OK),
        ("MULTI", OK), ("PING", QUEUED), ("EXEC", [PONG]),
    ],
    "QUIT inside MULTI": [("MULTI", OK), ("QUIT", OK), ("PING", CLOSED)],
    "RESET ends MULTI and WATCH": [
        ("WATCH k", OK), ("MULTI", OK), ("RESET", Status("RESET")), ("EXEC", Error("ERR EXEC without MULTI")),
        ("@2 SET k v", OK),
    ],
    "A connection that closes drops its transaction": [
        ("@2 MULTI", OK), ("@2 SET k v", QUEUED), ("@2 QUIT", OK), ("GET k", None),
    ],

    # Lists
    "WATCH sees a list change": [
        ("RPUSH l a", 1), ("WATCH l", OK), ("@2 RPUSH l b", 2), ("MULTI", OK), ("EXEC", NIL_ARRAY), ("WATCH l", OK),
        ("@2 LPOP none", None), ("MULTI", OK), ("EXEC", []),
    ],
    "BLPOP inside MULTI does not wait": [
        ("MULTI", OK), ("BLPOP l 0", QUEUED), ("EXEC", R3([NIL_ARRAY], [None])),
    ],
}


def test_rows(row_case):
    row_case.check()


# --- what is propagated; see tests.effect_rows ----------------------------------------

EFFECTS = {
    "WATCH and UNWATCH": ("SET k v", "WATCH k | UNWATCH", ""),
    "MULTI": ("SET k v", "MULTI | INCR a | EXPIRE k 1 | GET k | EXEC",
              "MULTI | INCR a | PEXPIREAT k T+1000 | EXEC"),
    "MULTI that reads": ("SET k v", "MULTI | GET k | EXEC", ""),
    "MULTI of failures": ("SET k v", "MULTI | INCR k | SET k w NX | EXEC", ""),
    "MULTI discarded": ("", "MULTI | SET k v | DISCARD", ""),
    "MULTI spoiled": ("", "MULTI | SET k v | SET k | EXEC", ""),
    "MULTI with one effect": ("", "MULTI | GET a | SET a 1 | EXEC | SET b 2", "SET a 1 | SET b 2"),
    "MULTI with several effects": ("", "MULTI | SET a 1 | DEL a | EXEC | SET b 2",
                                   "MULTI | SET a 1 | DEL a | EXEC | SET b 2"),
}


def test_effects(effect):
    effect.check()
