"""Functions and commands in Python, as a program declares them: @server.function, @server.command."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from fastredis.embed.extensions import Extensions
from fastredis.engine.declarations import KeySpec

F = TypeVar("F", bound=Callable[..., Any])


def extensions_of(engine: Any) -> Extensions:
    """What is declared for an engine."""
    return engine.extensions or Extensions(engine)


class Declaring(ABC):
    """Who may declare functions and commands for an engine."""

    @abstractmethod
    def _declare(self, declare: Callable[[Extensions], None]) -> None:
        """Call a function with the engine's Extensions, which nobody else uses meanwhile."""

    def function(self, name: str | None = None, *, flags: Iterable[str] = ()) -> Callable[[F], F]:
        """Have FCALL (and FCALL_RO) call the decorated function: f(context, keys, args) -> the reply.

        context.call() executes a command. All of it is one, as a script is, and only what its commands change is
        propagated. flags: those of functions in Lua; with "no-writes" none of its commands may write.
        It is gone with the server. Errors: ValueError.
        """
        def declare(function: F) -> F:
            self._declare(lambda extensions: extensions.add_function(name or function.__name__, function, tuple(flags)))
            return function

        return declare

    def command(self, name: str, *, arity: int = -1, flags: Iterable[str] = (),
                keys: KeySpec | Iterable[KeySpec] = (), categories: Iterable[str] = (), doc: str = "",
                since: str = "") -> Callable[[F], F]:
        """Have a command of that name, which is the decorated function: f(context, *args) -> the reply.

        arity: arguments with the name; negative: at least so many. flags: "write", "readonly", "fast", "denyoom" ...;
        without "write" none of its commands may write. keys: where keys are among the arguments (fastredis.key_at ...).
        categories: of ACLs, besides those that follow from flags. doc, since: for COMMAND DOCS. It is not for scripts.
        It is gone with the server. Errors: ValueError.
        """
        def declare(function: F) -> F:
            summary = doc or (function.__doc__ or "").partition("\n")[0]
            self._declare(lambda extensions: extensions.add_command(name, function, arity, tuple(flags), keys,
                                                                    tuple(categories), summary, since))
            return function

        return declare
