"""Idempotent producers, of Redis 8.6: XADD IDMP, XCFGSET, XIDMPRECORD. No server to compare with has them."""
import pytest

from tests.commands.test_streams import BAD_ID, adds
from tests.resp import Error
from tests.rows import NOT_INTEGER, OK, SYNTAX, WRONGTYPE, Case, wrong_args

SINCE = "8.8"
ONE, TWO = "9999999999999-1", "9999999999999-2"        # what is old is forgotten at once
NO_KEY = Error("ERR no such key")
TWICE = Error("ERR IDMP/IDMPAUTO specified multiple times")
NOT_AUTO = Error("ERR IDMP/IDMPAUTO can be used only with auto-generated IDs")
OUT_OF_RANGE = {"IDMP-DURATION": Error("ERR IDMP-DURATION must be between 1 and 86400 seconds"),
                "IDMP-MAXSIZE": Error("ERR IDMP-MAXSIZE must be between 1 and 10000 entries")}

CASES = {
    "XADD IDMP, wrong": Case([
        ("XADD s IDMP p * f v", BAD_ID), ("XADD s IDMP p i 1-1 f v", NOT_AUTO), ("XADD s IDMPAUTO p 1-* f v", NOT_AUTO),
        ("XADD s IDMP p i IDMP p j * f v", TWICE), ("XADD s IDMPAUTO p IDMPAUTO p * f v", TWICE),
        ("XADD s IDMP '' i * f v", Error("ERR IDMP requires a non-empty producer ID")),
        ("XADD s IDMP p '' * f v", Error("ERR IDMP requires a non-empty idempotent ID")),
        ("XADD s IDMPAUTO '' * f v", Error("ERR IDMPAUTO requires a non-empty producer ID")),
        ("XADD s IDMP p i *", wrong_args("xadd")), ("XADD s IDMP p i NOMKSTREAM * f v", None), ("EXISTS s", 0),
        ("SET k v", OK), ("XADD k IDMP p i * f v", WRONGTYPE), ("XTRIM s IDMP p i MAXLEN 1", SYNTAX),
    ], since=SINCE),
    "XCFGSET": Case([
        ("XCFGSET s IDMP-DURATION 5", NO_KEY), *adds(1), ("XCFGSET s IDMP-DURATION 5", OK),
        ("XCFGSET s IDMP-MAXSIZE 7 idmp-duration 6 IDMP-DURATION 4", OK), ("XCFGSET", wrong_args("xcfgset")),
        ("XCFGSET s", Error("ERR At least one parameter must be specified")), ("XCFGSET s FOO 1", SYNTAX),
        *[row for name, error in OUT_OF_RANGE.items() for row in (
            (f"XCFGSET s {name}", SYNTAX), (f"XCFGSET s {name} x", NOT_INTEGER), (f"XCFGSET s {name} 0", error),
            (f"XCFGSET s {name} -5", error), (f"XCFGSET s {name} 86401", error), (f"XCFGSET s {name} 1", OK))],
        ("SET k v", OK), ("XCFGSET k IDMP-DURATION 5", WRONGTYPE),
    ], since=SINCE),
    "XIDMPRECORD": Case([
        (f"XIDMPRECORD s p i {ONE}", NO_KEY), (f"XADD s {ONE} f v", ONE), (f"XADD s {TWO} f v", TWO),
        (f"XIDMPRECORD s p i {ONE}", OK), (f"XIDMPRECORD s p i {ONE}", OK),
        (f"XIDMPRECORD s p i {TWO}",
         Error("ERR The producer ID and idempotent ID already map to a different stream ID")),
        ("XIDMPRECORD s p j 9-9", Error("ERR The stream ID does not exist in the stream")),
        ("XIDMPRECORD s p j x", BAD_ID), ("XADD s IDMP p i * f other", ONE), ("XLEN s", 2),
        *[(f"XIDMPRECORD s {names} {ONE}",
           Error("ERR XIDMPRECORD requires a non-empty producer ID and idempotent ID")) for names in ("'' i", "p ''")],
        ("XIDMPRECORD s p i", wrong_args("xidmprecord")), ("SET k v", OK), (f"XIDMPRECORD k p i {ONE}", WRONGTYPE),
    ], since=SINCE),
}


def test_rows(row_case):
    row_case.check()


@pytest.fixture
def client(local):
    local.engine.clock.set(10**12)
    return local.client()


def told(client):
    reply = client.call("XINFO", "STREAM", "s")
    return {name.decode(): value for name, value in zip(reply[::2], reply[1::2], strict=True)
            if name[:4] in (b"idmp", b"pids", b"iids")}


def test_a_message_is_added_once(local, client):
    assert told_nothing(client)
    first = client.call("XADD", "s", "IDMP", "p", "one", "*", "f", "v")
    assert client.call("XADD", "s", "MAXLEN", "~", "10", "IDMP", "p", "one", "*", "f", "w", "g", "x") == first
    others = [client.call("XADD", "s", "IDMP", pid, iid, "*", "f", "v")
              for pid, iid in (("p", "two"), ("q", "one"), ("p", "*"), (b"\0", b"\0\xff"), ("p", "x" * 70_000))]
    assert len({first, *others}) == 6 and client.call("XLEN", "s") == 6
    assert client.call("XADD", "s", "IDMP", b"\0", b"\0\xff", "*", "f", "v") == others[3]
    assert told(client) == {"idmp-duration": 100, "idmp-maxsize": 100, "pids-tracked": 3, "iids-tracked": 6,
                            "iids-added": 6, "iids-duplicates": 2}
    client.call("XDEL", "s", first)
    assert client.call("XADD", "s", "IDMP", "p", "one", "*", "f", "v") == first and client.call("XLEN", "s") == 5


