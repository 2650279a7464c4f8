"""Dispatch of commands. The design comment is in dispatch.pxd."""
import traceback

from libc.stdint cimport int64_t, uint64_t

from fastredis._resp cimport BATCH, Arg, Request, arg_bytes, arg_hash, arg_of
from fastredis.ds.histogram cimport histogram_add
from fastredis.ds.native cimport prefetch, same_bytes, ticks, unlikely
from fastredis.ds.table cimport Table, table_prefetch_bucket, table_prefetch_entry
from fastredis.engine.acl.access cimport refusal_of
from fastredis.engine.blocking cimport Blocked, KeyLine, KeyWaiter, Stand, walk_begin, walk_end, walk_next
from fastredis.engine.client cimport Frame, frame_pop, frame_push
from fastredis.engine.command cimport CommandTable, find_command, find_subcommand
from fastredis.engine.commandlog cimport CommandLog
from fastredis.engine.core cimport (
    AFTER_FEED, AFTER_HOTKEYS, AFTER_LARGE, AFTER_MONITOR, AFTER_READY, AFTER_SLOWLOG, GATE_BUSY, GATE_COPYING,
    GATE_DISK, GATE_FAULTS, GATE_LOADING, GATE_PAUSED, GATE_REPLICATION, Core,
)
from fastredis.engine.engine cimport (
    C_BLOCKED, C_CLOSE_AFTER_REPLY, C_CLOSE_ASAP, C_DENY_BLOCKING, C_DIRTY_EXEC, C_LIMITED, C_MASTER, C_MONITOR,
    C_MULTI, C_NO_TOUCH, C_PUBSUB, C_REPLICA, C_REPLY_OFF, C_REPLY_SKIP, C_REPLY_SKIP_NEXT, C_SPECIAL, C_TRACKING,
    TO_ALL, CommandStats, Engine,
)
from fastredis.engine.errors cimport (
    ERR_INTERNAL, ERR_LOADING, ERR_NOAUTH, ERR_NOT_IN_MULTI, ERR_OOM, ERR_REPLICA_KEYS, arity_error,
)
from fastredis.engine.evict cimport ROOM_NONE, Evictor
from fastredis.engine.flags cimport (
    ADMIN, ALLOW_BUSY, CONTAINER, DENYOOM, FAST, LOADING, MAY_REPLICATE, MOVABLE_KEYS, NO_AUTH, NO_MANDATORY_KEYS,
    NO_MULTI, PROTECTED, READONLY, SKIP_MONITOR, STALE, WRITE,
)
from fastredis.engine.hotkeys cimport HotKeys
from fastredis.engine.importing cimport C_IMPORT_SOURCE, GATE_IMPORT, GATE_SEES_EXPIRED
from fastredis.engine.keys cimport KeyList, keys_free, keys_init
from fastredis.engine.keyspace cimport Database
from fastredis.engine.monitor cimport Monitors
from fastredis.engine.multi cimport Queue, discard
from fastredis.engine.reply cimport Reply
from fastredis.engine.stamps cimport stamps_changes
from fastredis.engine.tracking cimport Tracking
from fastredis.values.entry cimport (
    ENC_EMBSTR, ENC_HASHTABLE, ENC_HASHTABLE_EX, ENC_INT, ENC_SKIPLIST, Entry, entry_encoding, entry_slot, entry_type,
)

from fastredis.engine.reply import ErrorReply
from fastredis.host.logs import WARNING

cdef enum:
    PREFETCH_KEYS = 512             # keys of a batch that are hashed ahead
    PREFETCH_MEMBERS = 64           # arguments of a command that are looked at for members
    SLOW_TICKS = 1000000            # a command this long (under 1 ms) makes the clock be read anew
    SHARERS = 8                     # so many quick commands in a row may be timed together
    QUICK_ARGS = 4                  # ... when they have no more arguments than this
    STALL_TICKS = 20000             # ... unless that took so long (several us) that something held one of them up
    ATTACK_MS = 60 * 1000           # so long the log is quiet about attempts by HTTP
    SHOWN_NAME = 128                # bytes of a request that an error repeats
    AFTER_LOGGED = AFTER_SLOWLOG | AFTER_LARGE | AFTER_HOTKEYS

# Commands that a client with subscriptions may use in RESP2.
cdef frozenset PUBSUB_CONTEXT = frozenset([
    b"ping", b"quit", b"reset", b"subscribe", b"unsubscribe", b"psubscribe", b"punsubscribe", b"ssubscribe",
    b"sunsubscribe"])
cdef dict EMPTY = {}

cdef enum:
    ALLOWANCES = LOADING | STALE            # flags that let a command run where others may not

# Commands that run at once although MULTI is under way.
cdef frozenset NEVER_QUEUED = frozenset([b"exec", b"discard", b"multi", b"watch", b"quit", b"reset"])


