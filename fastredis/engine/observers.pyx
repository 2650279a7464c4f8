"""Functions of the program that hear of keys. The design comment is in observers.pxd."""
from fastredis.engine.core cimport LISTEN_OBSERVERS


cdef class Observers(Session):
    def __init__(self, Engine engine not None, deliver):
        self.engine = engine
        self.deliver = deliver
        self.heard = []

    def listen(self, bint wanted):
        """Hear of events from now on, or not any more."""
        if wanted:
            self.engine.core.listeners |= LISTEN_OBSERVERS
        else:
            self.engine.core.listeners &= ~LISTEN_OBSERVERS

    def note(self, int database, bytes event, bytes key):
        """Something happens to a key."""
        self.heard.append((event, key, database))
        self.engine.queue_flush(self)

    cdef int flush(self) except -1:
        heard, self.heard = self.heard, []
        self.deliver(heard)
        return 0
