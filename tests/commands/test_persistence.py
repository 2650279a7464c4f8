"""SAVE, BGSAVE, LASTSAVE, BGREWRITEAOF: what they reply. What they do is tested in tests/persist."""
from tests.rows import OK, QUEUED, SYNTAX, Between, Case, Error, wrong_args

NOT_IN_MULTI = Error("ERR Command not allowed inside a transaction")

CASES = {
    "SAVE": [("SET k v", OK), ("SAVE", OK)],
    "SAVE takes nothing": [("SAVE now", wrong_args("save"))],
    "SAVE is not for transactions": [("MULTI", OK), ("SAVE", NOT_IN_MULTI), ("DISCARD", OK)],
    "LASTSAVE": [("SAVE", OK), ("LASTSAVE", Between(1_700_000_000, 10_000_000_000))],
    "LASTSAVE takes nothing": [("LASTSAVE now", wrong_args("lastsave"))],
    "BGSAVE with a wrong option": [("BGSAVE now", SYNTAX), ("BGSAVE schedule again", SYNTAX)],
    "BGSAVE CANCEL without a save": Case(
        [("BGSAVE cancel", Error("ERR Background saving is currently not in progress or scheduled"))],
        since="valkey 8.1"),
    "BGREWRITEAOF takes nothing": [("BGREWRITEAOF now", wrong_args("bgrewriteaof"))],
    "BGSAVE is queued": [("MULTI", OK), ("BGSAVE", QUEUED), ("DISCARD", OK)],
    "DEBUG RELOAD keeps the data": [("SET k v", OK), ("DEBUG RELOAD", OK), ("GET k", "v")],
    "sizes of members do not count when they are loaded": [
        ("ZADD z 1 member", 1), ("HSET h field value", 1), ("CONFIG SET zset-max-listpack-value 2", OK),
        ("CONFIG SET hash-max-listpack-value 2", OK), ("DEBUG RELOAD", OK), ("OBJECT ENCODING z", "listpack"),
        ("OBJECT ENCODING h", "listpack"), ("ZADD z 2 other", 1), ("OBJECT ENCODING z", "skiplist"),
    ],
}


def test_rows(row_case):
    row_case.check()
