"""Snapshots: the whole data set as it is at one moment, in the RDB format.

write_data_set() writes it at once: in a forked child, or in the foreground while all clients wait.

SliceSnapshot writes it without a fork, in slices (engine/slices), while the data changes:

    Core.epoch     [0] --begin--> [1]          entries with the old bit are not saved yet, while Core.unsaved is set
    Entry.meta      0   0   0   0
                    1   0   0   0              the walk (table_scan, database by database) saves, and sets the bit
                    1   0   1*  0              a command is about to change this one: before_change() saves it first
                    1   0   1   0   1          new entries have the new bit: they belong to the time after

So the file shows the moment of the beginning. Keys that are saved out of turn come with a SELECTDB of their own. Where
a database's keys went is followed: SWAPDB exchanges the places, and what FLUSHDB took out of a database stays alive
until it is written. Whatever way a snapshot ends, the walk goes on to its end, then without writing: afterwards all
bits are equal, and the next snapshot can begin.

Cost: a bit that an entry has anyway, one branch that is never taken before each change while no snapshot runs; a large
value that changes meanwhile is written whole first. There is no second copy of the data, ever.
Rejected: copying what changes and writing the copies at the end (memory without a bound); a fork where it is allowed
(half of the loop's time goes to the walk).
"""
cimport cython

from cpython.exc cimport PyErr_CheckSignals
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memset

from fastredis.ds.alloc cimport Account
from fastredis.ds.native cimport monotonic_us
from fastredis.engine.engine cimport Engine, Snapshot
from fastredis.engine.keyspace cimport Database, Detached
from fastredis.engine.slices cimport DONE, PAUSE_US
from fastredis.persist.rdb cimport RDB_OP_RESIZEDB, RDB_OP_SELECTDB
from fastredis.persist.rdb_save cimport (
    RdbInfo, RdbWriter, rdb_flush, rdb_save_all, rdb_write_begin, rdb_write_bytes, rdb_write_end, rdb_write_key,
    rdb_write_length, rdb_write_parts, rdb_writer_clear, rdb_writer_configure, rdb_writer_init, rdb_writer_init_sink,
)
from fastredis.values.entry cimport ENTRY_EPOCH, Entry, entry_set_epoch


cdef int note_progress(void* context, RdbWriter* w) except -1:
    """RdbProgress: the context is a function of the number of keys, or None."""
    PyErr_CheckSignals()
    if <object>context is not None:
        (<object>context)(w.keys)
    return 0


def write_data_set(Engine engine not None, target, report=None, bint for_valkey=False, bint with_keys=True,
                   bint with_functions=True):
    """Write all databases, from the header to the checksum; returns how many keys.

    target: a file descriptor, or a function that takes each piece as a memoryview, which is good for the call only.
    report(keys) is called now and then with how many were written. for_valkey: for a reader of Valkey 9 or later.
    with_keys, with_functions: False leaves these out.
    Python's signal handlers run meanwhile. Buffers are of an account of its own, as used_memory is to tell of the data.
    Errors: OSError of write(2); those of the function.
    """
    cdef Account account
    cdef RdbWriter w
    cdef RdbInfo info
    cdef object _replid = info_of(engine, &info)    # info points into it

    memset(&account, 0, sizeof(Account))
    if callable(target):
        rdb_writer_init_sink(&w, &account, target)
    else:
        rdb_writer_init(&w, &account, target)
    try:
        rdb_writer_configure(&w, engine)
        w.for_valkey = for_valkey
        w.without_keys, w.without_functions = not with_keys, not with_functions
        rdb_save_all(&w, engine, &info, note_progress, <void*>report)
        return w.keys
    finally:
        rdb_writer_clear(&w)


cdef object info_of(Engine engine, RdbInfo* info):
    """Fill in what the file tells of replication. Returns an object that has to live as long as info is used."""
    cdef object history = engine.replication.saved_info()
    cdef bytes replid

    memset(info, 0, sizeof(RdbInfo))
    info.repl_stream_db = -1
    if history is None:
        return None
    replid = history[0].encode()
    info.repl_id = replid
    info.repl_offset = history[1]
    info.repl_stream_db = history[2]
    return replid


cdef class Place:
    """Where the keys are that were in database `index` when the snapshot began."""
    cdef int index
    cdef Database db            # it, or the one it was swapped with; or one of the snapshot's own, after a flush
    cdef bint adopted           # it is such a one
    cdef bint introduced        # the file has its RESIZEDB
    cdef uint64_t cursor        # of table_scan
    cdef uint64_t keys
    cdef uint64_t expires


cdef int walk_visit(void* context, void* entry) except -1:
    """Visit of table_scan: the context is the SliceSnapshot."""
    return (<SliceSnapshot>context).visit(<Entry*>entry)


