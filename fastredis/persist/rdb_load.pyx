"""Loading a data set. The design comment is in rdb_load.pxd, the format in rdb.pxd."""
cimport cython
from cpython.exc cimport PyErr_SetFromErrno
from libc.errno cimport EINTR, errno
from libc.stdint cimport INT32_MAX, int32_t
from libc.string cimport memcpy, memmove

from fastredis._resp cimport Arg, arg_of
from fastredis.ds.alloc cimport mem_free, mem_growth_possible, mem_realloc
from fastredis.ds.crc64 cimport crc64
from fastredis.ds.native cimport hash_bytes, likely, monotonic_us, unlikely
from fastredis.engine.keyspace cimport NO_EXPIRE, lru_of_use
from fastredis.persist.rdb cimport (
    RDB_CHECKSUM, RDB_OP_AUX, RDB_OP_EOF, RDB_OP_EXPIRETIME, RDB_OP_EXPIRETIME_MS, RDB_OP_FREQ, RDB_OP_FUNCTION_RC,
    RDB_OP_FUNCTION2, RDB_OP_IDLE, RDB_OP_MODULE_AUX, RDB_OP_RESIZEDB, RDB_OP_SELECTDB, RDB_OP_SLOT_IMPORT,
    RDB_OP_SLOT_INFO, RDB_VERSION_MAX, RDB_VERSION_OWN, RDB_VERSION_VALKEY, RDB_VERSION_VALKEY_MAX, rdb_aux_blessed,
    rdb_delay,
)
from fastredis.persist.rdb_opaque cimport (
    OPAQUE_DONE, OPAQUE_MORE, OpaqueResult, opaque_clear, opaque_go_on, opaque_start_parts, opaque_take_bytes,
)
from fastredis.persist.rdb_read cimport (
    RDB_DONE, RDB_EMPTY, RDB_LATER, RDB_MORE, RdbResult, rdb_build_clear, rdb_build_go_on, rdb_build_start,
)
from fastredis.persist.rdb_reader cimport (
    RDB_SCRATCH_FIELD, RDB_SCRATCH_KEY, RDB_SCRATCH_VALUE, RdbText, rdb_corrupt, rdb_most, rdb_read_bytes,
    rdb_read_length, rdb_read_string, rdb_reader_clear, rdb_reader_init,
)
from fastredis.values.entry cimport entry_key, entry_type
from fastredis.values.value cimport entry_free

from fastredis.engine.hooks import BadLibraryError
from fastredis.persist.kept import Kept
from fastredis.persist.rdb_read import RdbError

__all__ = ["MAGIC", "RdbError", "RdbLoad", "load_file"]

MAGIC = (b"REDIS", b"VALKEY")           # what an RDB file begins with

cdef extern from "<unistd.h>" nogil:
    Py_ssize_t read(int fd, void* data, size_t size)

cdef enum:
    PIECE = 1024 * 1024                 # bytes that are read at a time
    HEADER = 9                          # bytes of magic and version
    FIRST_CHECKSUM = 5                  # version from which on files have one
    LEAST_KEY = 3                       # bytes that a key takes at least
    CLOCK_KEYS = 64                     # keys between two looks at the clock
    AUX_BEHIND = 2                      # of what a module has stored: it stands behind the keys
    LOGGED_EMPTY = 10                   # empty collections that are named in the log


cdef str printable(bytes text):
    return text.decode("utf-8", "backslashreplace")


