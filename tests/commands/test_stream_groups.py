"""Groups of streams: XGROUP, XACK, XACKDEL, XPENDING, XCLAIM, XAUTOCLAIM, XINFO. Reading is in test_stream_reading."""
from tests.commands.test_streams import BAD_ID, REFS, adds, all_of, entries
from tests.resp import Error, Status
from tests.rows import (
    NIL_ARRAY,
    NO_KEY,
    NOT_INTEGER,
    OK,
    R3,
    SYNTAX,
    WRONGTYPE,
    Advance,
    Any,
    Between,
    Case,
    Holding,
    heard,
    listen,
    wrong_args,
)

NEWER = "8.2 or valkey 9.1"
NEEDS_KEY = Error(
    "ERR The XGROUP subcommand requires the key to exist. Note that for CREATE you may want to use the MKSTREAM option "
    "to create an empty stream automatically.")
NO_GROUP = Error("NOGROUP No such key 's' or consumer group 'x'")
NO_GROUP_OF_KEY = Error("NOGROUP No such consumer group 'x' for key name 's'")
SOON = Between(0, 5000)


def misused(container, subcommand):
    return Error(f"ERR unknown subcommand or wrong number of arguments for '{subcommand}'. Try {container} HELP.")


def group(name="g", **differs):
    """A group as XINFO GROUPS tells of it."""
    found = {"name": name, "consumers": 0, "pending": 0, "last-delivered-id": "0-0", "entries-read": None, "lag": 0}
    return found | {word.replace("_", "-"): value for word, value in differs.items()}


def reads(consumer, count, *numbers):
    """The row in which a consumer of the group g reads these entries."""
    return (f"XREADGROUP GROUP g {consumer} COUNT {count} STREAMS s >",
            R3([["s", entries(*numbers)]], {b"s": entries(*numbers)}))


def given(*owners):
    """The rows that make a stream whose entries are pending for these consumers of the group g."""
    count = len(owners)
    return [*adds(count), ("XGROUP CREATE s g 0", OK),
            *(reads(owner, 1, number) for number, owner in enumerate(owners, 1))]


def pending(*rows):
    """The row that reads what is pending: (number of the entry, consumer, deliveries) ..."""
    return "XPENDING s g - + 100", [[f"1-{number}", owner, SOON, times] for number, owner, times in rows]


