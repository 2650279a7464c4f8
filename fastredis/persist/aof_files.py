"""The append-only file of one server as a set of files: opened, loaded, rewritten, switched on and off.

    appendonlydir/ appendonly.aof.manifest             names the files, see manifest
                   appendonly.aof.1.base.rdb           the data set at some moment
                   appendonly.aof.1.incr.aof           what was propagated since; AppendOnly writes the last one

A rewrite begins a new increment and forks: the child writes the data set of that moment to a temporary file, which
becomes the next base, and what came before it is history. Whatever fails on the way, the files of the manifest
are whole. Switching on at run time is such a rewrite, too; until it is done, what is propagated goes to a temporary
increment (WAITING), since without a base it is worth nothing.
Source: https://redis.io/docs/latest/operate/oss_and_stack/management/persistence/
"""

import contextlib
import os
import time
from collections.abc import Iterator

from fastredis.config.config import Config, ConfigError
from fastredis.config.folder import Folder
from fastredis.engine.core import GATE_LOADING
from fastredis.engine.latency import timed
from fastredis.engine.reply import ErrorReply, Status
from fastredis.persist import manifest
from fastredis.persist.aof import AppendOnly
from fastredis.persist.aof_load import AofError, AofLoad
from fastredis.persist.aof_rewrite import write_base
from fastredis.persist.child import Child, Outcome
from fastredis.persist.files import remove_in_background
from fastredis.persist.loading import SLICE_US
from fastredis.persist.manifest import Manifest, ManifestError

OFF, ON, WAITING = range(3)
FEED_SETTINGS = ("appendfsync", "aof-timestamp-enabled", "no-appendfsync-on-rewrite")
FAILURES = 3  # in a row, after which the next automatic rewrite waits
LONGEST_WAIT_MINUTES = 60


