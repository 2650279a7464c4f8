"""SAVE, BGSAVE and save points: when the data set goes into its RDB file, and what came of it.

A file is written under a temporary name, temp-<process id>.rdb, made durable with fsync(2), and renamed by the server:
whoever looks at any moment, even after a crash, finds the whole old file or the whole new one, and a child that was
killed cannot put its file in the place of a later one.
"""

import asyncio
import contextlib
import os

from fastredis.config.folder import Folder
from fastredis.persist.child import Child, Outcome
from fastredis.persist.files import remove_in_background, sync_and_close
from fastredis.persist.snapshot import SliceSnapshot, write_data_set

RETRY_SECONDS = 5               # between a failed background save and the next one by itself
MISCONF = (
    b"MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk. Commands that "
    b"may modify the data set are disabled, because this instance is configured to report errors during writes if RDB "
    b"snapshotting fails (stop-writes-on-bgsave-error option). Please check the Redis logs for details about the RDB "
    b"error."
)

# Why the data may not be saved now: Saver.obstacle.
LOADING = "the data set is being loaded"
REPLACING = "the data set is being replaced by the master's"
INCOMPLETE = "the data set in memory is not whole, since loading it failed"


def temporary_name(pid: int | str) -> str:
    return f"temp-{pid}.rdb"


def keeps_nothing(config) -> bool:
    """Whether neither save points nor the AOF put the data on the disk."""
    return not config["save"] and not config["appendonly"]


def write_file(engine, temporary: str, report=None) -> bool:
    """Write the data set to a temporary file, in this process; False, and a line in the log, if that fails."""
    descriptor = write_and_keep(engine, temporary, report)
    if descriptor < 0:
        return False
    os.close(descriptor)
    return True


def write_and_keep(engine, temporary: str, report=None) -> int:
    """The same; returns a descriptor to read the file by, whatever its name becomes, or -1."""
    log, folder = engine.log, engine.config["dir"]
    try:
        descriptor = folder.open(temporary, os.O_RDWR | os.O_CREAT | os.O_TRUNC)
    except OSError as error:
        log.warning(f"Failed opening the temp RDB file {temporary} (in server root dir {folder.path}) for saving: "
                    f"{os.strerror(error.errno)}")
        return -1
    try:
        write_data_set(engine, descriptor, report)
        os.fsync(descriptor)
    except OSError as error:
        log.warning(f"Write error saving DB to disk({temporary}): {os.strerror(error.errno)}")
        os.close(descriptor)
        with contextlib.suppress(OSError):
            folder.remove(temporary)
        return -1
    os.lseek(descriptor, 0, os.SEEK_SET)
    return descriptor