cdef int run_batch(Client c, Batch* batch) except -1:
    """Execute the requests of a batch; returns how many were taken (fewer when one blocked or closed the client)."""
    cdef void* commands[BATCH]
    cdef int taken

    cdef bint large = (batch.requests[batch.count - 1].end - batch.requests[0].begin
                       >= <size_t>(<CommandLog>c.engine.command_log).large_request)

    prepare(c, batch, commands)
    if unlikely(large):
        c.core.after_call |= AFTER_LARGE
    c.core.tick = ticks()
    taken = run_requests(c, batch, commands)
    c.core.sharing = False
    if unlikely(large):
        c.core.after_call &= ~AFTER_LARGE
    if unlikely(c.core.shared != 0):
        settle_time(c)
    return taken


cdef int run_requests(Client c, Batch* batch, void** commands) except -1:
    cdef Request* r
    cdef int i = 0
    cdef int count = batch.count
    cdef size_t mark = 0
    cdef int64_t dirty = 0

    while i < count:
        try:
            while i < count:
                r = &batch.requests[i]
                c.argv = &batch.args.items[r.first]
                c.argc = r.argc
                i += 1
                c.core.sharing = i < count and may_share(batch, commands, i)
                mark = c.out.size
                dirty = c.core.dirty
                if unlikely(commands[i - 1] is NULL):
                    unknown(c)
                elif unlikely(execute_known(c, <Command>commands[i - 1])):
                    return i - 1            # it stays in the query buffer until CLIENT PAUSE is over
                if unlikely(c.core.shared != 0) and not c.core.sharing:
                    settle_time(c)
                if unlikely(c.out.size > c.core.flush_size):
                    c.send_reply()          # which may find that there is too much unsent already
                if unlikely(c.flags & (C_BLOCKED | C_CLOSE_AFTER_REPLY | C_CLOSE_ASAP)
                            or c.core.tick > c.core.slice_end):
                    return i
        except Exception:
            failed(c, commands[i - 1], mark, dirty)
    return i


cdef int run_request(Client c) except -1:
    cdef CommandTable table = <CommandTable>c.engine.commands
    cdef size_t mark = c.out.size
    cdef int64_t dirty = c.core.dirty
    cdef void* command = NULL

    c.core.tick = ticks()
    try:
        command = find_command(table, c.argv[0].ptr, c.argv[0].size)
        if command is NULL:
            return unknown(c)
        return execute_known(c, <Command>command)
    except Exception:
        failed(c, command, mark, dirty)
    return 0


cdef int failed(Client c, void* command, size_t mark, int64_t dirty) except -1:
    """A request raised. mark, dirty: what the reply's size and Core.dirty were before it."""
    c.out.truncate(min(mark, c.out.size))
    if c.flags & C_MULTI:
        c.flags |= C_DIRTY_EXEC         # what failed to be queued must not be missing
    return internal_error(c, <Command>command if command is not NULL else None, dirty)


cdef inline bint may_share(Batch* batch, void** commands, int i) noexcept:
    """Whether one reading of the cycle counter will do for request i and the one before it: a quick command, twice.

    A reading takes a tenth of the time of such a command.
    """
    return (commands[i] == commands[i - 1] and i % SHARERS != 0 and commands[i] is not NULL
            and (<Command>commands[i]).flags & FAST and batch.requests[i - 1].argc <= QUICK_ARGS)


cdef int prepare(Client c, Batch* batch, void** commands) except -1:
    """Look all commands up, hash their keys, and ask for the buckets, then for the entries, before they are used."""
    cdef CommandTable table = <CommandTable>c.engine.commands
    cdef Request* r
    cdef Arg* argv
    cdef Arg* keys[PREFETCH_KEYS]
    cdef int found = 0
    cdef int with_members = 0
    cdef int i, k, step, last
    cdef Database db = c.db

    for i in range(batch.count):
        r = &batch.requests[i]
        argv = &batch.args.items[r.first]
        commands[i] = find_command(table, argv[0].ptr, argv[0].size)
        if unlikely(commands[i] is NULL):
            continue
        k = (<Command>commands[i]).first_key
        if k == 0 or r.argc <= k:
            if (<Command>commands[i]).flags & MOVABLE_KEYS:
                found = prepare_movable(c, <Command>commands[i], argv, r.argc, keys, found)
            continue
        with_members += (<Command>commands[i]).first_member != 0
        step = (<Command>commands[i]).key_step
        last = (<Command>commands[i]).last_key
        last = min(last if last >= 0 else r.argc + last, r.argc - 1)
        while k <= last and found < PREFETCH_KEYS:
            if found and argv[k].size == keys[found - 1].size and (
                    same_bytes(argv[k].ptr, keys[found - 1].ptr, argv[k].size)):
                argv[k].hash = keys[found - 1].hash         # a pipeline is often about one key
            else:
                keys[found] = &argv[k]
                found += 1
                db.prefetch_bucket(arg_hash(&argv[k]))
            k += step
    if found > 1:
        for i in range(found):
            db.prefetch_entry(keys[i].hash)
    if with_members and batch.count > 1:
        prepare_members(db, batch, commands)
    return 0


