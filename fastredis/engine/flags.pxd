# What a command may do and where it may run: the bits of Command.flags.
#
# How COMMAND INFO spells them: declarations.FLAG_NAMES.

cpdef enum:
    WRITE = 1 << 0                      # may change the data
    READONLY = 1 << 1                   # reads the data, never changes it
    DENYOOM = 1 << 2                    # refused when memory is over the limit and eviction does not help
    ADMIN = 1 << 3                      # for operators
    PUBSUB = 1 << 4                     # deals with channels
    NOSCRIPT = 1 << 5                   # not from scripts
    BLOCKING = 1 << 6                   # may make its client wait
    LOADING = 1 << 7                    # allowed while data is loaded
    STALE = 1 << 8                      # allowed on a replica that lost its master and does not serve old data
    SKIP_MONITOR = 1 << 9               # MONITOR does not show it
    SKIP_SLOWLOG = 1 << 10              # the slow log does not show it
    ASKING = 1 << 11                    # accepted for an importing slot as if ASKING preceded it
    FAST = 1 << 12                      # O(1) or O(log N)
    NO_AUTH = 1 << 13                   # allowed before authentication
    MAY_REPLICATE = 1 << 14             # no write, but may be propagated: PUBLISH, EVAL
    NO_MANDATORY_KEYS = 1 << 15         # a call without keys is valid: EVAL
    PROTECTED = 1 << 16                 # needs enable-debug-command or enable-module-command
    NO_ASYNC_LOADING = 1 << 17          # not while a replica loads into a second keyspace
    NO_MULTI = 1 << 18                  # not inside MULTI
    MOVABLE_KEYS = 1 << 19              # (first, last, step) does not find all keys; derived from the key specs
    ALLOW_BUSY = 1 << 20                # allowed while a script runs for too long
    TOUCHES_ARBITRARY_KEYS = 1 << 21    # may expire keys other than its own: SCAN, RANDOMKEY
    CONTAINER = 1 << 22                 # only a name for its subcommands
