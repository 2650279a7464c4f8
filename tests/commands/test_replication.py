"""REPLICAOF, PSYNC, SYNC, REPLCONF, ROLE, FAILOVER: what they reply. What they do is in tests/replication."""
from tests.rows import NOT_INTEGER, NOTHING, OK, PONG, SYNTAX, Any, Case, Error, wrong_args

NO_CLUSTER = Error("ERR This instance has cluster support disabled")
NO_FAILOVER = Error("ERR No failover in progress.")
NO_REPLICAS = Error("ERR FAILOVER requires connected replicas.")

CASES = {
    "ROLE of a master": [("ROLE", [b"master", Any(int), []]), ("ROLE x", wrong_args("role"))],
    "REPLICAOF NO ONE on a master": [("REPLICAOF NO ONE", OK), ("replicaof no one", OK), ("SLAVEOF NO ONE", OK)],
    "REPLICAOF refuses": [
        ("REPLICAOF localhost port", Error("ERR Invalid master port")),
        ("REPLICAOF localhost 65536", Error("ERR Invalid master port")),
        ("REPLICAOF localhost -1", Error("ERR Invalid master port")),
        ("REPLICAOF localhost", wrong_args("replicaof")), ("REPLICAOF a 1 b", wrong_args("replicaof")),
        ("SLAVEOF localhost", wrong_args("slaveof")), ("ROLE", [b"master", Any(int), []]),
    ],
    "REPLCONF": [
        ("REPLCONF listening-port 7000", OK), ("REPLCONF ip-address 10.0.0.1", OK), ("REPLCONF capa eof", OK),
        ("REPLCONF capa eof capa psync2", OK), ("REPLCONF LISTENING-PORT 1 CAPA nonsense", OK), ("REPLCONF", OK),
        ("REPLCONF rdb-only 0", OK),
    ],
    "REPLCONF refuses": [
        ("REPLCONF capa", SYNTAX), ("REPLCONF listening-port x", NOT_INTEGER),
        ("REPLCONF nonsense 1", Error("ERR Unrecognized REPLCONF option: nonsense")),
        (["REPLCONF", "ip-address", "x" * 300],
         Error("ERR REPLCONF ip-address provided by replica instance is too long: 300 bytes")),
    ],
    "REPLCONF ACK and GETACK do not reply": [
        ("REPLCONF ACK 100", NOTHING), ("REPLCONF GETACK *", NOTHING), ("PING", PONG),
    ],
    "PSYNC refuses": [
        ("PSYNC ? x", NOT_INTEGER), ("PSYNC ?", wrong_args("psync")),
        ("PSYNC ? -1 FAILOVER", Error("ERR PSYNC FAILOVER can't be sent to a master.")),
        ("SYNC x", wrong_args("sync")), ("MULTI", OK),
        ("PSYNC ? -1", Error("ERR Command not allowed inside a transaction")),
        ("SYNC", Error("ERR Command not allowed inside a transaction")), ("DISCARD", OK),
    ],
    "READONLY, READWRITE": [
        ("READONLY", NO_CLUSTER), ("READWRITE", NO_CLUSTER), ("READONLY x", wrong_args("readonly")),
        ("READWRITE x", wrong_args("readwrite")),
    ],
    "CLIENT CAPA": Case([
        ("CLIENT CAPA redirect", OK), ("CLIENT CAPA nonsense more", OK), ("CLIENT CAPA", wrong_args("client|capa")),
    ], peer="Valkey 8 answers so, Redis does not"),
    "FAILOVER refuses": [
        ("FAILOVER", NO_REPLICAS), ("FAILOVER TIMEOUT 100", NO_REPLICAS), ("FAILOVER ABORT", NO_FAILOVER),
        ("FAILOVER TIMEOUT 0", Error("ERR FAILOVER timeout must be greater than 0")),
        ("FAILOVER TIMEOUT x", NOT_INTEGER), ("FAILOVER TO a b", NOT_INTEGER), ("FAILOVER TO a", SYNTAX),
        ("FAILOVER NONSENSE", SYNTAX), ("FAILOVER ABORT TIMEOUT 1", SYNTAX), ("FAILOVER TO a 1 TO b 2", SYNTAX),
        ("FAILOVER TO a 1 FORCE TIMEOUT 10", NO_REPLICAS),
    ],
}


def test_rows(row_case):
    row_case.check()
