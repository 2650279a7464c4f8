"""fastredis: a Redis-compatible server in Python and Cython."""

import hashlib
import sys

__version__ = "0.1.0"

REDIS_VERSION = "7.4.0"     # the command set and behaviour that clients may expect; INFO's redis_version
ALLOCATOR = "slabs+libc"    # where values live: INFO's mem_allocator, malloc= of --version


def build_id() -> str:
    """16 hexadecimal digits that differ between versions of this program, and of the interpreter that runs it."""
    return hashlib.sha1(f"{__version__} {sys.version}".encode()).hexdigest()[:16]
