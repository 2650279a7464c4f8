"""CLUSTER and ASKING without a cluster; MODULE without modules: what a tool that only looks is told."""
from tests.rows import OK, Any, Case, Error, wrong_args

NO_CLUSTER = Error("ERR This instance has cluster support disabled")
NOT_ALLOWED = Error(
    'ERR MODULE command not allowed. If the enable-module-command option is set to "local", you can run it from a '
    "local connection, otherwise you need to set this option in the configuration file, and then restart the server.")
LOOKS = ("CLUSTER INFO", "CLUSTER NODES", "CLUSTER SLOTS", "CLUSTER SHARDS", "CLUSTER MYID", "CLUSTER LINKS",
         "CLUSTER HELP", "CLUSTER KEYSLOT k", "CLUSTER COUNTKEYSINSLOT 1", "CLUSTER GETKEYSINSLOT 1 2",
         "CLUSTER COUNT-FAILURE-REPORTS x", "CLUSTER REPLICAS x", "CLUSTER SLAVES x")
CHANGES = ("CLUSTER ADDSLOTS 1", "CLUSTER ADDSLOTSRANGE 1 2", "CLUSTER BUMPEPOCH", "CLUSTER DELSLOTS 1",
           "CLUSTER DELSLOTSRANGE 1 2", "CLUSTER FAILOVER", "CLUSTER FLUSHSLOTS", "CLUSTER FORGET x",
           "CLUSTER MEET 127.0.0.1 7000", "CLUSTER REPLICATE x", "CLUSTER RESET", "CLUSTER SAVECONFIG",
           "CLUSTER SET-CONFIG-EPOCH 1", "CLUSTER SETSLOT 1 STABLE")
UNKNOWN = Error("ERR unknown subcommand 'nosuch'. Try CLUSTER HELP.")

CASES = {
    "CLUSTER looks at nothing": [(words, NO_CLUSTER) for words in LOOKS],
    "CLUSTER changes nothing": [(words, NO_CLUSTER) for words in CHANGES],
    "CLUSTER MYSHARDID": Case([("CLUSTER MYSHARDID", NO_CLUSTER)], since="7.2"),
    "CLUSTER wrongly": [
        ("CLUSTER", wrong_args("cluster")), ("CLUSTER nosuch", UNKNOWN), ("CLUSTER INFO x", wrong_args("cluster|info")),
        ("cluster keyslot", wrong_args("cluster|keyslot")), ("ASKING", NO_CLUSTER), ("ASKING x", wrong_args("asking")),
    ],
    "CLUSTER in MULTI": [
        ("MULTI", OK), ("CLUSTER INFO", Any()), ("EXEC", [NO_CLUSTER]),
    ],
    "MODULE LIST": [
        ("MODULE LIST", []), ("MODULE LIST x", wrong_args("module|list")), ("MODULE", wrong_args("module")),
        ("MODULE nosuch", Error("ERR unknown subcommand 'nosuch'. Try MODULE HELP.")), ("MODULE HELP", Any(list)),
    ],
    "MODULE LOAD is not allowed": [
        ("MODULE LOAD /x.so", NOT_ALLOWED), ("MODULE LOADEX /x.so ARGS a", NOT_ALLOWED),
        ("MODULE UNLOAD x", NOT_ALLOWED), ("MODULE LOAD", wrong_args("module|load")),
    ],
}


def test_rows(row_case):
    row_case.check()


def test_a_module_is_refused_where_modules_are_allowed(either_server):
    with either_server("--enable-module-command", "yes").client() as client:
        refused = Error("ERR Error loading the extension. Please check the server logs.")
        assert client.call("MODULE", "LOAD", "/nonexistent.so") == refused
        assert client.call("MODULE", "LOADEX", "/nonexistent.so", "ARGS", "a") == refused
        assert client.call("MODULE", "UNLOAD", "x").startswith("ERR Error unloading module: no such module")
        assert client.call("MODULE", "LIST") == []
