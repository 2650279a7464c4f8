"""The engine's time, which a test may hold and move."""

from datetime import UTC, datetime, timedelta
from typing import Any, TypeAlias

Span: TypeAlias = timedelta | float         # a float is in seconds
Time: TypeAlias = datetime | float          # ... since the epoch


class Clock:
    """What commands take for the time: deadlines of keys, fields and waits, ids of streams, idle times, TIME.

        server.clock.freeze()
        server.engine.execute("SET", "key", "value", "EX", 60)
        server.clock.advance(timedelta(seconds=61))

    What is due at the new time is done when a method returns. The program's own clock is left alone, and so are what
    its event loop waits for, and its threads.
    """

    def __init__(self, local: Any):
        self._local = local             # the LocalClient that is asked for it
        self._clock = local.engine.clock

    @property
    def now(self) -> datetime:
        """The time, in UTC."""
        return datetime.fromtimestamp(self._local.call(lambda: self._clock.now_ms) / 1000, UTC)

    @property
    def is_frozen(self) -> bool:
        """Whether it stands still."""
        return bool(self._clock.held)

    def freeze(self) -> None:
        """Stand still at the present time."""
        self._local.call(self._clock.freeze)

    def set(self, time: Time) -> None:
        """Stand still at a time: a datetime (one without a time zone is local), or seconds since the epoch."""
        seconds = time.timestamp() if isinstance(time, datetime) else time
        self._local.call(self._clock.set, round(seconds * 1000))

    def advance(self, span: Span) -> None:
        """Go ahead by a timedelta or seconds; a clock that runs goes on from there."""
        seconds = span.total_seconds() if isinstance(span, timedelta) else span
        self._local.call(self._clock.advance, round(seconds * 1000))

    def release(self) -> None:
        """Show the real time again, and run."""
        self._local.call(self._clock.release)
