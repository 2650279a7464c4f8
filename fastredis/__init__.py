"""fastredis: a Redis-compatible server in Python and Cython."""

__version__ = "0.1.0"

REDIS_VERSION = "7.4.0"     # the command set and behaviour that clients may expect; INFO's redis_version
