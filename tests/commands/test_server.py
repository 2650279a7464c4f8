"""Server commands: CONFIG, INFO, COMMAND, MEMORY, FLUSHALL, DEBUG, MONITOR, SLOWLOG, LATENCY."""
import os
import resource
import time

import pytest

from tests.helpers import info, wait_until
from tests.resp import Closed
from tests.rows import (
    BLOCKS,
    NO_KEY,
    NOT_INTEGER,
    NOTHING,
    OK,
    PONG,
    QUEUED,
    R3,
    SYNTAX,
    Advance,
    Any,
    Between,
    Case,
    Error,
    Holding,
    Matching,
    Push,
    Save,
    Saved,
    Set,
    Status,
    Unordered,
    Verbatim,
    wrong_args,
)

GET_KEYS = {
    "flags": {Status("RO"), Status("access")},
    "begin_search": {"type": "index", "spec": {"index": 1}},
    "find_keys": {"type": "range", "spec": {"lastkey": 0, "keystep": 1, "limit": 0}},
}


def is_info(name, arity, first, last, step):
    """A check: a command's line of COMMAND INFO, as far as every version agrees on it."""
    wanted = [name.encode(), arity, first, last, step]
    return lambda reply: [reply[0], reply[1], *reply[3:6]] == wanted and len(reply) == 10


def documents(group, since):
    """A check: a command's entry of COMMAND DOCS; the wording differs between versions."""
    def is_right(reply):
        pairs = reply if isinstance(reply, dict) else dict(zip(reply[::2], reply[1::2], strict=True))
        texts = {b"summary", b"complexity", b"arguments"}
        return pairs[b"group"] == group and pairs[b"since"] == since and texts <= pairs.keys()
    return is_right


# Which policies there are depends on the version.
NO_POLICY = Matching(r"ERR CONFIG SET failed \(possibly related to argument 'maxmemory-policy'\) - argument\(s\) must "
                     r"be one of the following: volatile-lru, .*, noeviction")

