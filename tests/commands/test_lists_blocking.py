"""Clients that wait for lists: who is served when, by what, and what ends a wait."""
import pytest

from tests.resp import Closed
from tests.rows import (
    BLOCKS,
    CLOSED,
    COUNT_TOO_SMALL,
    NEGATIVE_TIMEOUT,
    NIL_ARRAY,
    NOT_A_TIMEOUT,
    NOTHING,
    NUMKEYS_TOO_SMALL,
    OK,
    PONG,
    QUEUED,
    SYNTAX,
    TIMEOUT_TOO_LONG,
    UNBLOCKED,
    WRONGTYPE,
    Advance,
    Case,
    Holding,
    Matching,
    Save,
    heard,
    listen,
    wrong_args,
)


def waiting(count):
    """The row that checks how many clients wait."""
    return ("INFO clients", Holding(f"\r\nblocked_clients:{count}\r\n"))


LISTEN = listen()
CASES = {
    "BLPOP and BRPOP wait for a push": [
        ("@2 BLPOP l 0", BLOCKS), ("RPUSH l a", 1), ("@2 <", ["l", "a"]), ("EXISTS l", 0), waiting(0),
        ("@2 BRPOP l 0", BLOCKS), ("LPUSH l b", 1), ("@2 <", ["l", "b"]), ("EXISTS l", 0),
    ],
    "A waiting client is served after the whole push": [
        ("@2 BLPOP l 0", BLOCKS), ("LPUSH l a b c", 3), ("@2 <", ["l", "c"]), ("LRANGE l 0 -1", ["b", "a"]),
        ("DEL l", 1),
        ("@2 BRPOP l 0", BLOCKS), ("RPUSH l a b c", 3), ("@2 <", ["l", "c"]), ("LRANGE l 0 -1", ["a", "b"]),
    ],
    "BLMOVE and BRPOPLPUSH wait for the source": [
        ("@2 BLMOVE l m RIGHT LEFT 0", BLOCKS), ("RPUSH l a b", 2), ("@2 <", "b"), ("LRANGE m 0 -1", ["b"]),
        ("LRANGE l 0 -1", ["a"]), ("DEL l", 1), ("@2 BRPOPLPUSH l m 0", BLOCKS), ("RPUSH l c", 1), ("@2 <", "c"),
        ("LRANGE m 0 -1", ["c", "b"]), ("EXISTS l", 0), ("@2 BLMOVE l m LEFT RIGHT 0", BLOCKS), ("LPUSH l d", 1),
        ("@2 <", "d"),
        ("LRANGE m 0 -1", ["c", "b", "d"]), ("RPUSH l x", 1), ("LLEN l", 1),
    ],
    "BLMPOP waits and takes as many as it wants": [
        ("@2 BLMPOP 0 1 l LEFT", BLOCKS), ("RPUSH l a b", 2), ("@2 <", ["l", ["a"]]), ("DEL l", 1),
        ("@2 BLMPOP 0 2 none l RIGHT COUNT 2", BLOCKS), ("RPUSH l a b c", 3), ("@2 <", ["l", ["c", "b"]]), ("DEL l", 1),
        ("@2 BLMPOP 0 1 l LEFT COUNT 10", BLOCKS), ("RPUSH l a b c", 3), ("@2 <", ["l", ["a", "b", "c"]]),
        ("EXISTS l", 0),
    ],
    "Who came first is served first": [
        ("@2 BLPOP l 0", BLOCKS), ("@3 BLPOP l 0", BLOCKS), ("@4 BRPOP l 0", BLOCKS), ("RPUSH l a b", 2),
        ("@2 <", ["l", "a"]),
        ("@3 <", ["l", "b"]), waiting(1), ("@2 BLPOP l 0", BLOCKS), ("RPUSH l c", 1), ("@4 <", ["l", "c"]),
        ("RPUSH l d", 1),
        ("@2 <", ["l", "d"]), ("EXISTS l", 0),
    ],
    "One push serves clients of all blocking commands": [
        ("@2 BLPOP l 0", BLOCKS), ("@3 BLMOVE l m RIGHT LEFT 0", BLOCKS), ("@4 BLMPOP 0 1 l LEFT COUNT 2", BLOCKS),
        ("@5 BRPOP l 0", BLOCKS), ("@6 BRPOPLPUSH l m 0", BLOCKS), ("RPUSH l 1 2 3 4 5 6 7", 7), ("@2 <", ["l", "1"]),
        ("@3 <", "7"), ("@4 <", ["l", ["2", "3"]]), ("@5 <", ["l", "6"]), ("@6 <", "5"), ("LRANGE l 0 -1", ["4"]),
        ("LRANGE m 0 -1", ["5", "7"]),
    ],
    "A client waits for several keys": [
        ("@2 BLPOP a b c 0", BLOCKS), ("RPUSH b 1", 1), ("@2 <", ["b", "1"]), ("@2 BRPOP a b c 0", BLOCKS),
        ("RPUSH c 2", 1),
        ("@2 <", ["c", "2"]), ("RPUSH a 3", 1), ("RPUSH b 4", 1), ("LLEN a", 1), ("@2 BLPOP c b a 0", ["b", "4"]),
    ],
    "Of several keys that are pushed to, the first one named counts": Case([
        ("@2 BLPOP a b 0", BLOCKS), ("MULTI", OK), ("RPUSH b 1", QUEUED), ("RPUSH a 2", QUEUED), ("EXEC", [1, 1]),
        ("@2 <", ["a", "2"]), ("LRANGE b 0 -1", ["1"]), ("@2 BLMPOP 0 2 c d LEFT", BLOCKS), ("MULTI", OK),
        ("RPUSH d 1", QUEUED), ("RPUSH c 2", QUEUED), ("EXEC", [1, 1]), ("@2 <", ["c", ["2"]]),
    ], since="7.2"),
    "A key named several times": [
        ("@2 BLPOP l l l 0", BLOCKS), ("RPUSH l a b", 2), ("@2 <", ["l", "a"]), ("LLEN l", 1), ("DEL l", 1),
        ("@2 BLMPOP 0 3 l m l LEFT", BLOCKS), ("RPUSH l a b", 2), ("@2 <", ["l", ["a"]]), ("LLEN l", 1), waiting(0),
    ],
    "Clients that wait for different keys are served in the order of the pushes": [
        *LISTEN, ("@3 BLPOP a 0", BLOCKS), ("@4 BLPOP b 0", BLOCKS), ("MULTI", OK), ("RPUSH b 1", QUEUED),
        ("RPUSH a 1", QUEUED),
        ("EXEC", [1, 1]), ("@4 <", ["b", "1"]), ("@3 <", ["a", "1"]),
        *heard("rpush b", "rpush a", "lpop b", "del b", "lpop a", "del a"),
    ],
    "LPUSHX, LINSERT and LPOP of nothing serve nobody": [
        ("@2 BLPOP l 0", BLOCKS), ("LPUSHX l a", 0), ("RPUSHX l a", 0), ("LINSERT l BEFORE a b", 0), ("LPOP l", None),
        ("DEL l", 0), waiting(1), ("RPUSH l a", 1), ("@2 <", ["l", "a"]),
    ],
    "LMOVE and RPOPLPUSH serve who waits for the destination": [
        ("RPUSH m a b c", 3), ("@2 BLPOP l 0", BLOCKS), ("LMOVE m l LEFT LEFT", "a"), ("@2 <", ["l", "a"]),
        ("@2 BLPOP l 0", BLOCKS), ("RPOPLPUSH m l", "c"), ("@2 <", ["l", "c"]), ("EXISTS l", 0),
        ("LRANGE m 0 -1", ["b"]),
    ],

    # Timeouts
    "A wait ends with its timeout": [
        ("@2 BLPOP l 0.1", BLOCKS), ("@3 BRPOP l m 0.1", BLOCKS), ("@4 BLMOVE l m LEFT LEFT 0.1", BLOCKS),
        ("@5 BRPOPLPUSH l m 0.1", BLOCKS), ("@6 BLMPOP 0.1 1 l LEFT", BLOCKS), Advance(250), ("@2 <", NIL_ARRAY),
        ("@3 <", NIL_ARRAY), ("@4 <", NIL_ARRAY), ("@5 <", NIL_ARRAY), ("@6 <", NIL_ARRAY), waiting(0),
        ("RPUSH l a", 1), ("LLEN l", 1), ("@2 PING", PONG),
    ],
    "Zero is for ever": [
        ("@2 BLPOP l 0.0", BLOCKS), ("@3 BLPOP l -0.0", BLOCKS), ("@4 BLMPOP 0.00 1 l LEFT", BLOCKS), Advance(200),
        waiting(3),
        ("RPUSH l a b c", 3), ("@2 <", ["l", "a"]), ("@3 <", ["l", "b"]), ("@4 <", ["l", ["c"]]),
    ],
    "Long and odd timeouts": [
        ("@2 BLPOP l 1e3", BLOCKS), ("@3 BLPOP l 9000000000000", BLOCKS), ("@4 BLPOP l +5.5", BLOCKS),
        ("@5 BLPOP l 0.0001", NIL_ARRAY), ("RPUSH l a b c", 3), ("@2 <", ["l", "a"]), ("@3 <", ["l", "b"]),
        ("@4 <", ["l", "c"]),
    ],
    "BLPOP and BRPOP refuse bad arguments": [
        ("BLPOP", wrong_args("blpop")), ("BLPOP l", wrong_args("blpop")), ("BRPOP l", wrong_args("brpop")),
        ("BLPOP l x", NOT_A_TIMEOUT), ('BLPOP l ""', NOT_A_TIMEOUT), ("BLPOP l -1", NEGATIVE_TIMEOUT),
        ("BRPOP l -0.1", NEGATIVE_TIMEOUT), ("BLPOP l nan", NOT_A_TIMEOUT),
        ("BLPOP l 1s", NOT_A_TIMEOUT),
        ('BLPOP l " 1"', NOT_A_TIMEOUT), ("BLPOP l m n", NOT_A_TIMEOUT), ("SET k v", OK), ("BLPOP k x", NOT_A_TIMEOUT),
        waiting(0),
    ],
    "BLMOVE and BRPOPLPUSH refuse bad arguments": [
        ("BLMOVE l m LEFT LEFT", wrong_args("blmove")), ("BLMOVE l m LEFT LEFT 0 1", wrong_args("blmove")),
        ("BLMOVE l m X LEFT 0", SYNTAX), ("BLMOVE l m LEFT X 0", SYNTAX), ("BLMOVE l m LEFT LEFT x", NOT_A_TIMEOUT),
        ("BLMOVE l m LEFT X x", SYNTAX), ("BLMOVE l m LEFT LEFT -1", NEGATIVE_TIMEOUT),
        ("BRPOPLPUSH l m", wrong_args("brpoplpush")),
        ("BRPOPLPUSH l m 0 1", wrong_args("brpoplpush")), ("BRPOPLPUSH l m x", NOT_A_TIMEOUT),
        ("BRPOPLPUSH l m -1", NEGATIVE_TIMEOUT),
    ],
    "A timeout that 64 bits of milliseconds do not hold": Case([
        ("BLPOP l 0x7fffffffffffff", TIMEOUT_TOO_LONG), ("BRPOP l 9223372036854775808", TIMEOUT_TOO_LONG),
        ("BLPOP l 1e30", TIMEOUT_TOO_LONG), ("BLPOP l inf", TIMEOUT_TOO_LONG), ("BLPOP l -inf", NEGATIVE_TIMEOUT),
        ("BRPOPLPUSH l m 1e30", TIMEOUT_TOO_LONG),
        ("BLMOVE l m LEFT LEFT 9223372036854775", TIMEOUT_TOO_LONG),
        ("BLMPOP 9223372036854776 1 l LEFT", TIMEOUT_TOO_LONG),
        ("@2 BLPOP l 9000000000000", BLOCKS), ("RPUSH l a", 1), ("@2 <", ["l", "a"]),
    ], since="7.2"),
    "BLMPOP refuses bad arguments": [
        ("BLMPOP 0 1 l", wrong_args("blmpop")), ("BLMPOP x 1 l LEFT", NOT_A_TIMEOUT),
        ("BLMPOP -1 1 l LEFT", NEGATIVE_TIMEOUT),
        ("BLMPOP 0 0 l LEFT", NUMKEYS_TOO_SMALL), ("BLMPOP 0 x l LEFT", NUMKEYS_TOO_SMALL), ("BLMPOP 0 1 l X", SYNTAX),
        ("BLMPOP 0 2 l LEFT", SYNTAX), ("BLMPOP 0 1 l LEFT COUNT", SYNTAX),
        ("BLMPOP 0 1 l LEFT COUNT 0", COUNT_TOO_SMALL), ("BLMPOP x 1 l LEFT COUNT 0 X", COUNT_TOO_SMALL),
        ("BLMPOP 0 1 l LEFT COUNT x", COUNT_TOO_SMALL), ("BLMPOP 0 1 l LEFT COUNT 1 COUNT 2", SYNTAX),
        ("BLMPOP 0 1 l LEFT X 1", SYNTAX), ("BLMPOP x 0 l LEFT", NUMKEYS_TOO_SMALL), ("BLMPOP x 1 l X", SYNTAX),
        ("BLMPOP -1 1 l LEFT COUNT 0", COUNT_TOO_SMALL), ("SET k v", OK), ("BLMPOP x 1 k LEFT", NOT_A_TIMEOUT),
    ],

    # CLIENT UNBLOCK and KILL
    "CLIENT UNBLOCK ends a wait as its timeout does, or with an error": [
        ("@2 CLIENT ID", Save("id")), ("@2 BLPOP l 0", BLOCKS), ("CLIENT UNBLOCK $id", 1), ("@2 <", NIL_ARRAY),
        ("@2 BLMOVE l m LEFT LEFT 0", BLOCKS), ("CLIENT UNBLOCK $id TIMEOUT", 1), ("@2 <", NIL_ARRAY),
        ("@2 BLMPOP 0 1 l LEFT", BLOCKS), ("CLIENT UNBLOCK $id timeout", 1), ("@2 <", NIL_ARRAY),
        ("@2 BRPOPLPUSH l m 0", BLOCKS), ("CLIENT UNBLOCK $id", 1), ("@2 <", NIL_ARRAY),
        ("@2 BRPOP l 100", BLOCKS), ("CLIENT UNBLOCK $id ERROR", 1), ("@2 <", UNBLOCKED), ("CLIENT UNBLOCK $id", 0),
        ("RPUSH l a", 1), ("LLEN l", 1), ("@2 BLPOP l 0", ["l", "a"]),
    ],
    "A client that was unblocked is not served, who came next is": [
        ("@2 CLIENT ID", Save("id")), ("@2 BLPOP l 0", BLOCKS), ("@3 BLPOP l 0", BLOCKS), ("CLIENT UNBLOCK $id", 1),
        ("@2 <", NIL_ARRAY), ("RPUSH l a b", 2), ("@3 <", ["l", "a"]), ("LRANGE l 0 -1", ["b"]),
    ],
    "A client that is killed is not served": [
        ("@2 CLIENT ID", Save("id")), ("@2 BLPOP l m 0", BLOCKS), ("CLIENT KILL ID $id", 1), ("@2 <", CLOSED),
        waiting(0),
        ("RPUSH l a", 1), ("LLEN l", 1), ("RPUSH m a", 1), ("LLEN m", 1),
    ],

    # Types
    "Another type is an error at once, but does not end a wait": [
        ("SET k v", OK), ("BLPOP k 0", WRONGTYPE), ("BRPOP k 0", WRONGTYPE), ("BLMOVE k l LEFT LEFT 0", WRONGTYPE),
        ("BRPOPLPUSH k l 0", WRONGTYPE), ("BLMPOP 0 1 k LEFT", WRONGTYPE), ("BLPOP none k 0", WRONGTYPE),
        ("@2 BLPOP l 0", BLOCKS), ("SET l v", OK), waiting(1), ("APPEND l w", 2), ("DEL l", 1), waiting(1),
        ("RPUSH l a", 1),
        ("@2 <", ["l", "a"]),
    ],
    "A list is served before a key of another type behind it": [
        ("SET k v", OK), ("RPUSH l a", 1), ("BLPOP l k 0", ["l", "a"]), ("BLPOP l k 0", WRONGTYPE),
        ("BLMPOP 0 2 none k LEFT", WRONGTYPE),
    ],
    "The destination is another type: found out when there is something to move": [
        ("SET k v", OK), ("@2 BLMOVE l k LEFT LEFT 0", BLOCKS), ("@3 BRPOPLPUSH l k 0", BLOCKS), ("RPUSH l a", 1),
        ("@2 <", WRONGTYPE), ("@3 <", WRONGTYPE), ("LRANGE l 0 -1", ["a"]), ("BLMOVE l k LEFT LEFT 0", WRONGTYPE),
        ("GET k", "v"), waiting(0),
    ],
    "The destination is another type, who comes next is served": [
        ("SET k v", OK), ("@2 BLMOVE l k LEFT LEFT 0", BLOCKS), ("@3 BLPOP l 0", BLOCKS), ("RPUSH l a", 1),
        ("@2 <", WRONGTYPE),
        ("@3 <", ["l", "a"]), ("EXISTS l", 0),
    ],

    # MULTI
    "MULTI is one step for who waits": [
        ("@2 BLPOP l 0", BLOCKS), ("MULTI", OK), ("LPUSH l a", QUEUED), ("LPUSH l b", QUEUED), ("LLEN l", QUEUED),
        ("EXEC", [1, 2, 2]), ("@2 <", ["l", "b"]), ("LRANGE l 0 -1", ["a"]),
    ],
    "A push and a delete in one MULTI serve nobody": [
        ("@2 BLPOP l 0", BLOCKS), ("MULTI", OK), ("LPUSH l a", QUEUED), ("DEL l", QUEUED), ("EXEC", [1, 1]), waiting(1),
        ("MULTI", OK), ("LPUSH l a", QUEUED), ("LPOP l", QUEUED), ("EXEC", [1, "a"]), waiting(1), ("MULTI", OK),
        ("LPUSH l a", QUEUED), ("DEL l", QUEUED), ("SET l v", QUEUED), ("EXEC", [1, 1, OK]), waiting(1), ("DEL l", 1),
        ("MULTI", OK), ("LPUSH l a", QUEUED), ("DEL l", QUEUED), ("LPUSH l b", QUEUED), ("EXEC", [1, 1, 1]),
        ("@2 <", ["l", "b"]),
    ],
    "A push and EXPIRE 0 in one MULTI serve nobody": [
        ("@2 BLPOP l 0", BLOCKS), ("MULTI", OK), ("LPUSH l a", QUEUED), ("EXPIRE l 0", QUEUED), ("EXEC", [1, 1]),
        waiting(1),
        ("LPUSH l b", 1), ("@2 <", ["l", "b"]),
    ],
    "A transaction that gives and takes leaves its rest to who waits": [
        ("@2 BLPOP l 0", BLOCKS), ("@3 BLPOP l 0", BLOCKS), ("MULTI", OK), ("RPUSH l a b c", QUEUED),
        ("LPOP l 2", QUEUED),
        ("BLPOP l 0", QUEUED), ("BLPOP l 0", QUEUED), ("RPUSH l d", QUEUED),
        ("EXEC", [3, ["a", "b"], ["l", "c"], NIL_ARRAY, 1]), ("@2 <", ["l", "d"]), waiting(1),
    ],
    "WATCH sees a list that came and was taken": [
        ("@3 WATCH l", OK), ("@2 BLPOP l 0", BLOCKS), ("RPUSH l a", 1), ("@2 <", ["l", "a"]), ("@3 MULTI", OK),
        ("@3 EXEC", NIL_ARRAY), ("@3 WATCH m", OK), ("@2 BLMOVE l m LEFT LEFT 0", BLOCKS), ("RPUSH l a", 1),
        ("@2 <", "a"),
        ("@3 MULTI", OK), ("@3 EXEC", NIL_ARRAY),
    ],
    "WATCH does not see a wait": [
        ("@3 WATCH l m", OK), ("@2 BLMOVE l m LEFT LEFT 0", BLOCKS), ("@3 MULTI", OK), ("@3 PING", QUEUED),
        ("@3 EXEC", [PONG]),
    ],

    # How a list can come to be
    "RENAME and COPY bring a list": [
        ("RPUSH m a b", 2), ("@2 BLPOP l 0", BLOCKS), ("RENAME m l", OK), ("@2 <", ["l", "a"]),
        ("LRANGE l 0 -1", ["b"]),
        ("@2 BLPOP n 0", BLOCKS), ("COPY l n", 1), ("@2 <", ["n", "b"]), ("EXISTS n", 0), ("@2 BLPOP n 0", BLOCKS),
        ("RENAMENX l n", 1), ("@2 <", ["n", "b"]), ("SET s v", OK), ("@2 BLPOP n 0", BLOCKS), ("RENAME s n", OK),
        waiting(1),
        ("RPUSH t a", 1), ("COPY t n REPLACE", 1), ("@2 <", ["n", "a"]),
    ],
    "MOVE, COPY and SWAPDB bring a list to another database": [
        ("@2 SELECT 1", OK), ("RPUSH l a b", 2), ("@2 BLPOP l 0", BLOCKS), ("MOVE l 1", 1), ("@2 <", ["l", "a"]),
        ("SELECT 1", OK),
        ("LRANGE l 0 -1", ["b"]), ("DEL l", 1), ("SELECT 0", OK), ("RPUSH l a b", 2), ("@2 BLPOP l 0", BLOCKS),
        ("COPY l l DB 1", 1), ("@2 <", ["l", "a"]), ("SELECT 1", OK), ("DEL l", 1), ("SELECT 0", OK),
        ("@2 BLPOP l 0", BLOCKS),
        ("SWAPDB 0 1", OK), ("@2 <", ["l", "a"]), ("EXISTS l", 0), ("SELECT 1", OK), ("LRANGE l 0 -1", ["b"]),
    ],
    "A list in another database serves nobody": [
        ("@2 SELECT 1", OK), ("@2 BLPOP l 0", BLOCKS), ("RPUSH l a", 1), waiting(1), ("LLEN l", 1), ("SELECT 1", OK),
        ("RPUSH l b", 1), ("@2 <", ["l", "b"]), ("EXISTS l", 0),
    ],
    "SORT STORE brings a list": [
        ("RPUSH m 3 1 2", 3), ("@2 BLPOP l 0", BLOCKS), ("SORT m STORE l", 3), ("@2 <", ["l", "1"]),
        ("LRANGE l 0 -1", ["2", "3"]),
    ],
    "FLUSHALL and FLUSHDB end no wait": [
        ("@2 BLPOP l 0", BLOCKS), ("FLUSHALL", OK), ("FLUSHDB", OK), ("FLUSHALL ASYNC", OK), waiting(1),
        ("RPUSH l a", 1),
        ("@2 <", ["l", "a"]),
    ],
    "An expired list is not there": [
        ("RPUSH l a", 1), ("PEXPIRE l 20", 1), Advance(40), ("@2 BLPOP l 0", BLOCKS), ("RPUSH l b", 1),
        ("@2 <", ["l", "b"]),
    ],
    "A TTL set before who waits takes all": [
        ("@2 BLPOP l 0", BLOCKS), ("RPUSH l a b", 2), ("@2 <", ["l", "a"]), ("EXPIRE l 100", 1), ("TTL l", 100),
        ("BLPOP l 0", ["l", "b"]), ("TTL l", -2),
    ],

    # Chains
    "BLMOVE serves who waits for its destination": [
        ("@2 BLMOVE a b LEFT LEFT 0", BLOCKS), ("@3 BLMOVE b c LEFT LEFT 0", BLOCKS), ("@4 BLPOP c 0", BLOCKS),
        ("RPUSH a x", 1),
        ("@2 <", "x"), ("@3 <", "x"), ("@4 <", ["c", "x"]), ("DBSIZE", 0),
    ],
    "A chain whose links came in the other order": [
        ("@4 BLPOP c 0", BLOCKS), ("@3 BRPOPLPUSH b c 0", BLOCKS), ("@2 BRPOPLPUSH a b 0", BLOCKS), ("RPUSH a x", 1),
        ("@2 <", "x"),
        ("@3 <", "x"), ("@4 <", ["c", "x"]), ("DBSIZE", 0),
    ],
    "A circle of BLMOVE comes to rest": [
        ("@2 BRPOPLPUSH a b 0", BLOCKS), ("@3 BLMOVE b a RIGHT LEFT 0", BLOCKS), ("RPUSH a x", 1), ("@2 <", "x"),
        ("@3 <", "x"),
        ("LRANGE a 0 -1", ["x"]), ("EXISTS b", 0), waiting(0),
    ],
    "BLMOVE from a list to itself": [
        ("@2 BLMOVE l l LEFT RIGHT 0", BLOCKS), ("RPUSH l a b c", 3), ("@2 <", "a"), ("LRANGE l 0 -1", ["b", "c", "a"]),
        ("DEL l", 1), ("@2 BRPOPLPUSH l l 0", BLOCKS), ("RPUSH l a", 1), ("@2 <", "a"), ("LRANGE l 0 -1", ["a"]),
    ],
    "Of two that wait for one list, both move": [
        ("@2 BLMOVE l m LEFT RIGHT 0", BLOCKS), ("@3 BLMOVE l n LEFT RIGHT 0", BLOCKS), ("RPUSH l a b c", 3),
        ("@2 <", "a"),
        ("@3 <", "b"), ("LRANGE m 0 -1", ["a"]), ("LRANGE n 0 -1", ["b"]), ("LRANGE l 0 -1", ["c"]),
    ],

    # Events, INFO, CLIENT LIST
    "Events when who waits is served": [
        *LISTEN, ("@3 BLPOP l 0", BLOCKS), ("RPUSH l a", 1), ("@3 <", ["l", "a"]),
        ("@3 BLMPOP 0 1 l RIGHT COUNT 2", BLOCKS),
        ("LPUSH l a b c", 3), ("@3 <", ["l", ["a", "b"]]), ("DEL l", 1), ("@3 BRPOP l 0.05", NIL_ARRAY),
        *heard("rpush l", "lpop l", "del l", "lpush l", "rpop l", "del l"),
    ],
    "Events when a waiting BLMOVE is served": [
        *LISTEN, ("@3 BLMOVE l m LEFT RIGHT 0", BLOCKS), ("RPUSH l a", 1), ("@3 <", "a"),
        ("@3 BRPOPLPUSH l m 0", BLOCKS),
        ("RPUSH l a b", 2), ("@3 <", "b"),
        *heard("rpush l", "rpush m", "lpop l", "del l", "rpush l", "lpush m", "rpop l"),
    ],
    "CLIENT LIST and INFO show who waits": [
        ("@2 CLIENT SETNAME two", OK), ("@2 BLPOP l m 5", BLOCKS), ("@3 BLPOP l 0", BLOCKS), waiting(2),
        ("CLIENT LIST", Matching(r".* name=two [^\n]* flags=b [^\n]* cmd=blpop .*")), ("INFO clients", Holding(
            "\r\nclients_in_timeout_table:1\r\n")), ("RPUSH l a b", 2), ("@2 <", ["l", "a"]), ("@3 <", ["l", "b"]),
            waiting(0),
        ("INFO clients", Holding("\r\nclients_in_timeout_table:0\r\n")),
        ("CLIENT LIST", Matching(r".* name=two [^\n]* flags=N [^\n]* cmd=blpop .*")),
    ],
    "INFO counts the keys that are waited for": Case([
        ("@2 BLPOP l m l 0", BLOCKS), ("@3 BLPOP l 0", BLOCKS),
        ("INFO clients", Holding("\r\ntotal_blocking_keys:2\r\n")),
        ("RPUSH l a", 1), ("@2 <", ["l", "a"]), ("INFO clients", Holding("\r\ntotal_blocking_keys:1\r\n")),
        ("RPUSH l a", 1),
        ("@3 <", ["l", "a"]), ("INFO clients", Holding("\r\ntotal_blocking_keys:0\r\n")),
    ], since="7.2"),
    "Calls are counted when they are answered": [
        ("CONFIG RESETSTAT", OK), ("@2 BLPOP l 0", BLOCKS), ("RPUSH l a", 1), ("@2 <", ["l", "a"]),
        ("INFO commandstats", Holding("cmdstat_blpop:calls=1,", "cmdstat_rpush:calls=1,")),
    ],

    # What comes after on the same connection
    "What a client sends while it waits is executed afterwards": [
        ("@2 BLPOP l 0", BLOCKS), ("@2 RPUSH l x", NOTHING), ("@2 LLEN l", NOTHING), waiting(1), ("RPUSH l a b", 2),
        ("@2 <", ["l", "a"]), ("@2 <", 2), ("@2 <", 2), ("LRANGE l 0 -1", ["b", "x"]),
    ],
    "Two waits one after another": [
        ("@2 BLPOP l 0", BLOCKS), ("@2 BLPOP m 0", NOTHING), ("RPUSH l a", 1), ("@2 <", ["l", "a"]), ("RPUSH m b", 1),
        ("@2 <", ["m", "b"]), waiting(0),
    ],
    "Who was served can wait again, behind the others": [
        ("@2 BLPOP l 0", BLOCKS), ("@3 BLPOP l 0", BLOCKS), ("@2 BLPOP l 0", NOTHING), ("RPUSH l a", 1),
        ("@2 <", ["l", "a"]),
        ("RPUSH l b", 1), ("@3 <", ["l", "b"]), ("RPUSH l c", 1), ("@2 <", ["l", "c"]),
    ],
    "CLIENT REPLY OFF hides what a wait brings, not that it takes": [
        ("@2 CLIENT REPLY OFF", NOTHING), ("@2 BLPOP l 0", BLOCKS), ("RPUSH l a b", 2), ("LRANGE l 0 -1", ["b"]),
        waiting(0),
        ("@2 CLIENT REPLY ON", OK),
    ],

    # LMOVEM's waiting sister
    "BLMOVEM COUNT waits for one element, EXACTLY for all": Case([
        ("@2 BLMOVEM l m LEFT RIGHT 0 COUNT 3 BULK", BLOCKS), ("RPUSH l a b", 2), ("@2 <", ["a", "b"]),
        ("LRANGE m 0 -1", ["a", "b"]), ("@2 BLMOVEM l m LEFT RIGHT 0 EXACTLY 3 OBO", BLOCKS), ("RPUSH l c d", 2),
        waiting(1),
        ("LLEN l", 2), ("RPUSH l e f", 4), ("@2 <", ["c", "d", "e"]), ("LRANGE l 0 -1", ["f"]), ("DEL l", 1),
        ("@2 BLMOVEM l m LEFT LEFT 0", BLOCKS), ("RPUSH l g", 1), ("@2 <", ["g"]), ("EXISTS l", 0),
    ], since="8.10"),
    "BLMOVEM that waits for many lets others go first": Case([
        ("@2 BLMOVEM l m LEFT RIGHT 0 EXACTLY 3 BULK", BLOCKS), ("@3 BLPOP l 0", BLOCKS), ("RPUSH l a b", 2),
        ("@3 <", ["l", "a"]),
        waiting(1), ("RPUSH l c d", 3), ("@2 <", ["b", "c", "d"]), ("EXISTS l", 0),
    ], since="8.10"),
    "BLMOVEM ends with its timeout, or by CLIENT UNBLOCK": Case([
        ("@2 BLMOVEM l m LEFT LEFT 0.1 COUNT 2 OBO", BLOCKS), Advance(250), ("@2 <", NIL_ARRAY),
        ("@2 CLIENT ID", Save("id")),
        ("@2 BLMOVEM l m LEFT LEFT 0 EXACTLY 2 OBO", BLOCKS), ("RPUSH l a", 1), ("CLIENT UNBLOCK $id", 1),
        ("@2 <", NIL_ARRAY),
        ("LLEN l", 1),
    ], since="8.10"),
}


