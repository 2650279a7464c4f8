"""Clients of an engine in this process. The design comment is in local.pxd."""
cimport cython

import asyncio
import contextlib
import time
from collections import deque
from functools import partial
from queue import Empty, SimpleQueue

from cpython.mem cimport PyMem_Free, PyMem_Malloc
from libc.stdint cimport uint64_t

from fastredis.ds.native cimport unlikely
from fastredis.embed.arguments cimport put_arg
from fastredis.embed.gate cimport Gate
from fastredis.embed.reading cimport READ_SETS_AS_LISTS, READ_TEXT, read_value
from fastredis.engine.blocking cimport Blocked, Waiter
from fastredis.engine.dispatch cimport run_request
from fastredis.engine.engine cimport (
    C_BLOCKED, C_CLOSE_AFTER_REPLY, C_CLOSE_ASAP, C_CLOSED, C_GONE, C_MULTI, C_UNIX_SOCKET, Engine,
)
from fastredis.engine.multi cimport discard
from fastredis.engine.reply cimport reply_new

from fastredis.embed.clock import Clock
from fastredis.embed.errors import ClosedError, FastredisError, ReplyError, WouldBlockError
from fastredis.embed.pipeline import Pipeline
from fastredis.embed.reading import Push

cdef enum:
    ARGS_INSIDE = 16            # arguments that a call has room for on its stack
DISK_LOOK_S = 0.0002            # how often it is looked whether an fsync has ended

TOO_LONG = "the command has waited for longer than patience_s"
PENDING = object()              # the answer is not there yet


# --- the client ---------------------------------------------------------------------------