CASES = {
    "DBSIZE": [("DBSIZE", 0), ("SET k v", OK), ("DBSIZE", 1)],
    "FLUSHDB empties one database": [
        ("SET k v", OK), ("SELECT 1", OK), ("SET k v", OK), ("FLUSHDB", OK), ("DBSIZE", 0), ("SELECT 0", OK),
        ("DBSIZE", 1),
    ],
    "FLUSHALL empties all": [
        ("SET k v", OK), ("SELECT 1", OK), ("SET k v", OK), ("FLUSHALL", OK), ("DBSIZE", 0), ("SELECT 0", OK),
        ("DBSIZE", 0),
    ],
    "FLUSHALL and FLUSHDB, ASYNC and SYNC": [
        ("SET k v", OK), ("FLUSHALL ASYNC", OK), ("DBSIZE", 0), ("SET k v", OK), ("FLUSHALL sync", OK),
        ("FLUSHDB ASYNC", OK), ("FLUSHDB SYNC", OK), ("FLUSHALL X", SYNTAX), ("FLUSHDB X", SYNTAX),
        ("FLUSHDB SYNC ASYNC", SYNTAX), ("FLUSHALL SYNC x", SYNTAX),
    ],
    "TIME": [("TIME", [Matching(r"\d{10}"), Matching(r"\d{1,6}")]), ("TIME x", wrong_args("time"))],
    "LOLWUT": [
        ("LOLWUT", Holding("Redis ver.")), ("LOLWUT VERSION 5", Holding("Redis ver.")),
        ("LOLWUT VERSION 6", Holding("Redis ver.")),
    ],
    "DEBUG": [
        ("DEBUG SLEEP 0", OK), ("DEBUG SET-ACTIVE-EXPIRE 1", OK),
        ("DEBUG NOSUCH", Error("ERR unknown subcommand or wrong number of arguments for 'NOSUCH'. Try DEBUG HELP.")),
        ("DEBUG", wrong_args("debug")),
    ],
    "DEBUG OBJECT": [
        ("DEBUG OBJECT k", NO_KEY), ("SET k abc", OK),
        ("DEBUG OBJECT k",
         Matching(r"Value at:0x[0-9a-f]+ refcount:1 encoding:embstr serializedlength:4 lru:\d+ lru_seconds_idle:\d+")),
    ],
    "DEBUG SET-ACTIVE-EXPIRE 0 leaves expired keys in place": [
        ("DEBUG SET-ACTIVE-EXPIRE 0", OK), ("SET k v PX 10", OK), Advance(250), ("DBSIZE", 1), ("GET k", None),
        ("DBSIZE", 0), ("DEBUG SET-ACTIVE-EXPIRE 1", OK),
    ],
    "DEBUG CLOCK freezes, sets and advances": Case([
        ("DEBUG CLOCK FREEZE", OK), ("DEBUG CLOCK SET 2000000000123", OK), ("TIME", ["2000000000", "123000"]),
        ("DEBUG CLOCK ADVANCE 1877", OK), ("TIME", ["2000000002", "0"]), ("SET k v PX 500", OK),
        ("PEXPIRETIME k", 2000000002500), ("DEBUG CLOCK ADVANCE 499", OK), ("GET k", "v"), ("PTTL k", 1),
        ("DEBUG CLOCK ADVANCE 1", OK), ("GET k", "v"), ("PTTL k", 0), ("DEBUG CLOCK ADVANCE 1", OK), ("GET k", None),
        ("DEBUG CLOCK RELEASE", OK), ("DEBUG CLOCK", Any(Error)), ("DEBUG CLOCK ADVANCE", Any(Error)),
        ("DEBUG CLOCK ADVANCE x", Any(Error)),
    ], peer="the clock of a real server cannot be moved"),
    # CONFIG
    "CONFIG GET": [
        ("CONFIG GET maxmemory", {"maxmemory": "0"}), ("CONFIG GET MAXMEMORY", {"MAXMEMORY": "0"}),
        ("CONFIG GET nosuch", {}), ("CONFIG GET maxmemory-s*", {"maxmemory-samples": "5"}),
        ("CONFIG GET maxmemory maxmemory appendonly", Unordered({"appendonly": "no", "maxmemory": "0"})),
        ('CONFIG GET "save"', {"save": ""}),
        ("CONFIG GET proto-max-bulk-len databases", Unordered({"databases": "16", "proto-max-bulk-len": "536870912"})),
        ("CONFIG GET", wrong_args("config|get")),
    ],
    "CONFIG GET gives no setting twice": [
        ("CONFIG GET maxmemory maxmem*",
         R3(lambda reply: reply.count(b"maxmemory") == 1, lambda reply: reply[b"maxmemory"] == b"0")),
    ],
    "CONFIG SET": [
        ("CONFIG SET maxmemory 100mb", OK), ("CONFIG GET maxmemory", {"maxmemory": "104857600"}),
        ("CONFIG SET maxmemory 1GB", OK), ("CONFIG GET maxmemory", {"maxmemory": "1073741824"}),
        ("CONFIG SET maxmemory 1k", OK), ("CONFIG GET maxmemory", {"maxmemory": "1000"}),
        ("CONFIG SET maxmemory 0", OK), ("CONFIG SET maxmemory-policy allkeys-lru maxmemory-samples 7", OK),
        ("CONFIG GET maxmemory-policy maxmemory-samples",
         Unordered({"maxmemory-samples": "7", "maxmemory-policy": "allkeys-lru"})),
        ("CONFIG SET maxmemory-policy noeviction", OK),
    ],
    "CONFIG SET refuses bad values": [
        ("CONFIG SET nosuch 1", Error("ERR Unknown option or number of arguments for CONFIG SET - 'nosuch'")),
        ("CONFIG SET maxmemory x",
         Error("ERR CONFIG SET failed (possibly related to argument 'maxmemory') - argument must be a memory value")),
        ("CONFIG SET maxmemory -1",
         Error("ERR CONFIG SET failed (possibly related to argument 'maxmemory') - argument must be a memory value")),
        ("CONFIG SET maxmemory-policy nosuch", NO_POLICY),
        ("CONFIG SET appendonly maybe",
         Error("ERR CONFIG SET failed (possibly related to argument 'appendonly') - argument must be 'yes' or 'no'")),
        ("CONFIG SET maxmemory-eviction-tenacity 101",
         Error("ERR CONFIG SET failed (possibly related to argument 'maxmemory-eviction-tenacity') - argument "
               "must be between 0 and 100 inclusive")),
        ("CONFIG SET maxmemory-eviction-tenacity x",
         Error("ERR CONFIG SET failed (possibly related to argument 'maxmemory-eviction-tenacity') - argument "
               "couldn't be parsed into an integer")),
        ("CONFIG SET databases 3",
         Error("ERR CONFIG SET failed (possibly related to argument 'databases') - can't set immutable config")),
        ("CONFIG SET maxmemory-samples 5 maxmemory-samples 6",
         Error("ERR CONFIG SET failed (possibly related to argument 'maxmemory-samples') - duplicate parameter")),
        ("CONFIG SET maxmemory", wrong_args("config|set")), ("CONFIG SET", wrong_args("config|set")),
        ("CONFIG SET a 1 b", SYNTAX),
    ],
    "CONFIG SET changes all or nothing": [
        ("CONFIG SET maxmemory-samples 9 maxmemory-policy nosuch", NO_POLICY),
        ("CONFIG GET maxmemory-samples", {"maxmemory-samples": "5"}),
    ],
    "CONFIG RESETSTAT": [
        ("GET none", None), ("CONFIG RESETSTAT", OK),
        ("INFO stats", Holding("keyspace_hits:0\r\n", "keyspace_misses:0\r\n", "expired_keys:0\r\n")),
        ("CONFIG RESETSTAT x", wrong_args("config|resetstat")),
    ],
    "CONFIG refuses bad subcommands": [
        ("CONFIG", wrong_args("config")),
        ("CONFIG NOSUCH", Error("ERR unknown subcommand 'NOSUCH'. Try CONFIG HELP.")),
        ("CONFIG REWRITE", Error("ERR The server is running without a config file")),
        ("CONFIG HELP x", wrong_args("config|help")),
    ],
    "CONFIG HELP": [
        ("CONFIG HELP",
         [Status("CONFIG <subcommand> [<arg> [value] [opt] ...]. Subcommands are:"), Status("GET <pattern>"),
          Status("    Return parameters matching the glob-like <pattern> and their values."),
          Status("SET <directive> <value>"), Status("    Set the configuration <directive> to <value>."),
          Status("RESETSTAT"), Status("    Reset statistics reported by the INFO command."), Status("REWRITE"),
          Status("    Rewrite the configuration file."), Status("HELP"), Status("    Prints this help.")]),
    ],
    # INFO
    "INFO has its sections": [
        ("INFO",
         Holding("# Server\r\n", "# Clients\r\n", "# Memory\r\n", "# Persistence\r\n", "# Stats\r\n",
          "# Replication\r\n", "# CPU\r\n", "# Cluster\r\n", "# Keyspace\r\n")),
        ("INFO server", Holding("# Server\r\n", "redis_version:", "tcp_port:", "run_id:", "uptime_in_seconds:")),
        ("INFO clients", Holding("# Clients\r\n", "connected_clients:", "blocked_clients:0\r\n")),
        ("INFO memory",
         Holding("used_memory:", "used_memory_human:", "maxmemory:0\r\n", "maxmemory_policy:noeviction\r\n")),
        ("INFO replication", Holding("role:master\r\n", "connected_slaves:0\r\n", "master_replid:")),
        ("INFO persistence", Holding("loading:0\r\n", "rdb_bgsave_in_progress:0\r\n", "aof_enabled:0\r\n")),
        ("INFO cpu", Holding("used_cpu_sys:", "used_cpu_user:")),
    ],
    "INFO gives no other section": [
        ("INFO keyspace", Verbatim(b"# Keyspace\r\n")), ("INFO nosuch", Verbatim(b"")),
        ("INFO KEYSPACE", Verbatim(b"# Keyspace\r\n")),
        ("INFO cluster", Verbatim(b"# Cluster\r\ncluster_enabled:0\r\n")),
    ],
    "INFO of several sections": [
        ("INFO keyspace cluster", Verbatim(b"# Cluster\r\ncluster_enabled:0\r\n\r\n# Keyspace\r\n")),
        ("INFO cluster keyspace cluster", Verbatim(b"# Cluster\r\ncluster_enabled:0\r\n\r\n# Keyspace\r\n")),
        ("INFO everything", Holding("# Commandstats", "# Errorstats", "# Server")),
        ("INFO all", Holding("# Commandstats", "# Keyspace")),
        ("INFO default", lambda reply: b"# Server" in reply and b"# Commandstats" not in reply),
    ],
    "INFO keyspace": [
        ("SET a 1", OK), ("SET b 1 EX 100", OK), ("SELECT 3", OK), ("SET c 1", OK),
        ("INFO keyspace",
         Matching(r"# Keyspace\r\ndb0:keys=2,expires=1,avg_ttl=\d+.*\r\ndb3:keys=1,expires=0,avg_ttl=0.*\r\n")),
    ],
    "INFO stats counts hits and misses": [
        ("CONFIG RESETSTAT", OK), ("SET k v", OK), ("GET k", "v"), ("GET none", None), ("GET none", None),
        ("EXISTS k", 1), ("INFO stats", Holding("keyspace_hits:2\r\n", "keyspace_misses:2\r\n")),
    ],
    "INFO stats counts expired keys": [
        ("CONFIG RESETSTAT", OK), ("SET k v PX 10", OK), Advance(30), ("GET k", None),
        ("INFO stats", Holding("expired_keys:1\r\n")),
    ],
    "INFO commandstats": [
        ("CONFIG RESETSTAT", OK), ("SET k v", OK), ("SET k v NX", None), ("GET", wrong_args("get")),
        ("SET k v X", SYNTAX),
        ("INFO commandstats",
         Matching(r"(?s).*cmdstat_set:calls=3,usec=\d+,usec_per_call=[\d.]+,rejected_calls=0,failed_calls=1\r\n.*")),
        ("INFO commandstats",
         Matching(r"(?s).*cmdstat_get:calls=0,usec=0,usec_per_call=0.00,rejected_calls=1,failed_calls=0\r\n.*")),
    ],
    "INFO errorstats": [
        ("CONFIG RESETSTAT", OK), ("GET", wrong_args("get")), ("INCRBY k x", NOT_INTEGER),
        ("INFO errorstats", Verbatim(b"# Errorstats\r\nerrorstat_ERR:count=2\r\n")),
    ],
    "INFO clients counts the blocked": [
        ("@2 WAIT 1 0", BLOCKS), ("INFO clients", Holding("blocked_clients:1\r\n")),
    ],
    # MEMORY
    "MEMORY USAGE": [
        ("MEMORY USAGE k", None), ("SET k v", OK), ("MEMORY USAGE k", Between(20, 100)),
        (("SET", "k", b"x" * 10000), OK), ("MEMORY USAGE k", Between(10000, 13000)),
        ("MEMORY USAGE k SAMPLES 5", Between(10000, 13000)), ("MEMORY USAGE k SAMPLES -1", SYNTAX),
        ("MEMORY USAGE k SAMPLES", SYNTAX), ("MEMORY USAGE k X 1", SYNTAX),
        ("MEMORY USAGE", wrong_args("memory|usage")),
    ],
    # COMMAND
    "COMMAND COUNT": [("COMMAND COUNT", Between(50, 1000)), ("COMMAND COUNT x", wrong_args("command|count"))],
    "COMMAND INFO": [
        ("COMMAND INFO get",
         [["get", 2, {Status("readonly"), Status("fast")}, 1, 1, 1,
          {Status("@read"), Status("@string"), Status("@fast")}, set(),
          Set([GET_KEYS]),
          set()]]),
        ("COMMAND INFO nosuch", [None]), ("COMMAND INFO nosuch get", [None, lambda reply: reply[0] == b"get"]),
        ("COMMAND INFO set mset ping",
         [is_info("set", -3, 1, 1, 1), is_info("mset", -3, 1, -1, 2), is_info("ping", -1, 0, 0, 0)]),
        ("COMMAND INFO bitop", [is_info("bitop", -4, 2, -1, 1)]),
        ('COMMAND INFO "config|get"',
         [["config|get", -3, {Status("admin"), Status("noscript"), Status("loading"), Status("stale")}, 0, 0, 0,
          {Status("@admin"), Status("@slow"), Status("@dangerous")}, set(), set(), set()]]),
        ('COMMAND INFO "get|x"', [None]),
    ],
    "COMMAND without a subcommand gives every command": [
        ("COMMAND", lambda reply: len(reply) > 50 and any(command[0] == b"get" for command in reply)),
        ("COMMAND INFO", lambda reply: len(reply) > 50),
    ],
    "COMMAND DOCS": [
        ("COMMAND DOCS get", {"get": documents(b"string", b"1.0.0")}),
        ("COMMAND DOCS get lcs nosuch",
         {"get": documents(b"string", b"1.0.0"), "lcs": documents(b"string", b"7.0.0")}),
        ("COMMAND DOCS nosuch", {}),
    ],
    "COMMAND GETKEYS": [
        ("COMMAND GETKEYS get k", ["k"]), ("COMMAND GETKEYS mset a 1 b 2", ["a", "b"]),
        ("COMMAND GETKEYS bitop and d a b", ["d", "a", "b"]), ("COMMAND GETKEYS set k v get", ["k"]),
        ("COMMAND GETKEYS object encoding k", ["k"]), ("COMMAND GETKEYS memory usage k", ["k"]),
        ("COMMAND GETKEYS lcs a b", ["a", "b"]), ("COMMAND GETKEYS del a b c", ["a", "b", "c"]),
        ('COMMAND GETKEYS zunion " 2x" a b c', ["a", "b"]), ("COMMAND GETKEYS lmpop 02 a b LEFT", ["a", "b"]),
        ("COMMAND GETKEYS zdiffstore d 1e1 a b c", ["a", "d"]), ("COMMAND GETKEYS zdiffstore d 2 a b", ["d", "a", "b"]),
        ("COMMAND GETKEYS zunion x a", Error("ERR Invalid arguments specified for command")),
        ("COMMAND GETKEYS sintercard 3 a b", Error("ERR Invalid arguments specified for command")),
        ("COMMAND GETKEYSANDFLAGS lmpop 01 a LEFT", [["a", R3([], Set([]))]]),
        ("COMMAND GETKEYS ping x", Error("ERR The command has no key arguments")),
        ("COMMAND GETKEYS nosuch x", Error("ERR Invalid command specified")),
        ("COMMAND GETKEYS get k l", Error("ERR Invalid number of arguments specified for command")),
        ("COMMAND GETKEYS", wrong_args("command|getkeys")),
    ],
    "COMMAND GETKEYS of a name alone": Case([
        ("COMMAND GETKEYS get", Error("ERR Invalid number of arguments specified for command")),
        ("COMMAND GETKEYS ping", Error("ERR The command has no key arguments")),
    ], since="7.2"),
    "COMMAND GETKEYSANDFLAGS": [
        ("COMMAND GETKEYSANDFLAGS set k v", [["k", {Status("OW"), Status("update")}]]),
        ("COMMAND GETKEYSANDFLAGS set k v get", [["k", {Status("RW"), Status("access"), Status("update")}]]),
        ("COMMAND GETKEYSANDFLAGS get k", [["k", {Status("RO"), Status("access")}]]),
        ("COMMAND GETKEYSANDFLAGS rename a b",
         [["a", {Status("RW"), Status("access"), Status("delete")}], ["b", {Status("OW"), Status("update")}]]),
        ("COMMAND GETKEYSANDFLAGS bitop or d a",
         [["d", {Status("OW"), Status("update")}], ["a", {Status("RO"), Status("access")}]]),
        ("COMMAND GETKEYSANDFLAGS bitfield k get u8 0", [["k", {Status("RO"), Status("access")}]]),
        ("COMMAND GETKEYSANDFLAGS ping x", Error("ERR The command has no key arguments")),
        ("COMMAND GETKEYSANDFLAGS nosuch x", Error("ERR Invalid command specified")),
        ("COMMAND GETKEYSANDFLAGS get k l", Error("ERR Invalid number of arguments specified for command")),
    ],
    "COMMAND LIST": [
        ("COMMAND LIST", Holding("get", "set", "config|get")),
        ("COMMAND LIST FILTERBY PATTERN getra*", ["getrange"]),
        ('COMMAND LIST FILTERBY PATTERN "config|r*"', Unordered(["config|resetstat", "config|rewrite"])),
        ("COMMAND LIST FILTERBY ACLCAT bitmap", Holding("setbit", "bitop", "bitfield")),
        ("COMMAND LIST FILTERBY ACLCAT nosuch", []), ("COMMAND LIST FILTERBY MODULE nosuch", []),
        ("COMMAND LIST FILTERBY X y", SYNTAX), ("COMMAND LIST FILTERBY PATTERN", SYNTAX), ("COMMAND LIST X", SYNTAX),
    ],
    "COMMAND refuses bad subcommands": [
        ("COMMAND NOSUCH", Error("ERR unknown subcommand 'NOSUCH'. Try COMMAND HELP.")),
        ("COMMAND HELP x", wrong_args("command|help")),
    ],
    "COMMAND HELP": [
        ("COMMAND HELP",
         Holding(Status("COMMAND <subcommand> [<arg> [value] [opt] ...]. Subcommands are:"), Status("HELP"))),
    ],
    "MEMORY DOCTOR, PURGE, MALLOC-STATS": [
        ("MEMORY PURGE", OK), ("MEMORY DOCTOR", R3(Any(bytes), Any(Verbatim))),
        ("MEMORY MALLOC-STATS", R3(Any(bytes), Any(Verbatim))),
        ("MEMORY PURGE x", wrong_args("memory|purge")), ("MEMORY DOCTOR x", wrong_args("memory|doctor")),
        ("MEMORY STATS x", wrong_args("memory|stats")), ("MEMORY MALLOC-STATS x", wrong_args("memory|malloc-stats")),
        ("MEMORY NOSUCH", Error("ERR unknown subcommand 'NOSUCH'. Try MEMORY HELP.")),
        ("MEMORY", wrong_args("memory")),
    ],
    "MEMORY STATS": [
        ("MEMORY STATS",
         R3(Any(list), lambda reply: {b"peak.allocated", b"keys.count", b"dataset.bytes"} <= reply.keys())),
    ],
    # LATENCY, SLOWLOG
    # MONITOR
    "MONITOR shows what others send": [
        ("@2 MONITOR", OK), (r'SET k "a\x00\"\r\n\xff"', OK),
        ("@2 <", Matching(r'\d+\.\d{6} \[0 127\.0\.0\.1:\d+\] "SET" "k" "a\\x00\\"\\r\\n\\xff"')), ("SELECT 3", OK),
        ("@2 <", Matching(r'\d+\.\d{6} \[3 127\.0\.0\.1:\d+\] "SELECT" "3"')), ("GET k", None),
        ("@2 <", Matching(r'\d+\.\d{6} \[3 127\.0\.0\.1:\d+\] "GET" "k"')), ("@2 RESET", Status("RESET")),
        ("GET k", None), ("@2 PING", PONG),
    ],
    "MONITOR shows a transaction, and no secret": [
        ("@2 MONITOR", OK), ("AUTH default secret", OK),
        ("@2 <", Matching(r'.*\] "AUTH" "\(redacted\)" "\(redacted\)"')), ("MULTI", OK),
        ("@2 <", Matching(r'.*"MULTI"')), ("SET k v", QUEUED), ("EXEC", [OK]),
        ("@2 <", Matching(r'.*"SET" "k" "v"')), ("@2 <", Matching(r'.*"EXEC"')),
        ("MONITOR x", wrong_args("monitor")),
    ],
    "MONITOR does not show what is refused, queued or administrative": [
        ("@2 MONITOR", OK), ("GET", wrong_args("get")),
        ("NOSUCH", Error("ERR unknown command 'NOSUCH', with args beginning with: ")), ("CONFIG GET nosuch", {}),
        ("CLIENT KILL ID 1000000", 0), ("SET k v", OK), ("@2 <", Matching(r'.*"SET" "k" "v"')), ("MULTI", OK),
        ("@2 <", Matching(r'.*"MULTI"')), ("GET", wrong_args("get")),
        ("EXEC", Error("EXECABORT Transaction discarded because of previous errors.")),
        ("@2 <", Matching(r'.*"EXEC"')), ("INCR k", NOT_INTEGER), ("@2 <", Matching(r'.*"INCR" "k"')),
    ],
    "MONITOR shows no passwords": [
        ("@2 MONITOR", OK),
        ("hello 2 auth u p setname x", Error("WRONGPASS invalid username-password pair or user is disabled.")),
        ("@2 <", Matching(r'.*\] "hello" "2" "auth" "\(redacted\)" "\(redacted\)" "setname" "x"')),
        ("HELLO 2 AUTH u", Error("ERR Syntax error in HELLO option 'AUTH'")),
        ("@2 <", Matching(r'.*\] "HELLO" "2" "AUTH" "u"')),
        ('MIGRATE 127.0.0.1 1 "" 0 10 auth sec KEYS a auth', Status("NOKEY")),
        ("@2 <", Matching(r'.* "127.0.0.1" "1" "" "0" "10" "auth" "\(redacted\)" "KEYS" "a" "auth"')),
        ("MIGRATE 127.0.0.1 1 a 0 10 COPY AUTH2 u p", Status("NOKEY")),
        ("@2 <", Matching(r'.* "10" "COPY" "AUTH2" "\(redacted\)" "\(redacted\)"')),
    ],
    "MONITOR's own commands": [
        ("@2 PING", PONG), ("MONITOR", OK), ("PING", PONG), ("<", Matching(r'.*"PING"')), ("MONITOR", NOTHING),
        ("SELECT 2", OK), ("<", Matching(r'.*\[2 .*"SELECT" "2"')),
        ("GET k", Error("ERR Replica can't interact with the keyspace")),
        ("SET k v", Error("ERR Replica can't interact with the keyspace")),
        ("PUBLISH k v", Error("ERR Replica can't interact with the keyspace")),
        ("CLIENT INFO", Matching(r"(?s).* flags=O db=2 .*")), ("<", Matching(r'.*"CLIENT" "INFO"')),
        ("@2 CLIENT LIST TYPE replica", Verbatim(b"")), ("@2 CLIENT KILL TYPE replica", 0), ("RESET", Status("RESET")),
        ("CLIENT INFO", Matching(r"(?s).* flags=N db=0 .*")),
    ],
    "MONITOR and CLIENT REPLY": [
        ("CLIENT REPLY SKIP", NOTHING), ("MONITOR", NOTHING), ("PING", PONG), ("<", Matching(r'.*"PING"')),
        ("CLIENT REPLY SKIP", Matching(r'.*"CLIENT" "REPLY" "SKIP"')), ("@2 ECHO unheard", "unheard"),
        ("PING", NOTHING), ("TIME", Any(list)), ("<", Matching(r'.*"TIME"')), ("@2 ECHO heard", "heard"),
        ("<", Matching(r'.*"ECHO" "heard"')), ("CLIENT REPLY OFF", NOTHING), ("PING", NOTHING),
        ("CLIENT REPLY ON", OK), ("<", Matching(r'.*"CLIENT" "REPLY" "ON"')),
    ],
    "MONITOR in a transaction": [
        ("MULTI", OK), ("MONITOR", QUEUED), ("PING", QUEUED),
        ("EXEC", [Error("ERR MONITOR isn't allowed for DENY BLOCKING client"), PONG]), ("PING", PONG), ("PING", PONG),
    ],
    "MONITOR goes on in CLIENT PAUSE": [
        ("@2 MONITOR", OK), ("CLIENT PAUSE 100 ALL", OK), ("@2 PING", PONG), ("@2 <", Matching(r'.*"PING"')),
    ],
    # DEBUG DIGEST
    "DEBUG DIGEST is the same for the same data": [
        ("DEBUG DIGEST", Status("0000000000000000000000000000000000000000")), ("SET k v", OK),
        ("DEBUG DIGEST", Save("digest")), ("SET k w", OK), ("DEBUG DIGEST", lambda reply: len(reply) == 40),
        ("SET k v", OK), ("DEBUG DIGEST", Saved("digest")), ("DEL k", 1),
        ("DEBUG DIGEST", Status("0000000000000000000000000000000000000000")),
    ],
    # maxmemory
    "OOM refuses commands that need memory": [
        ("SET k v", OK), ("CONFIG SET maxmemory 1", OK),
        ("SET k w", Error("OOM command not allowed when used memory > 'maxmemory'.")),
        ("APPEND k w", Error("OOM command not allowed when used memory > 'maxmemory'.")),
        ("SETRANGE k 0 w", Error("OOM command not allowed when used memory > 'maxmemory'.")), ("GET k", "v"),
        ("EXISTS k", 1), ("DEL k", 1), ("CONFIG SET maxmemory 0", OK), ("SET k w", OK),
    ],
    "OOM inside MULTI aborts EXEC": [
        ("CONFIG SET maxmemory 1", OK), ("MULTI", OK),
        ("SET k w", Error("OOM command not allowed when used memory > 'maxmemory'.")),
        ("GET k", Error("OOM command not allowed when used memory > 'maxmemory'.")),
        ("EXEC", Error("EXECABORT Transaction discarded because of previous errors.")),
        ("CONFIG SET maxmemory 0", OK), ("GET k", None),
    ],
    "OOM before MULTI's EXEC": [
        ("MULTI", OK), ("SET k w", QUEUED), ("@2 CONFIG SET maxmemory 1", OK),
        ("EXEC",
         Error("EXECABORT Transaction discarded because of: OOM command not allowed when used memory > 'maxmemory'.")),
        ("CONFIG SET maxmemory 0", OK), ("GET k", None),
    ],

    # Lists
    "SWAPDB wakes a client that waits": [
        ("SELECT 1", OK), ("RPUSH l a", 1), ("@2 BLPOP l 5", BLOCKS), ("SWAPDB 0 1", OK), ("@2 <", ["l", "a"]),
    ],
    "MEMORY USAGE of a list": [("RPUSH l a b c", 3), ("MEMORY USAGE l", Between(20, 200))],
    "LASTSAVE": [("LASTSAVE", Any(int)), ("LASTSAVE x", wrong_args("lastsave"))],
    "maxmemory evicts keys, with an event": [
        ("CONFIG SET notify-keyspace-events Ee maxmemory-policy allkeys-random", OK), ("SET k v", OK),
        ("@2 PSUBSCRIBE __key*", Push(["psubscribe", "__key*", 1])), ("CONFIG SET maxmemory 1", OK),
        ("@2 <", Push(["pmessage", "__key*", "__keyevent@0__:evicted", "k"])), ("GET k", None),
        ("CONFIG SET maxmemory 0", OK), ("INFO stats", Matching(r"(?s).*evicted_keys:[1-9].*")),
    ],
    "volatile-ttl evicts only keys with a TTL": [
        ("CONFIG SET maxmemory-policy volatile-ttl notify-keyspace-events Ee", OK), ("SET a v", OK),
        ("SET b v EX 100", OK), ("SET c v EX 50", OK), ("@2 PSUBSCRIBE __key*", Push(["psubscribe", "__key*", 1])),
        ("CONFIG SET maxmemory 1", OK), ("@2 <", Push(["pmessage", "__key*", "__keyevent@0__:evicted", "c"])),
        ("@2 <", Push(["pmessage", "__key*", "__keyevent@0__:evicted", "b"])),
        ("SET d v", Error("OOM command not allowed when used memory > 'maxmemory'.")),
        ("CONFIG SET maxmemory 0", OK), ("MGET a b c", ["v", None, None]),
    ],
}


