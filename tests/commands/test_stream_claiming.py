"""XREADGROUP CLAIM and XNACK, of Redis 8.4 and 8.8: no server to compare with is that new."""
import pytest

from tests.commands.test_stream_groups import given
from tests.commands.test_streams import BAD_ID, adds
from tests.resp import Error
from tests.rows import (
    BLOCKS,
    NIL_ARRAY,
    NOT_INTEGER,
    OK,
    QUEUED,
    R3,
    SYNTAX,
    WRONGTYPE,
    Advance,
    Any,
    Case,
    wrong_args,
)

SINCE = "8.8"
MAX = 9223372036854775807
NO_GROUP = Error("NOGROUP No such key 's' or consumer group 'g'")


def claimed(*rows, key="s"):
    """What XREADGROUP CLAIM replies: (number, idle, deliveries before) of each entry of a stream."""
    entries = [[f"1-{number}", ["f", "v"], idle, deliveries] for number, idle, deliveries in rows]
    return R3([[key, entries]], {key.encode(): entries})


def read(consumer, *options, ids=">"):
    return " ".join(("XREADGROUP GROUP g", consumer, *map(str, options), "STREAMS s", ids))


def pending(*rows):
    """The row that checks what is pending: (number, consumer, idle, deliveries)."""
    return ("XPENDING s g - + 20", [[f"1-{number}", consumer, idle, deliveries]
                                    for number, consumer, idle, deliveries in rows])


GROUP = ("XGROUP CREATE s g 0 MKSTREAM", OK)


def option(word):
    return Error(f"ERR Unrecognized XNACK option '{word}'")


