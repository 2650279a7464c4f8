"""What happens to keys, told to functions of the program, and to who iterates over it."""

import asyncio
from collections import deque
from collections.abc import Callable
from types import TracebackType
from typing import Any, NamedTuple, Self

from fastredis.engine.observers import Observers

ALL = "*"
SELDOM_WANTED = frozenset({b"keymiss", b"new"})     # not meant by "*": no change, and one more for each new key


class Event(NamedTuple):
    """Something that happened to a key: its name is that of a keyspace notification."""

    name: str
    key: bytes
    database: int


class Subscription:
    """A function that is called for an event, until close() or the end of the server."""

    def __init__(self, events: "Events", name: str, function: Callable[[Event], object]):
        self._events = events
        self.name = name.encode()
        self.function = function
        events.add(self)

    def wants(self, name: bytes) -> bool:
        return self.name == name or (self.name == b"*" and name not in SELDOM_WANTED)

    def close(self) -> None:
        """The function is called no more."""
        self._events.remove(self)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 where: TracebackType | None) -> None:
        self.close()


class EventStream:
    """Events for `async for`, from the moment when it is made until aclose() or the end of the server."""

    def __init__(self, events: "Events", name: str):
        self._heard: deque[Event] = deque()
        self._waiting: tuple[asyncio.AbstractEventLoop, asyncio.Future[None]] | None = None
        self._events = events
        self._subscription = Subscription(events, name, self._hear)
        events.streams.add(self)

    def _hear(self, event: Event) -> None:
        self._heard.append(event)
        self.wake()

    def wake(self) -> None:
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            loop, future = waiting
            loop.call_soon_threadsafe(lambda: future.done() or future.set_result(None))

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Event:
        loop = asyncio.get_running_loop()
        while True:
            future = loop.create_future()
            self._waiting = loop, future        # before the look: the event may come between the two
            if self._heard:
                self._waiting = None
                return self._heard.popleft()
            if self not in self._events.streams:
                raise StopAsyncIteration
            await future

    async def aclose(self) -> None:
        """End it: whoever iterates is done when he has had what has happened until now."""
        self._subscription.close()
        self._events.streams.discard(self)
        self.wake()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None,
                        where: TracebackType | None) -> None:
        await self.aclose()


class Events:
    """Those who want to hear of an engine's keys. call: has a function called with the engine for this thread alone."""

    def __init__(self, local: Any):
        self._local = local
        self._subscriptions: list[Subscription] = []
        self.streams: set[EventStream] = set()
        self._observers = Observers(local.engine, self._deliver)
        local.engine.observers = self._observers

    def is_of(self, local: Any) -> bool:
        """Whether this is the engine of a client."""
        return self._local.engine is local.engine

    def add(self, subscription: Subscription) -> None:
        self._local.call(self._change, [*self._subscriptions, subscription])

    def remove(self, subscription: Subscription) -> None:
        rest = [each for each in self._subscriptions if each is not subscription]
        if self._local.is_closed:
            self._subscriptions = rest
        else:
            self._local.call(self._change, rest)

    def end(self) -> None:
        """The server has stopped."""
        streams, self.streams = self.streams, set()
        for stream in streams:
            stream.wake()
        self._subscriptions = []

    def _change(self, subscriptions: list[Subscription]) -> None:
        self._subscriptions = subscriptions
        self._observers.listen(bool(subscriptions))

    def _deliver(self, heard: list[tuple[bytes, bytes, int]]) -> None:
        """At the end of a turn."""
        for name, key, database in heard:
            for subscription in self._subscriptions:
                if subscription.wants(name):
                    event = Event(name.decode(), key, database)
                    self._local.call_aside(subscription.function, event)
