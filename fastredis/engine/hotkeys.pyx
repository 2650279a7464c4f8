"""Which keys cost most. The design comment is in hotkeys.pxd."""
from heapq import nlargest
from operator import itemgetter
from resource import RUSAGE_SELF, getrusage

from libc.stdint cimport INT64_MAX

from fastredis._resp cimport Arg, arg_bytes
from fastredis.ds.native cimport ticks
from fastredis.ds.random cimport random64
from fastredis.engine.core cimport AFTER_HOTKEYS, GATE_LOADING
from fastredis.engine.engine cimport C_SCRIPT
from fastredis.engine.flags cimport SKIP_SLOWLOG
from fastredis.engine.keys cimport KeyList, keys_free, keys_init

cdef enum:
    FOLLOWED = 1024                 # keys that are followed at least; many more than are shown
    LONGEST_KEY = 64 * 1024         # bytes
    KEY_NOTED = 150                 # bytes that an entry of a dict takes, about, beside the key

cdef object COST = itemgetter(1)


cdef int64_t digits(int64_t number) noexcept:
    cdef int64_t count = 1

    while number >= 10:
        number //= 10
        count += 1
    return count


cdef int64_t request_bytes(const Arg* argv, int argc) noexcept:
    """Bytes of a request in the protocol."""
    cdef int64_t size = 1 + digits(argc) + 2
    cdef int i

    for i in range(argc):
        size += 1 + digits(argv[i].size) + 2 + argv[i].size + 2
    return size


cdef int add(dict cost, bytes key, uint64_t more) except -1:
    """Add to a key's sum. If there are too many keys, the greatest sums stay."""
    cost[key] = cost.get(key, 0) + more
    if len(cost) > 2 * FOLLOWED:
        kept = nlargest(FOLLOWED, cost.items(), COST)
        cost.clear()
        cost.update(kept)
    return 0


cdef class HotKeys:
    """The session of one engine, and its results until they are forgotten."""

    def __init__(self, Engine engine not None):
        self.engine = engine

    def start(self, by_time, by_bytes, count, ratio, seconds):
        """Begin a session; what an earlier one found is forgotten. seconds: how long; None: until it is stopped."""
        self.active = self.started = True
        self.count, self.ratio = count, ratio
        self.started_ms = self.engine.core.now_ms
        self.ended_ms = INT64_MAX if seconds is None else self.started_ms + 1000 * <int64_t>seconds
        self.by_ticks = {} if by_time else None
        self.by_bytes = {} if by_bytes else None
        self.all_ticks = self.own_ticks = 0
        self.all_bytes = 0
        self.net_bytes = self.user_s = self.system_s = 0
        self.net_bytes, self.user_s, self.system_s = self.passed()
        self.engine.core.after_call |= AFTER_HOTKEYS

    def look(self):
        """End the session if its time is over."""
        if self.active and self.engine.core.now_ms >= self.ended_ms:
            self.end(self.ended_ms)

    def stop(self):
        """End the session; whether there was one."""
        self.look()
        if not self.active:
            return False
        self.end(self.engine.core.now_ms)
        return True

    def reset(self):
        """Forget what was found."""
        self.by_ticks = self.by_bytes = None
        self.started = False

    def passed(self):
        """Since the beginning of the session: bytes that were sent and received, user and system seconds."""
        usage = getrusage(RUSAGE_SELF)
        return (self.engine.core.bytes_in + self.engine.core.bytes_out - self.net_bytes,
                usage.ru_utime - self.user_s, usage.ru_stime - self.system_s)

    def report(self):
        """The session's results, as HOTKEYS GET has them."""
        cdef double rate = self.engine.ticks_per_us()

        self.look()
        net_bytes, user_s, system_s = (self.passed() if self.active
                                       else (self.net_bytes, self.user_s, self.system_s))
        fields = {
            "tracking-active": int(self.active),
            "sample-ratio": self.ratio,
            "selected-slots": [[0, 16383]],
            "all-commands-all-slots-us": int(self.all_ticks / rate),
            "net-bytes-all-commands-all-slots": self.all_bytes,
            "collection-start-time-unix-ms": self.started_ms,
            "collection-duration-ms": (self.engine.core.now_ms if self.active else self.ended_ms) - self.started_ms,
        }
        if self.by_ticks is not None:
            fields["total-cpu-time-user-ms"] = int(user_s * 1000)
            fields["total-cpu-time-sys-ms"] = int(system_s * 1000)
        if self.by_bytes is not None:
            fields["total-net-bytes"] = net_bytes
        if self.by_ticks is not None:
            fields["by-cpu-time-us"] = [(key, int(cost / rate)) for key, cost in self.hottest(self.by_ticks)]
        if self.by_bytes is not None:
            fields["by-net-bytes"] = self.hottest(self.by_bytes)
        return fields

    def hottest(self, dict cost):
        """Pairs of key and sum, the greatest first."""
        return nlargest(self.count, cost.items(), COST)

    @property
    def memory(self):
        """Bytes that the session takes, about."""
        return sum(KEY_NOTED + len(key) for cost in (self.by_ticks, self.by_bytes) if cost for key in cost)

    @property
    def own_ms(self):
        """Milliseconds that the session itself has taken."""
        return int(self.own_ticks / self.engine.ticks_per_us() / 1000)

    cdef int end(self, int64_t when_ms) except -1:
        self.net_bytes, self.user_s, self.system_s = self.passed()
        self.active = False
        self.ended_ms = when_ms
        self.engine.core.after_call &= ~AFTER_HOTKEYS
        return 0

    cdef int note(self, Client c, Command command, uint64_t passed, int64_t reply_bytes) except -1:
        """A command has run. passed: the ticks that it took."""
        cdef int64_t bytes_moved
        cdef uint64_t begin

        if c.flags & C_SCRIPT or command.flags & SKIP_SLOWLOG or c.core.gate & GATE_LOADING:
            return 0
        self.look()
        if not self.active:
            return 0
        begin = ticks()
        bytes_moved = request_bytes(c.argv, c.argc) + max(0, reply_bytes)
        self.all_ticks += passed
        self.all_bytes += bytes_moved
        if self.ratio == 1 or random64(&c.core.random) % <uint64_t>self.ratio == 0:
            self.count_keys(c, command, passed, bytes_moved)
        self.own_ticks += ticks() - begin
        return 0

    cdef int count_keys(self, Client c, Command command, uint64_t passed, int64_t bytes_moved) except -1:
        """Add what a command cost to the sums of its keys."""
        cdef KeyList list
        cdef Arg* key
        cdef bytes name
        cdef int i

        if not command.keys.any:
            return 0
        keys_init(&list, &c.core.memory)
        try:
            command.keys.find(c.argv, c.argc, &list)
            for i in range(list.count):
                key = &c.argv[list.items[i].position]
                if key.size > LONGEST_KEY:
                    continue
                name = arg_bytes(key)
                if self.by_ticks is not None:
                    add(self.by_ticks, name, passed // list.count)
                if self.by_bytes is not None:
                    add(self.by_bytes, name, bytes_moved // list.count)
        finally:
            keys_free(&list)
        return 0