def told_nothing(client):
    client.call("XADD", "s", "*", "f", "v")
    nothing = told(client) == {}
    client.call("DEL", "s")
    return nothing


def test_a_message_is_known_by_what_is_in_it(client):
    def add(*words, pid="p"):
        return client.call("XADD", "s", "IDMPAUTO", pid, "*", *words)

    first = add("a", "1", "b", "2")
    assert add("b", "2", "a", "1") == first == add("a", "1", "b", "2")
    others = [add("a", "2", "b", "1"), add("a", "1"), add("a", "1", "b", "2", "b", "2"), add("ab", "12"),
              add("a1", "b2"), add("a", "1", "b", "2", pid="q"), add("", "a1b2"), add("b", "1", "a", "3")]
    assert len({first, *others}) == 9


def test_messages_are_forgotten(local, client):
    client.call("CONFIG", "SET", "stream-idmp-maxsize", "3")
    ids = [client.call("XADD", "s", "IDMP", "p", n, "*", "f", "v") for n in range(5)]
    assert [client.call("XADD", "s", "IDMP", "p", n, "*", "f", "v") for n in (4, 3, 2)] == ids[:1:-1]
    assert client.call("XADD", "s", "IDMP", "p", "1", "*", "f", "v") not in ids
    local.engine.clock.advance(99_999)
    assert client.call("XADD", "s", "IDMP", "p", "4", "*", "f", "v") == ids[4]
    local.engine.clock.advance(1)
    assert client.call("XADD", "s", "IDMP", "p", "4", "*", "f", "v") not in ids
    local.engine.clock.advance(100_000)
    assert told(client)["pids-tracked"] == told(client)["iids-tracked"] == 0


def test_producers_who_never_come_again_are_forgotten(local, client):
    for n in range(100):
        client.call("XADD", "s", "IDMP", f"p{n}", "i", "*", "f", "v")
    local.engine.clock.advance(200_000)
    before = local.engine.used_memory if hasattr(local.engine, "used_memory") else 0
    for n in range(100):
        client.call("XADD", "s", "IDMP", "q", n % 3, "*", "f", "v")
        local.engine.clock.advance(101_000)
    assert before == 0 or local.engine.used_memory < before
    assert told(client)["pids-tracked"] <= 1


def test_other_limits_forget_all(client):
    first = client.call("XADD", "s", "IDMP", "p", "i", "*", "f", "v")
    assert client.call("XCFGSET", "s", "IDMP-DURATION", "100") == OK
    assert client.call("XADD", "s", "IDMP", "p", "i", "*", "f", "v") == first
    assert client.call("XCFGSET", "s", "IDMP-DURATION", "5", "IDMP-MAXSIZE", "9") == OK
    assert client.call("XADD", "s", "IDMP", "p", "i", "*", "f", "v") != first
    assert told(client)["idmp-duration"] == 5 and told(client)["idmp-maxsize"] == 9


def test_it_survives(client):
    ids = [client.call("XADD", "s", "IDMP", pid, iid, "*", "f", "v") for pid in "pq" for iid in range(30)]
    client.call("XCFGSET", "s", "IDMP-DURATION", "100")
    payload = client.call("DUMP", "s")
    assert (payload[0], payload[-10]) == (26, 13)
    assert client.call("RESTORE", "t", "0", payload) == OK and client.call("DUMP", "t") == payload
    client.call("COPY", "s", "u")
    client.call("RENAME", "u", "s")
    assert client.call("DEBUG", "RELOAD") == OK
    state = told(client)
    assert state["iids-tracked"] == 60 and state["iids-added"] == 60
    assert [client.call("XADD", "s", "IDMP", pid, iid, "*", "f", "v") for pid in "pq" for iid in range(30)] == ids


NEW = "real servers are older"
EFFECTS = {
    "XADD IDMP again": (f"XADD s {ONE} f v | XIDMPRECORD s p i {ONE}", "XADD s IDMP p i * f v", "", NEW),
    "XIDMPRECORD": (f"XADD s {ONE} f v", f"XIDMPRECORD s p i {ONE}", f"XIDMPRECORD s p i {ONE}", NEW),
    "XCFGSET": ("XADD s 1-1 f v", "XCFGSET s IDMP-MAXSIZE 7", "XCFGSET s IDMP-MAXSIZE 7", NEW),
}


def test_effects(effect):
    effect.check()


def test_a_message_is_propagated_with_its_entry(local, client):
    local.notes.take()
    entry = client.call("XADD", "s", "MAXLEN", "~", "100", "LIMIT", "5", "IDMP", "p", "i", "*", "f", "v")
    assert [argv for _, argv in local.notes.take()] == [
        [b"MULTI"], [b"XADD", b"s", b"MAXLEN", b"=", b"100", entry, b"f", b"v"],
        [b"XIDMPRECORD", b"s", b"p", b"i", entry], [b"EXEC"]]
    assert client.call("XADD", "s", "IDMP", "p", "i", "*", "f", "v") == entry
    assert local.notes.take() == []
