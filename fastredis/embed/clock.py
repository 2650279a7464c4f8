"""The engine's time, which a test may hold and move."""

import contextlib
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Self, TypeAlias

Span: TypeAlias = timedelta | float         # a float is in seconds
Time: TypeAlias = datetime | float          # ... since the epoch
MOVES = ("tick", "shift", "move_to")        # of freezegun's and time-machine's objects


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

    def set(self, when: Time) -> None:
        """Stand still at a time: a datetime (one without a time zone is local), or seconds since the epoch."""
        seconds = when.timestamp() if isinstance(when, datetime) else when
        self._local.call(self._clock.set, round(seconds * 1000))

    def advance(self, span: Span) -> None:
        """Go ahead by a timedelta or seconds; a clock that runs goes on from there."""
        seconds = span.total_seconds() if isinstance(span, timedelta) else span
        self._local.call(self._clock.advance, round(seconds * 1000))

    def release(self) -> None:
        """Show the real time again, and run."""
        self._local.call(self._clock.release)

    @contextlib.contextmanager
    def follow(self, mover: Any) -> Iterator[Self]:
        """Stand at the time that freezegun or time-machine shows, and go with its moves; at the end, release().

        mover: what `freeze_time(...)` or `travel(...)` gives to `with`. Between its moves the time stands still here.
        """
        moves = {name: getattr(mover, name) for name in MOVES if hasattr(mover, name)}
        for name, move in moves.items():
            setattr(mover, name, self._following(mover, move))
        try:
            self.set(shown_by(mover))
            yield self
        finally:
            for name in moves:
                delattr(mover, name)
            self.release()

    def _following(self, mover: Any, move: Callable[..., Any]) -> Callable[..., Any]:
        def moved(*args: Any, **options: Any) -> Any:
            try:
                return move(*args, **options)
            finally:
                self.set(shown_by(mover))

        return moved


def shown_by(mover: Any) -> Time:
    """The time at freezegun's last move, which is UTC's without saying so; with time-machine, the program's."""
    frozen: datetime | None = getattr(mover, "time_to_freeze", None)
    return time.time() if frozen is None else frozen.replace(tzinfo=UTC)
