"""The data of an engine as a whole, as a full synchronisation treats them: taken out, loaded, exchanged.

    take_all()          all keys leave the databases; Remains frees them in slices
    SpareDatabases      as many empty databases beside the engine's, to be loaded while those go on serving; swap()
                        gives the engine the new data and has the old ones
    load_into()         an RdbLoad for either
"""
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t

from fastredis.ds.native cimport monotonic_us
from fastredis.engine.core cimport Core
from fastredis.engine.engine cimport Engine
from fastredis.engine.keyspace cimport Database, Detached, Garbage, database_new
from fastredis.persist.rdb_load cimport RdbLoad, rdb_load_new
from fastredis.values.entry cimport Entry, entry_set_epoch

cdef enum:
    BUCKETS = 64                        # freed between two looks at the clock


cdef int stamp_visit(void* context, void* entry) except -1:
    """Visit of table_scan: the context is the Core."""
    entry_set_epoch(<Entry*>entry, (<Core*>context).epoch)
    return 0


cdef class Remains:
    """What was taken out of databases and is still to be freed."""
    cdef Engine engine
    cdef list garbage

    def step(self, int64_t budget_us):
        """Free for so long; whether all is freed."""
        cdef int64_t until = monotonic_us() + budget_us
        cdef Garbage garbage

        while self.garbage:
            garbage = self.garbage[0]
            if garbage.drain(BUCKETS) == 0:
                self.garbage.pop(0)
            if monotonic_us() > until:
                break
        return not self.garbage

    def later(self):
        """Have the engine free it in the background."""
        cdef Garbage garbage

        for garbage in self.garbage:
            self.engine.discard(garbage)
        self.garbage = []


cdef Remains remains_of(Engine engine, list databases):
    cdef Remains remains = Remains()
    cdef Database db
    cdef Detached garbage

    remains.engine = engine
    remains.garbage = []
    for db in databases:
        garbage = engine.take_all(db)
        if garbage is not None:
            remains.garbage.append(garbage)
    return remains


def take_all(Engine engine not None):
    """Empty all databases; returns the Remains. Transactions that watch one of the keys will fail."""
    return remains_of(engine, engine.databases)


cdef class SpareDatabases:
    """Databases that nobody has selected, one for each of the engine's."""
    cdef Engine engine
    cdef list databases
    cdef uint32_t epoch                 # Core.epoch when they were made

    def __init__(self, Engine engine not None):
        cdef Database db

        self.engine = engine
        self.epoch = engine.core.epoch
        self.databases = [database_new(&engine.core, engine, db.index) for db in engine.databases]

    def swap(self):
        """Exchange the data with the engine's databases. Clients, and what they watch and wait for, stay."""
        cdef Engine engine = self.engine
        cdef Database db, spare

        self.follow_epoch()
        for db, spare in zip(engine.databases, self.databases, strict=True):
            engine.exchange(db, spare)
            db.fix_size(engine.core.fixed_tables != 0)
        engine.core.rearm = True

    cdef int follow_epoch(self) except -1:
        """A snapshot without a fork has begun meanwhile: the keys here are none that it has still to save."""
        cdef Database spare
        cdef uint64_t cursor

        if self.epoch == self.engine.core.epoch:
            return 0
        for spare in self.databases:
            cursor = spare.scan(0, stamp_visit, &self.engine.core)
            while cursor:
                cursor = spare.scan(cursor, stamp_visit, &self.engine.core)
        return 0

    def take_all(self):
        """Empty them; returns the Remains."""
        return remains_of(self.engine, self.databases)


def load_into(Engine engine not None, SpareDatabases spare, int fd, uint64_t total):
    """An RdbLoad into the spare databases, or (None) into the engine's own; see rdb_load_new()."""
    cdef RdbLoad load = rdb_load_new(engine, engine.databases if spare is None else spare.databases, fd, total)

    load.drop_expired = False           # a replica leaves that to its master
    return load


def rest_of(RdbLoad load not None):
    """What was given to a load behind the end of the data set, as bytes."""
    cdef size_t size
    cdef const uint8_t* rest = load.rest(&size)

    return (<const char*>rest)[:size]


def note_change(Engine engine not None):
    """The data are others, and no file has them: count it as one change."""
    engine.core.dirty += 1