class AofFiles:
    """All about an engine's AOF but the writing of commands, which `feed` does.

    state                   OFF, ON, or WAITING for the first base
    feed                    the AppendOnly
    base_size               bytes of all files after the latest rewrite; growth is reckoned from there
    scheduled               a rewrite is to begin as soon as no child is at work
    rewrites                rewrites begun
    failures                rewrites that failed, since the latest one that did not
    last_rewrite_ok         whether the latest one succeeded
    last_rewrite_seconds    how long it took; -1: there was none
    """

    def __init__(self, engine):
        self.engine = engine
        self.config: Config = engine.config
        self.log = engine.log
        self.state = OFF
        self.feed = AppendOnly(engine)
        self.feed.configure(self.config)
        self.manifest = Manifest()
        self._is_durable = True             # the manifest: a crash of the machine cannot bring the one before it back
        self.base_size = 0
        self.scheduled = False
        self.last_rewrite_ok = True
        self.last_rewrite_seconds = -1
        self._closed_size = 0               # bytes of all files but the one that is written
        self._rewrite_started_s: int | None = None
        self._base = ""                     # the file that the child writes,
        self._base_folder: Folder = self.folder     # ... and where
        self._rewrite_is_rdb = False
        self._rewrite_offset = 0            # Engine.propagated when it began
        self._next_wait_minutes = 0
        self._wait_until_s = 0.0
        self.reset_statistics()
        self.config.on_change("appendonly", self._switch)
        self.config.on_change("aof-disable-auto-gc", lambda config: self.delete_history())
        for name in FEED_SETTINGS:
            self.config.on_change(name, self.feed.configure)

    def reset_statistics(self) -> None:
        """CONFIG RESETSTAT."""
        self.rewrites = self.failures = 0
        self.feed.reset_statistics()

    @property
    def is_on(self) -> bool:
        """Whether the files hold the data: not while the first base is being written."""
        return self.state == ON

    # --- names --------------------------------------------------------------------------

    @property
    def stem(self) -> str:
        return self.config["appendfilename"]

    @property
    def folder(self) -> Folder:
        return self.config["dir"]

    def _create(self, name: str) -> int:
        """A new file to write. Raises OSError."""
        return self.folder.open(name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)

    @property
    def directory(self) -> str:
        return self.config["appenddirname"]

    def _path(self, name: str) -> str:
        return os.path.join(self.directory, name)

    @property
    def _waiting_name(self) -> str:
        """Of the increment that is written while there is no base for it."""
        return f"temp-{self.stem}.incr"

    def _make_directory(self) -> bool:
        try:
            with contextlib.suppress(FileExistsError):
                self.folder.make(self.directory, 0o755)
        except OSError as error:
            self.log.warning(f"Can't open or create append-only dir {self.directory}: {error.strerror}")
            return False
        return True

    def _write_manifest(self, wanted: Manifest) -> bool:
        """Make a manifest the valid one, on the disk and here; whether nobody can find the old one any more.

        Once it has the old one's place it is the valid one, even if it may lose that again by a crash of the machine.
        """
        failure, placed = manifest.write(wanted, self.folder, self.directory, self.stem)
        if placed:
            self.manifest = wanted
        self._is_durable = failure is None
        if failure is not None:
            self.log.warning(failure)
        return failure is None

    def _open(self, name: str, extra: int = 0) -> int:
        """A file to append to; -1, and a line in the log, if there cannot be one."""
        try:
            return self.folder.open(self._path(name), os.O_WRONLY | os.O_APPEND | os.O_CREAT | extra, 0o644)
        except OSError as error:
            self.log.warning(f"Can't open the append-only file {name}: {error.strerror}")
            return -1

    # --- loading ------------------------------------------------------------------------

    def read_manifest(self) -> bool:
        """Take what the manifest on the disk says; False, and lines in the log, when it makes no sense."""
        path = self._path(self.stem + manifest.SUFFIX)
        try:
            with os.fdopen(self.folder.open(path, os.O_RDONLY), "rb") as stream:
                self.manifest = manifest.parse(stream.read())
        except FileNotFoundError:
            self.manifest = Manifest()
        except OSError as error:
            what = f"can't open the AOF manifest file {path} for reading: {error.strerror}"
            if not self.config["appendonly"]:
                self.log.warning(f"The AOF is off, and what there is of it is of no use: {what}")
                return True
            self.log.warning(f"Fatal error: {what}")
            return False
        except ManifestError as error:
            for line in error.messages():
                self.log.warning(line)
            return False
        return True

    async def load_at_start(self) -> bool:
        """Load the AOF that the manifest names and go on writing it; whether the server can go on."""
        started = time.monotonic()
        loading = self.engine.loading
        try:
            if not self._upgrade():
                return False
            if self.manifest:
                for _ in self.load():
                    if not await loading.pause():
                        return False
                self.log.notice(f"DB loaded from append only file: {time.monotonic() - started:.3f} seconds")
        except AofError as error:
            self.log.warning(str(error))
            return False
        if not self._open_at_start():
            return False
        self.delete_history()
        return True

    def _upgrade(self) -> bool:
        """Make an AOF of the time before Redis 7, one file in the working directory, the base of a new one."""
        known = self.manifest
        only = known.base is not None and not known.incrs and known.base.name == self.stem
        if not self.folder.has(self.stem) or not (
                not known or (only and not self.folder.has(self._path(self.stem)))):
            return True
        base = manifest.AofFile(self.stem, 1, manifest.BASE)
        if not self._make_directory() or not self._write_manifest(Manifest(base=base, base_seq=1)):
            return False
        try:
            self.folder.rename(self.stem, self._path(self.stem))
            self.folder.sync(self.directory)
        except OSError as error:
            self.log.warning(f"Error trying to move the old AOF file {self.stem} into dir {self.directory}: "
                             f"{error.strerror}")
            return False
        self.log.notice(f"Successfully migrated an old-style AOF file ({self.stem}) into the AOF directory "
                        f"({self.directory}).")
        return True

    def load(self) -> Iterator[None]:
        """Load what the manifest names, a slice with each step. AofError: it cannot be loaded."""
        files = self.manifest.files
        sizes = [self._size(each.name) for each in files]
        self.base_size = sizes[0] if self.manifest.base is not None else 0
        self._closed_size = sum(sizes)
        if not self._closed_size:
            return
        loading = self.engine.loading
        loading.begin(self._closed_size)
        try:
            done = 0
            for at, (each, size) in enumerate(zip(files, sizes, strict=True)):
                # An increment that is empty: a rewrite had begun it, and the server died before it wrote there.
                nothing_follows = each.kind == manifest.INCR and not any(sizes[at + 1:])
                yield from self._load_file(each, done, is_last=each is files[-1] or nothing_follows)
                done += size
        finally:
            loading.end()

    def _size(self, name: str) -> int:
        try:
            return self.folder.size(self._path(name))
        except OSError as error:
            raise AofError(f"Unable to obtain the AOF file {name} length. stat: {error.strerror}") from error

    def _load_file(self, each: manifest.AofFile, done: int, is_last: bool) -> Iterator[None]:
        """Load one file; `done` bytes of others were loaded before."""
        started = time.monotonic()
        try:
            load = AofLoad(self.engine, self.folder.open(self._path(each.name), os.O_RDONLY), each.name,
                           each.name == self.stem)
        except OSError as error:
            raise AofError(f"Fatal error: can't open the append log file {each.name} for reading: "
                           f"{error.strerror}") from error
        rdb = load.rdb
        try:
            while not load.step(SLICE_US):
                self.engine.loading.went_to(done + load.offset)
                yield
            if rdb is not None:
                self.engine.loading.finish_rdb(rdb)
                self.engine.kept = rdb.kept
                self.engine.scripts.functions.use(rdb.libraries)
            if load.is_torn:
                self._cut(load, is_last)
        finally:
            load.close()
        if load.size:
            kind = "base" if each.kind == manifest.BASE else "incr"
            self.log.notice(f"DB loaded from {kind} file {each.name}: {time.monotonic() - started:.3f} seconds")

    def _cut(self, load: AofLoad, is_last: bool) -> None:
        """A file ends in the middle of something. Where writing may have been interrupted, that is taken away."""
        log, name = self.log, load.name
        if not self.config["aof-load-truncated"]:
            raise AofError(
                f"Unexpected end of file reading the append only file {name}. You can: 1) Make a backup of your AOF "
                "file, then use fastredis --check-aof <filename.manifest> --fix. 2) Alternatively you can set the "
                "'aof-load-truncated' configuration option to yes and restart the server.")
        log.warning(f"!!! Warning: short read while loading the AOF file {name}!!!")
        if not is_last:
            raise AofError("Fatal error: the truncated file is not the last file")
        log.warning(f"!!! Truncating the AOF {name} at offset {load.valid} !!!")
        try:
            self.folder.truncate(self._path(name), load.valid)
        except OSError as error:
            raise AofError(f"Error truncating the AOF file {name}: {error.strerror}") from error
        self._closed_size -= load.size - load.valid
        log.warning(f"AOF {name} loaded anyway because aof-load-truncated is enabled")

    def load_again(self) -> bool:
        """DEBUG LOADAOF, the databases being empty: load all there is, while clients wait. False if it fails."""
        self.feed.suspend(True)
        self.engine.gate(GATE_LOADING, True)        # nothing expires: its commands find what they found
        try:
            if not self.read_manifest():
                return False
            for _ in self.load():
                pass
        except AofError as error:
            self.log.warning(str(error))
            return False
        finally:
            self.engine.gate(GATE_LOADING, False)
            self.feed.suspend(False)
        if self.state == ON:
            self._closed_size -= self.feed.file_size
        self.engine.saver.saved_dirty = self.engine.dirty
        return True

    # --- opening ------------------------------------------------------------------------

    def _open_at_start(self) -> bool:
        """Open the last increment, or the first one; a server without data makes a base for it."""
        if not self._make_directory():
            return False
        wanted = self.manifest.copy()
        opened = bool(wanted.incrs)
        if not wanted:
            base = wanted.new_base(self.stem, self.config["aof-use-rdb-preamble"])
            if not self._write_first_base(base.name):
                return False
            self.log.notice(f"Creating AOF base file {base.name} on server start")
        last = wanted.incrs[-1] if wanted.incrs else wanted.new_incr(self.stem)
        descriptor = self._open(last.name)
        if descriptor < 0:
            return False
        if wanted != self.manifest and not self._write_manifest(wanted):
            os.close(descriptor)
            return False
        size = os.fstat(descriptor).st_size
        self._closed_size -= size
        self.state = ON
        self.feed.open(descriptor, size)
        self.log.notice(f"{'Opening' if opened else 'Creating'} AOF incr file {last.name} on server start")
        return True

    def _write_first_base(self, name: str) -> bool:
        temporary = f"temp-rewriteaof-{os.getpid()}-{self.engine.run_id[:8]}.aof"
        try:
            write_base(self.engine, self._create(temporary), self.config["aof-use-rdb-preamble"])
            self.folder.rename(temporary, self._path(name))
        except OSError as error:
            self.log.warning(f"Write error writing append only file on disk: {error.strerror}")
            return False
        self.base_size = self._closed_size = self.folder.size(self._path(name))
        return True

    # --- switching ----------------------------------------------------------------------

    def _switch(self, config: Config) -> None:
        """CONFIG SET appendonly."""
        if config["appendonly"] and self.state == OFF:
            if not self.start():
                raise ConfigError("Unable to turn on AOF. Check server logs.")
        elif not config["appendonly"] and self.state != OFF:
            self.stop()

    def start(self) -> bool:
        """Switch the AOF on: a rewrite begins, or is scheduled; False if it cannot be begun."""
        if self._rewriting:                 # which does not go with an increment
            self.log.notice("AOF was enabled but there is already an AOF rewriting in background. Stopping background "
                            "AOF and starting a rewrite now.")
            self._kill_child()
        self.state = WAITING
        if self._child_works:
            self.scheduled = True
            self.log.notice("AOF was enabled but there is already another background operation. An AOF background was "
                            "scheduled to start when possible.")
        elif self._is_barred:
            self.scheduled = True
            self.log.notice(f"AOF was enabled, but {self.engine.saver.obstacle}. An AOF background was scheduled to "
                            "start when possible.")
        elif self.feed.in_transaction:
            self.scheduled = True
            self.log.notice("AOF was enabled during a transaction. An AOF background was scheduled to start when "
                            "possible.")
        elif not self.rewrite():
            self.state = OFF
            self.log.warning("Redis needs to enable the AOF but can't trigger a background AOF rewrite operation. "
                             "Check the above logs for more info about the error.")
            return False
        return True

    def stop(self) -> None:
        """Switch the AOF off; all that was propagated so far is in it."""
        was_waiting = self.state == WAITING
        self.state = OFF
        if self.scheduled:
            self.scheduled = False
            self.log.notice("AOF was disabled but there is a scheduled AOF background, cancel it.")
        self.feed.close(was_waiting)
        if self._rewriting:
            self._kill_child()
        if was_waiting:
            remove_in_background(self.engine, self.folder, self._path(self._waiting_name))

    @property
    def _rewriting(self) -> bool:
        return self.engine.child is not None and self.engine.child.kind == "aof"

    @property
    def _child_works(self) -> bool:
        """Whether somebody is at work on a copy of the data, or a snapshot of it."""
        return self.engine.child is not None or self.engine.saver.running

    @property
    def _is_barred(self) -> bool:
        """Whether the data are not such that an AOF may be made of them."""
        return self.engine.saver.obstacle is not None

    def _kill_child(self) -> None:
        self.log.notice(f"Killing running AOF rewrite child: {self.engine.child.pid}")
        self.engine.child.kill()

    # --- rewriting ----------------------------------------------------------------------

    def command_rewrite(self, in_transaction: bool) -> Status:
        """BGREWRITEAOF: begin a rewrite, or schedule one; what to reply. Raises an ErrorReply."""
        if self._rewriting:
            raise ErrorReply("ERR Background append only file rewriting already in progress")
        if self._child_works or self._is_barred or in_transaction:
            self.scheduled = True
            self.failures = 0               # who asks for it need not wait because of them
            self.log.notice("Background append only file rewriting scheduled.")
            return Status("Background append only file rewriting scheduled")
        if self.rewrite():
            return Status("Background append only file rewriting started")
        raise ErrorReply("ERR Can't execute an AOF background rewriting. Please check the server logs for more "
                         "information.")

    def rewrite(self) -> bool:
        """Begin a rewrite. No child may be at work, and no transaction under way."""
        if not self._make_directory() or not self._begin_incr():
            self._rewrite_failed()
            return False
        self.rewrites += 1
        self._rewrite_offset = self.engine.propagated
        kept = self.engine.kept             # which commands cannot make
        self._rewrite_is_rdb = self.config["aof-use-rdb-preamble"] or (kept is not None and kept.has_parts)
        try:
            child = Child(self.engine, "aof", self._work, self._ended, self._temporary)
        except OSError as error:
            self._rewrite_failed()
            self.log.warning(f"Can't rewrite append only file in background: fork: {error.strerror}")
            self.feed.give_up_base()
            if self.state == WAITING:
                self._drop_waiting()
            return False
        self._base, self._base_folder = child.file, child.folder
        self.log.notice(f"Background append only file rewriting started by pid {child.pid}")
        self.scheduled = False
        self._rewrite_started_s = int(time.time())
        return True

    def _begin_incr(self) -> bool:
        """What is propagated from now on goes to a new file."""
        if self.state == OFF:
            return True
        if not self.feed.flush_all() and self.state == ON:
            self.log.notice("The present AOF file cannot be written. What it lacks will be in the new base.")
            self.feed.await_base()
            return True
        wanted = self.manifest.copy()
        name = self._waiting_name if self.state == WAITING else wanted.new_incr(self.stem).name
        descriptor = self._open(name, os.O_TRUNC)
        if descriptor < 0:
            return False
        if self.state == ON and not self._write_manifest(wanted):
            os.close(descriptor)
            return False
        self.log.notice(f"Creating AOF incr file {name} on background rewrite")
        if self.state == ON:
            self._closed_size += self.feed.file_size
            self.feed.change_file(descriptor)
        else:
            self.feed.open(descriptor, 0)
        return True

    @staticmethod
    def _temporary(pid: int) -> str:
        return f"temp-rewriteaof-bg-{pid}.aof"

    def _work(self, child: Child) -> bool:
        """In the child: write the new base."""
        path = self._temporary(os.getpid())
        try:
            write_base(self.engine, self._create(path), self._rewrite_is_rdb, child)
        except OSError as error:
            self.log.warning(f"Write error writing append only file on disk: {error.strerror}")
            return False
        self.log.notice(f"Successfully created the temporary AOF base file {path}")
        return True

    def _ended(self, outcome: Outcome) -> None:
        """The child is gone."""
        if outcome.succeeded:
            self.log.notice("Background AOF rewrite terminated with success")
            if self._finish_rewrite():
                self.log.notice("Background AOF rewrite finished successfully")
            else:
                remove_in_background(self.engine, self._base_folder, self._base)
                self._rewrite_failed()
        elif not outcome.signal:
            self._rewrite_failed()
            self.log.warning("Background AOF rewrite terminated with error")
        else:
            if not outcome.was_killed:
                self._rewrite_failed()
            self.log.warning(f"Background AOF rewrite terminated by signal {outcome.signal}")
        self.feed.give_up_base()
        if self.state == WAITING:
            self._drop_waiting()
            self.scheduled = True
        self.last_rewrite_seconds = int(time.time()) - self._rewrite_started_s
        self._rewrite_started_s = None

    def _rewrite_failed(self) -> None:
        self.last_rewrite_ok = False
        self.failures += 1

    def _drop_waiting(self) -> None:
        """The increment that has no base is worth nothing."""
        self.feed.close(True)
        self.log.notice(f"Removing the temp incr aof file {self._waiting_name} in the background")
        remove_in_background(self.engine, self.folder, self._path(self._waiting_name))

    def _finish_rewrite(self) -> bool:
        """Make what the child wrote the base, and what came before it history."""
        wanted = self.manifest.copy()
        base = wanted.new_base(self.stem, self._rewrite_is_rdb)
        moved = []
        if not self._move(self._base, self._path(base.name), "base", moved, self._base_folder):
            return False
        if self.state == WAITING:
            incr = wanted.new_incr(self.stem)
            if not self._move(self._path(self._waiting_name), self._path(incr.name), "incr", moved):
                return self._undo(moved)
        fresh = -1
        if self.feed.awaits_base:
            fresh = self._open(wanted.new_incr(self.stem).name, os.O_TRUNC)
            if fresh < 0:
                return self._undo(moved)
        if not self._replace_manifest(wanted, moved):
            if fresh >= 0:
                os.close(fresh)
            return False
        self._closed_size = self.folder.size(self._path(base.name))
        if fresh >= 0:
            self.feed.base_ready(fresh)
        self.base_size = self.current_size
        if self.state == WAITING:
            self.state = ON
        if self.state == ON:
            self.feed.note_base(self._rewrite_offset)
        self.delete_history()
        self.last_rewrite_ok = True
        self.failures = 0
        return True

    def _replace_manifest(self, wanted: Manifest, moved: list[str]) -> bool:
        """The files of a rewrite have their names: make them those that count. False: they do not."""
        wanted.retire_incrs(kept=0 if self.state == OFF else 1)
        try:
            self.folder.sync(self.directory)
        except OSError as error:
            self.log.warning(f"Fail to fsync AOF directory {self.directory}: {error.strerror}.")
            return self._undo(moved)
        if not self._write_manifest(wanted):
            if self.manifest is not wanted:
                return self._undo(moved)
            if self.state == WAITING:
                return False                # what the AOF has so far is worth nothing if the manifest goes
        return True

    def _move(self, source: str, target: str, kind: str, moved: list[str], folder: Folder | None = None) -> bool:
        """Give a temporary file its name, and note that. folder: where it is, if it may be elsewhere."""
        try:
            with timed(self.engine, "aof-rename"):
                self.folder.rename(source, target, folder)
        except OSError as error:
            self.log.warning(f"Error trying to rename the temporary AOF {kind} file {source} into {target}: "
                             f"{error.strerror}")
            return False
        moved.append(target)
        self.log.notice(f"Successfully renamed the temporary AOF {kind} file {os.path.basename(source)} into "
                        f"{os.path.basename(target)}")
        return True

    def _undo(self, moved: list[str]) -> bool:
        for path in moved:
            remove_in_background(self.engine, self.folder, path)
        return False

    def delete_history(self) -> None:
        """Remove the files that no manifest needs any more, unless that is switched off."""
        if self.config["aof-disable-auto-gc"] or not self.manifest.history or not self._make_durable():
            return
        wanted = self.manifest.copy()
        for each in self.manifest.history:
            self.log.notice(f"Removing the history file {each.name} in the background")
            remove_in_background(self.engine, self.folder, self._path(each.name))
        wanted.history = []
        self._write_manifest(wanted)

    def _make_durable(self) -> bool:
        """Have the manifest's place on the disk, if it is not yet."""
        if not self._is_durable:
            try:
                self.folder.sync(self.directory)
            except OSError as error:
                self.log.warning(f"Fail to fsync AOF directory {self.directory}: {error.strerror}. Files that an older "
                                 "manifest needs are kept.")
            else:
                self._is_durable = True
        return self._is_durable

    # --- timers, the end ----------------------------------------------------------------

    @property
    def current_size(self) -> int:
        """Bytes of all files."""
        return self._closed_size + (self.feed.file_size if self.state != OFF else 0)

    def cron(self) -> None:
        """Timer: what was put off, and rewrites that are due."""
        self.feed.child_works = self._child_works
        if self.state != OFF:
            self.feed.cron()
        if self._child_works or self._is_barred:
            return
        if self.scheduled:
            if not self._is_limited():
                self.rewrite()
        elif self.state == ON:
            self._rewrite_when_grown()

    def _rewrite_when_grown(self) -> None:
        percentage = self.config["auto-aof-rewrite-percentage"]
        size = self.current_size
        if not percentage or size <= self.config["auto-aof-rewrite-min-size"]:
            return
        growth = size * 100 // max(1, self.base_size) - 100
        if growth >= percentage and not self._is_limited():
            self.log.notice(f"Starting automatic rewriting of AOF on {growth}% growth")
            self.rewrite()

    def _is_limited(self) -> bool:
        """Whether rewrites failed so often that the next one has to wait: a minute, then two, four ..."""
        if self.failures < FAILURES:
            self._next_wait_minutes = 0
            self._wait_until_s = 0.0
            return False
        if self._wait_until_s:
            if time.time() < self._wait_until_s:
                return True
            self._wait_until_s = 0.0
            return False
        self._next_wait_minutes = min(self._next_wait_minutes * 2 or 1, LONGEST_WAIT_MINUTES)
        self._wait_until_s = time.time() + self._next_wait_minutes * 60
        self.log.warning("Background AOF rewrite has repeatedly failed and triggered the limit, will retry in "
                         f"{self._next_wait_minutes} minutes")
        return True

    def close_at_end(self, force: bool) -> bool:
        """The server is about to end: have all on the disk. False: it should not end now."""
        if self._rewriting:
            if self.state == WAITING:
                if not force:
                    self.log.warning("Writing initial AOF, can't exit.")
                    return False
                self.log.warning("Writing initial AOF. Exit anyway.")
            self.log.warning("There is a child rewriting the AOF. Killing it!")
            self._kill_child()
        if self.state == ON:
            self.log.notice("Calling fsync() on the AOF file.")
            self.feed.finish()
        return True

    def end(self) -> None:
        """After close_at_end(): the server is done, nothing is written any more."""
        self.feed.close()

    # --- INFO ---------------------------------------------------------------------------

    def fields(self) -> list[tuple[str, object]]:
        """The aof_ fields of INFO persistence."""
        started = self._rewrite_started_s
        return [
            ("aof_enabled", int(self.state != OFF)),
            ("aof_rewrite_in_progress", int(self._rewriting)),
            ("aof_rewrite_scheduled", int(self.scheduled)),
            ("aof_last_rewrite_time_sec", self.last_rewrite_seconds),
            ("aof_current_rewrite_time_sec", int(time.time()) - started if started is not None else -1),
            ("aof_last_bgrewrite_status", "ok" if self.last_rewrite_ok else "err"),
            ("aof_rewrites", self.rewrites),
            ("aof_rewrites_consecutive_failures", self.failures),
            ("aof_last_write_status", "err" if self.feed.error else "ok"),
            ("aof_last_cow_size", self.engine.metrics.cow_sizes["aof"]),
        ]

    def size_fields(self) -> list[tuple[str, object]]:
        """Those that are there only while the AOF is on."""
        if self.state == OFF:
            return []
        return [
            ("aof_current_size", self.current_size),
            ("aof_base_size", self.base_size),
            ("aof_pending_rewrite", int(self.scheduled)),
            ("aof_buffer_length", self.feed.buffered),
            ("aof_pending_bio_fsync", self.feed.syncing),
            ("aof_delayed_fsync", self.feed.delayed),
        ]
