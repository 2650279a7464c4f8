"""Loading the data set: at the start, in slices between which clients are answered LOADING; and for DEBUG RELOAD.

    Loading.load_at_start()   the AOF if appendonly is on (AofFiles.load), else the RDB file
        begin(bytes) ... went_to(offset) ... await pause() ... end()       what INFO shows, and a terminal
"""

import asyncio
import errno
import os
import sys
import time

from fastredis.engine.core import GATE_LOADING
from fastredis.engine.hooks import BadLibraryError
from fastredis.persist.check_rdb import check_file, known_text
from fastredis.persist.kept import kept_of
from fastredis.persist.rdb_load import RdbError, load_file

SLICE_US = 10_000               # loading goes on for so long between two looks at the clients
TERMINAL_SECONDS = 0.2          # between two lines of progress
UNBOUNDED_US = 2**60
HEADER_ERRORS = ("Wrong signature", "Can't handle RDB format")


class LoadError(Exception):
    """The data set cannot be loaded; the log says why. within: the file can be read, but what it holds is wrong."""

    def __init__(self, text: str, within: bool = False):
        super().__init__(text)
        self.within = within


class Loading:
    """What is known of loading, now and the last time.

    active           it is under way
    started_s        since when, seconds since the epoch
    total_bytes      of all files
    loaded_bytes     of these, read
    used_memory      bytes that the data took in the server which wrote the file; 0: not known
    keys_loaded      from the latest RDB file
    keys_expired     in it, whose time had come
    """

    def __init__(self, engine):
        self.engine = engine
        self.active = False
        self.started_s = 0
        self.total_bytes = self.loaded_bytes = self.used_memory = 0
        self.keys_loaded = self.keys_expired = 0
        self._shown = 0.0

    # --- progress -----------------------------------------------------------------------

    def begin(self, total_bytes: int) -> None:
        """Loading begins: commands that need the data are refused."""
        self.active = True
        self.started_s = int(time.time())
        self.total_bytes, self.loaded_bytes = total_bytes, 0
        self.used_memory = 0
        self.engine.gate(GATE_LOADING, True)

    def went_to(self, loaded_bytes: int) -> None:
        """So many bytes of all are read."""
        self.loaded_bytes = loaded_bytes
        now = time.monotonic()
        if now - self._shown > TERMINAL_SECONDS and sys.stderr.isatty():
            self._shown = now
            sys.stderr.write(f"\rLoading: {self.percent:.0f}% of {self.total_bytes >> 20} MB, "
                             f"about {self.eta_seconds} s left \033[K")
            sys.stderr.flush()

    async def pause(self) -> bool:
        """Let the clients be served; False if the server is to end, so that loading makes no sense any more."""
        await asyncio.sleep(0)
        return not self.engine.ending

    def end(self) -> None:
        """All is loaded, or loading failed."""
        if self._shown:
            self._shown = 0.0
            sys.stderr.write("\r\033[K")
        self.active = False
        self.engine.gate(GATE_LOADING, False)

    @property
    def percent(self) -> float:
        return self.loaded_bytes * 100 / self.total_bytes if self.total_bytes else 0.0

    @property
    def eta_seconds(self) -> int:
        """How long it will still take; 1 as long as nothing is known."""
        passed = int(time.time()) - self.started_s
        return passed * (self.total_bytes - self.loaded_bytes) // (self.loaded_bytes + 1) if passed else 1

    # --- RDB ----------------------------------------------------------------------------

    def open_rdb(self, path: str) -> int:
        """A descriptor to read a file by; -1 if there is no file. LoadError if it cannot be read."""
        try:
            return self.engine.config["dir"].open(path, os.O_RDONLY)
        except FileNotFoundError:
            return -1
        except OSError as error:
            self.engine.log.warning(f"Fatal error: can't open the RDB file {path} for reading: "
                                    f"{os.strerror(error.errno)}")
            raise LoadError(os.strerror(error.errno)) from None

    def _load_of(self, descriptor: int):
        """An RdbLoad of a file."""
        load = load_file(self.engine, descriptor, os.fstat(descriptor).st_size)
        load.verify = load.verify and self.engine.config["rdbchecksum"]     # DEBUG may have switched it off, too
        load.any_version = self.engine.config["rdb-version-check"] == "relaxed"
        load.key_delay_us = self.engine.config["key-load-delay"]
        return load

    async def _load_rdb(self, path: str) -> bool:
        """The RDB file, in slices. False if there is none or the server is to end; LoadError."""
        descriptor = self.open_rdb(path)
        if descriptor < 0:
            return False
        load = self._load_of(descriptor)
        replication = self.engine.replication
        load.drop_expired = not self.engine.config["replicaof"]     # a replica's master says what goes
        load.dropped = lambda database, key: replication.key_dropped(load.aux, database, key)
        self.begin(load.total)
        try:
            told = False
            while not self._step(load, SLICE_US):
                told = told or self.tell_origin(load)
                if not await self.pause():
                    return False
            if not told:
                self.tell_origin(load)
            self.finish_rdb(load)
            self.engine.kept = load.kept
            self.engine.scripts.functions.use(load.libraries)
            replication.restore(load.aux)
        finally:
            self.end()
            os.close(descriptor)
        return True

    def load_rdb_now(self, descriptor: int, replace: bool) -> None:
        """Load an RDB file while everything waits, and close it. replace: keys that are there are replaced.

        LoadError: some keys may have been loaded.
        """
        load = self._load_of(descriptor)
        load.replace = replace
        load.libraries = self.engine.scripts.functions.beside()
        self.begin(load.total)
        try:
            self._step(load, UNBOUNDED_US)
            self.tell_origin(load)
            self.finish_rdb(load)
            self.join_libraries(load, replace)
            kept_of(self.engine).add(load.kept)
        finally:
            self.end()
            os.close(descriptor)

    def join_libraries(self, load, replace: bool) -> None:
        """Add the libraries of a file to those that are there. LoadError."""
        try:
            self.engine.scripts.functions.join(load.libraries, replace)
        except BadLibraryError as problem:
            self.engine.log.warning(f"Failed creating the library: {problem}")
            raise LoadError(os.strerror(errno.EINVAL), within=True) from None

    def _step(self, load, budget_us: int) -> bool:
        """Load for so long; whether all is loaded. LoadError."""
        try:
            done = load.step(budget_us)
        except RdbError as error:
            raise LoadError(os.strerror(errno.EINVAL), self.tell_error(error)) from None
        except OSError as error:
            self.engine.log.warning(f"Error reading the RDB file: {os.strerror(error.errno)}")
            raise LoadError(os.strerror(error.errno)) from None
        self.went_to(load.offset)
        return done

    def tell_error(self, error: RdbError) -> bool:
        """Log why an RDB file cannot be loaded, in the words that tools know; whether it looked like one at first."""
        log, text = self.engine.log, error.args[0]
        if text.startswith(HEADER_ERRORS):
            log.warning(text)
            return False
        if text.startswith("Wrong RDB checksum"):
            log.warning(f"{text}. Aborting now.")
        elif text == "unexpected end":
            log.warning("Short read or OOM loading DB. Unrecoverable error, aborting now.")
        log.warning(f"Internal error in RDB reading offset {error.offset} -> {known_text(error)}")
        return True

    def tell_origin(self, load) -> bool:
        """Log what the AUX fields tell, once a key has come and they are therefore all there; whether that was so."""
        if not (load.keys or load.expired or load.done):
            return False
        log, aux = self.engine.log, load.aux
        if version := aux.get(b"redis-ver") or aux.get(b"valkey-ver"):
            log.notice(f"Loading RDB produced by version {version.decode(errors='replace')}")
        if (written := aux.get(b"ctime", b"")).isdigit():
            log.notice(f"RDB age {max(0, int(time.time()) - int(written))} seconds")
        if (memory := aux.get(b"used-mem", b"")).isdigit():
            self.used_memory = int(memory)
            log.notice(f"RDB memory usage when created {self.used_memory / 2**20:.2f} Mb")
        if aux.get(b"aof-base") == b"1":
            log.notice("RDB is base AOF")
        return True

    def finish_rdb(self, load) -> None:
        """An RDB file, or the base of an AOF, is loaded: note and log how much it was."""
        log = self.engine.log
        self.keys_loaded, self.keys_expired = load.keys, load.expired
        empty = f", empty keys skipped: {load.empty}" if load.empty else ""
        log.notice(f"Done loading RDB, keys loaded: {load.keys}, keys expired: {load.expired}{empty}.")
        if load.kept.has_parts:
            log.warning(f"{len(load.kept.before) + len(load.kept.after)} parts of the RDB file are not known here: "
                        "data of modules. They are kept, and saved again.")

    # --- the start ----------------------------------------------------------------------

    async def load_at_start(self) -> bool:
        """Load the AOF or the RDB file, as configured. Whether the server can go on."""
        engine = self.engine
        started = time.monotonic()
        if engine.aof is not None and engine.config["appendonly"]:
            return await engine.aof.load_at_start()
        try:
            if await self._load_rdb(engine.config["dbfilename"]):
                engine.log.notice(f"DB loaded from disk: {time.monotonic() - started:.3f} seconds")
        except LoadError as error:
            if error.within:                # read it once more, to tell in which key that is
                names_key = not engine.config["hide-user-data-from-log"]
                check_file(engine.config["dir"].absolute(engine.config["dbfilename"]), engine.log.warning, names_key)
            engine.log.warning("Terminating server after rdb file reading failure." if error.within
                               else f"Fatal error loading the DB: {error}. Exiting.")
            return False
        return True
