"""Commands that wait for what is outside of the server. The design comment is in errands.pxd."""
import traceback

from fastredis._resp cimport Arg, arg_of
from fastredis.engine.blocking cimport Blocked, keep_command
from fastredis.engine.client cimport Client
from fastredis.engine.copying cimport hold_names, let_go_names, may_wait
from fastredis.engine.core cimport GATE_LOADING, GATE_PAUSED, LISTEN_WATCH
from fastredis.engine.dispatch cimport rerun
from fastredis.engine.engine cimport C_BLOCKED, C_DIRTY_CAS, Engine, Session
from fastredis.engine.flags cimport WRITE
from fastredis.engine.lines cimport line_enter, line_leave
from fastredis.engine.multi cimport end_watching


cdef class KeyWatch(Session):
    """Stands in the line of those who watch a key; C_DIRTY_CAS says that it was changed."""


cdef class Errand(KeyWaiter):
    def __cinit__(self):
        self.steadfast = self.lasting = True

    cdef int leave(self) except -1:
        self.let_go()
        return 0

    def hold(self, list keys not None):
        """Have nobody change these keys of the command's database, as far as that can be, and note who does."""
        cdef KeyWatch watch

        self.held = list(dict.fromkeys(keys))
        self.watches, self.watched = {}, {}
        for key in self.held:
            watch = self.watches[key] = KeyWatch()
            line_enter(self.db.watchers, self.watched, key, watch)
        (<Engine>self.owner).core.listeners |= LISTEN_WATCH
        hold_names(self.owner, self.held)

    def let_go(self):
        """The keys are anybody's again."""
        if self.held is None:
            return
        held, self.held = self.held, None
        for key in list(self.watched):
            line_leave(self.db.watchers, self.watched, key)
        end_watching(self.owner)
        let_go_names(self.owner, held)

    def changed(self, bytes key not None):
        """Whether a key that is held was changed."""
        return (<KeyWatch>self.watches[key]).flags & C_DIRTY_CAS != 0

    def exists(self, bytes key not None):
        """Whether there is such a key now."""
        cdef Arg name = arg_of(key)

        return self.db.live(&name) is not NULL

    @property
    def may_go_on(self):
        """Whether a command may change the data at present."""
        cdef Engine engine = self.owner
        cdef int gate = engine.core.gate

        return not gate & GATE_LOADING and not (gate & GATE_PAUSED and (<Blocked>engine.blocked).holds(WRITE))

    @property
    def is_over(self):
        """Somebody has answered the client, or nothing is executed any more."""
        return self.client is None or self.owner.ending

    def go_on(self):
        """Run the command again."""
        cdef Engine engine = self.owner

        engine.begin_turn()
        try:
            if not self.is_over:
                rerun(engine, self)
        finally:
            engine.end_turn()

    def task_ended(self, task):
        """Callback: whatever has happened to the task, nobody waits for ever."""
        cdef Engine engine = self.owner

        self.task = None
        if task.cancelled() or task.exception() is None or self.is_over:
            return
        engine.log.warning("Bug: an errand failed with an exception\n"
                           + "".join(traceback.format_exception(task.exception())))
        engine.begin_turn()
        try:
            (<Blocked>engine.blocked).unblock(self.client, b"ERR internal error")
        finally:
            engine.end_turn()

    def wait(self):
        """For the command, when it runs again: it has not ended yet."""
        self.client.flags |= C_BLOCKED


def run_errand(Client c not None, work):
    """Have the client's command wait for work.run(errand); False: this client cannot wait."""
    cdef Errand errand

    if not may_wait(c):
        return False
    errand = Errand()
    errand.work = work
    keep_command(errand, c, c.argv)
    (<Blocked>c.engine.blocked).block(c, errand, 0)
    errand.task = c.engine.loop.create_task(work.run(errand))
    errand.task.add_done_callback(errand.task_ended)
    return True
