"""Pipelines of a client in this process: commands are collected first, and executed in one turn of the engine."""

from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from fastredis.embed.arguments import argument
from fastredis.embed.errors import ReplyError

if TYPE_CHECKING:
    from fastredis.embed.arguments import Argument


class Pipeline:
    """Commands of engine.pipeline(), executed in one go. transaction: nobody else's command comes between them.

        with server.engine.pipeline() as pipe:
            pipe.add("INCR", "visits").add("GET", "visits")
            print(pipe.execute())

    It may be used again after execute(). What has not been executed at the end of `with` is dropped.
    """

    def __init__(self, local: Any, transaction: bool = False):
        self._local = local
        self._transaction = transaction
        self._commands: list[tuple[bytes, ...]] = []

    def add(self, *args: "Argument") -> Self:
        """One more command. Errors: TypeError of an argument."""
        if not args:
            raise TypeError("a command has a name")
        self._commands.append(tuple(map(argument, args)))
        return self

    def execute(self, raise_errors: bool = True) -> list[Any]:
        """Execute them all -> what they reply, each as a Python value.

        The first ReplyError among these is raised when all have been executed; with raise_errors=False errors are
        values. Errors of the whole, as of a transaction that a watched key has spoiled, are raised in any case.
        """
        return self._values(self._local.execute_all(self._taken()), raise_errors)

    async def aexecute(self, raise_errors: bool = True) -> list[Any]:
        """The same on an event loop."""
        return self._values(await self._local.aexecute_all(self._taken()), raise_errors)

    def reset(self) -> None:
        """Drop what has been collected."""
        self._commands = []

    def _taken(self) -> list[tuple[bytes, ...]]:
        commands, self._commands = self._commands, []
        return [(b"MULTI",), *commands, (b"EXEC",)] if self._transaction and commands else commands

    def _values(self, values: list[Any], raise_errors: bool) -> list[Any]:
        if self._transaction and values:
            refused = next((value for value in values if isinstance(value, ReplyError)), None)
            values = values[-1]
            if refused is not None:
                raise refused
            if values is None:
                raise ReplyError("EXECABORT Transaction discarded: a watched key has changed")
        if raise_errors:
            for value in values:
                if isinstance(value, ReplyError):
                    raise value
        return values

    def __len__(self) -> int:
        return len(self._commands)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 where: TracebackType | None) -> None:
        self.reset()