def test_rows(row_case):
    row_case.check()


def test_hundred_clients_are_served_in_their_order(either_target):
    clients = [either_target.server.client() for _ in range(100)]
    for number, client in enumerate(clients, 1):
        client.send("BLPOP", "l", "0")
        either_target.wait_until_blocked(number)
    either_target.ask("RPUSH", "l", *range(60))
    either_target.ask("RPUSH", "l", *range(60, 110))
    assert [client.read() for client in clients] == [[b"l", b"%d" % number] for number in range(100)]
    assert either_target.ask("LLEN", "l") == 10
    for client in clients:
        client.close()


def test_client_that_is_gone_gets_nothing(either_target):
    with either_target.server.client() as gone, either_target.server.client() as stays:
        gone.send("BLPOP", "l", "m", "0")
        either_target.wait_until_blocked(1)
        stays.send("BLPOP", "l", "0")
        either_target.wait_until_blocked(2)
        gone.close()
        either_target.wait_until_blocked(1)
        either_target.ask("RPUSH", "l", "a", "b")
        assert stays.read() == [b"l", b"a"]
        assert either_target.ask("LRANGE", "l", 0, -1) == [b"b"]
        either_target.ask("RPUSH", "m", "c")
        assert either_target.ask("LLEN", "m") == 1