# no_gc_clear: __dealloc__ gives memory back to the engine.
@cython.no_gc_clear
cdef class RdbLoad:
    def __cinit__(self):
        self.fd = -1
        self.verify = True
        self.drop_expired = True
        self.kind = -1
        self.aux = {}
        self.blessed = []
        self.kept = Kept()
        rdb_build_start(&self.build, 0)

    def __dealloc__(self):
        cdef int i

        if self.engine is None:
            return
        for i in range(self.pending_count):
            entry_free(self.r.account, self.pending[i].e)
        rdb_build_clear(&self.r, &self.build)
        opaque_clear(self.r.account, &self.beside)
        rdb_reader_clear(&self.r)
        mem_free(self.r.account, self.buffer, self.room)
        mem_free(self.r.account, self.key, self.key_room)

    @property
    def offset(self):
        """Bytes from the start up to what is read next; at the end: up to what follows the data set."""
        return self.r.base + self.r.pos

    @property
    def kinds(self):
        """Name of a type -> how many keys of it were read, expired ones too."""
        return {name: self.counts[number] for name, number in (
            ("string", 0), ("list", 1), ("set", 2), ("zset", 3), ("hash", 4), ("module", 5), ("stream", 6),
            ("array", 7))}

    @property
    def latest_key(self):
        """Name of the latest key, when somebody is told; b"" before the first."""
        return self.key[:self.key_size] if self.key is not NULL else b""

    def step(self, int64_t budget_us):
        """Load for so long; whether all is loaded. RdbError: the bytes are not what they should be; OSError."""
        return self.run(monotonic_us() + budget_us)

    def give(self, bytes data not None):
        """feed() for Python; nothing more will come after b""."""
        if data:
            self.feed(data, len(data))
        else:
            self.finish()

    # --- the window -------------------------------------------------------------------

    cdef int make_room(self, size_t size) except -1:
        """Room for `size` bytes behind the window; what was read goes into the CRC and leaves the buffer."""
        cdef size_t left = self.r.size - self.r.pos
        cdef size_t room

        self.sum_up()
        if self.r.pos and (self.r.pos >= left or self.room - self.r.size < size):
            memmove(self.buffer, self.buffer + self.r.pos, left)
            self.r.base += self.r.pos
            self.r.wanted -= min(self.r.wanted, self.r.pos)
            self.r.pos = self.summed = 0
            self.r.size = left
        if self.room - self.r.size < size:
            room = self.r.size + max(size, self.r.size // 2)
            if not mem_growth_possible(self.room, room):
                rdb_corrupt(&self.r, f"insufficient memory for {room} bytes of it")
            self.buffer = <uint8_t*>mem_realloc(self.r.account, self.buffer, self.room, room)
            self.room = room
        self.r.data = self.buffer
        return 0

    cdef int sum_up(self) noexcept:
        """CRC over what was read since the last time."""
        if self.verify:
            self.crc = crc64(self.crc, self.r.data + self.summed, self.r.pos - self.summed)
        self.summed = self.r.pos
        return 0

    cdef int come(self, size_t size) noexcept:
        """So many bytes were put behind the window."""
        self.r.size += size
        if self.r.to_come != <uint64_t>-1:
            self.r.to_come -= min(self.r.to_come, <uint64_t>size)
        self.hungry = self.r.size < self.r.wanted
        return 0

    cdef int feed(self, const char* data, size_t size) except -1:
        self.make_room(size)
        memcpy(self.buffer + self.r.size, data, size)
        return self.come(size)

    cdef int finish(self) except -1:
        self.r.ended = True
        self.hungry = False
        return 0

    cdef int refill(self) except -1:
        """Read from fd until the window is as large as it has to be, or the file ends."""
        cdef size_t missing
        cdef Py_ssize_t got

        while self.r.size < self.r.wanted and not self.r.ended:
            missing = self.r.wanted - self.r.size
            # Not more at a time than doubles the window: a length may be a lie.
            self.make_room(max(<size_t>PIECE, min(missing, self.r.size - self.r.pos)))
            got = read(self.fd, self.buffer + self.r.size, self.room - self.r.size)
            if got < 0:
                if errno == EINTR:
                    continue
                PyErr_SetFromErrno(OSError)
            if got == 0:
                self.r.ended = True
            self.come(got)
        return 0

    cdef const uint8_t* rest(self, size_t* size) noexcept:
        size[0] = self.r.size - self.r.pos
        return self.r.data + self.r.pos

    # --- keys into tables ---------------------------------------------------------------

    cdef int put(self, RdbPending* p) except -1:
        """Put a key into its table. It is the database's then, or freed."""
        cdef Entry* e = p.e
        cdef Arg key

        p.e = NULL
        key.ptr = entry_key(e)
        key.size = e.key_size
        key.hash = p.hash
        if self.db.peek(&key) is not NULL:
            if not self.replace:
                name = entry_key(e)[:e.key_size]
                entry_free(self.r.account, e)
                rdb_corrupt(&self.r, f"key {name!r} is there twice")
            self.db.delete(&key, False)
        self.db.load(e, p.hash, p.lru)
        if p.when_ms != NO_EXPIRE:
            self.db.set_expire(e, p.when_ms)
            self.expires += 1
        self.keys += 1
        return 0

    cdef int put_pending(self) except -1:
        """Put all keys that wait into the selected database's table."""
        cdef int count = self.pending_count
        cdef int i = 0

        self.pending_count = 0
        try:
            while i < count:
                i += 1
                self.put(&self.pending[i - 1])
        finally:
            while i < count:
                entry_free(self.r.account, self.pending[i].e)
                i += 1
        return 0

    cdef int take(self, Entry* e) except -1:
        """A key has been read: have it wait for its table, or drop it."""
        cdef RdbPending* p

        self.counts[entry_type(e)] += 1
        if self.when_ms != NO_EXPIRE and self.when_ms < self.engine.core.now_ms and self.drop_expired:
            self.expired += 1
            if self.dropped is not None and self.db is not None:
                self.dropped(self.db.index, entry_key(e)[:e.key_size])
            entry_free(self.r.account, e)
        elif self.databases is None:
            self.keys += 1
            self.expires += self.when_ms != NO_EXPIRE
            entry_free(self.r.account, e)
        else:
            p = &self.pending[self.pending_count]
            p.e = e
            p.hash = hash_bytes(entry_key(e), e.key_size)
            p.when_ms = self.when_ms
            p.lru = lru_of_use(&self.engine.core, self.idle_s, self.frequency)
            self.db.prefetch_bucket(p.hash)
            self.pending_count += 1
            if self.pending_count == LOAD_BATCH:
                self.put_pending()
        self.forget_key()
        if unlikely(self.key_delay_us != 0):
            rdb_delay(self.key_delay_us)
        return 0

    cdef int forget_key(self) noexcept:
        """What was read in front of a key does not hold for the next one."""
        self.when_ms = NO_EXPIRE
        self.idle_s = -1
        self.frequency = -1
        return 0

    # --- the parts of a file --------------------------------------------------------------

    cdef bint read_header(self) except -1:
        cdef const uint8_t* p = NULL
        cdef bytes header
        cdef int first, last

        if not rdb_read_bytes(&self.r, HEADER, &p):
            return False
        header = (<const char*>p)[:HEADER]
        digits = header[6:] if header.startswith(b"VALKEY") else header[5:]
        if not header.startswith(MAGIC) or not digits.isdigit():
            self.r.pos = 0
            rdb_corrupt(&self.r, "Wrong signature trying to load DB from file")
        self.version = int(digits)
        first = RDB_VERSION_VALKEY if len(digits) == 3 else 1
        last = RDB_VERSION_VALKEY_MAX if len(digits) == 3 else RDB_VERSION_MAX
        if len(digits) == 4 and self.version == RDB_VERSION_OWN:
            first = last = RDB_VERSION_OWN
        if not first <= self.version <= last and not self.any_version:
            rdb_corrupt(&self.r, f"Can't handle RDB format version {self.version}")
        self.r.version = self.version
        self.header_read = True
        return True

    cdef bint read_end(self) except -1:
        """The checksum, behind EOF."""
        cdef uint64_t stored
        cdef const uint8_t* p = NULL

        if self.version >= FIRST_CHECKSUM:
            if not rdb_read_bytes(&self.r, RDB_CHECKSUM, &p):
                return False
            self.r.pos -= RDB_CHECKSUM
            self.sum_up()
            self.r.pos += RDB_CHECKSUM
            memcpy(&stored, p, RDB_CHECKSUM)
            self.has_checksum = stored != 0
            if self.verify and stored and stored != self.crc:
                rdb_corrupt(&self.r, f"Wrong RDB checksum expected: ({stored:x}) but got ({self.crc:x})")
        self.done = True
        return True

    cdef bint read_aux(self) except -1:
        cdef RdbText name, value

        if not rdb_read_string(&self.r, RDB_SCRATCH_FIELD, &name) or (
                not rdb_read_string(&self.r, RDB_SCRATCH_VALUE, &value)):
            return False
        if name.text[:name.size] == <bytes>rdb_aux_blessed():
            self.blessed.append(value.text[:value.size])
        else:
            self.aux[name.text[:name.size]] = value.text[:value.size]
        if self.tell is not None:
            self.tell(f"AUX FIELD {printable(name.text[:name.size])} = '{printable(value.text[:value.size])}'")
        return True

    cdef bint read_library(self) except -1:
        """A library of functions."""
        cdef RdbText text

        if not rdb_read_string(&self.r, RDB_SCRATCH_VALUE, &text):
            return False
        self.library_count += 1
        if self.databases is None or self.engine.scripts is None:
            return True
        if self.libraries is None:
            self.libraries = self.engine.scripts.functions.new()
        try:
            self.libraries.add(text.text[:text.size], self.replace)
        except BadLibraryError as problem:
            rdb_corrupt(&self.r, f"a library of functions can't be loaded: {printable(problem.text)}")
        return True

    cdef bint begin_module_aux(self) except -1:
        """The head of what a module has stored beside the keys: its type, the form of a number, and that number."""
        cdef size_t start = self.r.pos - 1
        cdef uint64_t when

        if not self.skip_lengths(2) or not rdb_read_length(&self.r, &when):
            return False
        self.is_behind = when == AUX_BEHIND
        opaque_start_parts(self.r.account, &self.beside, self.r.data + start, self.r.pos - start)
        self.passing = True
        return True

    cdef RdbResult pass_module_aux(self, int64_t until_us) except? RDB_MORE:
        """Its parts, as far as they have come: it may be as large as all keys."""
        cdef OpaqueResult result = opaque_go_on(&self.r, &self.beside, until_us)

        if result != OPAQUE_DONE:
            return RDB_MORE if result == OPAQUE_MORE else RDB_LATER
        self.passing = False
        (self.kept.after if self.is_behind else self.kept.before).append(
            opaque_take_bytes(self.r.account, &self.beside))
        return RDB_DONE

    cdef bint select(self) except -1:
        cdef uint64_t index

        if not rdb_read_length(&self.r, &index):
            return False
        if self.tell is not None:
            self.tell(f"Selecting DB ID {index}")
        if self.databases is not None:
            if index >= <uint64_t>len(self.databases):
                rdb_corrupt(&self.r, f"database {index}, but only {len(self.databases)} are configured")
            self.put_pending()
            self.db = <Database>self.databases[index]
        return True

    cdef bint read_sizes(self) except -1:
        """How many keys come: room for them is made at once."""
        cdef uint64_t keys, expires

        if not rdb_read_length(&self.r, &keys) or not rdb_read_length(&self.r, &expires):
            return False
        if self.databases is not None and self.db.count() == 0 and keys:
            self.db.reserve(max(<uint64_t>1, rdb_most(&self.r, keys, LEAST_KEY)))
        return True

    cdef bint read_deadline(self, int code) except -1:
        """The deadline of the key that follows."""
        cdef const uint8_t* p = NULL
        cdef int32_t seconds

        if not rdb_read_bytes(&self.r, 8 if code == RDB_OP_EXPIRETIME_MS else 4, &p):
            return False
        if code == RDB_OP_EXPIRETIME_MS:
            memcpy(&self.when_ms, p, 8)
        else:
            memcpy(&seconds, p, 4)
            self.when_ms = <int64_t>seconds * 1000
        return True

    cdef bint read_use(self, int code) except -1:
        """When, or how often, the key that follows was used."""
        cdef const uint8_t* p = NULL
        cdef uint64_t idle

        if code == RDB_OP_FREQ:
            if not rdb_read_bytes(&self.r, 1, &p):
                return False
            self.frequency = p[0]
            return True
        if not rdb_read_length(&self.r, &idle):
            return False
        self.idle_s = min(idle, <uint64_t>INT32_MAX)
        return True

    cdef bint skip_lengths(self, int count) except -1:
        """What tells of slots of a cluster: so many lengths."""
        cdef uint64_t n
        cdef int _i

        for _i in range(count):
            if not rdb_read_length(&self.r, &n):
                return False
        return True

    cdef bint read_opcode(self, int code) except -1:
        """What is no key."""
        if code == RDB_OP_EXPIRETIME_MS or code == RDB_OP_EXPIRETIME:
            return self.read_deadline(code)
        if code == RDB_OP_IDLE or code == RDB_OP_FREQ:
            return self.read_use(code)
        if code == RDB_OP_AUX:
            return self.read_aux()
        if code == RDB_OP_SELECTDB:
            return self.select()
        if code == RDB_OP_RESIZEDB:
            return self.read_sizes()
        if code == RDB_OP_EOF:
            return self.read_end()
        if code == RDB_OP_FUNCTION2:
            return self.read_library()
        if code == RDB_OP_MODULE_AUX:
            return self.begin_module_aux()
        if code == RDB_OP_SLOT_INFO:
            return self.skip_lengths(3)
        if code == RDB_OP_FUNCTION_RC:
            rdb_corrupt(&self.r, "Pre-release function format not supported.")
        # RDB_OP_SLOT_IMPORT: some of the keys are a cluster node's in part only, and not its own yet.
        return rdb_corrupt(&self.r, "slots were being imported by CLUSTER MIGRATESLOTS: take a file from after its end")

    # --- the loop -------------------------------------------------------------------------

    cdef int keep_key(self, const char* key, size_t size) except -1:
        """Remember the key of a value that is not finished."""
        if self.key_room < size or self.key is NULL:
            self.key = <char*>mem_realloc(self.r.account, self.key, self.key_room, size)
            self.key_room = size
        memcpy(self.key, key, size)
        self.key_size = size
        return 0

    cdef RdbResult go_on(self, const char* key, size_t size, int64_t until_us) except? RDB_MORE:
        """Read the value under way, as far as it goes."""
        cdef RdbResult result = rdb_build_go_on(&self.r, &self.build, key, size, until_us)
        cdef Entry* e

        if likely(result == RDB_DONE):
            e = self.build.e
            self.build.e = NULL
            self.build.sorting = False
            self.building = False
            self.take(e)
        elif result == RDB_EMPTY:
            self.building = False
            self.empty += 1
            self.forget_key()
            if self.empty <= LOGGED_EMPTY and self.engine.log is not None:
                name = key[:size].decode("latin-1")
                self.engine.log.notice(f"rdbLoadObject skipping empty key: {name}")
        return result

    cdef RdbResult read_part(self, int64_t until_us) except? RDB_MORE:
        """The next key, or what is none. RDB_MORE: pos is where the next call goes on."""
        cdef size_t start = self.r.pos
        cdef RdbResult result
        cdef const uint8_t* code = NULL
        cdef RdbText key

        if unlikely(self.building):
            return self.go_on(self.key, self.key_size, until_us)
        if unlikely(self.passing):
            return self.pass_module_aux(until_us)
        if unlikely(not self.header_read):
            return RDB_DONE if self.read_header() else RDB_MORE
        if not rdb_read_bytes(&self.r, 1, &code):
            return RDB_MORE
        if code[0] >= RDB_OP_SLOT_IMPORT:
            if self.read_opcode(code[0]):
                return RDB_DONE
            self.r.pos = start
            return RDB_MORE
        if not rdb_read_string(&self.r, RDB_SCRATCH_KEY, &key):
            self.r.pos = start
            return RDB_MORE
        rdb_build_start(&self.build, code[0])
        if unlikely(self.tell is not None):
            self.kind = code[0]
            self.keep_key(key.text, key.size)
        result = self.go_on(key.text, key.size, until_us)
        if result == RDB_MORE or result == RDB_LATER:
            self.keep_key(key.text, key.size)
            self.building = True
        return result

    cdef bint run(self, int64_t until_us) except -1:
        """Load until the monotonic clock says so, or bytes are wanted that feed() has to bring."""
        cdef RdbResult result
        cdef int since = 0

        while not self.done:
            result = self.read_part(until_us)
            if unlikely(result == RDB_MORE):
                if self.fd >= 0:
                    self.refill()
                elif not self.r.ended:
                    self.hungry = True
                    break
            since += 1
            if result == RDB_LATER or ((since % CLOCK_KEYS == 0 or self.key_delay_us) and monotonic_us() > until_us):
                break
        self.put_pending()
        if self.done and self.blessed:
            self.bless()
        return self.done

    cdef int bless(self) except -1:
        """Have eviction spare the keys of which the file said so, as far as they came."""
        cdef Database db
        cdef Entry* e
        cdef Arg key
        cdef bytes number, name

        for number, _, name in [value.partition(b" ") for value in self.blessed]:
            if self.databases is None or not number.isdigit() or int(number) >= len(self.databases):
                continue
            db = <Database>self.databases[int(number)]
            key = arg_of(name)
            e = db.peek(&key)
            if e is not NULL:
                db.bless(&key, e)
        self.blessed = []
        return 0


cdef RdbLoad rdb_load_new(Engine engine, list databases, int fd, uint64_t total):
    """A load that has not begun: of `total` bytes (0: not known) from fd on, or (fd -1) what will be fed."""
    cdef RdbLoad load = RdbLoad()

    load.engine = engine
    load.databases = databases
    load.fd = fd
    load.total = total
    rdb_reader_init(&load.r, &engine.core.memory, &engine.core.limits, NULL, 0)
    load.r.wanted = 1
    load.verify = not engine.core.skip_checksums
    if total:
        load.r.to_come = total
    if databases is not None:
        load.db = <Database>databases[0]
    load.forget_key()
    return load


def load_file(Engine engine not None, int fd, uint64_t total, bint keep=True):
    """A load of what is to be read from a file descriptor, `total` bytes; keep False: no key is kept (a check).

    fd -1: RdbLoad.give() brings the bytes.
    """
    return rdb_load_new(engine, engine.databases if keep else None, fd, total)
