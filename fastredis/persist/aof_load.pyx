"""Reading one file of an AOF: a base in the RDB format if it begins with one, then commands.

    AofLoad --- step() --+--> RdbLoad                                 "REDIS..."
                         +--> window [ ...begin...pos...size ] --> Batch of up to 64 commands --> their handlers

The commands were executed once already, so they are not checked again: the handlers are called straight away, for a
client that takes no replies. None of them is propagated or counted. They are looked up and their keys are asked
for in batches, as those of a connection. What stands between MULTI and EXEC is kept until EXEC comes.

A file may end in the middle of a command, or of a transaction, when the server or the machine died while it wrote:
`is_torn`, and `valid` is where the whole part ends. Whether it may be used so is for the caller to decide. Anything
else that is wrong is an AofError.
"""
cimport cython

import os

from cpython.exc cimport PyErr_SetFromErrno
from libc.errno cimport EINTR, errno
from libc.stdint cimport int64_t
from libc.string cimport memchr, memmove

from fastredis._resp cimport BATCH, Arg, ArgList, Batch, Request, batch_free, batch_init
from fastredis.ds.alloc cimport mem_free, mem_realloc
from fastredis.ds.native cimport monotonic_us, unlikely
from fastredis.engine.client cimport Client
from fastredis.engine.command cimport Command, find_subcommand
from fastredis.engine.dispatch cimport call_python, prepare
from fastredis.engine.engine cimport C_DENY_BLOCKING, C_MULTI, Engine
from fastredis.engine.flags cimport CONTAINER
from fastredis.engine.multi cimport Queue
from fastredis.engine.reply cimport reply_new

from fastredis.persist.rdb_load import MAGIC, load_file
from fastredis.persist.rdb_read import RdbError

cdef extern from "<stdlib.h>" nogil:
    int rand()

cdef extern from "<unistd.h>" nogil:
    Py_ssize_t read_bytes "read"(int fd, void* data, size_t size)
    int usleep(unsigned int us)

cdef enum:
    PIECE = 256 * 1024                  # bytes read at a time
    LONGEST_NUMBER = 32                 # bytes of the line of a number
    LONGEST_NOTE = 1024                 # bytes of an annotation line
    SHOWN_NAME = 128

cdef enum Found:
    FOUND_COMMAND
    FOUND_NOTE                          # an annotation, to be passed over
    FOUND_END                           # the window ends within, or at the end of, what is there

FIX = "make a backup of your AOF file, then use fastredis --check-aof <filename.manifest> --fix"


class AofError(Exception):
    """The AOF cannot be loaded; the text is the line for the log."""


