# Core: the scalars of one engine that the request path reads and writes, in one C struct.
#
# The Engine owns it; databases and clients hold a pointer. Nothing here is a module
# global, so several engines in one process know nothing of each other.

from libc.stdint cimport int64_t, uint32_t, uint64_t

from fastredis.ds.alloc cimport Account
from fastredis.values.limits cimport Limits

cdef enum:                              # classes of keyspace events; the letters of notify-keyspace-events
    NOTIFY_KEYSPACE = 1 << 0            # K
    NOTIFY_KEYEVENT = 1 << 1            # E
    NOTIFY_GENERIC = 1 << 2             # g
    NOTIFY_STRING = 1 << 3              # $
    NOTIFY_LIST = 1 << 4                # l
    NOTIFY_SET = 1 << 5                 # s
    NOTIFY_HASH = 1 << 6                # h
    NOTIFY_ZSET = 1 << 7                # z
    NOTIFY_EXPIRED = 1 << 8             # x
    NOTIFY_EVICTED = 1 << 9             # e
    NOTIFY_STREAM = 1 << 10             # t
    NOTIFY_KEY_MISS = 1 << 11           # m
    NOTIFY_MODULE = 1 << 13             # d
    NOTIFY_NEW = 1 << 14                # n
    NOTIFY_ARRAY = 1 << 15              # a
    NOTIFY_ADDED = 1 << 16              # no event of clients': a key is new, told while every change is of interest

cdef enum:                              # Core.listeners: who wants to hear of changed keys
    LISTEN_WATCH = 1 << 0               # a client watches keys
    LISTEN_EVENTS = 1 << 1              # keyspace notifications are on
    LISTEN_BLOCKED = 1 << 2             # a client waits for keys
    LISTEN_OBSERVERS = 1 << 5           # functions of the program are called (Engine.observers); 3: stamps, 4: blessed
    LISTEN_TRACKING = 1 << 6            # clients are told of keys that they may have cached

cdef enum:                              # Core.after_call
    AFTER_FEED = 1 << 0                 # somebody takes what is propagated (AOF, replicas)
    AFTER_READY = 1 << 1                # a key that clients wait for has changed
    AFTER_MONITOR = 1 << 2              # a client is shown what is executed
    AFTER_SLOWLOG = 1 << 3              # the slow log wants to see quick commands, too
    AFTER_LARGE = 1 << 4                # a request of the batch under way may be one for the command log
    AFTER_HOTKEYS = 1 << 5              # HOTKEYS counts what each key costs

cdef enum:                              # Core.gate: why a command may be refused; 0 on the fast path
    GATE_LOADING = 1 << 0               # the data set is still being read
    GATE_PAUSED = 1 << 1                # CLIENT PAUSE
    GATE_REPLICATION = 1 << 2           # this server's part in replication is a reason (Replication.refusal)
    GATE_DISK = 1 << 3                  # what was written cannot be made durable (Engine.disk_errors)
    GATE_COPYING = 1 << 4               # a big value is being copied: who wants to change it waits (Engine.copies)
    GATE_BUSY = 1 << 5                  # others are served in the middle of a script (Engine.busy)
    GATE_FAULTS = 1 << 6                # a test has commands fail (Engine.faults)

cdef enum:
    LATENCY_US = 1000                   # what took less is no news to the latency monitor (Engine.note_latency)

cdef enum:                              # Core.fixed_tables
    FIXED_BY_DEBUG = 1 << 0             # DEBUG DICT-RESIZING 0
    FIXED_BY_CHILD = 1 << 1             # a child works on a copy of the memory: what is moved is copied

cdef enum:                              # in Core.unsaved and Core.epoch:
    EVERY_CHANGE = 0xF                  # no entry's encoding is that: each is looked at before each change

cdef enum:                              # client classes of client-output-buffer-limit
    OUTPUT_NORMAL = 0
    OUTPUT_REPLICA = 1
    OUTPUT_PUBSUB = 2

