"""The kinds of parameters: how each reads, shows and writes its value.

A parameter is a row of `table.PARAMETERS`. It holds no value; `config.Config` does. Each kind offers

    parse(args, config)   words of a redis.conf line or of CONFIG SET -> typed value; ConfigError refuses
    text(value)           what CONFIG GET answers
    lines(name, value)    what CONFIG REWRITE writes: [(line, wanted even if the file has none)]

Typed values: bool; int (bytes for memory, a percentage as a negative number); str, or None for a string that
is not set; the canonical name for an enum. The special kinds say theirs in their docstrings.
Error texts are redis-server's.
"""

import os
from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

from fastredis.config.folder import Folder
from fastredis.text import (
    I64_MAX,
    format_memory,
    parse_int,
    parse_memory,
    quote,
    strtod,
    strtoll,
    wrap_int32,
)

IMMUTABLE = 1  # only in the file and on the command line, never by CONFIG SET
HIDDEN = 2  # CONFIG GET answers it by its exact name only
PROTECTED = 4  # CONFIG SET needs enable-protected-configs
SENSITIVE = 8  # its value must not reach a log, SLOWLOG or MONITOR
DENY_LOADING = 16  # CONFIG SET answers -LOADING while data loads
VOLATILE = 32  # setting it again to the same value counts as a change: the file behind it may differ

Check = Callable[[Any, "Settings"], None]


class Settings(Protocol):
    """What a parameter asks of the settings it is one of, when it reads a new value: config.Config has it."""

    parameters: "tuple[Parameter, ...]"
    reading_file: bool          # values come from a configuration file or the command line
    save_lines_read: bool       # ... and a `save` line was among them

    def __getitem__(self, name: str) -> Any: ...

    def parameter(self, name: str) -> "Parameter | None": ...

    def process_title(self, template: str, program: str) -> str | None: ...


class ConfigError(Exception):
    """A value is refused; the text is the reason alone, or in Config's methods the whole error reply."""


class Parameter:
    """One setting: names, default and what may be done with it."""

    kind = ""
    multi_arg = False  # a line may hold several values
    always_changes = False  # setting the same value again runs the appliers, too
    ends_at_zero = False  # a zero byte ends each word of it, as it ends a string in C

    def __init__(self, name: str, default: Any, flags: int = 0, *, alias: str = "", check: Check | None = None,
                 inert: str = "", absent: str = ""):
        self.name = name
        self.default = default
        self.flags = flags
        self.alias = alias
        self.check = check
        self.inert = inert      # why no value of it changes anything
        self.absent = absent    # what is missing for any value but the default, so that others are refused

    def initial(self) -> Any:
        """The value before anything is read."""
        return self.default

    def parse(self, args: list[str], config: "Settings") -> Any:
        value = self.read(args)
        if self.absent and value != self.default:
            raise ConfigError(f"{self.name} is not supported: {self.absent}")
        if self.check:
            self.check(value, config)
        return value

    def read(self, args: list[str]) -> Any:
        raise NotImplementedError

    def text(self, value: Any) -> str:
        return str(value)

    def file_text(self, value: Any) -> str:
        return self.text(value)

    def lines(self, name: str, value: Any) -> list[tuple[str, bool]]:
        return [(f"{name} {self.file_text(value)}", value != self.default)]


class Bool(Parameter):
    kind = "bool"
    ends_at_zero = True

    def read(self, args: list[str]) -> bool:
        word = args[0].lower()
        if word not in ("yes", "no"):
            raise ConfigError("argument must be 'yes' or 'no'")
        return word == "yes"

    def text(self, value: bool) -> str:
        return "yes" if value else "no"


class Int(Parameter):
    kind = "int"
    unreadable = "argument couldn't be parsed into an integer"

    def __init__(self, name: str, default: int, low: int, high: int, flags: int = 0, **more: Any):
        super().__init__(name, default, flags, **more)
        self.low = low
        self.high = high

    def read(self, args: list[str]) -> int:
        value = self.number(args[0])
        if value is None:
            raise ConfigError(self.unreadable)
        if not self.low <= value <= self.high:
            low, high = self.text(self.low), self.text(self.high)
            raise ConfigError(f"argument must be between {low} and {high} inclusive")
        return value

    def number(self, word: str) -> int | None:
        return parse_int(word)