CASES = {
    # --- XGROUP ---
    "XGROUP CREATE": [
        ("XGROUP CREATE s g $", NEEDS_KEY), ("XGROUP CREATE s g $ MKSTREAM", OK), ("XLEN s", 0),
        ("TYPE s", Status("stream")),
        ("XGROUP CREATE s g $", Error("BUSYGROUP Consumer Group name already exists")),
        ("XGROUP CREATE s g 0 mkstream", Error("BUSYGROUP Consumer Group name already exists")), *adds(3),
        ("XGROUP CREATE s h $", OK), ("XGROUP CREATE s i 0 ENTRIESREAD 1", OK), ("XGROUP CREATE s j 1-2", OK),
        ("XINFO GROUPS s", [group(lag=3), group("h", last_delivered_id="1-3"),
                            group("i", entries_read=1, lag=Any()), group("j", last_delivered_id="1-2", lag=None)]),
    ],
    "XGROUP CREATE, wrong": [
        ("XGROUP", wrong_args("xgroup")), ("XGROUP CREATE s g", wrong_args("xgroup|create")),
        ("XGROUP CREATE s g x MKSTREAM", BAD_ID), ("XGROUP CREATE s g - MKSTREAM", BAD_ID),
        ("XGROUP CREATE s g $ FOO", misused("XGROUP", "CREATE")),
        ("XGROUP CREATE s g $ ENTRIESREAD", misused("XGROUP", "CREATE")),
        ("XGROUP CREATE s g $ ENTRIESREAD x", NOT_INTEGER),
        ("XGROUP CREATE s g $ ENTRIESREAD -2", Error("ERR value for ENTRIESREAD must be positive or -1")),
        ("XGROUP CREATE s g $ MKSTREAM MKSTREAM MKSTREAM MKSTREAM", misused("XGROUP", "CREATE")), ("EXISTS s", 0),
        ("XGROUP FOO s g", Error("ERR unknown subcommand 'FOO'. Try XGROUP HELP.")),
    ],
    "XGROUP SETID": [
        *adds(3), ("XGROUP CREATE s g $", OK), ("XGROUP SETID s g 1-1", OK), reads("c", 5, 2, 3),
        ("XGROUP SETID s g $", OK), ("XINFO GROUPS s", [group(consumers=1, pending=2, last_delivered_id="1-3")]),
        ("XGROUP SETID s g - ENTRIESREAD 0", OK), ("XINFO GROUPS s", [
            group(consumers=1, pending=2, entries_read=0, lag=3)]),
        ("XGROUP SETID s g +", OK), ("XGROUP SETID s x 0", NO_GROUP_OF_KEY), ("XGROUP SETID none g 0", NEEDS_KEY),
        ("XGROUP SETID s g x", BAD_ID), ("XGROUP SETID s g 0 MKSTREAM", misused("XGROUP", "SETID")),
        ("XGROUP SETID s g", wrong_args("xgroup|setid")),
        ("XGROUP SETID s g 0 ENTRIESREAD 1 ENTRIESREAD 1", misused("XGROUP", "SETID")),
    ],
    "XGROUP DESTROY": [
        *given("c", "c"), ("XGROUP DESTROY s x", 0), ("XGROUP DESTROY s g", 1), ("XGROUP DESTROY s g", 0),
        ("XINFO GROUPS s", []), ("XGROUP DESTROY none g", NEEDS_KEY), ("XGROUP CREATE s g 0", OK),
        ("XPENDING s g", [0, None, None, NIL_ARRAY]), ("XGROUP DESTROY s", wrong_args("xgroup|destroy")),
    ],
    "Consumers": [
        *given("c", "d", "c"), ("XGROUP CREATECONSUMER s g c", 0), ("XGROUP CREATECONSUMER s g e", 1),
        ("XPENDING s g", [3, "1-1", "1-3", [["c", "2"], ["d", "1"]]]), ("XGROUP DELCONSUMER s g c", 2),
        pending((2, "d", 1)), ("XGROUP DELCONSUMER s g c", 0), ("XGROUP DELCONSUMER s g e", 0),
        ("XINFO GROUPS s", [group(consumers=1, pending=1, last_delivered_id="1-3", entries_read=3)]),
        ("XGROUP CREATECONSUMER s x c", NO_GROUP_OF_KEY), ("XGROUP DELCONSUMER s x c", NO_GROUP_OF_KEY),
        ("XGROUP CREATECONSUMER none g c", NEEDS_KEY), ("XGROUP DELCONSUMER none g c", NEEDS_KEY),
        ("XGROUP CREATECONSUMER s g", wrong_args("xgroup|createconsumer")),
        ("XGROUP DELCONSUMER s g", wrong_args("xgroup|delconsumer")),
    ],
    "Help": [
        ("XGROUP HELP", Holding(Status("CREATE <key> <groupname> <id|$> [option]"))),
        ("XINFO HELP", Holding(Status("GROUPS <key>"))), ("XINFO HELP x", wrong_args("xinfo|help")),
    ],
    # --- XACK and XACKDEL ---
    "XACK": [
        *given("c", "d", "c"), ("XACK s g 1-1 1-1 1-2 9-9", 2), pending((3, "c", 1)), ("XACK s g 1-1", 0),
        ("XACK s x 1-1", 0), ("XACK none g 1-1", 0), ("XACK s g 1-3 x", BAD_ID), pending((3, "c", 1)),
        ("XACK s x x", 0), ("XACK s g", wrong_args("xack")), ("XACK s g 1-3", 1),
        ("XPENDING s g", [0, None, None, NIL_ARRAY]), ("XLEN s", 3),
    ],
    "XACKDEL": Case([
        *given("c", "c", "c", "c", "c"), ("XGROUP CREATE s h 0", OK),
        ("XREADGROUP GROUP h c COUNT 3 STREAMS s >", Any()), ("XACK s h 1-1", 1),
        ("XACKDEL s g ACKED IDS 4 1-1 1-2 1-5 9-9", [1, 2, 2, -1]), all_of(2, 3, 4, 5),
        pending((3, "c", 1), (4, "c", 1)),
        ("XACKDEL s g IDS 1 1-3", [1]), ("XPENDING s h", [2, "1-2", "1-3", [["c", "2"]]]),
        ("XDEL s 1-4", 1), ("XACKDEL s g DELREF IDS 1 1-4", [1]), ("XACKDEL s h DELREF IDS 2 1-2 1-3", [1, 1]),
        ("XPENDING s h", [0, None, None, NIL_ARRAY]), all_of(5), ("XACKDEL s x IDS 1 z", [-1]),
        ("XACKDEL none g IDS 2 1-1 2-2", [-1, -1]), ("XACKDEL s g IDS 1 z", BAD_ID),
        ("XACKDEL s g FOO IDS 1 1-1", SYNTAX),
        ("XACKDEL s g IDS 2 1-1", Error("ERR The `numids` parameter must match the number of arguments")),
        ("XACKDEL s g IDS 1", wrong_args("xackdel")),
    ], since=REFS),
    # --- XPENDING ---
    "XPENDING": [
        *given("c", "d", "c", "d", "c"), ("XPENDING s g", [5, "1-1", "1-5", [["c", "3"], ["d", "2"]]]),
        ("XPENDING s g - + 2", [["1-1", "c", SOON, 1], ["1-2", "d", SOON, 1]]),
        ("XPENDING s g (1-1 1-4 9 d", [["1-2", "d", SOON, 1], ["1-4", "d", SOON, 1]]), ("XPENDING s g - + 9 x", []),
        ("XPENDING s g 1-5 + 9", [["1-5", "c", SOON, 1]]), ("XPENDING s g 1-3 (1-3 9", []), ("XPENDING s g - + 0", []),
        ("XPENDING s g - + -1", []), ("XPENDING s g IDLE 100000 - + 9", []), ("XPENDING s g IDLE 100000 - + 9 c", []),
        ("XPENDING s g IDLE -5 - + 1", [["1-1", "c", SOON, 1]]),
        ("XPENDING s g IDLE 0 - + 1", [["1-1", "c", SOON, 1]]),
        ("XCLAIM s g d 0 1-2 1-3 1-4 IDLE 50000 JUSTID", ["1-2", "1-3", "1-4"]),
        ("XPENDING s g IDLE 40000 - + 9", [[f"1-{number}", "d", Between(50000, 59000), 1] for number in (2, 3, 4)]),
        ("XPENDING s g idle 40000 (1-2 + 1 d", [["1-3", "d", Between(50000, 59000), 1]]),
        ("XPENDING s g IDLE 40000 - + 9 c", []), ("XPENDING s g", [5, "1-1", "1-5", [["c", "2"], ["d", "3"]]]),
    ],
    "XPENDING, wrong": [
        *given("c"), ("XPENDING s", wrong_args("xpending")), ("XPENDING s x", NO_GROUP),
        ("XPENDING none x", Error("NOGROUP No such key 'none' or consumer group 'x'")),
        ("XPENDING s g -", SYNTAX), ("XPENDING s g - +", SYNTAX), ("XPENDING s g IDLE 1 - +", SYNTAX),
        ("XPENDING s g - + x", NOT_INTEGER), ("XPENDING s g x + 1", BAD_ID), ("XPENDING s g IDLE x - + 1", NOT_INTEGER),
        ("XPENDING s g - + 1 c d e f", SYNTAX), ("XPENDING s g - (0-0 1", Error("ERR invalid end ID for the interval")),
        ("XPENDING s x - + x", NOT_INTEGER),
        ("XPENDING s \"x\\r\\n\\x00y\"", Error("NOGROUP No such key 's' or consumer group 'x  '")),
    ],
    # --- XCLAIM ---
    "XCLAIM": [
        *given("c", "c", "c"), ("XCLAIM s g d 0 1-1 1-2 9-9", entries(1, 2)),
        pending((1, "d", 2), (2, "d", 2), (3, "c", 1)), ("XCLAIM s g d 0 1-1 JUSTID", ["1-1"]),
        pending((1, "d", 2), (2, "d", 2), (3, "c", 1)), ("XCLAIM s g e 100000 1-1", []),
        ("XCLAIM s g e -5 1-3 RETRYCOUNT 7", entries(3)), pending((1, "d", 2), (2, "d", 2), (3, "e", 7)),
        ("XCLAIM s g e 0 1-3 RETRYCOUNT -7", entries(3)), pending((1, "d", 2), (2, "d", 2), (3, "e", 8)),
    ],
    "XCLAIM sets the time": [
        *given("c", "c"), ("XCLAIM s g d 0 1-1 IDLE 50000", entries(1)),
        ("XCLAIM s g d 0 1-2 TIME 1000 JUSTID", ["1-2"]),
        ("XPENDING s g IDLE 50000 - + 9", [["1-1", "d", Between(50000, 59000), 2],
                                           ["1-2", "d", Between(10**12, 10**14), 1]]),
        ("XCLAIM s g d 60000 1-1 1-2", entries(2)), ("XCLAIM s g d 0 1-1 TIME -1", entries(1)),
        ("XCLAIM s g d 0 1-2 TIME 9000000000000000", entries(2)), ("XCLAIM s g d 0 1-2 IDLE -100000000", entries(2)),
        pending((1, "d", 3), (2, "d", 4)),
    ],
    "XCLAIM FORCE and LASTID": [
        *adds(4), ("XGROUP CREATE s g 0", OK), ("XCLAIM s g c 0 1-1", []), ("XCLAIM s g c 0 1-1 9-9 FORCE", entries(1)),
        ("XCLAIM s g c 100000 1-2 FORCE JUSTID", ["1-2"]), pending((1, "c", 2), (2, "c", 1)),
        ("XCLAIM s g c 0 1-2 LASTID 1-3 JUSTID", ["1-2"]), reads("d", 9, 4),
        ("XCLAIM s g c 0 1-2 LASTID 1-1 JUSTID", ["1-2"]), ("XREADGROUP GROUP g d STREAMS s >", NIL_ARRAY),
    ],
    "XCLAIM of what was deleted": [
        *given("c", "c"), ("XDEL s 1-1", 1), ("XCLAIM s g d 0 1-1 1-2", entries(2)), pending((2, "d", 2)),
        ("XCLAIM s g d 0 1-1 FORCE", []), pending((2, "d", 2)), ("XTRIM s MAXLEN 0", 1),
        ("XCLAIM s g d 100000 1-2", []),
        ("XPENDING s g", [0, None, None, NIL_ARRAY]),
    ],
    "XCLAIM makes a consumer": Case([
        *given("c"), ("XCLAIM s g d 100000 1-1", []),
        ("XINFO GROUPS s", [group(consumers=2, pending=1, last_delivered_id="1-1", entries_read=1)]),
    ], since=NEWER),
    "XCLAIM, wrong": [
        *given("c"), ("XCLAIM s g c 0", wrong_args("xclaim")), ("XCLAIM s x c 0 1-1", NO_GROUP),
        ("XCLAIM s x c z z", NO_GROUP),
        ("XCLAIM s g c z 1-1", Error("ERR Invalid min-idle-time argument for XCLAIM")),
        ("XCLAIM s g c 0 1-1 FOO", Error("ERR Unrecognized XCLAIM option 'FOO'")),
        ("XCLAIM s g c 0 1-1 FORCE 1-1", Error("ERR Unrecognized XCLAIM option '1-1'")),
        ("XCLAIM s g c 0 1-1 IDLE", Error("ERR Unrecognized XCLAIM option 'IDLE'")),
        ("XCLAIM s g c 0 1-1 IDLE x", Error("ERR Invalid IDLE option argument for XCLAIM")),
        ("XCLAIM s g c 0 1-1 TIME x", Error("ERR Invalid TIME option argument for XCLAIM")),
        ("XCLAIM s g c 0 1-1 RETRYCOUNT x", Error("ERR Invalid RETRYCOUNT option argument for XCLAIM")),
        ("XCLAIM s g c 0 1-1 LASTID x", BAD_ID), pending((1, "c", 1)),
    ],
    # --- XAUTOCLAIM ---
    "XAUTOCLAIM": [
        *given("c", "d", "c", "d"), ("XAUTOCLAIM s g d 0 - COUNT 2", ["1-3", entries(1, 2), []]),
        ("XAUTOCLAIM s g d 0 1-3 COUNT 9", ["0-0", entries(3, 4), []]),
        pending((1, "d", 2), (2, "d", 2), (3, "d", 2), (4, "d", 2)),
        ("XAUTOCLAIM s g e 0 (1-1 COUNT 1 JUSTID", ["1-3", ["1-2"], []]),
        ("XAUTOCLAIM s g e 100000 0", ["0-0", [], []]),
        pending((1, "d", 2), (2, "e", 2), (3, "d", 2), (4, "d", 2)), ("XAUTOCLAIM s g e 0 5", ["0-0", [], []]),
    ],
    "XAUTOCLAIM takes what has been idle": [
        *given(*"cccccc"), ("XCLAIM s g c 0 1-2 1-5 IDLE 50000 JUSTID", ["1-2", "1-5"]),
        ("XAUTOCLAIM s g d 40000 0 COUNT 1", ["1-3", entries(2), []]),
        ("XAUTOCLAIM s g d 40000 1-3", ["0-0", entries(5), []]), ("XAUTOCLAIM s g d 40000 0", ["0-0", [], []]),
        pending((1, "c", 1), (2, "d", 2), (3, "c", 1), (4, "c", 1), (5, "d", 2), (6, "c", 1)),
    ],
    "XAUTOCLAIM drops what was deleted": [
        *given(*"cccccc"), ("XDEL s 1-1 1-3 1-6", 3),
        ("XAUTOCLAIM s g d 0 - COUNT 3", ["1-4", entries(2), ["1-1", "1-3"]]),
        ("XAUTOCLAIM s g d 100000 - COUNT 9", ["0-0", [], ["1-6"]]), pending((2, "d", 2), (4, "c", 1), (5, "c", 1)),
        ("XTRIM s MAXLEN 0", 3), ("XAUTOCLAIM s g d 100000 0", ["0-0", [], ["1-2", "1-4", "1-5"]]),
        ("XPENDING s g", [0, None, None, NIL_ARRAY]),
    ],
    "XAUTOCLAIM, wrong": [
        *given("c"), ("XAUTOCLAIM s g c 0", wrong_args("xautoclaim")), ("XAUTOCLAIM s x c 0 0", NO_GROUP),
        ("XAUTOCLAIM s g c x 0", Error("ERR Invalid min-idle-time argument for XAUTOCLAIM")),
        ("XAUTOCLAIM s g c 0 x", BAD_ID), ("XAUTOCLAIM s g c 0 0 COUNT 0", Error("ERR COUNT must be > 0")),
        ("XAUTOCLAIM s g c 0 0 COUNT 576460752303423488", Error("ERR COUNT must be > 0")),
        ("XAUTOCLAIM s g c 0 0 COUNT", SYNTAX), ("XAUTOCLAIM s g c 0 0 FOO", SYNTAX), pending((1, "c", 1)),
    ],
    # --- XINFO ---
    "XINFO STREAM": [
        *adds(3), ("XADD s 2-1 a 1 b 2", "2-1"), ("XDEL s 1-2", 1), ("XGROUP CREATE s g 0", OK), ("XINFO STREAM s", {
            "length": 3, "radix-tree-keys": 1, "radix-tree-nodes": Any(int), "last-generated-id": "2-1",
            "max-deleted-entry-id": "1-2", "entries-added": 4, "recorded-first-entry-id": "1-1", "groups": 1,
            "first-entry": entries(1)[0], "last-entry": ["2-1", ["a", "1", "b", "2"]]}),
        ("XTRIM s MAXLEN 0", 3), ("XINFO STREAM s", {
            "length": 0, "radix-tree-keys": 0, "radix-tree-nodes": 1, "last-generated-id": "2-1",
            "max-deleted-entry-id": "1-2", "entries-added": 4, "recorded-first-entry-id": "0-0", "groups": 1,
            "first-entry": None, "last-entry": None}),
        ("XINFO STREAM none", NO_KEY), ("XINFO STREAM s FOO", misused("XINFO", "STREAM")),
        ("XINFO STREAM s FULL COUNT", misused("XINFO", "STREAM")), ("XINFO STREAM s FULL COUNT x", NOT_INTEGER),
        ("XINFO STREAM s FULL FOO 1", misused("XINFO", "STREAM")), ("XINFO STREAM", wrong_args("xinfo|stream")),
    ],
    "XINFO STREAM FULL": Case([
        *given("c", "c", "d"), ("XGROUP CREATECONSUMER s g e", 1), ("XINFO STREAM s FULL COUNT 2", {
            "length": 3, "radix-tree-keys": 1, "radix-tree-nodes": Any(int), "last-generated-id": "1-3",
            "max-deleted-entry-id": "0-0", "entries-added": 3, "recorded-first-entry-id": "1-1",
            "entries": entries(1, 2), "groups": [{
                "name": "g", "last-delivered-id": "1-3", "entries-read": 3, "lag": 0, "pel-count": 3,
                "pending": [["1-1", "c", Any(int), 1], ["1-2", "c", Any(int), 1]], "consumers": [
                    {"name": "c", "seen-time": Any(int), "active-time": Any(int), "pel-count": 2,
                     "pending": [["1-1", Any(int), 1], ["1-2", Any(int), 1]]},
                    {"name": "d", "seen-time": Any(int), "active-time": Any(int), "pel-count": 1,
                     "pending": [["1-3", Any(int), 1]]},
                    {"name": "e", "seen-time": Any(int), "active-time": -1, "pel-count": 0, "pending": []}]}]}),
    ], since=NEWER),
    "XINFO STREAM FULL COUNT": [
        *adds(12), *[(f"XINFO STREAM s FULL{count}", {
            "length": 12, "radix-tree-keys": 1, "radix-tree-nodes": 2, "last-generated-id": "1-12",
            "max-deleted-entry-id": "0-0", "entries-added": 12, "recorded-first-entry-id": "1-1",
            "entries": entries(*range(1, shown + 1)), "groups": []})
            for count, shown in (("", 10), (" COUNT 0", 12), (" COUNT -1", 10), (" COUNT 3", 3))],
    ],
    "XINFO GROUPS": [
        *given("c", "d"), ("XGROUP CREATE s h $", OK), ("XINFO GROUPS s", [
            group(consumers=2, pending=2, last_delivered_id="1-2", entries_read=2),
            group("h", last_delivered_id="1-2")]),
        ("XINFO GROUPS none", NO_KEY), ("XINFO GROUPS", wrong_args("xinfo|groups")),
    ],
    "XINFO CONSUMERS": Case([
        *given("c", "d", "c"), ("XGROUP CREATECONSUMER s g b", 1), ("XINFO CONSUMERS s g", [
            {"name": "b", "pending": 0, "idle": SOON, "inactive": -1},
            {"name": "c", "pending": 2, "idle": SOON, "inactive": SOON},
            {"name": "d", "pending": 1, "idle": SOON, "inactive": SOON}]),
        Advance(20), ("XREADGROUP GROUP g c STREAMS s >", NIL_ARRAY), ("XGROUP DELCONSUMER s g b", 0),
        ("XINFO CONSUMERS s g", [{"name": "c", "pending": 2, "idle": Between(0, 19), "inactive": Between(20, 5000)},
                                 {"name": "d", "pending": 1, "idle": Between(20, 5000),
                                  "inactive": Between(20, 5000)}]),
        ("XINFO CONSUMERS s x", NO_GROUP_OF_KEY), ("XINFO CONSUMERS none g", NO_KEY),
        ("XINFO CONSUMERS s", wrong_args("xinfo|consumers")),
    ], since=NEWER),
    "Lags": [
        *adds(5), ("XGROUP CREATE s g 0", OK), ("XINFO GROUPS s", [group(lag=5)]), reads("c", 2, 1, 2),
        ("XINFO GROUPS s", [group(consumers=1, pending=2, last_delivered_id="1-2", entries_read=2, lag=3)]),
        ("XDEL s 1-4", 1),
        ("XINFO GROUPS s", [group(consumers=1, pending=2, last_delivered_id="1-2", entries_read=2, lag=None)]),
        reads("c", 9, 3, 5),
        ("XINFO GROUPS s", [group(consumers=1, pending=4, last_delivered_id="1-5", entries_read=5, lag=0)]),
        *adds(2, first=6),
        ("XINFO GROUPS s", [group(consumers=1, pending=4, last_delivered_id="1-5", entries_read=5, lag=2)]),
        ("XGROUP CREATE s h 0", OK), ("XTRIM s MAXLEN 2", 4),
        ("XINFO GROUPS s", [group(consumers=1, pending=4, last_delivered_id="1-5", entries_read=5, lag=2),
                            group("h", lag=2)]),
        ("XGROUP SETID s h 1-7 ENTRIESREAD 8", OK), ("XGROUP SETID s g 1-7 ENTRIESREAD 12", OK),
        ("XINFO GROUPS s", [group(consumers=1, pending=4, last_delivered_id="1-7", entries_read=12, lag=-5),
                            group("h", last_delivered_id="1-7", entries_read=8, lag=-1)]),
    ],
    "Lags of groups that have read too much": Case([
        *adds(3), ("XGROUP CREATE s g 0", OK), ("XGROUP SETID s g 0 ENTRIESREAD 2", OK),
        ("XINFO GROUPS s", [group(entries_read=2, lag=3)]), ("XDEL s 1-3", 1), *adds(1, first=4),
        ("XGROUP SETID s g 1-2 ENTRIESREAD 1", OK), reads("c", 1, 4),
        ("XINFO GROUPS s", [group(consumers=1, pending=1, last_delivered_id="1-4", entries_read=4)]),
    ], since=NEWER),
    "Other types are refused": [
        ("SET s v", OK), ("XGROUP CREATE s g 0", WRONGTYPE), ("XGROUP SETID s g 0", WRONGTYPE),
        ("XGROUP DESTROY s g", WRONGTYPE), ("XGROUP CREATECONSUMER s g c", WRONGTYPE),
        ("XGROUP DELCONSUMER s g c", WRONGTYPE), ("XACK s g x", WRONGTYPE), ("XPENDING s g", WRONGTYPE),
        ("XCLAIM s g c x x", WRONGTYPE), ("XAUTOCLAIM s g c 0 0", WRONGTYPE), ("XINFO STREAM s", WRONGTYPE),
        ("XINFO GROUPS s", WRONGTYPE), ("XINFO CONSUMERS s g", WRONGTYPE),
    ],
    "Groups are copied": [
        *given("c", "d"), ("COPY s t", 1), ("XACK s g 1-1", 1),
        ("XPENDING t g", [2, "1-1", "1-2", [["c", "1"], ["d", "1"]]]),
        ("DEL s", 1), ("RENAME t s", OK), pending((1, "c", 1), (2, "d", 1)), ("XGROUP DESTROY s g", 1),
    ],
    "Events": [
        *adds(2), *listen(classes="Et"), ("XGROUP CREATE s g 0", OK), ("XGROUP CREATE t g 0 MKSTREAM", OK),
        ("XGROUP CREATECONSUMER s g c", 1), ("XGROUP CREATECONSUMER s g c", 0), reads("c", 9, 1, 2),
        ("XREADGROUP GROUP g c STREAMS s >", NIL_ARRAY),
        ("XCLAIM s g d 0 1-1 JUSTID", ["1-1"]), ("XAUTOCLAIM s g e 0 0 JUSTID", ["0-0", ["1-1", "1-2"], []]),
        ("XGROUP SETID s g 0", OK), ("XGROUP DELCONSUMER s g c", 0), ("XGROUP DELCONSUMER s g c", 0),
        ("XACK s g 1-1", 1), ("XGROUP DESTROY s g", 1), ("XGROUP DESTROY s g", 0),
        *heard("xgroup-create s", "xgroup-create t", "xgroup-createconsumer s", "xgroup-createconsumer s",
               "xgroup-createconsumer s", "xgroup-setid s", "xgroup-delconsumer s", "xgroup-destroy s"),
    ],
    "Who watches is not told": [
        *given("c"), ("WATCH s", OK), ("@2 XACK s g 1-1", 1), ("@2 XGROUP SETID s g 0", OK),
        ("@2 XGROUP CREATECONSUMER s g d", 1), ("@2 XGROUP DESTROY s g", 1), ("@2 XGROUP CREATE s g 0", OK),
        ("MULTI", OK), ("EXEC", []), ("WATCH t", OK), ("@2 XGROUP CREATE t g 0 MKSTREAM", OK), ("MULTI", OK),
        ("EXEC", NIL_ARRAY),
    ],
}