cdef struct Core:
    Account memory

    # clock (see Engine.tick)
    int64_t now_ms                      # the time of this turn of the loop, ms since the epoch
    int64_t now_us                      # the same reading of the clock, us
    int64_t shift_ms                    # now_ms - wall clock, when a test moved it
    bint held                           # True: the clock stands still
    uint64_t tick                       # cycle counter at the end of the last command
    bint sharing                        # the command under way shares a reading of the counter with the next one
    int shared                          # calls that wait for that reading
    uint32_t lru_clock                  # seconds, 24 bits

    # expiry
    int64_t armed_ms                    # what the expiry timer waits for; INT64_MAX: nothing
    bint rearm                          # a sooner deadline came in during this turn
    bint active_expire                  # DEBUG SET-ACTIVE-EXPIRE
    bint expire_on_access               # False on a replica: its master says what expires

    # changes and who hears of them
    int64_t dirty                       # changes since start
    uint32_t epoch                      # the ENTRY_EPOCH bit of new entries, and of those a snapshot has saved
    # Bits of Entry.meta: who differs in any of them from `epoch` is looked at before it changes. ENTRY_EPOCH while a
    # snapshot is written in slices, ENTRY_KIND while a big value is being copied, EVERY_CHANGE while there are
    # savepoints; else 0.
    uint32_t unsaved
    int fixed_tables                    # FIXED_* bits: why tables are not resized
    int listeners                       # LISTEN_* bits
    int notify                          # NOTIFY_* classes that are on
    bint holding                        # replies wait until the AOF has what they tell of in its file
    # Only with `appendfsync always`: fsyncs of the AOF are numbered, and who wrote waits for the one that has it.
    int64_t aof_batch                   # the fsync that what was propagated last is in
    int64_t aof_synced                  # the last one that is done
    int64_t sendable                    # offset up to which replicas may get the stream; INT64_MAX: all of it
    int after_call                      # AFTER_* bits: what is left to do after each command; 0 on the fast path
    int gate                            # GATE_* bits
    int units                           # EXECs and scripts under way, one in the other (unit_begin)
    int targets                         # TO_* bits: which feeds get what commands do; a script may want fewer
    int64_t propagated                  # offset in the replication stream: its bytes; commands while nobody takes it
    bint counts_bytes                   # ... the stream itself, or the link to the master, counts them
    bint is_replica                     # this server replicates a master
    bint takes_writes                   # ... and its own clients may write (replica-read-only no)
    bint obeying                        # the command under way comes from there: what has expired is there still
    int turn_depth                      # turns begun and not ended; only the outermost one settles

    # settings as the request path needs them
    int64_t max_bulk                    # proto-max-bulk-len
    uint64_t query_buffer_limit         # client-query-buffer-limit
    int64_t[3] output_hard              # client-output-buffer-limit by client class (OUTPUT_*), bytes; 0: none
    int64_t[3] output_soft
    int64_t[3] output_soft_ms
    int64_t memory_limit                # maxmemory; INT64_MAX: none
    int64_t aof_bytes                   # of used_memory, what eviction does not count: the AOF's buffer,
    int64_t replica_bytes               # ... what the backlog keeps for replicas that lag behind
    int64_t replica_unsent              # ... and what transports hold for replicas
    int64_t client_limit                # maxmemory-clients; INT64_MAX: none
    int64_t client_memory               # bytes of buffers of the clients it counts
    size_t flush_size                   # replies of one batch are sent when they come to this
    Limits limits                       # at which sizes values change their encoding
    bint lfu                            # maxmemory-policy counts frequency
    int lfu_log_factor
    int lfu_decay_minutes
    bint no_touch                       # the client under way leaves LRU, LFU and LRM alone
    bint skip_checksums                 # DEBUG SET-SKIP-CHECKSUM-VALIDATION: of RDB files and DUMP payloads
    bint latency_tracking
    int64_t reply_peak_ms               # how long a reply buffer keeps room that it does not need; -1: for ever
    bint reply_resizing                 # DEBUG REPLYBUFFER RESIZING
    bint lazy_expire                    # lazyfree-lazy-expire ...
    bint lazy_server_del
    bint lazy_user_del

    # statistics (INFO stats)
    int64_t commands
    int64_t connections
    int64_t rejected_connections
    int64_t bytes_in
    int64_t bytes_out
    int64_t reads
    int64_t writes
    int64_t hits
    int64_t misses
    int64_t expired
    int64_t expired_parts               # fields of hashes, members of sets
    int64_t expire_cycle_us
    int64_t expire_slices_full          # slices of the expiry that ran out of time
    int64_t evicted
    int64_t evicted_clients
    int64_t lazy_pending                # objects that wait to be freed
    int64_t lazy_freed
    int64_t errors                      # error replies
    int64_t errors_seen                 # ... of which these are attributed to a command
    int64_t unexpected_errors
    int64_t reply_shrinks
    int64_t reply_expands
    int64_t query_limit_closed
    int64_t output_limit_closed
    uint64_t random                     # state of the engine's random numbers

    # turns of the loop, in ticks of the cycle counter (INFO's eventloop fields)
    int64_t turns
    uint64_t turn_start                 # when the turn under way began
    uint64_t slice_end                  # ... and when whoever has sent more gives way to others (Engine.give_way)
    uint64_t turn_ticks                 # of all turns
    uint64_t turn_longest
    uint64_t command_ticks              # of all turns, each up to the end of its last command
    int64_t turn_commands               # what `commands` was when the turn began
    int64_t turn_commands_most          # most commands of one turn


cdef inline int64_t not_evictable(Core* core) noexcept:
    """Bytes of used_memory that eviction does not count."""
    return core.aof_bytes + core.replica_bytes + core.replica_unsent
