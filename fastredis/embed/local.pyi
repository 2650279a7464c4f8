from collections import deque
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Any, Self, TypeVar

from fastredis.embed.arguments import Argument as Argument
from fastredis.embed.clock import Clock
from fastredis.embed.gate import Gate
from fastredis.embed.pipeline import Pipeline

T = TypeVar("T")

class LocalClient:
    """A client of an engine in this process: its commands are function calls."""

    told: Callable[[], object] | None
    arrived: deque[Any]
    patience_s: float | None    # after which a command that waits is given up, by TimeoutError
    sets_as_lists: bool         # of RESP3, as redis-py has them

    def __init__(self, gate: Gate, engine: Any, database: int = 0, protocol: int = 3, decode: bool = False) -> None: ...
    def execute(self, *args: Argument) -> Any:
        """Execute a command -> its reply. What blocks is waited for. Errors: ReplyError; WouldBlockError."""
    async def aexecute(self, *args: Argument) -> Any:
        """The same on an event loop: what has to wait is awaited."""
    def execute_all(self, requests: Iterable[Iterable[Argument]]) -> list[Any]:
        """Execute several commands, each a tuple of arguments, in one turn -> list of replies, errors among them."""
    async def aexecute_all(self, requests: Iterable[Iterable[Argument]]) -> list[Any]:
        """The same on an event loop."""
    def pipeline(self, transaction: bool = False) -> Pipeline:
        """A Pipeline: commands that are collected, and executed in one go."""
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
    def call_aside(self, function: Callable[..., object], *args: Any) -> None: ...
    @property
    def engine(self) -> Any: ...
    @property
    def clock(self) -> Clock: ...