def test_rows(row_case):
    row_case.check()


# --- what is propagated; see tests.effect_rows ----------------------------------------

TWO = "XADD s 1-1 f v | XADD s 1-2 f v | XGROUP CREATE s g 0"
BOTH = f"{TWO} | XREADGROUP GROUP g c STREAMS s >"
UNTOLD = "Redis does not propagate a consumer that got nothing"
EFFECTS = {
    "XGROUP": ("XADD s 1-1 f v",
               "XGROUP CREATE s g $ | XGROUP SETID s g 0 ENTRIESREAD 0 | XGROUP CREATECONSUMER s g c |"
               "XGROUP CREATECONSUMER s g c | XGROUP DELCONSUMER s g x | XGROUP DELCONSUMER s g c |"
               "XGROUP DESTROY s x | XGROUP DESTROY s g",
               "XGROUP CREATE s g $ | XGROUP SETID s g 0 ENTRIESREAD 0 | XGROUP CREATECONSUMER s g c |"
               "XGROUP DELCONSUMER s g c | XGROUP DESTROY s g"),
    "XACK": (BOTH, "XACK s g 9-9 | XACK s g 1-1 9-9", "XACK s g 1-1 9-9"),
    "XACKDEL": (BOTH, "XACKDEL s g IDS 1 9-9 | XACKDEL s g IDS 1 1-1", "XACKDEL s g IDS 1 1-1"),
    "XCLAIM": (BOTH, "XCLAIM s g c 0 1-1 1-2 TIME 5 RETRYCOUNT 3",
               "MULTI | XCLAIM s g c 0 1-1 TIME 5 RETRYCOUNT 3 FORCE JUSTID LASTID 1-2 |"
               "XCLAIM s g c 0 1-2 TIME 5 RETRYCOUNT 3 FORCE JUSTID LASTID 1-2 | EXEC"),
    "XCLAIM LASTID": (BOTH, "XCLAIM s g c 0 9-9 LASTID 5-5", "XGROUP SETID s g 5-5 ENTRIESREAD 2"),
    "XCLAIM in vain": (BOTH, "XCLAIM s g d 100000 1-1 | XCLAIM s g d 100000 1-1", "XGROUP CREATECONSUMER s g d",
                       UNTOLD),
    "XAUTOCLAIM": (f"{BOTH} | XCLAIM s g c 0 1-1 1-2 TIME 5 RETRYCOUNT 3 | XDEL s 1-1", "XAUTOCLAIM s g c 0 0",
                   "MULTI | XCLAIM s g c 0 1-1 TIME 5 RETRYCOUNT 3 FORCE JUSTID LASTID 1-2 |"
                   "XCLAIM s g c 0 1-2 TIME T+0 RETRYCOUNT 4 FORCE JUSTID LASTID 1-2 | EXEC"),
    "XAUTOCLAIM in vain": (BOTH, "XAUTOCLAIM s g d 100000 0", "XGROUP CREATECONSUMER s g d", UNTOLD),
    "XDELEX of what is only pending": (f"{BOTH} | XDEL s 1-1", "XDELEX s DELREF IDS 1 1-1",
                                       "XDELEX s DELREF IDS 1 1-1", "Redis does not propagate it"),
}


def test_effects(effect):
    effect.check()


def test_idle_entries_are_found_behind_many_others(local):
    """Redis gives up after ten times as many as it may claim."""
    client = local.client()
    for number in range(200):
        client.call("XADD", "s", f"1-{number + 1}", "f", "v")
    client.call("XGROUP", "CREATE", "s", "g", "0")
    client.call("XREADGROUP", "GROUP", "g", "c", "STREAMS", "s", ">")
    client.call("XCLAIM", "s", "g", "c", "0", "1-150", "IDLE", "1000", "JUSTID")
    assert client.call("XAUTOCLAIM", "s", "g", "d", "500", "0", "COUNT", "1", "JUSTID") == [b"1-151", [b"1-150"], []]
