"""fastredis: a Redis-compatible server in Python and Cython."""

import hashlib
import importlib
import sys
from typing import Any

__all__ = [
    "AsyncServer",
    "ClosedError",
    "Context",
    "Db",
    "Event",
    "EventStream",
    "FastredisError",
    "Fault",
    "Faults",
    "LocalClient",
    "Pipeline",
    "ReplyError",
    "Server",
    "ServerError",
    "SettingError",
    "Snapshot",
    "Subscription",
    "WouldBlockError",
    "__version__",
    "aconnect",
    "connect",
    "key_at",
    "key_count",
    "key_range",
    "run",
    "url",
]

__version__ = "0.1.0"

REDIS_VERSION = "7.4.0"     # the command set and behaviour that clients may expect; INFO's redis_version
ALLOCATOR = "slabs+libc"    # where values live: INFO's mem_allocator, malloc= of --version


def build_id() -> str:
    """16 hexadecimal digits that differ between versions of this program, and of the interpreter that runs it."""
    return hashlib.sha1(f"{__version__} {sys.version}".encode()).hexdigest()[:16]


# What is imported only when it is asked for, since the engine takes its time; for type checkers it is in __init__.pyi.
_LATER = {"AsyncServer": "embed.server", "Server": "embed.server", "LocalClient": "embed.local", "url": "embed.named",
          "connect": "redis_py", "aconnect": "redis_py", "Db": "embed.db", "Pipeline": "embed.pipeline",
          "Snapshot": "embed.snapshots", "Context": "embed.extensions",
          **dict.fromkeys(("Event", "EventStream", "Subscription"), "embed.events"),
          **dict.fromkeys(("Fault", "Faults"), "embed.faults"),
          **dict.fromkeys(("key_at", "key_count", "key_range"), "engine.declarations"),
          **dict.fromkeys(("ClosedError", "FastredisError", "ReplyError", "ServerError", "SettingError",
                           "WouldBlockError"), "embed.errors")}


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_LATER[name]}"), name)


def run(argv: list[str] | None = None) -> int:
    """What the command `fastredis` does: serve, in this process, until shut down -> the exit code.

    argv: arguments of redis-server, without the program's name; None: those of this program.
    """
    return importlib.import_module(f"{__name__}.cli").main(argv)
