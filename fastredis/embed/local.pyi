from collections import deque
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Any, Self, TypeAlias, TypeVar

from fastredis.embed.clock import Clock
from fastredis.embed.gate import Gate

T = TypeVar("T")
Argument: TypeAlias = bytes | str | int | float | bytearray | memoryview

class LocalClient:
    """A client of an engine in this process: its commands are function calls."""

    told: Callable[[], object] | None
    arrived: deque[Any]

    def __init__(self, gate: Gate, engine: Any, database: int = 0, protocol: int = 3, decode: bool = False) -> None: ...
    def execute(self, *args: Argument) -> Any:
        """Execute a command -> its reply. What blocks is waited for. Errors: ReplyError; WouldBlockError."""
    async def aexecute(self, *args: Argument) -> Any:
        """The same on an event loop: what has to wait is awaited."""
    def execute_all(self, requests: Iterable[Iterable[Argument]]) -> list[Any]:
        """Execute several commands, each a tuple of arguments, in one turn -> list of replies, errors among them."""
    async def aexecute_all(self, requests: Iterable[Iterable[Argument]]) -> list[Any]:
        """The same on an event loop."""
    def submit(self, *args: Argument) -> None: ...
    def read(self) -> Any: ...
    def disconnect(self) -> None: ...
    def new_client(self, database: int | None = None, protocol: int | None = None,
                   decode: bool | None = None) -> LocalClient:
        """Another client of this engine, with a state of its own; what is not said is as with this one."""
    def __enter__(self) -> Self: ...
    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 where: TracebackType | None) -> None: ...
    @property
    def decode(self) -> bool: ...
    @property
    def id(self) -> int: ...
    @property
    def resp(self) -> int: ...
    @property
    def is_closed(self) -> bool: ...
    def call(self, function: Callable[..., T], *args: Any) -> T: ...
    @property
    def clock(self) -> Clock: ...
