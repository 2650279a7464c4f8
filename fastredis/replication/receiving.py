"""The data set of a full synchronisation, from the master's connection into the databases.

    "$<bytes>" or "$EOF:<mark>"
        disabled         --> temp-<time>.<pid>.rdb --> dbfilename --(databases emptied)--> databases
        on-empty-db      --(databases emptied)----> databases                   repl-diskless-load
        flush-before-load  the same, even if there are keys
        swapdb           -------------------------> spare databases --(swap)--> databases

Everything works in slices, between which the loop serves clients. They are answered LOADING, unless spare databases are
loaded and the present data are an older moment of the same history. What fails before the old data are touched leaves
them as they were; what fails later leaves nothing.
run() is a generator for an Attempt: it yields what it waits for.
"""

import contextlib
import enum
import errno
import os
import time
from collections.abc import Generator, Iterator

from fastredis.config.folder import Folder
from fastredis.persist.aof_files import OFF
from fastredis.persist.files import close_in_background, remove_in_background
from fastredis.persist.loading import SLICE_US
from fastredis.persist.rdb_load import RdbError
from fastredis.persist.saver import INCOMPLETE, REPLACING, keeps_nothing
from fastredis.replication.data_set import Remains, SpareDatabases, load_into, note_change, rest_of, take_all

MARK_SIZE = 40
SYNC_BYTES = 8 * 1024 * 1024    # written between two fdatasync
NAME_TRIES = 5
INVALID = os.strerror(errno.EINVAL)


class Wait(enum.Enum):
    """What a script waits for: a line, any bytes, its next slice of time. It may also yield a Future, and gets that."""

    LINE = enum.auto()
    BYTES = enum.auto()
    SLICE = enum.auto()


class SyncFailed(Exception):
    """A synchronisation failed; text is for the log. at_once: it is tried again now, not when the cron comes."""

    def __init__(self, text: str, at_once: bool = False, notice: bool = False):
        super().__init__(text)
        self.text, self.at_once, self.notice = text, at_once, notice


def again(text: str) -> SyncFailed:
    """The transfer failed."""
    return SyncFailed(text, at_once=True)


class Spool:
    """The temporary file that a data set is written to, and read by its descriptor. OSError when there cannot be one.

    What is written goes to the disk now and then, in another thread, so that little is left for the end.
    """

    def __init__(self, engine, folder: Folder):
        self._engine, self.folder = engine, folder
        self._syncing = None
        self._written = self._synced = 0
        for attempt in range(NAME_TRIES):
            self.path = f"temp-{int(time.time()) + attempt}.{os.getpid()}.rdb"
            try:
                self.file = folder.open(self.path, os.O_CREAT | os.O_RDWR | os.O_EXCL, 0o644)
                return
            except FileExistsError:
                if attempt == NAME_TRIES - 1:
                    raise

    def write(self, data: bytes) -> None:
        """Append. Errors: OSError."""
        view = memoryview(data)
        while view:
            view = view[os.write(self.file, view):]
        self._written += len(data)
        if self._written - self._synced >= SYNC_BYTES and (self._syncing is None or self._syncing.done()):
            self._synced = self._written
            self._syncing = self._engine.run_in_thread(os.fdatasync, self.file)

    def finish(self) -> Generator:
        """Have all on the disk, and begin to read. Errors: OSError."""
        if self._syncing is not None:
            (yield self._syncing).result()
        self._syncing = self._engine.run_in_thread(os.fsync, self.file)
        (yield self._syncing).result()
        os.lseek(self.file, 0, os.SEEK_SET)

    def close(self) -> None:
        """Close the file; it is removed unless it has another name by now. A large one takes time, so not here."""
        with contextlib.suppress(FileNotFoundError):
            self.folder.remove(self.path)
        if self._syncing is not None and not self._syncing.done():
            self._syncing.add_done_callback(lambda future: os.close(self.file))
        else:
            close_in_background(self._engine, self.file)