@pytest.mark.parametrize("command", [("BLPOP", "l", "0"), ("BLMPOP", "0", "1", "l", "LEFT"),
                                     ("BLMOVE", "l", "m", "LEFT", "LEFT", "0")])
def test_nothing_is_lost_or_given_twice(either_target, command):
    """Four clients take in turn what two others push; each element comes once, in the order of the pushes."""
    takers = [either_target.server.client() for _ in range(4)]
    givers = [either_target.server.client() for _ in range(2)]
    for number, taker in enumerate(takers, 1):
        taker.send(*command)
        either_target.wait_until_blocked(number)
    found = []
    for number in range(100):
        givers[number % 2].call("RPUSH", "l", number)
        taker = takers[number % 4]
        reply = taker.read()
        found.append({b"BLPOP": lambda r: r[1], b"BLMPOP": lambda r: r[1][0], b"BLMOVE": lambda r: r}[
            command[0].encode()](reply))
        taker.send(*command)
        either_target.wait_until_blocked(4)
    assert found == [b"%d" % number for number in range(100)]
    assert either_target.ask("LLEN", "l") == 0
    for client in takers + givers:
        client.close()


# --- the clock of fastredis, moved by the test ------------------------------------------------------------

@pytest.fixture
def target(row_session):
    """The shared fastredis, empty, with the clock frozen; afterwards it runs again."""
    target = row_session.target("fastredis")
    target.ask("FLUSHALL")
    target.wait_until_blocked(0)
    target.ask("DEBUG", "CLOCK", "FREEZE")
    yield target
    target.ask("DEBUG", "CLOCK", "RELEASE")