CASES = {
    # --- XREADGROUP CLAIM ---
    "What is idle comes before what is new": Case([
        *given("c", "d"), *adds(1, first=3), Advance(50), (read("e", "CLAIM", 60), claimed((3, 0, 0))), Advance(10),
        (read("e", "CLAIM", 60), claimed((1, 60, 1), (2, 60, 1))), (read("e", "CLAIM", 60), NIL_ARRAY),
        pending((1, "e", 0, 2), (2, "e", 0, 2), (3, "e", 10, 1)),
    ], since=SINCE),
    "The longest idle first": Case([
        *given("c", "c", "c"), Advance(30), ("XCLAIM s g d 0 1-1", Any()), Advance(20),
        (read("e", "COUNT 2 CLAIM", 0), claimed((2, 50, 1), (3, 50, 1))),
        (read("e", "CLAIM", 0), claimed((1, 20, 2), (2, 0, 2), (3, 0, 2))),
    ], since=SINCE),
    "COUNT is for both": Case([
        *given("c", "c"), *adds(2, first=3), Advance(10), (read("d", "COUNT 3 CLAIM", 5), claimed(
            (1, 10, 1), (2, 10, 1), (3, 0, 0))),
        (read("d", "COUNT 1 CLAIM", 5), claimed((4, 0, 0))),
    ], since=SINCE),
    "CLAIM and NOACK": Case([
        *given("c"), *adds(1, first=2), Advance(10), (read("d", "NOACK CLAIM", 5), claimed((1, 10, 1), (2, 0, 0))),
        pending((1, "d", 0, 2)),
    ], since=SINCE),
    "CLAIM and history": Case([
        *given("c"), (read("c", "CLAIM", 0, ids="0"), R3([["s", [["1-1", ["f", "v"]]]]], Any())),
    ], since=SINCE),
    "What was deleted is claimed no more": Case([
        *given("c", "c"), ("XDEL s 1-1", 1), Advance(10), (read("d", "CLAIM", 5), claimed((2, 10, 1))),
        pending((2, "d", 0, 2)), ("XDEL s 1-2", 1), Advance(10), (read("d", "CLAIM", 5), NIL_ARRAY), pending(),
    ], since=SINCE),
    "CLAIM, wrong": Case([
        *given("c"), *[(read("c", "CLAIM", word), Error("ERR min-idle-time is not an integer"))
                       for word in ("x", "5.5", "+10", "-0", "COUNT")],
        (read("c", "CLAIM", -1), Error("ERR min-idle-time must be a positive integer")),
        (read("c", "CLAIM", MAX), NIL_ARRAY), ("XREADGROUP CLAIM 5 GROUP g c STREAMS s >", NIL_ARRAY),
        ("XREADGROUP GROUP g CLAIM 5 c STREAMS s >", SYNTAX),
        ("XREAD CLAIM 1 STREAMS s 0",
         Error("ERR The CLAIM option is only supported by XREADGROUP. You called XREAD instead.")),
    ], since=SINCE),
    "Claims that wait": Case([
        *given("c"), (f"@2 {read('d', 'BLOCK 0 CLAIM', 100)}", BLOCKS), Advance(100), ("@2 <", claimed((1, 100, 1))),
        (f"@2 {read('d', 'BLOCK 0 CLAIM', 100)}", BLOCKS), (f"@3 {read('e', 'BLOCK 0 CLAIM', 100)}", BLOCKS),
        ("XACK s g 1-1", 1), *adds(1, first=2), ("@2 <", claimed((2, 0, 0))), Advance(100),
        ("@3 <", claimed((2, 100, 1))),
    ], since=SINCE),
    "Claims that wait in vain": Case([
        *given("c"), (f"@2 {read('d', 'BLOCK 50 CLAIM', 100)}", BLOCKS), Advance(50), ("@2 <", NIL_ARRAY),
        (f"@2 {read('d', 'BLOCK 0 CLAIM', 80)}", BLOCKS), ("XACK s g 1-1", 1), Advance(40), Advance(90),
        (read("c", "COUNT 1"), NIL_ARRAY), *adds(1, first=2), ("@2 <", claimed((2, 0, 0))),
    ], since=SINCE),
    "A claim that waits for what another one reads": Case([
        GROUP, (f"@2 {read('d', 'BLOCK 0 CLAIM', 100)}", BLOCKS), (f"@3 {read('c', 'BLOCK 0')}", BLOCKS),
        ("MULTI", OK), ("XADD s 1-1 f v", QUEUED), (read("e"), QUEUED), ("EXEC", Any()), Advance(100),
        ("@2 <", claimed((1, 100, 1))), *adds(1, first=2), ("@3 <", R3([["s", [["1-2", ["f", "v"]]]]], Any())),
    ], since=SINCE),
    # --- XNACK ---
    "XNACK": Case([
        *given("c", "c", "d"), ("XNACK s g FAIL IDS 1 1-1", 1), ("XNACK s g SILENT IDS 2 1-2 9-9", 1),
        ("XNACK s g FATAL IDS 1 1-3", 1), pending((1, "", -1, 1), (2, "", -1, 0), (3, "", -1, MAX)),
        ("XNACK s g SILENT IDS 2 1-2 1-3", 2), pending((1, "", -1, 1), (2, "", -1, 0), (3, "", -1, MAX - 1)),
        ("XPENDING s g", [3, "1-1", "1-3", []]), ("XPENDING s g - + 10 c", []),
        ("XREADGROUP GROUP g c STREAMS s 0", R3([["s", []]], Any())),
        ("XNACK s g FAIL IDS 1 1-1 RETRYCOUNT 5", 1), pending((1, "", -1, 5), (2, "", -1, 0), (3, "", -1, MAX - 1)),
        ("XCLAIM s g c 99999 1-1 JUSTID", ["1-1"]), ("XAUTOCLAIM s g c 99999 - JUSTID", ["0-0", ["1-2", "1-3"], []]),
        ("XNACK s g FATAL IDS 1 1-3", 1), ("XCLAIM s g c 0 1-3", Any()),
        pending((1, "c", 0, 5), (2, "c", 0, 0), (3, "c", 0, MAX)), ("XACK s g 1-1", 1),
        ("XNACK s g FAIL IDS 1 1-2", 1), ("XACK s g 1-2", 1), ("XGROUP DELCONSUMER s g c", 1), pending(),
    ], since=SINCE),
    "XNACK FORCE": Case([
        GROUP, *adds(3), ("XNACK s g FAIL IDS 2 1-1 9-9 FORCE", 1), ("XNACK s g FATAL IDS 1 1-2 FORCE", 1),
        ("XNACK s g SILENT FORCE RETRYCOUNT 7 IDS 1 1-3", 1),
        pending((1, "", -1, 0), (2, "", -1, MAX), (3, "", -1, 7)), ("XLEN s", 3),
    ], since=SINCE),
    "What was released first is claimed first": Case([
        *given("c", "c", "c", "c"), ("XNACK s g FAIL IDS 3 1-3 1-1 1-2", 3), ("XNACK s g FAIL IDS 1 1-3", 1),
        (read("d", "COUNT 2 CLAIM", 5), claimed((1, -1, 1), (2, -1, 1))), ("COPY s t", 1), ("RENAME t s", OK),
        ("DEBUG RELOAD", OK), ("XGROUP DELCONSUMER s g c", 1), (read("d", "CLAIM", 5), claimed((3, -1, 1))),
    ], since=SINCE),
    "Who waits to claim gets what is released": Case([
        *given("c", "c"), (f"@2 {read('d', 'BLOCK 0 CLAIM', 1000)}", BLOCKS), ("XNACK s g FAIL IDS 2 1-2 1-1", 2),
        ("@2 <", claimed((2, -1, 1), (1, -1, 1))),
    ], since=SINCE),
    "Released and deleted": Case([
        *given("c", "c", "c"), ("XNACK s g FAIL IDS 2 1-1 1-3", 2), ("XDEL s 1-1 1-3", 2),
        ("XCLAIM s g d 0 1-1", []), ("XAUTOCLAIM s g d 0 - JUSTID", ["0-0", ["1-2"], ["1-3"]]),
        pending((2, "d", 0, 1)),
    ], since=SINCE),
    "XNACK, wrong": Case([
        ("XNACK s g FAIL IDS 1", wrong_args("xnack")), ("XNACK s g FAIL IDS 1 1-1", NO_GROUP), *given("c"),
        ("XNACK s g FOO IDS 1 1-1", Error("ERR mode must be SILENT, FAIL, or FATAL")),
        ("XNACK s g FAIL FATAL IDS 1 1-1", option("FATAL")), ("XNACK s g FAIL IDS 1 1-1 2-1", option("2-1")),
        ("XNACK s g FAIL IDS 1 1-1 RETRYCOUNT", option("RETRYCOUNT")),
        ("XNACK s g FAIL FORCE RETRYCOUNT 5", Error("ERR syntax error, expected IDS keyword")),
        ("XNACK s g FAIL IDS x 1-1", Error("ERR numids must be a positive integer")),
        ("XNACK s g FAIL IDS 0 1-1", Error("ERR numids must be a positive integer")),
        ("XNACK s g FAIL IDS 2 1-1", Error("ERR number of IDs doesn't match numids")),
        ("XNACK s g FAIL IDS 1 x", BAD_ID), ("XNACK s g FAIL IDS 1 1-1 RETRYCOUNT x", NOT_INTEGER),
        ("XNACK s g FAIL IDS 1 1-1 RETRYCOUNT -1", Error("ERR Invalid RETRYCOUNT value, must be >= 0")),
        ("SET k v", OK), ("XNACK k g FAIL IDS 1 1-1", WRONGTYPE), pending((1, "c", 0, 1)),
    ], since=SINCE),
}


