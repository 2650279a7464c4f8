"""An event loop whose thread lets others do things in its place while it sleeps.

Whoever is let in (Gate) may call what the loop's own thread may: call_soon, call_later, create_task, a transport's
write. As the loop does nothing meanwhile, and can't go on before it has the gate to itself again, that is as if its own
thread had done it; but when it sleeps, it has to be woken for what it does not know of yet.
Not uvloop's loop: it has no place where it says that it is about to sleep.
"""

import asyncio
import heapq
import selectors
from collections import deque
from collections.abc import Callable
from contextvars import Context
from functools import partial
from typing import Any

from fastredis.embed.gate import Gate, steady_s


class SharedSelector(selectors.DefaultSelector):
    """Opens the gate while it waits for events."""

    def __init__(self, gate: Gate, awake: Callable[[], None]):
        super().__init__()
        self._gate = gate
        self._awake = awake

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        self._gate.open()
        try:
            return super().select(timeout)
        finally:
            self._gate.close()
            self._awake()


class SharedLoop(asyncio.SelectorEventLoop):
    """The loop; its thread has to call gate.settle() before it runs it."""

    time = staticmethod(steady_s)           # freezegun and time-machine may stop the program's time, not this one

    def __init__(self) -> None:
        self.gate = Gate(shared=True)
        self._later: deque[asyncio.TimerHandle] = deque()       # timers of other threads
        super().__init__(SharedSelector(self.gate, self._take_later))
        self.gate.wake = partial(self._csock.send, b"\0")      # no Python code, where a signal's handler might raise
        self.set_debug(False)           # which would forbid other threads

    def call_soon(self, callback: Callable[..., object], *args: Any, context: Context | None = None) -> asyncio.Handle:
        self.gate.stir()
        return super().call_soon(callback, *args, context=context)

    def call_at(self, when: float, callback: Callable[..., object], *args: Any,
                context: Context | None = None) -> asyncio.TimerHandle:
        if not self.gate.has_visitor:
            return super().call_at(when, callback, *args, context=context)
        # What a signal's handler raises in the main thread must not leave the heap of timers half sorted.
        timer = asyncio.TimerHandle(when, callback, args, self, context)
        self.gate.stir()
        self._later.append(timer)
        return timer

    def _take_later(self) -> None:
        while self._later:
            timer = self._later.popleft()
            if not timer.cancelled():
                heapq.heappush(self._scheduled, timer)
                timer._scheduled = True