@pytest.mark.parametrize(("timeout", "ms"), [("1", 1000), ("0.5", 500), ("0.001", 1), ("1.5", 1500), ("2.0004", 2001),
                                             ("100000", 100_000_000)])
def test_timeouts_are_exact(target, timeout, ms):
    with target.server.client() as client:
        client.send("BLPOP", "l", timeout)
        target.wait_until_blocked(1)
        target.advance(ms - 1)
        target.wait_until_blocked(1)
        target.advance(1)
        assert client.read() is not None
        target.wait_until_blocked(0)


def test_timeouts_come_in_the_order_of_their_times(target):
    timeouts = [5, 1, 3, 2, 4]
    clients = {timeout: target.server.client() for timeout in timeouts}
    for count, (timeout, client) in enumerate(clients.items(), 1):
        client.send("BLPOP", "l", timeout)
        target.wait_until_blocked(count)
    for passed in range(1, 6):
        target.advance(1000)
        target.wait_until_blocked(5 - passed)
        assert clients[passed].call("PING") is not None        # its null, which came before
        clients[passed].close()


def test_wait_that_was_served_does_not_time_out(target):
    with target.server.client() as client:
        client.send("BLPOP", "l", "1")
        target.wait_until_blocked(1)
        target.ask("RPUSH", "l", "a")
        assert client.read() == [b"l", b"a"]
        client.send("BLPOP", "l", "10")
        target.wait_until_blocked(1)
        target.advance(9999)
        target.wait_until_blocked(1)
        target.ask("RPUSH", "l", "b")
        assert client.read() == [b"l", b"b"]


