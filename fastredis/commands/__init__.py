"""The commands, in modules by Redis's own groups. Importing a module declares its commands."""
import importlib

MODULES = (
    "strings",
    "counters",
    "lcs",
    "bitmaps",
    "hyperloglog",
    "lists",
    "lists_blocking",
    "sets",
    "set_algebra",
    "hashes",
    "hash_expiry",
    "hash_import",
    "sorted_sets",
    "sorted_set_ranges",
    "sorted_set_algebra",
    "geo",
    "streams",
    "stream_groups",
    "stream_claims",
    "stream_reading",
    "stream_info",
    "generic",
    "expiry",
    "scan",
    "sort",
    "dump",
    "migrate",
    "transactions",
    "scripting",
    "functions",
    "pubsub",
    "connection",
    "clients",
    "waiting",
    "server",
    "introspection",
    "configuration",
    "information",
    "memory",
    "slowlog",
    "latency",
    "modules",
    "lolwut",
    "shutdown",
    "persistence",
    "replication",
    "cluster",
    "debug",
)


def load():
    """Declare all commands."""
    for name in MODULES:
        importlib.import_module(f"{__name__}.{name}")