@cython.no_gc_clear                     # __dealloc__ needs the engine
cdef class AofLoad:
    """One file that is being loaded. step() until it returns True.

    name      for the log
    size      bytes of the file
    offset    how far it was read
    valid     up to where it holds whole commands and transactions, all of which were executed
    is_torn   it ends within a command or transaction
    is_rdb    it begins with a data set in the RDB format
    """
    cdef Engine engine
    cdef Client client
    cdef Batch batch
    cdef readonly str name
    cdef readonly int64_t size
    cdef readonly int64_t valid
    cdef readonly bint is_torn
    cdef readonly bint is_rdb
    cdef readonly object rdb            # RdbLoad, while that is under way
    cdef bint old_style
    cdef int fd
    cdef char* window
    cdef size_t room
    cdef size_t pos                     # in the window: what is parsed next
    cdef size_t end                     # bytes in it
    cdef int64_t base                   # where in the file the window starts
    cdef bint ended                     # all is read
    cdef int64_t before_multi           # where in the file the MULTI stands that is open

    def __init__(self, Engine engine not None, int fd, str name, bint old_style=False):
        """fd: the file, which close() closes. old_style: it is of the time before an AOF had several parts."""
        self.engine = engine
        batch_init(&self.batch, &engine.core.memory)
        self.name = name
        self.old_style = old_style
        self.client = Client(engine)
        self.client.out = reply_new(&engine.core, engine, 2)
        self.client.flags |= C_DENY_BLOCKING
        self.fd = fd
        self.size = os.fstat(self.fd).st_size
        self.is_rdb = os.pread(self.fd, 8, 0).startswith(MAGIC)
        if self.is_rdb:
            engine.log.notice("Reading RDB preamble from AOF file..." if old_style
                              else "Reading RDB base file on AOF loading...")
            self.rdb = load_file(engine, self.fd, self.size)
            self.rdb.drop_expired = False
            self.rdb.any_version = engine.config["rdb-version-check"] == "relaxed"
            self.rdb.key_delay_us = engine.config["key-load-delay"]

    def __dealloc__(self):
        if self.engine is not None:
            batch_free(&self.batch)
            mem_free(&self.engine.core.memory, self.window, self.room)

    def close(self):
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1

    @property
    def offset(self):
        return self.rdb.offset if self.rdb is not None else self.base + <int64_t>self.pos

    def step(self, int64_t budget_us):
        """Load for so long; whether all is loaded. Raises AofError."""
        cdef int64_t until_us = monotonic_us() + budget_us

        self.engine.begin_turn()
        try:
            return self.load(until_us)
        except OSError as error:
            raise AofError(f"Unrecoverable error reading the append only file {self.name}: {error.strerror}") from error
        finally:
            self.engine.end_turn()

    def load(self, int64_t until_us):
        cdef void* commands[BATCH]

        if self.rdb is not None and not self.load_rdb(until_us):
            return False
        while self.parse():
            prepare(self.client, &self.batch, commands)
            self.run(commands)
            if monotonic_us() > until_us:
                return False
        self.is_torn = self.valid < self.base + <int64_t>self.end
        if self.client.flags & C_MULTI:
            self.engine.log.warning(f"Revert incomplete MULTI/EXEC transaction in AOF file {self.name}")
            self.is_torn = True
            self.valid = self.before_multi
        return True

    def load_rdb(self, int64_t until_us):
        """The data set in front; whether it is loaded."""
        try:
            if not self.rdb.step(max(1, until_us - monotonic_us())):
                return False
        except RdbError as error:
            self.engine.log.warning(str(error))
            what = "RDB preamble of the AOF" if self.old_style else "RDB base"
            raise AofError(f"Error reading the {what} file {self.name}, AOF loading aborted") from error
        self.base = self.valid = self.rdb.offset
        os.lseek(self.fd, self.base, os.SEEK_SET)
        self.rdb = None
        if self.old_style:
            self.engine.log.notice("Reading the remaining AOF tail...")
        return True

    # --- bytes ------------------------------------------------------------------------------

    cdef bint read(self) except -1:
        """Read more into the window, behind what is not used yet; False at the end of the file."""
        cdef size_t left = self.end - self.pos
        cdef size_t room = left + max(left, <size_t>PIECE)
        cdef Py_ssize_t got

        if self.pos:
            memmove(self.window, self.window + self.pos, left)
            self.base += self.pos
            self.pos = 0
            self.end = left
        if self.room < room:
            self.window = <char*>mem_realloc(&self.engine.core.memory, self.window, self.room, room)
            self.room = room
        while True:
            got = read_bytes(self.fd, self.window + self.end, self.room - self.end)
            if got >= 0:
                break
            if errno != EINTR:
                PyErr_SetFromErrno(OSError)
        self.end += got
        self.ended = got == 0
        return got > 0

    cdef bint parse(self) except -1:
        """Fill the batch with the next commands; False when there are none."""
        cdef Found found

        self.batch.count = 0
        self.batch.args.count = 0
        while self.batch.count < BATCH:
            found = self.parse_one()
            if found == FOUND_NOTE and self.batch.count:
                self.batch.requests[self.batch.count - 1].end = self.pos
            elif found == FOUND_NOTE:
                self.valid = self.base + <int64_t>self.pos
            if found == FOUND_END and (self.batch.count or self.ended or not self.read()):
                break
        return self.batch.count > 0

    cdef Found parse_one(self) except? FOUND_END:
        """The next command into the batch, if it is there as a whole."""
        cdef const char* at = self.window + self.pos
        cdef const char* end = self.window + self.end
        cdef Request* r = &self.batch.requests[self.batch.count]
        cdef int64_t argc = 0
        cdef int64_t size = 0
        cdef int64_t _i

        if at == end:
            return FOUND_END
        if at[0] == c'#':
            return self.parse_note(at, end)
        r.first = self.batch.args.count
        r.begin = self.pos
        if not self.parse_number(&at, end, c'*', &argc):
            return FOUND_END
        if argc < 1 or argc > <int64_t>0x7FFFFFFF:
            self.bad_format()
        for _i in range(argc):
            if not self.parse_number(&at, end, c'$', &size) or end - at < size + 2:
                self.batch.args.count = r.first
                return FOUND_END
            if at[size] != c'\r' or at[size + 1] != c'\n':
                self.bad_format()
            self.append(at, size)
            at += size + 2
        r.argc = <int>argc
        self.pos = r.end = at - self.window
        self.batch.count += 1
        return FOUND_COMMAND

    cdef Found parse_note(self, const char* at, const char* end) except? FOUND_END:
        """An annotation: a line that begins with #."""
        cdef const char* newline = <const char*>memchr(at, c'\n', end - at)

        if newline is NULL:
            if end - at > LONGEST_NOTE:
                self.bad_format()
            return FOUND_END
        self.pos = newline + 1 - self.window
        return FOUND_NOTE

    cdef bint parse_number(self, const char** at, const char* end, char kind, int64_t* number) except -1:
        """A line of a type byte and a number; False: it is not there as a whole."""
        cdef const char* p = at[0]
        cdef int64_t n = 0

        if p == end:
            return False
        if p[0] != kind:
            self.bad_format()
        p += 1
        while p < end and c'0' <= p[0] <= c'9' and p - at[0] < LONGEST_NUMBER:
            n = n * 10 + (p[0] - c'0')
            if n > <int64_t>1 << 40:
                self.bad_format()
            p += 1
        if end - p < 2:
            if p < end and p[0] != c'\r':
                self.bad_format()
            return False
        if p == at[0] + 1 or p[0] != c'\r' or p[1] != c'\n':
            self.bad_format()
        number[0] = n
        at[0] = p + 2
        return True

    cdef int append(self, const char* text, size_t size) except -1:
        """One argument more."""
        cdef ArgList* args = &self.batch.args
        cdef size_t room

        if args.count == args.room:
            room = args.room * 2 if args.room else 256
            args.items = <Arg*>mem_realloc(self.batch.account, args.items, args.room * sizeof(Arg), room * sizeof(Arg))
            args.room = room
        args.items[args.count].ptr = text
        args.items[args.count].size = size
        args.items[args.count].hash = 0
        args.count += 1
        return 0

    cdef int bad_format(self) except -1:
        raise AofError(f"Bad file format reading the append only file {self.name}: {FIX}")

    # --- commands -----------------------------------------------------------------------------

    cdef int run(self, void** commands) except -1:
        """Execute the batch."""
        cdef Client c = self.client
        cdef Request* r
        cdef int64_t delay_us = self.engine.config["key-load-delay"]
        cdef int i

        for i in range(self.batch.count):
            r = &self.batch.requests[i]
            c.argv = &self.batch.args.items[r.first]
            c.argc = r.argc
            self.run_one(self.checked(<object>commands[i] if commands[i] is not NULL else None),
                         self.base + <int64_t>r.begin)
            self.valid = self.base + <int64_t>r.end
            if unlikely(delay_us != 0) and (delay_us > 0 or rand() % -delay_us == 0):
                usleep(<unsigned int>max(delay_us, 1))
        return 0

    cdef Command checked(self, Command command):
        """The command that is to be executed; what no server has written ends the loading."""
        cdef Client c = self.client
        cdef bytes name

        if command is not None and command.flags & CONTAINER and c.argc > 1:
            command = find_subcommand(command, c.argv[1].ptr, c.argv[1].size)
        if command is None:
            name = c.argv[0].ptr[:min(c.argv[0].size, <size_t>SHOWN_NAME)]
            raise AofError(f"Unknown command '{name.decode('utf-8', 'replace')}' reading the append only file "
                           f"{self.name}")
        if c.argc != command.arity and (command.arity > 0 or c.argc < -command.arity):
            self.bad_format()
        return command

    cdef int run_one(self, Command command, int64_t begin) except -1:
        """Execute the command in argv, which begins there in the file; inside MULTI, keep it."""
        cdef Client c = self.client

        if command.name == b"multi":
            self.before_multi = begin
        if c.flags & C_MULTI and command.name != b"exec":
            (<Queue>c.queue).append(c, command, command.flags)
            return 0
        c.command = <void*>command
        if command.handler is not NULL:
            command.handler(c)
        else:
            call_python(c, command)
        c.effects = None
        if unlikely(c.out.size and c.out.data[0] == c'-'):
            self.tell_error(command)
        c.out.clear()
        return 0

    def tell_error(self, Command command):
        """A command that once did something fails now. The data may be other than they were."""
        error = self.client.out.data[1:self.client.out.size].split(b"\r\n", 1)[0]
        self.engine.unexpected_error("server", "AOF-loading-client", error, command.name)