# Their clock stands still, but where they advance it.
CASES = {name: Case([("DEBUG CLOCK FREEZE", OK), *case.rows], case.since) for name, case in CASES.items()}


def test_rows(row_case):
    row_case.check()


TWO = "XADD s 1-1 f v | XADD s 1-2 f v | XGROUP CREATE s g 0 | XREADGROUP GROUP g c COUNT 1 STREAMS s >"
NEW = "real servers are older"
EFFECTS = {
    "XREADGROUP CLAIM": (TWO, "XREADGROUP GROUP g d CLAIM 0 STREAMS s >",
                         "MULTI | XCLAIM s g d 0 1-1 TIME T+0 RETRYCOUNT 2 FORCE JUSTID LASTID 1-1 |"
                         "XCLAIM s g d 0 1-2 TIME T+0 RETRYCOUNT 1 FORCE JUSTID LASTID 1-2 |"
                         "XGROUP SETID s g 1-2 ENTRIESREAD 2 | EXEC", NEW),
    "XNACK": (TWO, "XNACK s g SILENT IDS 3 1-1 1-2 9-9 FORCE",
              "MULTI | XNACK s g FAIL IDS 1 1-1 RETRYCOUNT 0 FORCE |"
              "XNACK s g FAIL IDS 1 1-2 RETRYCOUNT 0 FORCE | EXEC", NEW),
    "XNACK in vain": (TWO, "XNACK s g FAIL IDS 1 9-9", "", NEW),
    "XCLAIM of what was released and deleted": (
        f"{TWO} | XNACK s g FAIL IDS 1 1-1 | XDEL s 1-1", "XCLAIM s g c 0 1-1", "XACK s g 1-1", NEW),
}


def test_effects(effect):
    effect.check()


def test_what_was_released_is_told(local):
    client = local.client()
    for command in TWO.split(" | "):
        client.call(*command.split())
    assert b"nacked-count" not in client.call("XINFO", "STREAM", "s", "FULL")[-1][0]
    client.call("XNACK", "s", "g", "FAIL", "IDS", "1", "1-1")
    group = client.call("XINFO", "STREAM", "s", "FULL")[-1][0]
    told = dict(zip(group[::2], group[1::2], strict=True))
    assert told[b"nacked-count"] == 1 and told[b"pending"] == [[b"1-1", b"", 0, 1]] and told[b"pel-count"] == 1


@pytest.mark.parametrize("kind, version", [(27, 14)])
def test_the_payload_says_which_servers_can_read_it(local, kind, version):
    client = local.client()
    for command in TWO.split(" | "):
        client.call(*command.split())
    assert client.call("DUMP", "s")[0] == 19
    client.call("XNACK", "s", "g", "FAIL", "IDS", "1", "1-1")
    payload = client.call("DUMP", "s")
    assert (payload[0], payload[-10]) == (kind, version)
    assert client.call("RESTORE", "t", "0", payload) == OK and client.call("DUMP", "t") == payload
    client.call("XACK", "s", "g", "1-1")
    assert client.call("DUMP", "s")[0] == 19