class Memory(Int):
    kind = "memory"
    unreadable = "argument must be a memory value"

    def number(self, word: str) -> int | None:
        return parse_memory(word)

    def file_text(self, value: int) -> str:
        return format_memory(value)


class MemoryOrPercent(Memory):
    """Bytes, or a percentage (of maxmemory) kept as a negative number: 5% is -5."""

    unreadable = "argument must be a memory or percent value"

    def read(self, args: list[str]) -> int:
        value = self.number(args[0])
        if value is None:
            raise ConfigError(self.unreadable)
        if value < self.low:
            raise ConfigError(f"percentage argument must be less or equal to {-self.low}")
        return value

    def number(self, word: str) -> int | None:
        value = parse_memory(word)
        if value is not None:
            # As in C, where 2^63 bytes and more are a negative number, and so a percentage.
            return value if value <= I64_MAX else value - 2**64
        percent = parse_int(word[:-1]) if word.endswith("%") else None
        return -percent if percent is not None and percent >= 0 else None

    def text(self, value: int) -> str:
        return f"{-value}%" if value < 0 else str(value)

    def file_text(self, value: int) -> str:
        return self.text(value) if value < 0 else format_memory(value)


class Octal(Int):
    kind = "octal"
    unreadable = "argument couldn't be parsed as an octal number"

    def number(self, word: str) -> int | None:
        number = strtoll(word, 8)
        if number is None or number[1]:
            return None
        # Unsigned in C: a negative number is a huge one, out of range.
        return number[0] if number[0] >= 0 else I64_MAX

    def text(self, value: int) -> str:
        return f"{value:o}"


class Enum(Parameter):
    kind = "enum"
    ends_at_zero = True

    def __init__(self, name: str, default: Any, values: tuple[str, ...], flags: int = 0, **more: Any):
        self.same = more.pop("same", {})  # value -> the one it means
        self.newer = more.pop("newer", ())  # values that redis-server 7.0 does not know and therefore does not name
        super().__init__(name, default, flags, **more)
        self.values = values

    def read(self, args: list[str]) -> Any:
        if len(args) != 1:
            self.refuse()
        return self.value_named(args[0])

    def value_named(self, word: str) -> str:
        spelled = {value.lower(): value for value in (*self.values, *self.newer)}
        value = spelled.get(word.lower())
        if value is None:
            self.refuse()
        return self.same.get(value, value)

    def refuse(self) -> None:
        # Redis keeps 255 characters of this text.
        text = "argument(s) must be one of the following: " + ", ".join(self.values)
        raise ConfigError(text[:255])


class EnumSet(Enum):
    """Several of the values, as a tuple in their declared order; the first value means none of the others."""

    multi_arg = True

    def read(self, args: list[str]) -> tuple[str, ...]:
        if not args:
            self.refuse()
        chosen = {self.value_named(word) for word in args}
        return tuple(value for value in self.values[1:] if value in chosen)

    def text(self, value: tuple[str, ...]) -> str:
        return " ".join(value) or self.values[0]


class String(Parameter):
    """Text; with None as its default, the empty string means "not set", which is None."""

    kind = "string"
    ends_at_zero = True

    def read(self, args: list[str]) -> str | None:
        return None if self.default is None and args[0] == "" else args[0]

    def text(self, value: str | None) -> str:
        return value or ""

    def lines(self, name: str, value: str | None) -> list[tuple[str, bool]]:
        return [] if value is None else [(f"{name} {quote(value)}", value != self.default)]


class ByteString(String):
    """Text that may hold any bytes."""

    ends_at_zero = False


class Special(Parameter):
    kind = "special"
    always_changes = True


class Directory(Special):
    """Where the server's files are: a Folder. At first it is the process's working directory."""

    ends_at_zero = True

    def initial(self) -> Folder:
        return Folder()

    def parse(self, args: list[str], config: "Settings") -> Folder:
        try:
            return Folder(args[0], config[self.name])
        except OSError as error:
            raise ConfigError(os.strerror(error.errno)) from None

    def text(self, value: Folder) -> str:
        return value.path

    def lines(self, name: str, value: Folder) -> list[tuple[str, bool]]:
        return [(f"{name} {quote(value.path)}", True)] if value.path else []