class Transfer:
    """One data set. replid: the id of its history, "" when the master did not say."""

    def __init__(self, attempt, replid: str):
        self.attempt = attempt
        self.link = attempt.link
        self.engine, self.config, self.log = attempt.engine, attempt.config, attempt.log
        self.replid = replid
        self.size = 0               # bytes to come; 0 with a mark
        self.mark = b""
        self.obstacle = self.engine.saver.obstacle      # what it is when this has ended
        self.mode = self.config["repl-diskless-load"]
        self.is_direct = self.mode in ("swapdb", "flush-before-load") or (
            self.mode == "on-empty-db" and not self.engine.count_keys())

    def run(self) -> Generator:
        """All of it; returns the database that the stream has selected. Errors: SyncFailed."""
        if self.is_direct:
            yield from self._read_header()
            with self._no_saving():
                return (yield from self._load_directly())
        try:
            spool = Spool(self.engine, self.config["dir"])
        except OSError as error:
            raise SyncFailed("Opening the temp file needed for MASTER <-> REPLICA synchronization: "
                             f"{os.strerror(error.errno)}") from None
        with contextlib.closing(spool):
            yield from self._read_header()
            yield from self._receive(spool)
            with self._no_saving():
                yield from self._install(spool)
                return (yield from self._load_file(spool.file))

    # --- bytes ------------------------------------------------------------------------------

    def _read_header(self) -> Generator:
        """The line in front of the data."""
        line = b""
        while line == b"":                  # a newline is a sign of life
            line = yield Wait.LINE
        if line is None:
            raise again("I/O error reading bulk count from MASTER: connection lost")
        text = line.decode("utf-8", "replace")
        if text.startswith("-"):
            raise again(f"MASTER aborted replication with an error: {text[1:]}")
        where = "parser" if self.is_direct else "disk"
        if line.startswith(b"$EOF:") and len(line) >= 5 + MARK_SIZE:
            self.mark = line[5:5 + MARK_SIZE]
            self.log.notice(f"MASTER <-> REPLICA sync: receiving streamed RDB from master with EOF to {where}")
        elif line.startswith(b"$") and line[1:].isdigit():
            self.size = int(line[1:])
            self.log.notice(f"MASTER <-> REPLICA sync: receiving {self.size} bytes from master to {where}")
        else:
            raise again(f"Bad protocol from MASTER, the first byte is not '$' (we received '{text}'), are you sure the "
                        "host and port are right?")
        self.link.sync_total = self.size

    def _pieces(self) -> Generator:
        """For `yield from`: the next bytes of the data; b"" at their end, or where the connection was lost."""
        if not self.mark and self.link.sync_read == self.size:
            return b""
        data = yield Wait.BYTES
        if not self.mark:
            left = self.size - self.link.sync_read
            if len(data) > left:
                self.attempt.unread(data[left:])
                data = data[:left]
        self.link.sync_read += len(data)
        self.engine.replication.stream.bytes_in += len(data)
        return data

    def _receive(self, spool: Spool) -> Generator:
        """All of the data into a file."""
        tail = b""                          # which may be the beginning of the mark
        while True:
            data = yield from self._pieces()
            if not data:
                if self.mark or self.link.sync_read < self.size:
                    raise again("I/O error trying to sync with MASTER: connection lost")
                return
            if self.mark:
                data = tail + data
                end = data.find(self.mark)
                kept = end if end >= 0 else max(0, len(data) - MARK_SIZE + 1)
                data, tail = data[:kept], data[kept:]
            try:
                spool.write(data)
            except OSError as error:
                raise again("Write error or short write writing to the DB dump file needed for MASTER <-> REPLICA "
                            f"synchronization: {os.strerror(error.errno)}") from None
            if self.mark and end >= 0:
                self.attempt.unread(tail[MARK_SIZE:])
                return

    def _install(self, spool: Spool) -> Generator:
        """Make the file the RDB file."""
        path = self.config["dbfilename"]
        try:
            yield from spool.finish()
        except OSError as error:
            raise again("Failed trying to sync the temp DB to disk in MASTER <-> REPLICA synchronization: "
                        f"{os.strerror(error.errno)}") from None
        self._end_background_save()         # which would put an older file in its place
        try:
            spool.folder.rename(spool.path, path)
        except OSError as error:
            raise again(f"Failed trying to rename the temp DB into {path} in MASTER <-> REPLICA synchronization: "
                        f"{os.strerror(error.errno)}") from None
        try:
            (yield self.engine.run_in_thread(spool.folder.sync)).result()
        except OSError as error:
            raise again(f"Failed trying to sync DB directory {path} in MASTER <-> REPLICA synchronization: "
                        f"{os.strerror(error.errno)}") from None

    # --- the old data -----------------------------------------------------------------------

    @contextlib.contextmanager
    def _no_saving(self) -> Iterator[None]:
        """While data are replaced they are not saved; nor afterwards, unless there is a whole data set."""
        saver = self.engine.saver
        if self.mode != "swapdb":               # which leaves the old data whole up to the end
            saver.obstacle = REPLACING
        try:
            yield
            self.obstacle = None
        finally:
            saver.obstacle = self.obstacle

    def _end_background_save(self) -> None:
        engine = self.engine
        child = engine.child if engine.child is not None and engine.child.kind == "rdb" else None
        if child is not None and not self.is_direct:
            self.log.notice("Replica is about to load the RDB file received from the master, but there is a pending "
                            f"RDB child running. Killing process {child.pid} and removing its temp file to avoid any "
                            "race")
        if engine.saver.running:
            engine.saver.cancel()
        elif child is not None:
            child.kill()

    def _give_up_data(self) -> None:
        """The present data are about to go. Who works on them ends; no replica can go on from here."""
        engine = self.engine
        if engine.aof is not None and engine.aof.state != OFF:
            engine.aof.stop()
        self._end_background_save()
        self.obstacle = INCOMPLETE
        engine.kept = None
        engine.scripts.functions.use(None)
        if engine.replication.can_resume:
            self.log.notice("Discarding previously cached master state.")
        engine.start_turn()
        try:
            engine.replication.can_resume = False
            engine.replication.drop_replicas()
        finally:
            engine.finish_turn()

    def _empty(self) -> Generator:
        """Remove all keys, in slices."""
        self.log.notice("MASTER <-> REPLICA sync: Flushing old data")
        remains: Remains = take_all(self.engine)
        try:
            while not self.config["replica-lazy-flush"] and not remains.step(SLICE_US):
                yield from self._pause()
        finally:
            remains.later()

    # --- loading ------------------------------------------------------------------------------

    def _pause(self) -> Generator:
        """Between two slices of work."""
        self.attempt.keep_alive()
        yield Wait.SLICE

    @contextlib.contextmanager
    def _gate(self, total: int, beside: bool = False) -> Iterator[None]:
        """While data are loaded, clients wait; beside: not, since others are served meanwhile."""
        if beside:
            self.link.set_async_loading(True)
        else:
            self.engine.loading.begin(total)
        try:
            yield
        finally:
            if beside:
                self.link.set_async_loading(False)
            else:
                self.engine.loading.end()

    def _loader(self, spare: SpareDatabases | None, descriptor: int, total: int):
        load = load_into(self.engine, spare, descriptor, total)
        load.verify = load.verify and self.config["rdbchecksum"]
        load.any_version = self.config["rdb-version-check"] == "relaxed"
        self.log.notice("MASTER <-> REPLICA sync: Loading DB in memory")
        return load

    def _read_all(self, load) -> Generator:
        """Have a load read everything, from its file or from the connection. Errors: RdbError, OSError."""
        loading = self.engine.loading
        told = False
        load.key_delay_us = self.config["key-load-delay"]
        while not load.step(SLICE_US):
            load.key_delay_us = self.config["key-load-delay"]
            loading.went_to(load.offset)
            told = told or loading.tell_origin(load)
            if load.hungry:
                load.give((yield from self._pieces()))
            else:
                yield from self._pause()
        if not told:
            loading.tell_origin(load)
        loading.finish_rdb(load)

    def _discard_half(self) -> None:
        """What was loaded is not whole: nobody shall see it."""
        self.log.notice("MASTER <-> REPLICA sync: Discarding the half-loaded data")
        take_all(self.engine).later()

    def _load_file(self, descriptor: int) -> Generator:
        """The file that was received into the emptied databases. By its name there may be another one by now."""
        self._give_up_data()
        whole = False
        try:
            with self._gate(os.fstat(descriptor).st_size):
                yield from self._empty()
                load = self._loader(None, descriptor, os.fstat(descriptor).st_size)
                yield from self._read_all(load)
                self.engine.kept = load.kept
                self.engine.scripts.functions.use(load.libraries)
                whole = True
        except (RdbError, OSError) as error:
            self._tell(error)
            raise again(f"Failed trying to load the MASTER synchronization DB from disk: {INVALID}") from None
        finally:
            if not whole:
                self._discard_half()
            self._remove_file(self.config["dbfilename"])
        return self._database_of(load)

    def _tell(self, error: RdbError | OSError) -> None:
        if isinstance(error, RdbError):
            self.engine.loading.tell_error(error)
        else:
            self.log.warning(f"Error reading the RDB file: {error.strerror}")

    def _remove_file(self, path: str) -> None:
        """rdb-del-sync-files: a server that saves nothing should not have a file on its disk."""
        if self.config["rdb-del-sync-files"] and keeps_nothing(self.config):
            self.log.notice("Removing the RDB file obtained from the master. This replica has persistence disabled")
            remove_in_background(self.engine, self.config["dir"], path)

    @staticmethod
    def _database_of(load) -> int:
        text = load.aux.get(b"repl-stream-db", b"0")
        return int(text) if text.isdigit() else 0

    def _load_directly(self) -> Generator:
        """From the connection into the emptied databases, or into spare ones that are exchanged with them."""
        spare = SpareDatabases(self.engine) if self.mode == "swapdb" else None
        replication = self.engine.replication
        beside = spare is not None and replication.replid == self.replid
        whole = False
        if spare is None:
            self._give_up_data()
        try:
            with self._gate(self.size, beside):
                if spare is None:
                    yield from self._empty()
                load = self._loader(spare, -1, self.size)
                yield from self._read_all(load)
                yield from self._read_end(load)
                if spare is not None:
                    self._swap(spare)
                self.engine.kept = load.kept
                self.engine.scripts.functions.use(load.libraries)
                whole = True
        except RdbError as error:
            self._tell(error)
            raise again(f"Failed trying to load the MASTER synchronization DB from socket: {INVALID}") from None
        finally:
            if not whole and spare is None:
                self._discard_half()
            elif not whole:
                self.log.notice("MASTER <-> REPLICA sync: Discarding temporary DB in background")
                spare.take_all().later()
        note_change(self.engine)
        return self._database_of(load)

    def _read_end(self, load) -> Generator:
        """What has to follow behind the data set: the mark, or nothing until the announced size."""
        rest = rest_of(load)
        while not self.mark:
            if not (yield from self._pieces()):
                return
        while len(rest) < MARK_SIZE:
            data = yield from self._pieces()
            if not data:
                break
            rest += data
        if not rest.startswith(self.mark):
            self.log.warning("Replication stream EOF marker is broken")
            raise again("")
        self.attempt.unread(rest[MARK_SIZE:])

    def _swap(self, spare: SpareDatabases) -> None:
        """Give the engine the new data."""
        self._give_up_data()
        self.log.notice("MASTER <-> REPLICA sync: Swapping active DB with loaded DB")
        self.engine.start_turn()
        try:
            spare.swap()
        finally:
            self.engine.finish_turn()
        spare.take_all().later()
        self.log.notice("MASTER <-> REPLICA sync: Discarding old DB in background")
