"""An event loop whose thread lets others do things in its place while it sleeps.

Whoever is let in (Gate) may call what the loop's own thread may: call_soon, call_later, create_task, a transport's
write. As the loop does nothing meanwhile, and can't go on before it has the gate to itself again, that is as if its own
thread had done it; but when it sleeps, it has to be woken for what it does not know of yet.
Not uvloop's loop: it has no place where it says that it is about to sleep.
"""

import asyncio
import selectors
from collections.abc import Callable
from contextvars import Context
from functools import partial
from typing import Any

from fastredis.embed.gate import Gate


class SharedSelector(selectors.DefaultSelector):
    """Opens the gate while it waits for events."""

    def __init__(self, gate: Gate):
        super().__init__()
        self._gate = gate

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        self._gate.open()
        try:
            return super().select(timeout)
        finally:
            self._gate.close()


class SharedLoop(asyncio.SelectorEventLoop):
    """The loop; its thread has to call gate.settle() before it runs it."""

    def __init__(self) -> None:
        self.gate = Gate(shared=True)
        super().__init__(SharedSelector(self.gate))
        self.gate.wake = partial(self._csock.send, b"\0")      # no Python code, where a signal's handler might raise
        self.set_debug(False)           # which would forbid other threads

    def call_soon(self, callback: Callable[..., object], *args: Any, context: Context | None = None) -> asyncio.Handle:
        self.gate.stir()
        return super().call_soon(callback, *args, context=context)

    def call_at(self, when: float, callback: Callable[..., object], *args: Any,
                context: Context | None = None) -> asyncio.TimerHandle:
        self.gate.stir()
        return super().call_at(when, callback, *args, context=context)
