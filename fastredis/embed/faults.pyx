"""What a test has a server's commands meet: errors, delays, lost connections; see Faults."""
from libc.stdint cimport uint64_t

from fastredis.engine.blocking cimport Blocked
from fastredis.engine.client cimport Client
from fastredis.engine.command cimport Command
from fastredis.engine.core cimport GATE_FAULTS
from fastredis.engine.engine cimport C_BLOCKED, C_MASTER, C_REPLICA
from fastredis.engine.errors cimport ERR_LOADING, ERR_OOM

from fastredis.engine import hooks


cdef class Fault:
    """Commands that fail: `times` of them (None: all), until close(), or the end of `with`.

    hits: how many have met it so far.
    """
    cdef object faults
    cdef bytes text                     # the error; None: none
    cdef double seconds                 # that a command is late
    cdef object times
    cdef bytes command                  # None: any
    cdef bytes client
    cdef readonly int hits

    def __init__(self, faults, text, double seconds, times, command, client):
        if times is not None and times < 1:
            raise ValueError("times is at least 1, or None")
        self.faults, self.text, self.seconds, self.times = faults, text, seconds, times
        self.command = None if command is None else command.lower().replace(" ", "|").encode()
        self.client = None if client is None else client.encode()
        faults.add(self)

    cdef bint concerns(self, Client c, Command command) except -1:
        if self.client is not None and self.client != c.name:
            return False
        if self.command is None:
            return command.group != "connection"
        return self.command == command.name or (command.container is not None
                                                and self.command == command.container.name)

    def close(self):
        """No more commands meet it."""
        self.faults.remove(self)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class EngineFaults(hooks.Faults):
    """Faults of one engine, asked by its dispatcher."""

    def __init__(self, engine):
        self.engine = engine
        self.faults = []
        self.late = {}                  # client -> seconds that its request, just looked at, is to be late
        self.coming = set()             # clients whose request has been late, and comes again

    def change(self, faults):
        self.faults = faults
        self.engine.gate(GATE_FAULTS, bool(faults or self.coming))

    def strike(self, Client c not None, Command command not None):
        cdef Fault fault

        if c in self.coming:
            self.coming.discard(c)
            self.change(self.faults)
            return None
        if c.flags & (C_MASTER | C_REPLICA):
            return None
        for fault in self.faults:
            if fault.concerns(c, command):
                break
        else:
            return None
        fault.hits += 1
        if fault.times is not None and fault.hits >= fault.times:
            self.change([each for each in self.faults if each is not fault])
        if fault.seconds:
            self.late[c] = fault.seconds
            self.engine.gate(GATE_FAULTS, True)     # delays() is asked next
            return None
        if fault.text is None:
            c.shut()
            return b""
        return fault.text

    def delays(self, Client c not None):
        seconds = self.late.pop(c, None)
        if seconds is None:
            return False
        (<Blocked>c.engine.blocked).postpone(c)
        self.coming.add(c)
        self.engine.loop.call_later(seconds, self.resume, c)
        return True

    def resume(self, Client c not None):
        """Timer: its time is over."""
        cdef Blocked blocked = <Blocked>c.engine.blocked

        if self.engine.ending or c not in blocked.paused:
            self.coming.discard(c)
            return
        self.engine.start_turn()
        try:
            del blocked.paused[c]
            c.flags &= ~<uint64_t>C_BLOCKED
            c.engine.queue_resume(c)
        finally:
            self.engine.finish_turn()


class Faults:
    """Has commands meet what happens in production: server.faults.

        server.faults.oom(command="SET")                # the next SET
        with server.faults.readonly(times=None):        # all, to the end of the block
            ...

    times: how many commands, None: all. command: only that one ("SET", "CLIENT KILL"); without it all but those for
    connections, such as HELLO, AUTH, SELECT and PING. client: only of clients of that name (CLIENT SETNAME). What
    stands in a transaction meets it when it is queued; commands of scripts do not. Of several the oldest counts.
    """

    def __init__(self, local):
        self._local = local
        self._engine_faults = local.engine.faults
        if self._engine_faults is None:
            self._engine_faults = local.engine.faults = EngineFaults(local.engine)

    def fail(self, str text not None, *, times=1, command=None, client=None):
        """Commands fail with an error, code first: "ERR something is wrong"."""
        text = text.strip()
        if not text or "\n" in text or "\r" in text:
            raise ValueError("an error is one line, which begins with its code")
        return Fault(self, text.encode(), 0, times, command, client)

    def slow(self, double seconds, *, times=1, command=None, client=None):
        """Commands are executed so many seconds later, and others meanwhile."""
        if not seconds > 0:
            raise ValueError("seconds is more than 0")
        return Fault(self, None, seconds, times, command, client)

    def drop(self, *, times=1, command=None, client=None):
        """The connection is closed instead of a reply; the command is not executed."""
        return Fault(self, None, 0, times, command, client)

    def loading(self, *, times=1, command=None, client=None):
        """Commands fail as while the data are being loaded."""
        return Fault(self, ERR_LOADING, 0, times, command, client)

    def readonly(self, *, times=1, command=None, client=None):
        """Commands fail as writes do on a replica."""
        return Fault(self, b"READONLY You can't write against a read only replica.", 0, times, command, client)

    def oom(self, *, times=1, command=None, client=None):
        """Commands fail as where maxmemory is reached."""
        return Fault(self, ERR_OOM, 0, times, command, client)

    def moved(self, int slot, str address not None, *, times=1, command=None, client=None):
        """Commands fail as in a cluster, where another server has the slot: address is "host:port"."""
        return Fault(self, f"MOVED {slot} {address}".encode(), 0, times, command, client)

    def clear(self):
        """All is well again."""
        self._local.call(self._engine_faults.change, [])

    def add(self, Fault fault not None):
        self._local.call(self._engine_faults.change, [*self._engine_faults.faults, fault])

    def remove(self, Fault fault not None):
        self._local.call(self._engine_faults.change,
                         [each for each in self._engine_faults.faults if each is not fault])