cdef int prepare_movable(Client c, Command command, Arg* argv, int argc, Arg** keys, int found) noexcept:
    """The same for a command whose keys are in no range: add them to `keys`; returns how many there are now."""
    cdef KeyList list
    cdef int i

    if argc < max(command.arity, -command.arity):
        return found
    keys_init(&list, &c.core.memory)
    command.keys.find(argv, argc, &list)
    for i in range(min(list.count, PREFETCH_KEYS - found)):
        keys[found] = &argv[list.items[i].position]
        c.db.prefetch_bucket(arg_hash(keys[found]))
        found += 1
    keys_free(&list)
    return found


cdef int prepare_members(Database db, Batch* batch, void** commands) except -1:
    """The same one level deeper: ask for values, then for the buckets and the members that commands look up in them."""
    cdef Table* tables[BATCH]
    cdef Request* r
    cdef Arg* key
    cdef Entry* e = NULL
    cdef uint64_t hash = 0              # of the key that e is for
    cdef int i

    for i in range(batch.count):
        tables[i] = NULL
        if commands[i] is NULL or not (<Command>commands[i]).first_member:
            continue
        r = &batch.requests[i]
        if r.argc <= (<Command>commands[i]).first_member:
            continue
        key = &batch.args.items[r.first + (<Command>commands[i]).first_key]
        if arg_hash(key) != hash:
            hash = key.hash
            e = db.peek(key)
        if e is NULL or entry_encoding(e) == ENC_EMBSTR or entry_encoding(e) == ENC_INT:
            continue
        prefetch(entry_slot(e)[0])
        if (entry_encoding(e) == ENC_HASHTABLE or entry_encoding(e) == ENC_HASHTABLE_EX
                or entry_encoding(e) == ENC_SKIPLIST):
            tables[i] = <Table*>entry_slot(e)[0]        # the first field of the value of what is no plain set
    prefetch_members(batch, commands, tables, table_prefetch_bucket)
    return prefetch_members(batch, commands, tables, table_prefetch_entry)


ctypedef void (*Prefetch)(Table* t, uint64_t hash) noexcept


cdef inline int prefetch_members(Batch* batch, void** commands, Table** tables, Prefetch ask) noexcept:
    cdef Request* r
    cdef Arg* argv
    cdef int i, k, step

    for i in range(batch.count):
        if tables[i] is NULL:
            continue
        r = &batch.requests[i]
        argv = &batch.args.items[r.first]
        step = (<Command>commands[i]).member_step
        k = (<Command>commands[i]).first_member
        while k < r.argc and k < PREFETCH_MEMBERS:
            ask(tables[i], arg_hash(&argv[k]))
            k += step
    return 0


# --- checks ---------------------------------------------------------------------------

cdef int execute(Client c, Command command) except -1:
    """Run, queue or refuse the command in argv; `command` is what the table has for its name, None: nothing.

    Returns 1 when CLIENT PAUSE holds it, else 0.
    """
    return execute_known(c, command) if command is not None else unknown(c)


cdef inline int execute_known(Client c, Command command) except -1:
    if unlikely(command.flags & CONTAINER) and c.argc > 1:
        return execute_subcommand(c, command)
    return execute_found(c, command)


cdef int execute_subcommand(Client c, Command container) except -1:
    cdef Command command = find_subcommand(container, c.argv[1].ptr, c.argv[1].size)

    return execute_found(c, command) if command is not None else unknown_subcommand(c)


cdef inline int execute_found(Client c, Command command) except -1:
    if unlikely(c.argc != command.arity and (command.arity > 0 or c.argc < -command.arity)):
        return wrong_arity(c, command)
    if unlikely(c.flags & C_SPECIAL or c.core.gate or c.core.memory.used > c.core.memory_limit
                or not c.authenticated or command.flags & PROTECTED):
        return execute_checked(c, command)
    return call(c, command)


cdef int wrong_arity(Client c, Command command) except -1:
    return refuse(c, command, arity_error(command.name))


