from typing import TypeAlias

Argument: TypeAlias = bytes | str | int | float | bytearray | memoryview

def argument(value: Argument) -> bytes: ...
