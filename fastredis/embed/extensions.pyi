from collections.abc import Callable, Iterable
from typing import Any

class Context:
    """What a function in Python has of the engine, as long as it runs."""

    def call(self, *args: bytes | str | int | float) -> Any:
        """Execute a command, as redis.call() in a script -> its reply. Errors: ReplyError; TypeError."""
    @property
    def client_id(self) -> int:
        """The id of the client that has called."""
    @property
    def client_name(self) -> bytes:
        """Its name, as CLIENT SETNAME has set it."""

class Extensions:
    def __init__(self, engine: Any) -> None: ...
    def add_function(self, name: str, function: Callable[..., Any], flags: Iterable[str]) -> None: ...
    def add_command(self, name: str, function: Callable[..., Any], arity: int, flags: Iterable[str], keys: Any,
                    categories: Iterable[str], doc: str, since: str) -> None: ...
