"""HIMPORT: hashes from prepared lists of fields. Redis knows it since 8.10."""
from tests.rows import (
    NIL_ARRAY,
    OK,
    QUEUED,
    WRONGTYPE,
    Advance,
    Case,
    Error,
    Status,
    fields,
    heard,
    in_each,
    listen,
    wrong_args,
)

LISTEN = listen()
NO_FIELDSET = Error("ERR no such fieldset")
TWICE = Error("ERR duplicate field name in fieldset")
COUNT = Error("ERR value count does not match fieldset field count")
USER = ("HIMPORT PREPARE u name email age", OK)


# Each of these runs on a listpack and on a hashtable.
IN_EACH_ENCODING = {
    "HIMPORT SET makes hashes of prepared fields": [
        USER, ("HIMPORT SET h u alice a@x 30", OK), ("HIMPORT SET i u bob b@x 25", OK),
        fields({"name": "alice", "email": "a@x", "age": "30"}), ("HGET i email", "b@x"), ("HSET i more 1", 1),
        ("HINCRBY i age 1", 26), ("HLEN h", 3), ("HIMPORT DISCARD u", 1), ("HLEN h", 3),
    ],
    "HIMPORT SET replaces a hash, its TTL and those of its fields": [
        USER, ("HSET h old 1 name 2", 2), ("EXPIRE h 100", 1), ("HPEXPIRE h 10 FIELDS 1 name", [1]),
        ("HIMPORT SET h u a b c", OK), ("TTL h", -1), ("HTTL h FIELDS 2 name old", [-1, -2]), Advance(20),
        fields({"name": "a", "email": "b", "age": "c"}),
    ],
    "Empty names are names": [
        ('HIMPORT PREPARE "" "" b', OK), ('HIMPORT SET h "" 1 2', OK), ('HGET h ""', "1"), ('HIMPORT DISCARD ""', 1),
    ],
    "HIMPORT inside MULTI": [
        ("MULTI", OK), ("HIMPORT PREPARE u a b", QUEUED), ("HIMPORT SET h u 1 2", QUEUED), ("HGET h b", QUEUED),
        ("HIMPORT DISCARDALL", QUEUED), ("EXEC", [OK, OK, "2", 1]), ("HIMPORT SET h u 1 2", NO_FIELDSET),
    ],
}

ONCE = {
    "HIMPORT PREPARE replaces a fieldset": [
        ("HIMPORT PREPARE u a b", OK), ("HIMPORT PREPARE u x", OK), ("HIMPORT SET h u 1 2", COUNT),
        ("HIMPORT SET h u 1", OK), ("HGETALL h", {"x": "1"}), ("HIMPORT PREPARE u x x", TWICE),
        ("HIMPORT SET h u 2", OK), ("HGETALL h", {"x": "2"}),
    ],
    "HIMPORT refuses bad arguments": [
        ("HIMPORT", wrong_args("himport")), ("HIMPORT PREPARE", wrong_args("himport|prepare")),
        ("HIMPORT PREPARE u", wrong_args("himport|prepare")), ("HIMPORT SET h u", wrong_args("himport|set")),
        ("HIMPORT DISCARD", wrong_args("himport|discard")), ("HIMPORT DISCARD a b", wrong_args("himport|discard")),
        ("HIMPORT DISCARDALL a", wrong_args("himport|discardall")),
        ("HIMPORT NONE", Error("ERR unknown subcommand 'NONE'. Try HIMPORT HELP.")),
        ("HIMPORT PREPARE u a b a", TWICE), ("HIMPORT SET h u 1 2 3", NO_FIELDSET), USER,
        ("HIMPORT SET h u 1 2", COUNT), ("HIMPORT SET h u 1 2 3 4", COUNT), ("EXISTS h", 0),
    ],
    "HIMPORT SET refuses a string": [
        ("SET k v", OK), ("HIMPORT SET k none 1", WRONGTYPE), USER, ("HIMPORT SET k u 1 2 3", WRONGTYPE),
        ("GET k", "v"),
    ],
    "HIMPORT DISCARD and DISCARDALL": [
        ("HIMPORT DISCARD u", 0), ("HIMPORT DISCARDALL", 0), USER, ("HIMPORT PREPARE v a", OK),
        ("HIMPORT DISCARD u", 1), ("HIMPORT DISCARD u", 0), ("HIMPORT SET h u 1 2 3", NO_FIELDSET), USER,
        ("HIMPORT DISCARDALL", 2), ("HIMPORT DISCARDALL", 0), ("HIMPORT SET h v 1", NO_FIELDSET),
    ],
    "A fieldset belongs to its connection": [
        USER, ("@2 HIMPORT SET h u 1 2 3", NO_FIELDSET), ("@2 HIMPORT DISCARD u", 0), ("HIMPORT SET h u 1 2 3", OK),
        ("RESET", Status("RESET")), ("HIMPORT SET h u 1 2 3", NO_FIELDSET),
    ],
    "Events and WATCH of HIMPORT SET": [
        USER, *LISTEN, ("HIMPORT SET h u 1 2 3", OK), ("HIMPORT SET h u 1 2 3", OK), *heard("hset h", "hset h"),
        ("WATCH h", OK), ("@3 HIMPORT PREPARE u a", OK), ("@3 HIMPORT SET h u 1", OK), ("MULTI", OK),
        ("EXEC", NIL_ARRAY),
    ],
}
ENCODINGS = {"listpack": [], "hashtable": [("CONFIG SET hash-max-listpack-entries 0", OK)]}
CASES = (in_each(IN_EACH_ENCODING, ENCODINGS, since="8.10")
         | {name: Case(rows, since="8.10") for name, rows in ONCE.items()})


def test_rows(row_case):
    row_case.check()


# --- what is propagated; see tests.effect_rows ----------------------------------------

HASH = "HSET h a 1 b 2 c 3"
EFFECTS = {
    "HIMPORT SET": ("HIMPORT PREPARE f a b", "HIMPORT SET k f 1 2", "HSET k a 1 b 2"),
    "HIMPORT SET over a hash": (
        f"{HASH} | HIMPORT PREPARE f d", "HIMPORT SET h f 1", "MULTI | DEL h | HSET h d 1 | EXEC"),
    "HIMPORT that changes nothing": (HASH, "HIMPORT PREPARE f d | HIMPORT SET h f 1 2 | HIMPORT DISCARD f", ""),
}
EFFECTS_UNDER = {"listpack": "", "hashtable": "hash-max-listpack-entries 0\n"}


def test_effects(effect):
    effect.check()