def test_rows(row_case):
    row_case.check()


# --- what is propagated; see tests.effect_rows ----------------------------------------

EFFECTS = {
    "FLUSHDB of nothing": ("", "FLUSHDB", "FLUSHDB"),
    "FLUSHALL": ("SET k v", "FLUSHALL ASYNC", "FLUSHALL ASYNC"),
    "SWAPDB": ("SET k v", "SWAPDB 0 1", "SWAPDB 0 1"),
    "wrong arity": ("", "SET k", ""),
    "unknown command": ("", "NOTACOMMAND k", ""),
    "wrong syntax": ("", "FLUSHALL LATER", ""),
}


def test_effects(effect):
    effect.check()


def test_debug_needs_its_option(either_server):
    server = either_server("--enable-debug-command", "no")
    with server.client() as client:
        reply = client.call("DEBUG", "SLEEP", "0")
        assert isinstance(reply, Error) and reply.startswith("ERR DEBUG command not allowed.")


def test_databases(either_server):
    server = either_server("--databases", "2")
    with server.client() as client:
        assert client.call("SELECT", "1") == OK
        assert client.call("SELECT", "2") == Error("ERR DB index is out of range")
        assert client.call("CONFIG", "GET", "databases") == [b"databases", b"2"]


def test_rewrite_where_no_descriptor_is_left(either_server):
    def settled():
        """How many descriptors it has, once these are as many as a moment before: it may have begun just now."""
        before = len(os.listdir(f"/proc/{server.pid}/fd"))
        time.sleep(0.2)
        return before if before == len(os.listdir(f"/proc/{server.pid}/fd")) else 0

    server = either_server(config="appendonly no\n")
    with server.client() as client:
        wait_until(lambda: info(client, "clients")["connected_clients"] == "1")     # who saw it start has left
        used = wait_until(settled)
        _, most = resource.prlimit(server.pid, resource.RLIMIT_NOFILE)
        resource.prlimit(server.pid, resource.RLIMIT_NOFILE, (used, most))
        assert client.call("CONFIG", "REWRITE") == Error("ERR Rewriting config file: Too many open files")
        resource.prlimit(server.pid, resource.RLIMIT_NOFILE, (most, most))
        assert client.call("CONFIG", "REWRITE") == OK