cdef int execute_checked(Client c, Command command) except -1:
    """The long way: all the reasons for which a command does not just run."""
    cdef size_t mark
    cdef size_t told = c.pending.size if c.pending is not None else 0
    cdef uint64_t flags = command_flags(c, command)
    cdef bint no_touch = c.core.no_touch and not stamps_changes(c.core)
    cdef bint attached = is_attached(c)
    cdef bint tracks = c.flags & C_TRACKING != 0
    cdef Client outer = None

    if is_refused(c, command, flags):
        return 0
    if unlikely(c.core.gate & GATE_FAULTS) and c.engine.faults.delays(c):
        return 1
    if (unlikely(c.core.gate & GATE_PAUSED) and (<Blocked>c.engine.blocked).holds(flags)
            and not c.flags & (C_MONITOR | C_REPLICA | C_DENY_BLOCKING)):
        (<Blocked>c.engine.blocked).postpone(c)
        return 1
    if unlikely(c.core.gate & GATE_COPYING) and waits_for_copy(c, command, flags):
        (<Blocked>c.engine.blocked).postpone(c)
        return 1
    if tracks:
        (<Tracking>c.engine.tracking).limit()
    take_messages(c, told)              # of keys that were evicted to make room, here or there
    mark = begin_reply(c)
    if is_queueing(c, command):
        (<Queue>c.queue).append(c, command, flags)
        c.note_memory()
        c.out.status(b"QUEUED")
        return settle_reply(c, mark)
    c.core.no_touch = stamps_changes(c.core) or (c.flags & C_NO_TOUCH and command.name != b"touch")
    if unlikely(c.core.gate & GATE_IMPORT) and c.flags & C_IMPORT_SOURCE:
        c.core.gate |= GATE_SEES_EXPIRED
    if tracks:
        outer = (<Tracking>c.engine.tracking).enter(c)
    try:
        call(c, command)
    finally:
        if not c.core.units:
            c.core.gate &= ~GATE_SEES_EXPIRED
        if tracks:
            (<Tracking>c.engine.tracking).leave(c, command, outer)
        c.core.no_touch = no_touch or stamps_changes(c.core)     # CONFIG SET may have changed it
    if unlikely(attached and c.out.size > mark):
        return expel(c, command, mark)
    settle_reply(c, mark)
    return take_messages(c, told)       # what it published to itself, and others


cdef int take_messages(Client c, size_t told) except -1:
    """Have what a client is told since its inbox had the size `told` sent next, in the order of its replies."""
    if c.pending is None or c.pending.size <= told or c.core.units:
        return 0
    c.out.protocol(c.pending.data + told, c.pending.size - told)
    c.pending.truncate(told)
    return 0


cdef bint waits_for_copy(Client c, Command command, uint64_t flags) except -1:
    """Whether the command may change a value that is being copied, and can wait for the end of that."""
    cdef Queue queue
    cdef int i

    if not flags & (WRITE | MAY_REPLICATE) or c.flags & (C_MASTER | C_DENY_BLOCKING) or is_queueing(c, command):
        return False
    if c.flags & C_MULTI and command.name == b"exec":
        queue = <Queue>c.queue
        for i in range(queue.count):
            if c.engine.copies.concern(queue.items[i].argv, queue.items[i].argc):
                return True
    return c.engine.copies.concern(c.argv, c.argc)


cdef uint64_t command_flags(Client c, Command command):
    """A command's flags. EXEC has those of all it will run: what one of them does, and what all are allowed.

    And a script may declare what it does.
    """
    cdef Queue queue

    if c.flags & C_MULTI and command.name == b"exec":
        queue = <Queue>c.queue
        return (command.flags | queue.flags) & ~<uint64_t>ALLOWANCES | (command.flags & queue.shared_flags & ALLOWANCES)
    if command.flags & SKIP_MONITOR and command.flags & NO_MANDATORY_KEYS:
        return c.engine.scripts.flags_of(command.name, arg_bytes(&c.argv[1]), command.flags)
    return command.flags


cdef inline size_t begin_reply(Client c) noexcept:
    """Where the reply starts, for settle_reply(). Before it, CLIENT REPLY SKIP begins to count."""
    if c.flags & C_REPLY_SKIP_NEXT:
        c.flags ^= C_REPLY_SKIP_NEXT | C_REPLY_SKIP
    return c.out.size


cdef int settle_reply(Client c, size_t mark) except -1:
    """CLIENT REPLY OFF and SKIP: take the reply back."""
    if c.flags & (C_REPLY_OFF | C_REPLY_SKIP):
        c.out.truncate(min(mark, c.out.size))
    c.flags &= ~<uint64_t>C_REPLY_SKIP
    return 0


cdef int reject(Client c, bytes text, Command command=None) except -1:
    """Reply an error for a request that is not executed. command: which one, if there is one of that name."""
    cdef size_t mark = begin_reply(c)

    c.error_text(text)
    if unlikely(is_attached(c)):
        c.engine.unexpected_error("master", "replica", text, command.name if command is not None else b"")
        return expel(c, command, mark)
    return settle_reply(c, mark)


cdef inline bint is_attached(Client c) noexcept:
    """Whether a replica is at the other end, which takes the stream and no replies."""
    return c.flags & C_REPLICA and not c.flags & C_MONITOR


cdef int expel(Client c, Command command, size_t mark) except -1:
    """A replica's request had a reply, which would be taken for a part of the stream: close the connection instead."""
    name = command.name.decode("utf-8", "replace") if command is not None else "<unknown>"
    c.out.truncate(mark)
    c.engine.log.limited("replica reply", WARNING, f"Replica generated a reply to command '{name}', disconnecting it: "
                         f"{c.engine.describe(c)}")
    return c.shut()