class Saver:
    """The RDB file of one engine.

    saved_dirty      Engine.dirty at the moment that the latest file shows
    last_save_s      when it was complete, seconds since the epoch
    last_ok          whether the latest attempt succeeded
    last_seconds     how long the latest background save took, -1: there was none
    started_s        when the one under way began; None: there is none
    scheduled        whether one is to begin as soon as no other child is at work
    saves            files begun
    forkless         whether background saves do without fork(2), for systems where that cannot be
    sweeping         a snapshot without a fork has not yet walked through all keys, though it may have been cancelled
    obstacle         why the data may not be saved now, nor an AOF be made of them; None: they may. Files that hold
                     more than the memory stay as they are then, whoever asks: commands, save points, the end
    """

    def __init__(self, engine):
        self.engine = engine
        self.saved_dirty = 0
        self.last_save_s = engine.started_ms // 1000
        self.last_ok = True
        self.last_seconds = -1
        self.started_s: int | None = None
        self.scheduled = False
        self.saves = 0
        self._last_try_s = 0
        self._dirty_at_start = 0
        self.forkless = False
        self.sweeping = False
        self.obstacle: str | None = None
        self._child: Child | None = None
        self._target = ""                   # the file that is being written,
        self._folder: Folder = engine.config["dir"]     # ... and where
        self._moving: asyncio.Future | None = None      # it has its name, which is being made durable
        self._slices: SliceSnapshot | None = None
        self._slices_file = -1
        engine.config.on_change("save", self._check_writes)
        engine.config.on_change("stop-writes-on-bgsave-error", self._check_writes)

    @property
    def changes(self) -> int:
        """Changes that no file shows."""
        return self.engine.dirty - self.saved_dirty

    @property
    def running(self) -> bool:
        """Whether a background save is under way."""
        return self.started_s is not None

    @property
    def at_work(self) -> bool:
        """Whether another background save would have to wait, for whatever it is."""
        return self.engine.child is not None or self.running or self.sweeping

    @property
    def running_seconds(self) -> int:
        """How long the background save under way has taken so far; -1: there is none."""
        return self._now_s() - self.started_s if self.started_s is not None else -1

    @property
    def path(self) -> str:
        return self.engine.config["dbfilename"]

    @property
    def temporary(self) -> str:
        """What the file is called while this process writes it."""
        return temporary_name(f"{os.getpid()}-{self.engine.run_id[:8]}")

    def _now_s(self) -> int:
        return self.engine.clock.now_ms // 1000

    # --- saving -------------------------------------------------------------------------

    def save(self) -> bool:
        """Write the file now; nothing else happens meanwhile. False if it cannot be written."""
        descriptor = self.save_and_keep()
        if descriptor < 0:
            return False
        os.close(descriptor)
        return True

    def save_and_keep(self) -> int:
        """The same; returns a descriptor to read the file by, or -1."""
        if self._is_barred():
            return -1
        self.saves += 1
        temporary, folder = self.temporary, self.engine.config["dir"]
        descriptor = write_and_keep(self.engine, temporary)
        if descriptor < 0:
            return -1
        try:
            folder.rename(temporary, self.path)
            folder.sync()
        except OSError as error:
            self._not_moved(folder, temporary, self.path, error)
            os.close(descriptor)
            return -1
        self.engine.log.notice("DB saved on disk")
        self._saved(self.engine.dirty)
        return descriptor

    def save_in_background(self) -> bool:
        """Begin to write the file beside everything else; False if that cannot be begun.

        The caller has seen that nothing is `at_work`.
        """
        engine = self.engine
        if self._is_barred():
            return False
        self.saves += 1
        self._dirty_at_start = engine.dirty
        self._last_try_s = self._now_s()
        self._target, self._folder = self.path, engine.config["dir"]    # CONFIG SET may change either meanwhile
        if self.forkless:
            return self._begin_slices()
        try:
            self._child = Child(engine, "rdb", self._work, self._ended, temporary_name)
        except OSError as error:
            self._failed()
            engine.log.warning(f"Can't save in background: fork: {os.strerror(error.errno)}")
            return False
        engine.log.notice(f"Background saving started by pid {self._child.pid}")
        self.started_s = self._last_try_s
        return True

    def _is_barred(self) -> bool:
        """Whether the data may not be saved now, which the log tells then."""
        if self.obstacle is not None:
            self.engine.log.warning(f"The data are not saved: {self.obstacle}.")
        return self.obstacle is not None

    def _work(self, child: Child) -> bool:
        """In the child: write the file."""
        def report(keys):
            child.keys_done = keys
            child.report(keys)
        return write_file(self.engine, temporary_name(os.getpid()), report)

    def _ended(self, outcome: Outcome) -> None:
        """The child is gone, or was killed."""
        child, self._child = self._child, None
        if outcome.succeeded:
            self._move(child.file)
            return
        if outcome.signal:
            self.engine.log.warning(f"Background saving terminated by signal {outcome.signal}")
        else:
            self.engine.log.warning("Background saving error")
        self._background_failed(is_failure=not outcome.was_killed)

    def _move(self, temporary: str) -> None:
        """A background save has written its file: give it its name. That this is durable is seen to in a thread."""
        try:
            self._folder.rename(temporary, self._target)
        except OSError as error:
            self._not_moved(self._folder, temporary, self._target, error)
            self._background_failed()
            return
        self._moving = self.engine.run_in_thread(self._folder.sync)
        self._moving.add_done_callback(self._moved)

    def _moved(self, future: asyncio.Future) -> None:
        if self._moving is not future:
            return                          # it was cancelled
        self._moving = None
        log = self.engine.log
        error = future.exception()
        if error is not None:
            log.warning(f"Failed to fsync the directory of the DB file {self._target}: {error}")
            self._background_failed()
            return
        log.notice("DB saved on disk")
        log.notice("Background saving terminated with success")
        self._stop_clock()
        self._saved(self._dirty_at_start)
        self._tell_replicas(True)

    def _not_moved(self, folder: Folder, temporary: str, target: str, error: OSError) -> None:
        self.engine.log.warning(f"Error moving temp DB file {temporary} on the final destination {target} (in server "
                                f"root dir {folder.path}): {os.strerror(error.errno)}")
        remove_in_background(self.engine, folder, temporary)

    def _background_failed(self, is_failure: bool = True) -> None:
        """The background save under way has come to nothing. is_failure: though it was wanted."""
        self._stop_clock()
        if is_failure:
            self._failed()
        self._tell_replicas(False)

    def _tell_replicas(self, succeeded: bool) -> None:
        """Replicas may wait for the file that was written, or for something else to be written."""
        self.engine.replication.save_ended(succeeded)

    def _stop_clock(self) -> None:
        self.last_seconds = self._now_s() - self.started_s
        self.started_s = None

    def _saved(self, dirty: int) -> None:
        self.saved_dirty = dirty
        self.last_save_s = self._now_s()
        self.last_ok = True
        self._check_writes()

    def _failed(self) -> None:
        self.last_ok = False
        self._check_writes()

    def _check_writes(self, config=None) -> None:
        """Refuse writes while they cannot be saved, if that is configured."""
        config = self.engine.config
        refuse = not self.last_ok and config["stop-writes-on-bgsave-error"] and config["save"]
        self.engine.disk_error("rdb", MISCONF if refuse else None)

    # --- saving without a fork ----------------------------------------------------------

    def _begin_slices(self) -> bool:
        engine = self.engine
        path = self._slices_path()
        try:
            self._slices_file = self._folder.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        except OSError as error:
            self._failed()
            engine.log.warning(f"Failed opening the temp RDB file {path} (in server root dir {self._folder.path}) for "
                               f"saving: {os.strerror(error.errno)}")
            return False
        self._slices = SliceSnapshot(engine, self._slices_file, self._slices_written, self._slices_swept)
        self.sweeping = True
        engine.log.notice("Background saving started without a fork")
        self.started_s = self._last_try_s
        return True

    def _slices_path(self) -> str:
        return temporary_name(f"{os.getpid()}-{self.engine.run_id[:8]}-slices")

    def _slices_swept(self) -> None:
        self.sweeping = False

    def _slices_written(self, error: OSError | None) -> None:
        """All is written, or it cannot be. What is written goes to the disk in another thread."""
        if error is not None:
            self._slices_failed(error)
            return
        slices = self._slices
        syncing = self.engine.run_in_thread(sync_and_close, os.dup(self._slices_file))
        syncing.add_done_callback(lambda future: self._slices_synced(slices, future.exception()))

    def _slices_synced(self, slices: SliceSnapshot, error: BaseException | None) -> None:
        if self._slices is not slices:
            return                          # it was cancelled
        if error is not None:
            self._slices_failed(error)
            return
        os.close(self._slices_file)
        self._slices = None
        self._move(self._slices_path())

    def _slices_failed(self, error: BaseException) -> None:
        self.engine.log.warning(f"Write error saving DB to disk({self._slices_path()}): {error}")
        self.engine.log.warning("Background saving error")
        self._drop_slices()
        self._background_failed()

    def _drop_slices(self) -> None:
        """Write no more, and remove what was written."""
        slices, self._slices = self._slices, None
        slices.cancel()
        os.close(self._slices_file)
        remove_in_background(self.engine, self._folder, self._slices_path())

    # --- ending a save ------------------------------------------------------------------

    def cancel(self) -> bool:
        """End the background save under way, which is no failure; False if there is none. The file stays as it is."""
        if not self.running:
            return False
        if self._child is not None:
            self._child.kill()
            return True
        self.engine.log.notice("Background saving cancelled")
        if self._slices is not None:
            self._drop_slices()
        self._moving = None
        self._background_failed(is_failure=False)
        return True

    def flushed(self) -> None:
        """FLUSHALL: what is being saved is gone, and with save points the file shows that at once."""
        if self.obstacle == INCOMPLETE:
            self.obstacle = None                # having nothing is what was asked for
        self.cancel()
        self.engine.replication.flushed()
        if self.engine.config["save"] and self.obstacle is None:    # a FLUSHALL in the AOF that is being loaded
            self.save()

    # --- timers -------------------------------------------------------------------------

    def cron(self) -> None:
        """Begin a background save if a save point is reached or one is scheduled."""
        engine = self.engine
        if self.at_work or self.obstacle is not None:
            return
        now_s = self._now_s()
        may_try = self.last_ok or now_s - self._last_try_s > RETRY_SECONDS
        if not may_try:
            return
        for point in engine.config["save"]:
            if self.changes >= point.changes and now_s - self.last_save_s > point.seconds:
                engine.log.notice(f"{point.changes} changes in {point.seconds} seconds. Saving...")
                self.save_in_background()
                return
        if self.scheduled and self.save_in_background():
            self.scheduled = False