def test_options_win_over_the_file_and_rewrite_keeps_the_file(either_server):
    server = either_server("--maxmemory-samples", "7", config="# mine\nmaxmemory-samples 3\nmaxmemory 1mb\n")
    with server.client() as client:
        assert client.call("CONFIG", "GET", "maxmemory-samples") == [b"maxmemory-samples", b"7"]
        assert client.call("CONFIG", "GET", "maxmemory") == [b"maxmemory", b"1048576"]
        assert client.call("CONFIG", "SET", "maxmemory", "3mb") == OK
        assert client.call("CONFIG", "REWRITE") == OK
    lines = (server.directory / "redis.conf").read_text().splitlines()
    assert lines[:3] == ["# mine", "maxmemory-samples 7", "maxmemory 3mb"]


def test_shutdown_ends_the_process(either_server):
    server = either_server()
    with server.client() as client:
        client.send("SHUTDOWN", "NOSAVE")
        with pytest.raises(Closed):
            client.read()
    assert server.process.wait(5) == 0


def test_shutdown_refuses_bad_arguments(either_server):
    with either_server().client() as client:
        assert client.call("SHUTDOWN", "X") == SYNTAX
        assert client.call("SHUTDOWN", "SAVE", "NOSAVE") == SYNTAX
        assert client.call("SHUTDOWN", "ABORT") == Error("ERR No shutdown in progress.")


# LATENCY comes later: these rows join CASES with it.
LATER = {
    "LATENCY": [
        ("LATENCY RESET", 0), ("LATENCY LATEST", []), ("LATENCY HISTORY command", []),
        ("LATENCY NOSUCH", Error("ERR unknown subcommand 'NOSUCH'. Try LATENCY HELP.")),
        ("LATENCY", wrong_args("latency")),
    ],
}
