# Engine: the one owner. Databases, settings, clock, clients, statistics and timers of one
# server belong to one Engine on one event loop; nothing is shared, so nothing is locked.
#
# Work comes in turns: bytes from a connection, a timer, a call of the Python API. Each is
# framed by begin_turn(), which reads the clock once, and end_turn(), which sends what was
# written to other clients, closes who is to be closed, and arms the expiry timer. So a
# command never touches a socket or a timer.

from libc.stdint cimport int64_t, uint64_t

from fastredis._resp cimport Arg, Batch
from fastredis.ds.histogram cimport Histogram
from fastredis.engine.acl.user cimport User
from fastredis.engine.core cimport Core
from fastredis.engine.keyspace cimport Database, Detached, Garbage, Listener
from fastredis.engine.reply cimport Reply, Writer
from fastredis.engine.slices cimport Job, Slices
from fastredis.values.entry cimport Entry

cdef enum:
    NO_DATABASE = -1                    # to a Feed: of MULTI and EXEC, which belong to none
    SELECT_ROOM = 64                    # bytes that put_select() writes at most
    LONGEST_TIMER_MS = 3600 * 1000      # one that is due later fires for nothing

cdef enum:                              # Feed.kind and Core.targets; the numbers of redis.set_repl()
    TO_AOF = 1 << 0
    TO_REPLICAS = 1 << 1
    TO_ALL = TO_AOF | TO_REPLICAS

cpdef enum:                             # Session.flags
    C_MULTI = 1 << 0                    # between MULTI and EXEC
    C_DIRTY_CAS = 1 << 1                # a watched key changed: EXEC will fail
    C_DIRTY_EXEC = 1 << 2               # a command was refused while queueing: EXEC will fail
    C_BLOCKED = 1 << 3                  # waits; its further requests stay in the query buffer
    C_CLOSE_AFTER_REPLY = 1 << 4        # takes no more requests, is closed when its replies are sent
    C_CLOSE_ASAP = 1 << 5               # is closed at the end of the turn
    C_CLOSED = 1 << 6                   # the connection is gone
    C_REPLY_OFF = 1 << 7                # CLIENT REPLY OFF
    C_REPLY_SKIP = 1 << 8               # CLIENT REPLY SKIP: this command's reply is dropped
    C_REPLY_SKIP_NEXT = 1 << 9          # ... and this is the CLIENT REPLY SKIP itself
    C_PUBSUB = 1 << 10                  # has subscriptions
    C_NO_TOUCH = 1 << 11                # CLIENT NO-TOUCH
    C_NO_EVICT = 1 << 12                # CLIENT NO-EVICT
    C_UNIX_SOCKET = 1 << 13
    C_MASTER = 1 << 14                  # the master this server replicates from
    C_REPLICA = 1 << 15                 # a replica of this server
    C_MONITOR = 1 << 16                 # is shown what others do (fastredis.engine.monitor)
    C_DENY_BLOCKING = 1 << 17           # inside EXEC or a script: nothing may block
    C_REDIRECT = 1 << 18                # CLIENT CAPA redirect: a replica sends it to its master
    C_READONLY = 1 << 19                # READONLY: ... but not for reads
    C_SCRIPT = 1 << 20                  # the command under way is a script's
    C_LIMITED = 1 << 21                 # its user may not do everything (Client.user)
    C_TRACKING = 1 << 22                # CLIENT TRACKING (fastredis.engine.tracking)
    C_TRACKING_BCAST = 1 << 23          # ... of prefixes, not of what it reads
    C_TRACKING_OPTIN = 1 << 24
    C_TRACKING_OPTOUT = 1 << 25
    C_TRACKING_NOLOOP = 1 << 26         # ... but not of what it changes itself
    C_TRACKING_CACHING = 1 << 27        # CLIENT CACHING was said for the next command
    C_TRACKING_BROKEN = 1 << 28         # the client that is told in its place is gone
    # It takes no more requests.
    C_GONE = C_CLOSE_AFTER_REPLY | C_CLOSE_ASAP | C_CLOSED
    # What concerns the request under way, and not a script's commands.
    C_REQUEST = C_MULTI | C_REPLY_OFF | C_REPLY_SKIP | C_REPLY_SKIP_NEXT
    # Any of these takes a command off the fast path of the dispatcher.
    C_SPECIAL = (C_MULTI | C_REPLY_OFF | C_REPLY_SKIP | C_REPLY_SKIP_NEXT | C_PUBSUB | C_NO_TOUCH | C_MASTER
                 | C_REPLICA | C_MONITOR | C_LIMITED | C_TRACKING)
    C_TRACKING_ALL = (C_TRACKING | C_TRACKING_BCAST | C_TRACKING_OPTIN | C_TRACKING_OPTOUT | C_TRACKING_NOLOOP
                      | C_TRACKING_CACHING | C_TRACKING_BROKEN)

cdef struct CommandStats:
    int64_t calls
    int64_t rejected                    # refused before they ran
    int64_t failed                      # ran, and replied an error
    uint64_t ticks                      # of the cycle counter, spent in it
    Histogram histogram                 # of the ticks that calls took