cdef bint is_refused(Client c, Command command, uint64_t flags) except -1:
    """Reply why the command may not run now, if there is a reason."""
    cdef Core* core = c.core
    cdef bytes text

    if command.flags & PROTECTED and not c.engine.allows_protected(c, (command.container or command).name):
        refuse(c, command, protected_text(command))
    elif not c.authenticated and c.engine.auth_required and not command.flags & NO_AUTH:
        refuse(c, command, ERR_NOAUTH)
    elif command.flags & NO_MULTI and c.flags & C_MULTI:
        refuse(c, command, ERR_NOT_IN_MULTI)
    elif c.flags & C_LIMITED and (text := refusal_of(c, command)) is not None:
        refuse(c, command, text)
    elif not core.units and core.memory.used > core.memory_limit and (
            (<Evictor>c.engine.evictor).make_room() == ROOM_NONE) and (
            flags & DENYOOM or is_queueing(c, command)):    # a queue takes memory, whatever is in it
        refuse(c, command, ERR_OOM)
    elif core.gate & GATE_DISK and (flags & WRITE or command.name == b"ping"):
        refuse(c, command, next(iter(c.engine.disk_errors.values())))
    elif core.gate & GATE_REPLICATION and (text := c.engine.replication.refusal(flags, c.flags)) is not None:
        refuse(c, command, text)
    elif c.flags & C_PUBSUB and c.resp == 2 and command.name not in PUBSUB_CONTEXT:
        refuse(c, command, b"ERR Can't execute '" + command.name + b"': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / "
               b"PING / QUIT / RESET are allowed in this context")
    elif core.gate & GATE_LOADING and not flags & LOADING:
        refuse(c, command, ERR_LOADING)
    elif core.gate & GATE_BUSY and not command.flags & ALLOW_BUSY:
        refuse(c, command, c.engine.busy.error)
    elif c.flags & (C_MONITOR | C_REPLICA) and flags & (READONLY | WRITE | MAY_REPLICATE):
        refuse(c, command, ERR_REPLICA_KEYS)
    elif core.gate & GATE_FAULTS and (text := c.engine.faults.strike(c, command)) is not None:
        if text:                        # else the connection is closed
            refuse(c, command, text)
    else:
        return False
    return True


cdef bint is_queueing(Client c, Command command) except -1:
    """Whether the command, if it is not refused, goes into MULTI's queue."""
    return bool(c.flags & C_MULTI) and command.name not in NEVER_QUEUED


cdef bytes protected_text(Command command):
    cdef bytes name = (command.container or command).name

    return (b"ERR " + name.upper() + b" command not allowed. If the enable-" + name + b"-command option is set to "
            b'"local", you can run it from a local connection, otherwise you need to set this option in the '
            b"configuration file, and then restart the server.")


cdef int refuse(Client c, Command command, bytes text) except -1:
    """Reply an error for a command that does not run; inside MULTI the transaction is spoiled."""
    if c.flags & C_MULTI:
        c.flags |= C_DIRTY_EXEC
    c.engine.stats[command.index].rejected += 1
    if command.name == b"exec":
        discard(c)
        if not text.startswith(b"REDIRECT "):
            text = b"EXECABORT Transaction discarded because of: " + text.removeprefix(b"ERR ")
    return reject(c, text, command)


cdef bytes shown(Arg* a, size_t most):
    """The start of an argument, as far as C's %s would print it."""
    return a.ptr[:min(a.size, most)].partition(b"\0")[0]


cdef int unknown(Client c) except -1:
    """Reply that there is no such command, with the start of the request."""
    cdef bytes name = shown(&c.argv[0], SHOWN_NAME)
    cdef bytes args = b""
    cdef int i

    if name.lower() in (b"host:", b"post"):
        tell_of_attack(c)
        return c.shut()
    for i in range(1, c.argc):
        if len(args) >= SHOWN_NAME:
            break
        args += b"'" + shown(&c.argv[i], SHOWN_NAME - len(args)) + b"' "
    if c.flags & C_MULTI:
        c.flags |= C_DIRTY_EXEC
    return reject(c, b"ERR unknown command '" + name + b"', with args beginning with: " + args)


cdef int tell_of_attack(Client c) except -1:
    """Log that a browser may have been tricked into speaking to us; once a minute, since anybody can cause it."""
    cdef Engine engine = c.engine
    cdef int64_t now_ms = c.core.now_ms
    cdef str peer = c.peer.decode("utf-8", "replace")

    if engine.attack_told_ms and now_ms - engine.attack_told_ms <= ATTACK_MS:
        return 0
    engine.attack_told_ms = now_ms
    engine.log.warning("Possible SECURITY ATTACK detected. It looks like somebody is sending POST or Host: "
                       "commands to Redis. This is likely due to an attacker attempting to use Cross Protocol "
                       f"Scripting to compromise your Redis instance. Connection from {peer} aborted.")
    return 0


cdef int unknown_subcommand(Client c) except -1:
    cdef bytes container = arg_bytes(&c.argv[0])

    if c.flags & C_MULTI:
        c.flags |= C_DIRTY_EXEC
    return reject(c, b"ERR unknown subcommand '" + shown(&c.argv[1], SHOWN_NAME) + b"'. Try "
                  + container.upper() + b" HELP.")