class SavePoint(NamedTuple):
    seconds: int
    changes: int


class SavePoints(Special):
    """A tuple of SavePoint: an RDB file is saved when so many keys changed within so many seconds."""

    multi_arg = True

    def parse(self, args: list[str], config: "Settings") -> tuple[SavePoint, ...]:
        """Replace the points; but a configuration file adds line by line, its first line replacing the defaults."""
        clears = args == [""]
        points = self.read([] if clears else args)
        if config.reading_file and not clears:
            kept = config["save"] if config.save_lines_read else ()
            points = (*kept, *points)
        config.save_lines_read = True
        return points

    def read(self, args: list[str]) -> tuple[SavePoint, ...]:
        numbers = [strtoll(word) for word in args]
        if len(args) % 2 or None in numbers:
            raise ConfigError("Invalid save parameters")
        seconds = [number[0] for number in numbers[::2]]
        changes = [number[0] for number in numbers[1::2]]
        if any(second < 1 for second in seconds) or any(change < 0 for change in changes):
            raise ConfigError("Invalid save parameters")
        return tuple(SavePoint(second, wrap_int32(change)) for second, change in zip(seconds, changes, strict=True))

    def text(self, value: tuple[SavePoint, ...]) -> str:
        return " ".join(f"{point.seconds} {point.changes}" for point in value)

    def lines(self, name: str, value: tuple[SavePoint, ...]) -> list[tuple[str, bool]]:
        # Without a line the defaults would come back, so an empty one is written, too.
        if not value:
            return [(f'{name} ""', True)]
        return [(f"{name} {point.seconds} {point.changes}", True) for point in value]


class BufferLimit(NamedTuple):
    """Close a client over hard_bytes at once, over soft_bytes after soft_seconds; 0 means no limit."""

    hard_bytes: int
    soft_bytes: int
    soft_seconds: int


CLIENT_CLASSES = {"normal": "normal", "slave": "slave", "replica": "slave", "pubsub": "pubsub"}


class BufferLimits(Special):
    """A dict: "normal", "slave", "pubsub" -> BufferLimit."""

    multi_arg = True

    def parse(self, args: list[str], config: "Settings") -> dict[str, BufferLimit]:
        """Set the named classes; the others keep what they have."""
        if len(args) % 4:
            raise ConfigError("Wrong number of arguments in buffer limit configuration.")
        limits = dict(config[self.name])
        for at in range(0, len(args), 4):
            client_class = CLIENT_CLASSES.get(args[at].lower())
            if client_class is None:
                raise ConfigError("Invalid client class specified in buffer limit configuration.")
            hard, soft = parse_memory(args[at + 1]), parse_memory(args[at + 2])
            number = strtoll(args[at + 3])
            seconds = -1 if number is None else wrap_int32(number[0])
            if hard is None or soft is None or seconds < 0:
                raise ConfigError("Error in hard, soft or soft_seconds setting in buffer limit configuration.")
            limits[client_class] = BufferLimit(hard, soft, seconds)
        return limits

    def text(self, value: dict[str, BufferLimit]) -> str:
        return " ".join(f"{name} {hard} {soft} {seconds}" for name, (hard, soft, seconds) in value.items())

    def lines(self, name: str, value: dict[str, BufferLimit]) -> list[tuple[str, bool]]:
        lines = []
        for client_class, limit in value.items():
            shown = "replica" if client_class == "slave" else client_class
            sizes = f"{format_memory(limit.hard_bytes)} {format_memory(limit.soft_bytes)}"
            line = f"{name} {shown} {sizes} {limit.soft_seconds}"
            lines.append((line, limit != self.default[client_class]))
        return lines