cdef class Session(Writer):
    """What the engine knows of a client: that it can be flushed, closed, marked."""
    cdef uint64_t flags                 # C_* bits, see _client
    cdef bint flush_queued
    cdef int flush(self) except -1      # send what others wrote to it
    cdef int64_t waiting_bytes(self) noexcept       # that this takes
    cdef int send_reply(self) except -1  # send what its own commands replied so far
    cdef int close(self) except -1
    cdef int resume(self) except -1
    cdef int go_on(self) except -1      # others had their turn (Engine.give_way)


cdef class Feed:
    """Who takes what is propagated, with the database it is for: the AOF, a replication stream, a test.

    The data has changed already, so no feed may be without what another one has: all reserve room before the first one
    is written to. What fails all the same ends the process (Engine.fatal).
    """
    cdef bint takes_messages            # commands that change no data as well
    cdef int kind                       # TO_* bits
    # Have room for a command of `size` bytes, and for the SELECT that may have to go before it.
    cdef int reserve(self, size_t size) except -1
    # text: the command as the protocol has it, formatted once for all feeds.
    cdef int write(self, int db, Arg* argv, int argc, const char* text, size_t size) except -1


cdef class Tracker(Session):
    """Who tells clients of what they may have cached; see fastredis.engine.tracking."""
    # by_command: a command did it, not the key's deadline or a lack of memory.
    cdef int key_changed(self, const char* key, size_t size, bint by_command) except -1
    cdef int all_changed(self) except -1                    # the keys of a database go, or others come


cdef class Snapshot(Job):
    """A snapshot that is written in slices while the data changes; see fastredis.persist.snapshot."""
    cdef int before_change(self, Database db, Entry* e) noexcept    # the entry is not saved yet, and changes or goes
    # A database was emptied. 1: the snapshot takes what was in it, and discards it when it is written.
    cdef int detached(self, Database db, Detached garbage) except -1
    cdef int swapped(self, Database one, Database other) except -1


cdef class Copies(Job):
    """COPY commands that take their time; see fastredis.engine.copying."""
    cdef int before_change(self, Entry* e) noexcept         # the entry changes or goes
    cdef int before_leaving(self, Database db) noexcept     # all entries of a database go
    cdef bint concern(self, Arg* argv, int argc) noexcept   # whether arguments name what is being copied


cdef class Savepoints:
    """States of the data that a program may go back to; see fastredis.engine.savepoints."""
    cdef int before_change(self, Database db, Entry* e) noexcept    # the entry changes or goes
    cdef int added(self, Database db, const char* key, size_t size) except -1   # the key is new
    cdef int before_leaving(self, Database db) except -1            # all entries of a database go
    cdef bint detached(self, Database db, Detached garbage) except -1   # they have. True: they are needed
    cdef int swapped(self, Database one, Database other) except -1


cdef class Engine(Listener)

ctypedef int (*Serve)(Engine engine) except -1


cdef class Clock:
    cdef Engine engine


