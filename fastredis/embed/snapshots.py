"""States of the data in memory, to go back to; and data sets in files."""

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from fastredis.embed.errors import FastredisError
from fastredis.engine.savepoints import SavepointError, State, savepoints_of
from fastredis.persist.rdb_load import RdbError
from fastredis.persist.snapshot import write_data_set
from fastredis.replication.data_set import SpareDatabases, load_into, note_change

UNBOUNDED_US = 2**60


@contextlib.contextmanager
def errors_told() -> Iterator[None]:
    try:
        yield
    except SavepointError as error:
        raise FastredisError(str(error)) from None


class Snapshot:
    """The data of a server at one moment, kept in memory: server.snapshot(). server.restore(snapshot) goes back to it.

    Making one costs nothing; afterwards what changes is kept as it was, once. It is let go by close(), or when nobody
    has it any more. Several may be alive, and gone to in any order.
    """

    def __init__(self, local: Any):
        self._local = local
        with errors_told():
            self._state: State = local.call(lambda: savepoints_of(local.engine).save())

    def belongs_to(self, local: Any) -> bool:
        return self._local.engine is local.engine

    def restore(self, local: Any) -> None:
        with errors_told():
            local.call(in_turn, local.engine, self._state.return_to)

    @property
    def is_closed(self) -> bool:
        """Whether it can be gone to no more."""
        return not self._state.is_wanted

    def close(self) -> None:
        """Let go of what is kept."""
        if self._state.is_wanted and not self._local.engine.ending:
            with contextlib.suppress(FastredisError):       # in the middle of something: at the next change
                self._local.call(self._state.give_up)
        self._state.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 where: TracebackType | None) -> None:
        self.close()

    def __del__(self) -> None:
        state = getattr(self, "_state", None)
        if state is not None:
            state.release()             # from whatever thread: no more can be done here


def in_turn(engine: Any, function: Any, *args: Any) -> None:
    """Call a function that changes data."""
    engine.start_turn()
    try:
        function(*args)
    finally:
        engine.finish_turn()


def load_rdb(engine: Any, path: str | os.PathLike[str]) -> None:
    """Put the data of an RDB file in the place of all there are. Errors: FastredisError, OSError; all is as it was."""
    with errors_told():
        savepoints_of(engine).check()
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    spare = SpareDatabases(engine)
    try:
        load = load_into(engine, spare, descriptor, os.fstat(descriptor).st_size)
        load.drop_expired = True
        while not load.step(UNBOUNDED_US):
            pass
        in_turn(engine, spare.swap)
        engine.kept = load.kept
        engine.scripts.functions.use(load.libraries)
    except RdbError as error:
        raise FastredisError(f"{os.fspath(path)!r} can't be loaded: {error}") from None
    finally:
        os.close(descriptor)
        spare.take_all().later()
    note_change(engine)


def dump_rdb(engine: Any, path: str | os.PathLike[str]) -> None:
    """Write all data to an RDB file, which appears whole or not at all. Errors: OSError."""
    target = Path(path)
    descriptor, name = tempfile.mkstemp(prefix=f"{target.name}.", dir=target.parent)
    try:
        with open(descriptor, "wb") as file:
            write_data_set(engine, file.fileno())
            os.fsync(file.fileno())
        os.replace(name, target)
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.remove(name)             # if it has not been given its name
