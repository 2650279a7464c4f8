# What a command may do and where it may run: the bits of Command.flags.
#
# fastredis/engine/declarations.py has the same names and values for Python, says what each means and how
# COMMAND INFO spells it; tests/test_declarations.py compares the two.

cdef enum:
    WRITE = 1 << 0
    READONLY = 1 << 1
    DENYOOM = 1 << 2
    ADMIN = 1 << 3
    PUBSUB = 1 << 4
    NOSCRIPT = 1 << 5
    BLOCKING = 1 << 6
    LOADING = 1 << 7
    STALE = 1 << 8
    SKIP_MONITOR = 1 << 9
    SKIP_SLOWLOG = 1 << 10
    ASKING = 1 << 11
    FAST = 1 << 12
    NO_AUTH = 1 << 13
    MAY_REPLICATE = 1 << 14
    NO_MANDATORY_KEYS = 1 << 15
    PROTECTED = 1 << 16
    NO_ASYNC_LOADING = 1 << 17
    NO_MULTI = 1 << 18
    MOVABLE_KEYS = 1 << 19
    ALLOW_BUSY = 1 << 20
    TOUCHES_ARBITRARY_KEYS = 1 << 21
    CONTAINER = 1 << 22