cdef class Engine(Listener):
    cdef Core core
    cdef list databases
    cdef readonly Clock clock
    cdef Reply reply                    # of the connection under way
    cdef Batch batch
    cdef CommandStats* stats            # by Command.index
    cdef int stats_count
    cdef readonly dict clients          # id -> Client, in the order of connecting
    cdef int64_t next_client_id
    cdef list flush_queue               # sessions written to out of turn
    cdef list held                      # of these, whose replies wait for an fsync
    cdef object released                # a deque of those whose replies waited for one that is done
    cdef list close_queue
    cdef list resume_queue              # sessions that may go on with their buffered requests
    cdef object waiting                 # a deque of those that do so when others had their turn
    cdef bint waiting_scheduled         # serve_waiting() will be called
    cdef list feed_list
    cdef char* text                     # the command that is being handed to them
    cdef size_t text_room
    cdef bint in_transaction            # a MULTI was propagated, its EXEC is still to follow
    cdef Arg* first                     # an EXEC's first effect, not propagated yet; NULL: there is none
    cdef int first_argc
    cdef int first_db
    cdef size_t first_size              # of the block, bytes
    cdef bint first_is_message          # it changes no data
    cdef int first_targets
    cdef int targets                    # TO_* bits: which feeds get what is propagated now
    cdef Slices slices                  # what is done in the background
    cdef int64_t slice_armed_us         # when their timer fires; INT64_MAX: never; 0: they are at work
    cdef object slice_timer
    cdef Job expiry
    cdef Job freeing
    cdef Job rehashing
    cdef list garbage                   # Garbage, freed in slices
    cdef bint serving                   # those who wait for keys are being served
    cdef list ready                     # (Database, key) that changed while somebody waits for it
    cdef Serve serve                    # lets those go on; NULL: nobody has waited yet
    cdef set own_deadlines              # (database, key) with TTLs that clients of a replica have set
    cdef readonly dict errors           # code -> how many replies
    cdef public object commands         # CommandTable (fastredis.engine.command)
    cdef public object config           # Config (fastredis.config.config)
    cdef public object log              # Logger (fastredis.host.logs)
    cdef public object loop             # event loop (asyncio); None: nothing is scheduled
    cdef public object host             # Host (fastredis.engine.hooks): who runs this engine
    cdef public object on_fatal         # function of a text, and whether it is a bug: to go on would do harm
    cdef public object describe         # function of a client: what the log calls it
    cdef public object threads          # Threads (fastredis.host.process) for slow calls; None: the loop's own
    cdef public object resolvers        # Threads (fastredis.host.process) that look names up; None: the loop's own
    cdef public bint loaded             # the data are there
    cdef public bint ending             # the service is over: nothing is begun any more
    cdef public object pubsub           # PubSub (fastredis.engine.pubsub)
    cdef public object monitors         # Monitors (fastredis.engine.monitor)
    cdef public object command_log      # CommandLog (fastredis.engine.commandlog)
    cdef public object blocked          # Blocked (fastredis.engine.blocking)
    cdef public object busy             # Busy (fastredis.engine.busy)
    cdef public object evictor          # Evictor (fastredis.engine.evict)
    cdef public object aof              # AofFiles (fastredis.persist.aof_files)
    cdef public object metrics          # Metrics (fastredis.engine.metrics), what INFO remembers between two looks
    cdef readonly User unlimited        # of clients who are asked nothing: in-process ones, the master, an AOF
    cdef public User default_user       # of those who have not authenticated
    cdef public bint auth_required      # ... and who have to, before they may do anything
    cdef public object users            # Users (fastredis.engine.acl.users)
    cdef public object child            # Child (fastredis.persist.child), the one that is at work; None: none is
    cdef public object saver            # Saver (fastredis.persist.saver): SAVE, BGSAVE, save points
    cdef public object loading          # Loading (fastredis.persist.loading): what INFO tells of it
    cdef public object kept             # Kept (fastredis.persist.kept): of the data set, but not known. None: nothing
    cdef public object replication      # Replication (fastredis.replication.state); Peers (fastredis.engine.hooks)
    cdef public object scripts          # Scripts (fastredis.scripting.scripts); Scripting (fastredis.engine.hooks)
    cdef public object service          # Ending (fastredis.replication.ending): how the service ends
    cdef Copies copies                  # None until the first one
    cdef Snapshot snapshot              # the forkless one under way (fastredis.persist.snapshot); None: none is
    cdef readonly dict disk_errors      # who cannot write ("rdb", "aof") -> error for those who want to
    cdef readonly int64_t started_ms
    cdef int64_t attack_told_ms         # when the log told last that somebody speaks HTTP to us; 0: never
    cdef readonly str run_id
    cdef readonly uint64_t start_ticks
    cdef readonly int64_t start_us      # monotonic, taken with start_ticks
    cdef Savepoints savepoints          # None until the first one
    cdef public Tracker tracking        # Tracking (fastredis.engine.tracking)
    cdef public object observers        # Observers (fastredis.engine.observers); None until the first one
    cdef public object faults           # Faults (fastredis.engine.hooks); None until a test has asked for them
    cdef public object extensions       # Extensions (fastredis.engine.hooks); None until the program has declared one

    cdef int begin_turn(self) noexcept
    cdef int end_turn(self) except -1
    cdef int settle(self) except -1
    cdef int tick(self) noexcept
    cdef Database db(self, int index)
    cdef int queue_flush(self, Session session) except -1
    cdef int hold(self, Session session) except -1
    cdef int queue_close(self, Session session) except -1
    cdef int queue_resume(self, Session session) except -1
    cdef int give_way(self, Session session) except -1
    cdef int count_error(self, const char* text, size_t size) except -1
    cdef int propagate(self, int db, Arg* argv, int argc, bint is_message=*) except -1
    cdef int open_transaction(self) except -1
    cdef int hand_out_first(self) except -1
    cdef int hand_out_effect(self, int db, Arg* argv, int argc, bint is_message, int targets) except -1
    cdef int hand_out(self, int db, Arg* argv, int argc, bint is_message=*, int targets=*) except -1
    cdef int propagate_words(self, int db, list words) except -1
    cdef int unit_end(self) except -1
    # Changes of keys: whoever made them, they pass through one of these.
    cdef int key_changed(self, Database db, const char* key, size_t size, int event_class,
                         const char* event) except -1
    cdef Detached take_all(self, Database db)       # empty a database
    cdef int exchange(self, Database one, Database other) except -1
    cdef int keys_change(self, Database db, Database other) except -1
    cdef int touch_watched(self, Database db, const char* key, size_t size) except -1
    cdef int key_ready(self, Database db, const char* key, size_t size) except -1
    cdef int schedule(self, Job job, int64_t pause_us) except -1
    cdef int arm_slices(self) except -1
    cdef int work(self) except -1
    cdef int do_step(self, Job job, int64_t until_us) except -1
    cdef int arm_expiry(self) except -1
    cdef bint may_expire(self) noexcept
    cdef int64_t expire_until(self, int64_t until_us) except -1
    cdef int free_until(self, int64_t until_us) except -1
    cdef double ticks_per_us(self) noexcept


# What a feed takes before the first command of another database: SELECT; returns where it ends.
cdef char* put_select(char* to, int db) noexcept
