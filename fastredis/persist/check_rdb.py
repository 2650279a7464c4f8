"""`fastredis --check-rdb FILE`: read an RDB file through and tell what is in it, or where it is damaged.

The output is redis-check-rdb's, so that whoever reads that finds the same lines.
"""

import os
import sys
from collections.abc import Callable

from fastredis.engine.engine import Engine
from fastredis.persist.rdb_load import RdbError, load_file

SLICE_US = 1_000_000
TYPES = {
    0: "string", 1: "list-linked", 2: "set-hashtable", 3: "zset-v1", 4: "hash-hashtable", 5: "zset-v2",
    6: "module-value", 7: "module-value", 9: "hash-zipmap", 10: "list-ziplist", 11: "set-intset", 12: "zset-ziplist",
    13: "hash-ziplist", 14: "quicklist", 15: "stream", 16: "hash-listpack", 17: "zset-listpack", 18: "quicklist-v2",
    19: "stream-v2", 20: "set-listpack", 21: "stream-v3", 22: "hash-v2", 24: "hash-hashtable-md",
    25: "hash-listpack-md", 200: "array", 201: "set-metadata",
}


def main(argv: list[str]) -> int:
    """`--check-rdb FILE`: the exit code is 0 if the file is whole, else 1."""
    if len(argv) != 1:
        sys.stderr.write("Usage: fastredis --check-rdb <rdb-file-name>\n")
        return 1
    return 0 if check_file(argv[0], print) else 1


def check_file(path: str, write: Callable[[str], None], names_key: bool = True) -> bool:
    """Read the file through and report, line by line; whether all of it is as it should be."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        write(f"Cannot open file: {path}: {os.strerror(error.errno)}")
        return False
    # Settings and clock of this engine, and none of its databases, are used.
    load = load_file(Engine(1, 0), descriptor, os.fstat(descriptor).st_size, keep=False)
    load.drop_expired = True
    load.tell = lambda text: write(f"[offset {load.offset}] {text}")
    write(f"[offset 0] Checking RDB file {path}")
    try:
        while not load.step(SLICE_US):
            write(f"[info] {load.offset * 100 // max(1, load.total)}% read")
        if load.offset < load.total:
            write(f"[offset {load.offset}] {load.total - load.offset} bytes behind the end are not part of the data")
        write(f"[offset {load.offset}] Checksum OK" if load.has_checksum else "[info] RDB file was saved with checksum "
              "disabled: no check performed.")
        write(f"[offset {load.offset}] \\o/ RDB looks OK! \\o/")
        return True
    except RdbError as error:
        report_error(load, error.offset, known_text(error), write, names_key)
    except OSError as error:
        report_error(load, load.offset, os.strerror(error.errno), write, names_key)
    finally:
        os.close(descriptor)
        write(f"[info] {load.keys + load.expired} keys read")
        write(f"[info] {load.expires + load.expired} expires")
        write(f"[info] {load.expired} already expired")
        if load.library_count:
            write(f"[info] {load.library_count} libraries of functions")
    return False


def known_text(error: RdbError) -> str:
    """What is wrong with a file, in the words of redis-check-rdb where it has some."""
    text = error.args[0]
    if text == "unexpected end":
        return "Unexpected EOF reading RDB file"
    return "RDB CRC error" if text.startswith("Wrong RDB checksum") else text


def report_error(load, offset: int, text: str, write: Callable[[str], None], names_key: bool = True) -> None:
    write("--- RDB ERROR DETECTED ---")
    write(f"[offset {offset}] {text}")
    if load.kind >= 0:
        if names_key:
            name = load.latest_key.decode("utf-8", "backslashreplace")
            name = "".join(char if char.isprintable() else ascii(char)[1:-1] for char in name)
            write(f"[additional info] Reading key '{name}'")
        write(f"[additional info] Reading type {load.kind} ({TYPES.get(load.kind, 'unknown')})")