# --- the call ---------------------------------------------------------------------------

cdef int call(Client c, Command command) except -1:
    """Run the handler of the command in argv, and do what follows from every call."""
    cdef Core* core = c.core
    cdef CommandStats* stats = &c.engine.stats[command.index]
    cdef int64_t dirty = core.dirty
    cdef size_t mark = c.out.size
    cdef uint64_t start = core.tick
    cdef uint64_t passed

    core.errors_seen = core.errors
    c.command = <void*>command
    if command.handler is not NULL:
        command.handler(c)
    else:
        call_python(c, command)
    if core.sharing and core.after_call == 0:
        core.shared += 1
        passed = 0
    else:
        core.tick = ticks()
        passed = core.tick - start
        take_time(core, stats, passed, 1)
    if unlikely(c.flags & (C_BLOCKED | C_TRACKING)) and waits_or_caches(c, command):
        c.engine.serve = serve_ready
        if core.after_call & AFTER_MONITOR:
            show(c, command)
        return 0                            # it is counted once it is answered, see fastredis.engine.blocking
    stats.calls += 1
    core.commands += 1
    c.requests += 1
    if unlikely(core.errors != core.errors_seen):
        stats.failed += 1
        core.errors_seen = core.errors
    if unlikely(core.after_call != 0):
        finish_call(c, command, core.dirty != dirty, passed)
    if unlikely(passed > SLOW_TICKS or core.after_call & AFTER_LOGGED
                or <int64_t>(c.out.size - mark) >= (<CommandLog>c.engine.command_log).large_reply):
        finish_logged(c, command, passed, c.out.size - mark)
    return 0


cdef bint waits_or_caches(Client c, Command command) except -1:
    """Note what a client that caches has read; whether it waits."""
    if c.flags & C_TRACKING:
        (<Tracking>c.engine.tracking).remember(c, command)
    return c.flags & C_BLOCKED != 0