def test_wait_goes_on_with_its_time_when_another_was_faster(target):
    """A client that is looked at and finds nothing keeps its place and its deadline."""
    with target.server.client() as first, target.server.client() as second, target.server.client() as third:
        first.send("BLPOP", "l", "10")
        target.wait_until_blocked(1)
        second.send("BLPOP", "l", "5")
        target.wait_until_blocked(2)
        target.advance(4000)
        target.ask("RPUSH", "l", "a")
        assert first.read() == [b"l", b"a"]
        target.advance(1000)
        target.wait_until_blocked(0)
        third.send("BLPOP", "l", "1")
        target.wait_until_blocked(1)
        target.ask("RPUSH", "l", "b")
        assert third.read() == [b"l", b"b"]


def test_connection_that_ends_while_it_waits_leaves_nothing(target):
    before = target.ask("INFO", "clients")
    for _ in range(20):
        client = target.server.client()
        client.send("BLPOP", "l", "m", "100")
        target.wait_until_blocked(1)
        client.close()
        target.wait_until_blocked(0)
    for text in (before, target.ask("INFO", "clients")):
        assert b"clients_in_timeout_table:0\r\n" in text
    target.ask("RPUSH", "l", "a")
    assert target.ask("LLEN", "l") == 1


def test_killed_while_waiting_closes_the_connection(target):
    with target.server.client() as client:
        number = client.call("CLIENT", "ID")
        client.send("BLPOP", "l", "0")
        target.wait_until_blocked(1)
        target.ask("CLIENT", "KILL", "ID", number)
        with pytest.raises((Closed, ConnectionError)):
            client.read()
        target.wait_until_blocked(0)