@cython.no_gc_clear
cdef class SliceSnapshot(Snapshot):
    """A snapshot of all databases into a file descriptor, begun when it is made. Its walk is a job of the engine's.

    written(error) is called once, when the file is complete, or with the OSError that ended it. It is
    not called after cancel(). swept() is called when the walk is over, and the next snapshot may begin.
    """
    cdef Engine engine
    cdef Account account
    cdef RdbWriter w
    cdef list places            # of Place, those still to be walked first
    cdef Place at               # the walk is here
    cdef int selected           # database index that the file has selected; -1: none yet
    cdef bint writing           # False: only the bits are still to be set
    cdef object kept            # engine.kept as it was at the beginning
    cdef object written
    cdef object swept

    def __cinit__(self, Engine engine not None, int fd, written, swept):
        cdef RdbInfo info
        cdef object _replid = info_of(engine, &info)    # info points into it
        cdef Database db

        memset(&self.account, 0, sizeof(Account))
        self.engine = engine
        self.kept = engine.kept
        self.written = written
        self.swept = swept
        self.selected = -1
        self.places = []
        rdb_writer_init(&self.w, &self.account, fd)
        rdb_writer_configure(&self.w, engine)
        rdb_write_begin(&self.w, engine, &info)
        for db in engine.databases:
            if db.count():
                self.places.append(place_new(db))
        self.writing = True
        engine.core.epoch ^= ENTRY_EPOCH
        engine.core.unsaved |= ENTRY_EPOCH
        self.deadly = False         # it changes nothing but its own bit
        engine.snapshot = self
        engine.schedule(self, PAUSE_US)

    def __dealloc__(self):
        rdb_writer_clear(&self.w)

    @property
    def keys(self):
        """Keys that were written so far."""
        return self.w.keys

    def cancel(self):
        """Write no more. The caller closes the file and removes it."""
        self.writing = False
        self.drop_adopted()

    # --- what happens to the data meanwhile -----------------------------------------------

    cdef int before_change(self, Database db, Entry* e) noexcept:
        cdef Place place

        try:
            if self.writing:
                for place in self.places:
                    if place.db is db:
                        self.save(place, e)
                        break
        except OSError as error:
            self.fail(error)
        entry_set_epoch(e, self.engine.core.epoch)
        return 0

    cdef int detached(self, Database db, Detached garbage) except -1:
        cdef Place place

        for place in self.places:
            if place.db is db:
                if not self.writing:
                    self.places.remove(place)
                    return 0
                place.db = garbage.adopt(place.index)
                place.adopted = True
                return 1
        return 0

    cdef int swapped(self, Database one, Database other) except -1:
        cdef Place place

        for place in self.places:
            if place.db is one:
                place.db = other
            elif place.db is other:
                place.db = one
        return 0

    # --- writing --------------------------------------------------------------------------

    cdef int save(self, Place place, Entry* e) except -1:
        """Write a key, into the database where it was at the beginning."""
        cdef uint8_t code = RDB_OP_SELECTDB

        if self.selected != place.index:
            rdb_write_bytes(&self.w, &code, 1)
            rdb_write_length(&self.w, place.index)
            self.selected = place.index
        if not place.introduced:
            place.introduced = True
            code = RDB_OP_RESIZEDB
            rdb_write_bytes(&self.w, &code, 1)
            rdb_write_length(&self.w, place.keys)
            rdb_write_length(&self.w, place.expires)
        rdb_write_key(&self.w, place.db, e)
        return 0

    cdef int visit(self, Entry* e) except -1:
        """The walk has come to an entry."""
        if (e.meta ^ self.engine.core.epoch) & ENTRY_EPOCH:
            if self.writing:
                self.save(self.at, e)
            entry_set_epoch(e, self.engine.core.epoch)
        return 0

    cdef int64_t step(self, int64_t until_us) except? -2:
        """Walk for a slice."""
        try:
            while self.places and monotonic_us() < until_us:
                self.walk()
        except OSError as error:
            self.fail(error)
        if self.places:
            return PAUSE_US
        self.finish()
        return DONE

    cdef int walk(self) except -1:
        """Walk through one bucket."""
        cdef Place place = self.places[0]

        self.at = place
        place.cursor = place.db.scan(place.cursor, walk_visit, <void*>self)
        if place.cursor == 0:
            self.places.pop(0)
            if place.adopted:
                self.engine.discard(place.db.detach())
        return 0

    cdef int fail(self, error) except -1:
        """The file cannot be written."""
        self.cancel()
        self.written(error)
        return 0

    cdef int drop_adopted(self) except -1:
        """What was flushed, and kept only to be written, goes."""
        cdef Place place

        for place in self.places:
            if place.adopted:
                self.engine.discard(place.db.detach())
        self.places = [place for place in self.places if not place.adopted]
        return 0

    cdef int finish(self) except -1:
        """The walk is over: no entry has the old bit any more."""
        self.engine.core.unsaved &= ~<uint32_t>ENTRY_EPOCH
        self.engine.snapshot = None
        if self.writing:
            self.writing = False
            try:
                if self.kept is not None:
                    rdb_write_parts(&self.w, self.kept.after)
                rdb_write_end(&self.w)
                rdb_flush(&self.w)
            except OSError as error:
                self.written(error)
            else:
                self.written(None)
        self.swept()
        return 0


cdef Place place_new(Database db):
    cdef Place place = Place()

    place.index = db.index
    place.db = db
    place.keys = db.count()
    place.expires = db.volatile_count()
    return place