cdef inline int take_time(Core* core, CommandStats* stats, uint64_t passed, int calls) except -1:
    """Note how long calls took: this one (1; 0: none), and those of the same command that share the time with it."""
    cdef uint64_t each

    calls += core.shared
    core.shared = 0
    stats.ticks += passed
    if not core.latency_tracking:
        return 0
    if calls > 1 and unlikely(passed > STALL_TICKS) and stats.calls:
        each = min(stats.ticks // stats.calls, passed // calls)     # what such a call takes otherwise
        histogram_add(&core.memory, &stats.histogram, each, calls - 1)
        passed -= each * (calls - 1)
        calls = 1
    return histogram_add(&core.memory, &stats.histogram, passed // calls if calls > 1 else passed, calls)


cdef int call_python(Client c, Command command) except -1:
    """Run a handler in plain Python. It raises an ErrorReply to reply an error."""
    try:
        command.function(c)
    except ErrorReply as error:
        c.reply(error)
    return 0


cdef int settle_time(Client c) except -1:
    """Note the time of calls that would have shared it with one that did not run."""
    cdef uint64_t start = c.core.tick

    c.core.tick = ticks()
    return take_time(c.core, &c.engine.stats[(<Command>c.command).index], c.core.tick - start, 0)


cdef int show(Client c, Command command) except -1:
    """Show the command in argv to MONITOR; one that had to wait was shown when it came."""
    if not command.flags & (ADMIN | SKIP_MONITOR) and not c.engine.serving:
        (<Monitors>c.engine.monitors).show(c)
    return 0


cdef int finish_call(Client c, Command command, bint changed, uint64_t passed) except -1:
    """The rare rest of call(): MONITOR, propagation, and clients who wait for what the command changed.

    passed: the ticks that it took. If they are many, those who wait find what is over by now gone.
    """
    if c.core.after_call & AFTER_MONITOR:
        show(c, command)
    if c.core.after_call & AFTER_FEED:
        propagate_to(c, changed, c.core.targets)
    if c.core.after_call & AFTER_READY and not c.core.units and not c.engine.serving:
        if passed > SLOW_TICKS and not c.core.obeying:
            c.engine.tick()
        serve_ready(c.engine)
    return 0


cdef int finish_logged(Client c, Command command, uint64_t passed, int64_t reply_bytes) except -1:
    """The rest of call() for what took long or is large. A part of something larger leaves the time to that."""
    if passed > SLOW_TICKS and not (c.core.units or c.core.obeying):
        if not c.engine.serving:
            c.engine.tick()
        c.engine.note_latency("command-unblocking" if c.engine.serving else
                              "fast-command" if command.flags & FAST else "command",
                              <int64_t>(passed / c.engine.ticks_per_us()))
    if c.core.after_call & AFTER_HOTKEYS:
        (<HotKeys>c.engine.metrics.hot_keys).note(c, command, passed, reply_bytes)
    (<CommandLog>c.engine.command_log).note(c, command, passed, reply_bytes)
    return 0


cdef int serve_ready(Engine engine) except -1:
    """Let those go on who wait for a key that has changed. What they do may make other keys ready."""
    cdef list ready
    cdef uint64_t start = ticks()

    engine.serving = True               # a command that runs again leaves the keys it changes to this loop
    try:
        while engine.ready:
            ready = engine.ready
            engine.ready = []
            for place, key in dict.fromkeys(ready):
                if key is None:         # a waiter that asked for it
                    if (<KeyWaiter>place).client is not None:
                        retry(engine, <KeyWaiter>place)
                else:
                    serve_key(engine, place, key)
    finally:
        engine.serving = False
        engine.core.after_call &= ~AFTER_READY
    if ticks() - start > SLOW_TICKS and not engine.core.obeying:
        engine.tick()
    return 0


cdef int serve_key(Engine engine, Database db, bytes name) except -1:
    """Run the commands of those who wait for a key, in their order, while what it is concerns them."""
    cdef Arg key = arg_of(name)

    for line in list(db.awaited.get(name, EMPTY).values()):
        serve_line(engine, db, &key, line)
    return 0


cdef int serve_line(Engine engine, Database db, Arg* key, KeyLine line) except -1:
    """The same for one of a key's lines. Those who cannot be served stay in it and are passed by."""
    cdef Answer answer = Answer.__new__(Answer)
    cdef bint changed = True            # since it was looked at what the key is
    cdef KeyWaiter waiter               # kept, as its answer may be the end of it
    cdef Stand walk
    cdef void* at

    walk_begin(&walk, line)
    try:
        while True:
            if changed and not concerns(db, key, line.kind):
                return 0
            at = walk_next(&walk)
            if at is NULL:
                return 0
            waiter = <KeyWaiter>at
            changed = not answer.repeat(engine, waiter)
            if changed and not answer.find(engine, waiter) and line.alike:
                return 0
    finally:
        walk_end(&walk)


cdef class Answer:
    """What those in a line are answered. The same question, if it only reads, has the same answer all along it."""
    cdef KeyWaiter asked                # who asked last; None: the next one's command has to run
    cdef bint in_vain                   # it cannot be answered
    cdef Reply reply                    # where the answer is, from begin to end
    cdef size_t begin
    cdef size_t end
    cdef int64_t hits                   # keys that were found for it

    cdef bint find(self, Engine engine, KeyWaiter waiter) except -1:
        """Run a waiter's command; whether it waits no more."""
        cdef Client c = waiter.client
        cdef Core* core = &engine.core
        cdef int64_t errors = core.errors
        cdef int64_t hits = core.hits
        cdef size_t begin = c.inbox().size
        cdef bint answered = retry(engine, waiter)

        self.asked = None
        if (<Command>waiter.command).flags & READONLY and core.errors == errors and not (
                waiter.silent or c.flags & (C_LIMITED | C_TRACKING)) and (
                c.pending is not None and c.pending.size >= begin and not c.pending.over):
            self.asked, self.in_vain, self.hits = waiter, not answered, core.hits - hits
            self.reply, self.begin, self.end = c.pending, begin, c.pending.size
        return answered

    cdef bint repeat(self, Engine engine, KeyWaiter waiter) except -1:
        """Answer a waiter as the one before it; False: it asks something else."""
        cdef Client c = waiter.client
        cdef Core* core = &engine.core
        cdef CommandStats* stats
        cdef uint64_t start = core.tick

        if self.asked is None or waiter.silent or c.flags & (C_LIMITED | C_TRACKING) or self.reply.resp != c.resp or (
                self.reply.size < self.end or not same_command(waiter, self.asked)):
            return False
        core.hits += self.hits
        if self.in_vain:
            return True
        stats = &engine.stats[(<Command>waiter.command).index]
        c.command = <void*>waiter.command
        c.inbox().protocol(self.reply.data + self.begin, self.end - self.begin)
        core.tick = ticks()
        take_time(core, stats, core.tick - start, 1)
        stats.calls += 1
        core.commands += 1
        c.requests += 1
        (<Blocked>engine.blocked).answered(waiter)
        return True


cdef bint same_command(KeyWaiter one, KeyWaiter other) noexcept:
    """Whether both ask the same in the same words."""
    cdef int i

    if one.command is not other.command or one.argc != other.argc:
        return False
    for i in range(1, one.argc):
        if one.argv[i].size != other.argv[i].size or not same_bytes(one.argv[i].ptr, other.argv[i].ptr,
                                                                    one.argv[i].size):
            return False
    return True


cdef bint concerns(Database db, Arg* key, int kind) except -1:
    """Whether what a key is now is for those in a line: of a type (TYPE_*), or (~TYPE_*) not of that type."""
    cdef Entry* e = db.live(key)

    if kind < 0:
        return e is NULL or entry_type(e) != ~kind
    return e is not NULL and entry_type(e) == kind


cdef bint is_refused_now(Client c, Command command) except -1:
    """Whether the user of a client that waits has lost the right to what it waits for, which is its answer then."""
    cdef bytes text = refusal_of(c, command)

    if text is None:
        return False
    c.engine.stats[command.index].rejected += 1
    c.error_text(text)
    return True


cdef bint retry(Engine engine, KeyWaiter waiter, bint checked=True) except -1:
    """Run a waiting client's command again; whether it waits no more: it was answered, or shut meanwhile.

    checked: its user may have become another one.
    """
    cdef Blocked blocked = <Blocked>engine.blocked
    cdef Tracking tracking = <Tracking>engine.tracking
    cdef Client c = waiter.client
    cdef size_t told = c.pending.size if c.pending is not None else 0
    cdef Client served_for
    cdef Reply reply
    cdef Frame outer

    frame_push(c, &outer, blocked.borrow_reply(c), 0, 0)
    c.argv, c.argc = waiter.argv, waiter.argc
    c.flags &= ~<uint64_t>C_BLOCKED
    served_for = tracking.enter(c)
    try:
        if not checked or not c.flags & C_LIMITED or not is_refused_now(c, <Command>waiter.command):
            call_guarded(c, <Command>waiter.command)
        if waiter.silent or c.flags & C_BLOCKED:
            c.out.clear()
    finally:
        reply = c.out
        try:
            tracking.leave(c, <Command>waiter.command, served_for)
        finally:
            frame_pop(c, &outer)
        put_before(c, reply, told)
        blocked.give_back(reply)
    if waiter.client is not None and c.flags & C_BLOCKED:
        return False
    blocked.answered(waiter)
    return True


cdef int put_before(Client c, Reply reply, size_t mark) except -1:
    """Append a reply to a client's inbox, before what came in there since its size was `mark`."""
    cdef Reply inbox
    cdef bytes behind

    if reply.size == 0:
        return 0
    inbox = c.inbox()
    mark = min(mark, inbox.size)        # it is empty if it went over the client's limit
    behind = inbox.data[mark:inbox.size]
    inbox.truncate(mark)
    inbox.protocol(reply.data, reply.size)
    return inbox.protocol(behind, len(behind)) if behind else 0


cdef int rerun(Engine engine, KeyWaiter waiter) except -1:
    engine.serving = True
    try:
        retry(engine, waiter, False)    # it is in the middle of what it was allowed to begin
    finally:
        engine.serving = False
    return 0


cdef int propagate_to(Client c, bint changed, int targets) except -1:
    """Hand what the command did to those feeds (TO_*) that the script it may belong to wants to have it."""
    if targets == TO_ALL:
        return propagate(c, changed)
    if targets == 0:
        c.effects = None
        return 0
    c.engine.targets = targets
    try:
        return propagate(c, changed)
    finally:
        c.engine.targets = TO_ALL


cdef int propagate(Client c, bint changed) except -1:
    """Hand what the command did to the AOF and the replicas: its effects if it named some, else itself."""
    cdef list effects = c.effects
    cdef list words

    c.effects = None
    if c.core.gate & GATE_LOADING:
        return 0                            # part of an EXEC that is read from the AOF: those who are fed have it
    if effects is not None and len(effects) > 1:
        c.core.units += 1                   # several effects of one command are one transaction
        try:
            for words in effects:
                c.engine.propagate_words(c.db.index, words)
        finally:
            c.engine.unit_end()
    elif effects is not None:
        for words in effects:
            c.engine.propagate_words(c.db.index, words)
    elif changed:
        c.engine.propagate(c.db.index, c.argv, c.argc)
    if changed or effects is not None:
        c.wrote = c.core.propagated
        c.batch = c.core.aof_batch
    return 0


cdef int call_guarded(Client c, Command command) except -1:
    cdef size_t mark = c.out.size
    cdef int64_t dirty = c.core.dirty

    try:
        call(c, command)
    except Exception:
        c.out.truncate(min(mark, c.out.size))
        internal_error(c, command, dirty)
    return 0


cdef bint may_write(Client c, Command command) except -1:
    """Whether the command in argv is one that may write; None: there is none of its name."""
    cdef Command found = command

    if found is not None and found.flags & CONTAINER and c.argc > 1:
        try:
            found = find_subcommand(command, c.argv[1].ptr, c.argv[1].size) or command
        except MemoryError:
            return True
    return found is not None and found.flags & (WRITE | MAY_REPLICATE) != 0


cdef int internal_error(Client c, Command command, int64_t dirty) except -1:
    """A command raised: a bug. Log it, tell the client, go on. dirty: what Core.dirty was before.

    If the command may have changed something, nobody knows what the AOF and the replicas have of that: the end.
    """
    if c.core.dirty != dirty or c.effects is not None or may_write(c, command):
        c.engine.fatal("A command that may write failed with an exception", command)
    c.effects = None
    c.core.shared = 0
    c.core.tick = ticks()
    c.engine.log.warning("Bug: a command failed with an exception\n" + traceback.format_exc())
    return c.error(ERR_INTERNAL)
