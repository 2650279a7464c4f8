from collections.abc import Callable
from typing import Any

class Observers:
    """Functions of the program that hear of keys."""

    def __init__(self, engine: Any, deliver: Callable[[list[tuple[bytes, bytes, int]]], None]) -> None: ...
    def listen(self, wanted: bool) -> None: ...