class OomValues(Special):
    """Three ints: the kernel's oom_score_adj for a master, a replica and a saving child."""

    multi_arg = True
    always_changes = False

    def parse(self, args: list[str], config: "Settings") -> tuple[int, int, int]:
        values = self.read(args)
        if list(values) != sorted(values):
            config.warn(
                "The oom-score-adj-values configuration may not work for non-privileged processes! "
                "Please consult the documentation."
            )
        return values

    def read(self, args: list[str]) -> tuple[int, int, int]:
        if len(args) != 3:
            raise ConfigError("wrong number of arguments")
        numbers = [strtoll(word) for word in args]
        if any(number is None or not -2000 <= number[0] <= 2000 for number in numbers):
            raise ConfigError("Invalid oom-score-adj-values, elements must be between -2000 and 2000.")
        return tuple(number[0] for number in numbers)

    def text(self, value: tuple[int, int, int]) -> str:
        return " ".join(map(str, value))


class KeyspaceEvents(Special):
    """A frozenset of class letters, "A" resolved into what it stands for.

    All the classes of Redis 7 are "A", too, and have the one of arrays with them, which came later.
    """

    ends_at_zero = True
    all_classes = "g$lshzxetd"
    shown_order = all_classes + "anKEm"

    def read(self, args: list[str]) -> frozenset[str]:
        letters = set(args[0])
        if not letters <= {"A", *self.shown_order}:
            raise ConfigError("Invalid event class character. Use 'Ag$lshzxeKEtmdn'.")
        if "A" in letters:
            letters |= set(self.all_classes)
        if letters >= set(self.all_classes):
            letters.add("a")
        return frozenset(letters - {"A"})

    def text(self, value: frozenset[str]) -> str:
        if value.issuperset(self.all_classes):
            # Redis does not show "n" next to "A", although "A" does not include it.
            return "A" + "".join(letter for letter in "KEm" if letter in value)
        return "".join(letter for letter in self.shown_order if letter in value)

    def file_text(self, value: frozenset[str]) -> str:
        return quote(self.text(value))


class Addresses(Special):
    """A tuple of addresses to listen at; a leading "-" lets one be missing on this machine."""

    ends_at_zero = True
    multi_arg = True
    most = 16

    def read(self, args: list[str]) -> tuple[str, ...]:
        if len(args) > self.most:
            raise ConfigError("Too many bind addresses specified.")
        return () if args == [""] else tuple(args)

    def text(self, value: tuple[str, ...]) -> str:
        return " ".join(value)

    def lines(self, name: str, value: tuple[str, ...]) -> list[tuple[str, bool]]:
        if value == self.default:
            return []
        return [(f"{name} {self.text(value)}" if value else f'{name} ""', True)]


class MasterAddress(Special):
    """None, or (host, port) of the master to replicate."""

    multi_arg = True

    def read(self, args: list[str]) -> tuple[str, int] | None:
        if len(args) != 2:
            raise ConfigError("wrong number of arguments")
        host, port_text = args
        if (host.lower(), port_text.lower()) == ("no", "one"):
            return None
        port = strtoll(port_text)
        if port is None or not 0 <= wrap_int32(port[0]) <= 65535:
            raise ConfigError("Invalid master port")
        return host, wrap_int32(port[0])

    def text(self, value: tuple[str, int] | None) -> str:
        return f"{value[0]} {value[1]}" if value else ""

    def lines(self, name: str, value: tuple[str, int] | None) -> list[tuple[str, bool]]:
        return [(f"{name} {self.text(value)}", True)] if value else []


class Percentiles(Special):
    """A tuple of floats from 0 to 100."""

    multi_arg = True

    def read(self, args: list[str]) -> tuple[float, ...]:
        values = []
        for word in [] if args == [""] else args:
            value = strtod(word)
            if value is None:
                raise ConfigError("Invalid latency-tracking-info-percentiles parameters")
            if not 0.0 <= value <= 100.0:
                raise ConfigError("latency-tracking-info-percentiles parameters should sit between [0.0,100.0]")
            values.append(value)
        return tuple(values)

    def text(self, value: tuple[float, ...]) -> str:
        return " ".join(f"{percentile:f}".rstrip("0").rstrip(".") for percentile in value)

    def lines(self, name: str, value: tuple[float, ...]) -> list[tuple[str, bool]]:
        return [(f"{name} {self.text(value)}" if value else f'{name} ""', True)]