@cython.no_gc_clear                 # Connection's __dealloc__ needs the engine
cdef class LocalClient(Connection):
    """A client of an engine in this process: its commands are function calls.

    database: the number that it begins with. protocol: what RESP version replies have, as HELLO sets it. decode: text
    in replies is str, in UTF-8, and not bytes. It may be used by several threads and tasks at a time, but what belongs
    to a connection is theirs in common then: SELECT, MULTI, WATCH, subscriptions. For these there is new_client().
    """

    def __init__(self, Gate gate not None, Engine engine not None, int database=0, int protocol=3, bint decode=False):
        gate.enter()
        try:
            if not 0 <= database < engine.database_count:
                raise ReplyError("ERR DB index is out of range")
            if protocol not in (2, 3):
                raise ReplyError("NOPROTO unsupported protocol version")
            if engine.ending:
                raise ClosedError("the server does not run")
            if engine.core.turn_depth and not gate.aside:
                raise FastredisError("the engine is in the middle of something: this call comes from inside of it")
            Connection.__init__(self, engine)
            self.gate = gate
            self.how = READ_TEXT if decode else 0
            self.requests = deque()
            self.arrived = deque()
            self.spares = []
            self.others = set()
            self.resp = protocol
            self.out = reply_new(&engine.core, engine, protocol)
            self.peer, self.local = b"in-process:%d" % self.id, b"in-process:0"
            self.set_unix_socket()
            self.db = engine.db(database)
            self.core.connections += 1
            engine.clients[self.id] = self
        finally:
            gate.leave()

    cdef int start_over(self) except -1:
        self.become(self.engine.unlimited)
        return 0

    # --- for programs -------------------------------------------------------------------

    def execute(self, *args):
        """Execute a command: execute(b"SET", "key", 1) -> its reply as a Python value.

        args: bytes, str (in UTF-8), int, float. What a reply is: see fastredis.embed.reading. A command that blocks is
        waited for; on the engine's own event loop, where nothing can be waited for, it is answered at once as inside
        of MULTI.
        Errors: ReplyError; WouldBlockError; ClosedError; TypeError of an argument; UnicodeDecodeError with decode;
        TimeoutError with patience_s.
        """
        cdef object value = self.ask_any(args)
        cdef Waiting waiting

        if unlikely(type(value) is Waiting):
            waiting = value
            try:
                value = waiting.client.wait(waiting.value)
            finally:
                self.release(waiting.client)
        if type(value) is ReplyError:
            raise value
        return value

    async def aexecute(self, *args):
        """The same on an event loop: what has to wait is awaited."""
        cdef object value = self.ask_any(args)
        cdef Waiting waiting

        if unlikely(type(value) is Waiting):
            waiting = value
            try:
                value = await waiting.client.answered(waiting.value)
            finally:
                self.release(waiting.client)
        if type(value) is ReplyError:
            raise value
        return value

    def execute_all(self, requests):
        """Execute several commands, each a tuple of arguments, in one turn -> list of values, errors among them.

        If it raises, those before the wrong one are done, but no MULTI of theirs is left open.
        """
        cdef LocalClient client = self.taken()
        cdef list values = []
        cdef object rest
        cdef bint done = False

        try:
            rest = iter(requests)
            while client.ask_all(rest, values):
                values.append(client.wait(values.pop()))
            done = True
        finally:
            self.release(client, not done)
        return values

    async def aexecute_all(self, requests):
        """The same on an event loop."""
        cdef LocalClient client = self.taken()
        cdef list values = []
        cdef object rest
        cdef bint done = False

        try:
            rest = iter(requests)
            while client.ask_all(rest, values):
                values.append(await client.answered(values.pop()))
            done = True
        finally:
            self.release(client, not done)
        return values

    def pipeline(self, transaction=False):
        """A Pipeline: commands that are collected, and executed in one go."""
        return Pipeline(self, transaction)

    def submit(self, *args):
        """Have a command executed when those before it are; what it replies arrives, and `told` is called then."""
        cdef bint aside

        self.gate.enter()
        try:
            aside = self.begin_turn()
            try:
                self.requests.append(args)
                self.resume()
            finally:
                self.end_turn(aside)
            if self.core.holding:
                self.engine.catch_up()
        finally:
            self.gate.leave()

    def disconnect(self):
        """The client is no more: what it waits for, watches and subscribes to is given up."""
        self.gate.enter()
        try:
            for client in (*self.others, self):
                (<LocalClient>client).close_when_possible()
        finally:
            self.gate.leave()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.disconnect()

    def new_client(self, database=None, protocol=None, decode=None):
        """Another client of this engine, with a state of its own; what is not said is as with this one."""
        cdef LocalClient client = LocalClient(self.gate, self.engine, self.db.index if database is None else database,
                                              self.resp if protocol is None else protocol,
                                              self.decode if decode is None else decode)

        client.how |= self.how & READ_SETS_AS_LISTS
        client.become(self.user, self.authenticated)
        client.patience_s = self.patience_s
        return client

    @property
    def decode(self):
        """Whether text comes as str."""
        return self.how & READ_TEXT != 0

    @property
    def sets_as_lists(self):
        """Whether sets of RESP3 come as lists, as redis-py has them."""
        return self.how & READ_SETS_AS_LISTS != 0

    @sets_as_lists.setter
    def sets_as_lists(self, bint value):
        self.how = self.how & READ_TEXT | (READ_SETS_AS_LISTS if value else 0)

    @property
    def is_closed(self):
        """Whether it takes no more commands."""
        return self.flags & C_GONE != 0 or self.engine.ending

    def call(self, function, *args):
        """Call a function with the engine for this thread alone -> what it returns. It must not wait for anything."""
        self.gate.enter()
        try:
            self.check_open()
            self.check_place()
            return function(*args)
        finally:
            self.gate.leave()

    def call_aside(self, function, *args):
        """From inside of a turn, call a function of the program's, which may call the engine, too."""
        cdef bint aside = self.gate.aside

        self.gate.aside = True
        try:
            self.engine.guarded("a function of the program's", function, *args)
        finally:
            self.gate.aside = aside

    @property
    def clock(self):
        """The engine's clock (fastredis.embed.clock), for tests."""
        return Clock(self)

    # --- requests -----------------------------------------------------------------------

    cdef int check_open(self) except -1:
        if unlikely(self.flags & C_GONE or self.engine.ending):
            raise ClosedError("the server does not run" if self.engine.ending else "the client is closed")
        return 0

    cdef int check_place(self) except -1:
        """Errors: FastredisError in the middle of a command, where __del__ or a signal's handler may call."""
        if unlikely(self.core.turn_depth and not self.gate.aside):
            raise FastredisError("the engine is in the middle of something: this call comes from inside of it")
        return 0

    cdef bint begin_turn(self) except -1:
        """Commands are to run; returns what end_turn() needs."""
        cdef bint aside = self.gate.aside

        self.check_open()
        self.check_place()
        self.gate.aside = False
        self.engine.begin_turn()
        return aside

    cdef int end_turn(self, bint aside) except -1:
        try:
            return self.engine.end_turn()
        finally:
            self.gate.aside = aside

    cdef object ask_any(self, tuple args):
        """Have a command executed, by a spare client if this one is taken -> its value, or a Waiting for it."""
        cdef LocalClient client
        cdef Waiting waiting
        cdef object value

        self.gate.enter()
        try:
            client = self if not self.is_taken() else self.spare()
            try:
                value = client.ask(args)
            finally:
                if unlikely(client is not self and not client.awaited):
                    self.give_back(client)
            if unlikely(client.awaited):
                waiting = Waiting()
                waiting.client, waiting.value = client, value
                return waiting
            return value
        finally:
            self.gate.leave()

    cdef object ask(self, tuple args):
        """Execute a command in a turn of its own -> its value. If `awaited` is set, wait() is to follow."""
        cdef bint aside = self.begin_turn()
        cdef object value
        cdef bint done = False

        self.asked = True
        try:
            try:
                self.run(args)
            finally:
                self.end_turn(aside)
            value = self.answer()
            done = True
        finally:
            self.asked = False
            if unlikely(not done and self.flags & C_BLOCKED):
                self.give_up()          # a signal's handler has raised
        self.awaited = self.must_wait(value)
        return value

    def ask_all(self, rest, list values not None):
        """Execute what an iterator has in one turn; returns whether the latest value has to be waited for."""
        cdef object value = None
        cdef tuple args
        cdef bint aside

        self.gate.enter()
        try:
            aside = self.begin_turn()
            try:
                while value is not PENDING:
                    args = self.next_of(rest)
                    if args is None:
                        break
                    self.check_open()
                    self.run(args)
                    value = self.answer()
                    values.append(value)
            finally:
                self.end_turn(aside)
            return self.must_wait(value) and len(values) > 0
        finally:
            self.gate.leave()

    cdef tuple next_of(self, rest):
        """The next command of a program's iterator, which may call the engine; None: there is none."""
        self.gate.aside = True
        try:
            return tuple(next(rest))
        except StopIteration:
            return None
        finally:
            self.gate.aside = False

    cdef bint must_wait(self, object value) except -1:
        """After the turn: whether it has no value yet, or none that may be told before an fsync."""
        if unlikely(self.core.holding):
            self.engine.catch_up()
        if unlikely(self.batch > self.core.aof_synced):
            self.inbox()                    # flush() is called when it is synced
            return True
        return value is PENDING

    cdef int run(self, tuple args) except -1:
        """Execute a command; what it replies is in self.out, or comes later."""
        cdef Arg inside[ARGS_INSIDE]
        cdef Arg* argv = inside
        cdef Py_ssize_t count = len(args)

        if count == 0:
            raise TypeError("a command has a name")
        if count <= ARGS_INSIDE:
            return self.start(argv, args)
        argv = <Arg*>PyMem_Malloc(count * sizeof(Arg))
        if argv is NULL:
            raise MemoryError
        try:
            return self.start(argv, args)
        finally:
            PyMem_Free(argv)

    cdef int start(self, Arg* argv, tuple args) except -1:
        cdef list kept = []
        cdef Py_ssize_t i

        for i in range(len(args)):
            put_arg(&argv[i], args[i], kept)
        self.out.clear()                    # what a call has left that was interrupted
        self.argv, self.argc = argv, <int>len(args)
        self.active_ms = self.core.now_ms
        self.out.resp = self.resp
        if run_request(self):
            self.requests.appendleft(args)      # CLIENT PAUSE holds it
        return 0

    cdef object answer(self):
        """What a command replied; PENDING: it waits. Of several values (SUBSCRIBE), the others have arrived."""
        cdef const char* at
        cdef object value

        if unlikely(self.flags & C_BLOCKED):
            return PENDING
        if unlikely(self.out.size == 0):
            return None                     # CLIENT REPLY OFF
        at = self.out.data
        try:
            value = read_value(&at, self.how)
            if unlikely(at < self.out.data + self.out.size):
                self.read_all(at, self.out)
        finally:
            self.out.clear()
        if unlikely(self.flags & C_CLOSE_AFTER_REPLY):
            self.close_now()
        return value

    # --- clients for those who wait -----------------------------------------------------

    cdef bint is_taken(self) noexcept:
        """Whether a command of its is under way: others take a spare client."""
        return self.awaited or self.asked or self.flags & C_BLOCKED != 0

    cdef LocalClient spare(self):
        """A client like this one; give_back() or release() is to follow."""
        cdef LocalClient client = None

        self.check_open()
        while self.spares and client is None:
            client = self.spares.pop()
            if client.flags & C_GONE:
                self.others.discard(client)
                client = None
        if client is None:
            client = self.new_client()
            self.others.add(client)
        client.db, client.resp, client.how, client.patience_s = self.db, self.resp, self.how, self.patience_s
        client.become(self.user, self.authenticated)
        return client

    cdef LocalClient taken(self):
        """This client or one like it, for one caller until release()."""
        cdef LocalClient client

        self.gate.enter()
        try:
            client = self if not self.is_taken() else self.spare()
            client.awaited = True
            client.had_multi = client.flags & C_MULTI != 0
            return client
        finally:
            self.gate.leave()

    cdef int give_back(self, LocalClient client) except -1:
        """A spare client is free; one that is not as new any more is closed."""
        if client.flags & ~<uint64_t>C_UNIX_SOCKET or client.watched is not None or client.arrived or (
                self.flags & C_GONE):
            self.others.discard(client)
            return client.close_when_possible()
        self.spares.append(client)
        return 0

    cdef int release(self, LocalClient client, bint failed=False) except -1:
        """Nobody waits with it any more. failed: what was asked has not been asked to its end."""
        self.gate.enter()
        try:
            if failed and client.flags & C_MULTI and not client.had_multi:
                discard(client)
            client.awaited = False
            if client is not self:
                self.give_back(client)
        finally:
            self.gate.leave()
        return 0

    # --- what comes out of turn ---------------------------------------------------------

    cdef int read_all(self, const char* at, Reply reply) except -1:
        """All values of a buffer from there on have arrived."""
        cdef const char* end = reply.data + reply.size
        cdef const char* start

        self.arrived_bytes += end - at
        while at < end:
            start = at
            try:
                self.arrived.append(read_value(&at, self.how))
            except UnicodeDecodeError as error:
                at = start
                read_value(&at, 0)          # all of it is to be passed
                self.arrived.append(error)
        return 0

    cdef int keep_answers(self, Reply reply) except -1:
        """The same, and the buffer is empty then."""
        if reply.size:
            self.read_all(reply.data, reply)
        reply.clear()
        self.check_output()
        return 0

    cdef int tell(self) except -1:
        """Somebody else's turn may have brought it: that is not to hear of a function that fails."""
        cdef bint aside = self.gate.aside

        if self.waker is not None:
            self.waker()
        if self.told is None:
            return 0
        self.gate.aside = True
        try:
            self.engine.guarded("telling that something has arrived", self.told)
        finally:
            self.gate.aside = aside
        return 0

    cdef object take_answer(self):
        """The first answer that has arrived, messages out of turn left aside; PENDING: none has.

        None: there will be none, as of CLIENT REPLY OFF.
        """
        cdef Py_ssize_t i

        for i in range(len(self.arrived)):
            if type(self.arrived[i]) is not Push:
                value = self.arrived[i]
                del self.arrived[i]
                self.count_arrived()
                return value
        if self.flags & (C_BLOCKED | C_GONE) or self.requests or self.core.holding or (
                self.pending is not None and self.pending.size):
            return PENDING
        return None

    def read(self):
        """The first of what has arrived, messages included. IndexError: nothing has."""
        value = self.arrived.popleft()
        self.count_arrived()
        return checked(value)

    cdef int count_arrived(self) except -1:
        if not self.arrived:
            self.arrived_bytes = 0
        return 0

    def look(self, value):
        """What is waited for (PENDING, or a value that is not durable yet) -> it, and whether it is all there."""
        self.gate.enter()
        try:
            if value is PENDING:
                value = self.take_answer()
            if value is not PENDING and self.batch <= self.core.aof_synced:
                return value, True
            self.check_open()
            return value, False
        finally:
            self.gate.leave()

    cdef object wait(self, object value):
        """Wait until a command is answered, and its answer is durable."""
        if self.gate.is_inside:
            return checked(self.wait_here(value))
        done = False
        try:
            heard = SimpleQueue()
            self.waker = partial(heard.put, None)   # no Python code, where a signal's handler might raise
            while True:
                value, done = self.look(value)
                if done:
                    return checked(value)
                heard.get(timeout=self.patience_s)
        except Empty:
            raise TimeoutError(TOO_LONG) from None
        finally:
            self.waker = None
            if not done:
                self.give_up()

    async def answered(self, value):
        """Await the same."""
        done = False
        try:
            loop = asyncio.get_running_loop()
            is_home = self.gate.is_home()
            while True:
                future = loop.create_future()
                self.waker = telling(loop, future, is_home)
                value, done = self.look(value)
                if done:
                    return checked(value)
                await asyncio.wait_for(future, self.patience_s)
        except asyncio.TimeoutError:
            raise TimeoutError(TOO_LONG) from None
        finally:
            self.waker = None
            if not done:
                self.give_up()

    cdef object wait_here(self, object value):
        """On the loop's own thread, or inside of a turn: nothing can be waited for but a disk."""
        if value is PENDING:
            is_held = bool(self.requests)       # by CLIENT PAUSE: it has not begun
            self.end_wait()
            if not is_held:
                value = self.take_answer()
            if value is PENDING:
                self.check_open()
                self.give_up()
                raise WouldBlockError("this command has to wait: await aexecute()")
        while self.batch > self.core.aof_synced:
            self.engine.catch_up()
            time.sleep(DISK_LOOK_S)
        return value

    cdef int end_wait(self) except -1:
        """Have the command that waits answered as if its time were over, where that can be."""
        cdef Waiter waiter = <Waiter>self.blocked

        if self.requests:                   # held by CLIENT PAUSE, FAILOVER, or a copy: never begun
            (<Blocked>self.engine.blocked).remove(self)
            self.flags &= ~<uint64_t>C_BLOCKED
            self.requests.clear()
        elif waiter is not None and not waiter.steadfast:
            self.engine.begin_turn()
            try:
                (<Blocked>self.engine.blocked).unblock(self, None)
            finally:
                self.engine.end_turn()
        return 0

    cdef int give_up(self) except -1:
        """Nobody waits for the answer any more, and it must not be taken for another command's."""
        self.gate.enter()
        try:
            if not self.is_closed:
                self.end_wait()
                if self.flags & C_BLOCKED:
                    self.close_now()        # it will be answered some day, and nobody can tell when
                self.take_answer()
        finally:
            self.gate.leave()
        return 0

    # --- what the engine calls ----------------------------------------------------------

    cdef int flush(self) except -1:
        if self.flags & C_CLOSE_ASAP:
            return 0
        if unlikely(self.batch > self.core.aof_synced):
            return self.engine.hold(self)
        if self.pending is not None and self.pending.size:
            self.keep_answers(self.pending)
        self.tell()
        if self.flags & C_CLOSE_AFTER_REPLY:
            self.close_now()
        return 0

    cdef int resume(self) except -1:
        """It waits no more: go on with what it was asked meanwhile."""
        if not self.core.holding and not self.flags & C_GONE:
            self.flush()                    # what it has waited for comes first
        while self.requests and not self.flags & (C_BLOCKED | C_GONE):
            args = self.requests.popleft()
            try:
                self.run(args)
            except TypeError as error:
                self.arrived.append(error)
            if self.flags & C_BLOCKED:
                return 0
            if self.core.holding or self.batch > self.core.aof_synced:
                self.hold_reply()           # flush() brings it
            else:
                self.keep_answers(self.out)
                self.tell()
            if self.flags & C_CLOSE_AFTER_REPLY:
                self.close_now()
        return 0

    cdef int send_reply(self) except -1:
        """Its replies are read where its commands are executed."""
        return 0

    cdef bint takes(self, size_t size) except -1:
        """What its own commands reply is for this process, which may have it all."""
        return True

    cdef int64_t output_size(self) except -1:
        return self.arrived_bytes

    @property
    def may_time_out(self):
        """Whether `timeout` applies: there is no connection that could be dead."""
        return False

    cdef int close(self) except -1:
        return self.close_now()

    cdef int end(self) except -1:
        return self.close_now()

    cdef int close_when_possible(self) except -1:
        """Close it; in the middle of a command, where __del__ may ask for that, at the end of the turn."""
        if not self.core.turn_depth or self.gate.aside:
            return self.close_now()
        if not self.flags & (C_CLOSE_ASAP | C_CLOSED):
            self.flags |= C_CLOSE_ASAP
            self.engine.queue_close(self)
        return 0

    cdef int close_now(self) except -1:
        if not self.flags & C_CLOSED:
            Connection.connection_lost(self, None)
            self.tell()
        return 0


def checked(value):
    """A value, if it is not the error of one that could not be read."""
    if isinstance(value, UnicodeDecodeError):
        raise value
    return value


def telling(loop, future, is_home):
    """A function that ends the wait for a future of a loop. is_home: it is called on that loop."""
    def end():
        if not future.done():
            future.set_result(None)

    def end_there():
        with contextlib.suppress(RuntimeError):     # that loop is closed
            loop.call_soon_threadsafe(end)

    return end if is_home else end_there
