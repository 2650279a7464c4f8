"""The server's settings: reading redis.conf, CONFIG GET, CONFIG SET and CONFIG REWRITE.

    table     one row per parameter
    types     what the kinds of parameters read and show
    rewriting CONFIG REWRITE

A Config belongs to one engine. Readers ask it by attribute or key: `config.maxmemory`,
`config["maxmemory-policy"]`; whoever must act on a change registers with `on_change`.
"""

import os
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from fastredis.config.table import DEPRECATED, PARAMETERS
from fastredis.config.types import (
    DENY_LOADING,
    HIDDEN,
    IMMUTABLE,
    PROTECTED,
    SENSITIVE,
    VOLATILE,
    ConfigError,
    Parameter,
)
from fastredis.text import before_zero, glob_regex, split_args, to_text

__all__ = ["Config", "ConfigError", "Directive", "FatalConfigError", "UnreadableConfigError"]

MIN_HZ, MAX_HZ = 1, 500
LEAST_BACKLOG = 16 * 1024
MAX_INCLUDE_DEPTH = 32


class FatalConfigError(Exception):
    """The server cannot start with these settings.

    line_number counts within what is read at once: a file, then the standard input, then the command line.
    file is where the line stands, file_line its number there; file is None for the command line. Without
    line_number the error concerns the settings as a whole.
    """

    def __init__(self, reason: str, line: "Line | None" = None):
        super().__init__(reason)
        self.reason = reason
        self.line_number = line.number if line else None
        self.line_text = line.text if line else None
        self.file = line.file if line else None
        self.file_line = line.file_line if line else None


class UnreadableConfigError(FatalConfigError):
    """A configuration file cannot be opened; `line` is the include that names it, if one does."""


class Line(NamedTuple):
    """A line of configuration and where it stands (see FatalConfigError)."""

    text: str
    number: int
    file: str | None
    file_line: int


class Directive(NamedTuple):
    """A line that concerns another module: that module validates it, and raises `directive.fatal(reason)`."""

    argv: list[str]
    line: Line

    def fatal(self, reason: str) -> FatalConfigError:
        return FatalConfigError(reason, self.line)


class Config:
    """All settings with their values.

    file               absolute path of the configuration file, or None
    renamed_commands   `rename-command` directives, for the command table
    user_directives    `user` directives, for access control
    function_modules   `function-module` directives, for functions in Python
    user_lines         function: the lines that CONFIG REWRITE writes in their place
    warn               where warnings go: a function of one text
    """

    def __init__(self, parameters: Iterable[Parameter] = PARAMETERS):
        self._parameters: dict[str, Parameter] = {}
        self._values: dict[str, Any] = {}
        self._appliers: dict[str, list[Callable[[Config], None]]] = {}
        self.parameters = tuple(parameters)
        for parameter in self.parameters:
            self._values[parameter.name] = parameter.initial()
            for name in (parameter.name, parameter.alias):
                if name:
                    self._parameters[name] = parameter
        self.file: str | None = None
        self.user_directives: list[Directive] = []
        self.function_modules: list[Directive] = []
        self.user_lines: Callable[[], list[str]] = list
        self._told: set[str] = set()        # inert settings that a warning told of
        self.renamed_commands: list[Directive] = []
        self.warn: Callable[[str], None] = lambda text: None
        self.reading_file = False
        self.save_lines_read = False
        for name in ("hz", "watchdog-period", "repl-backlog-size"):
            self.on_change(name, Config._clamp)

    # Reading values.

    def get(self, name: str) -> Any:
        """The typed value of a parameter, by any of its names in lower case; KeyError when there is none."""
        return self._values[self._parameters[name].name]

    __getitem__ = get

    def __getattr__(self, name: str) -> Any:
        """`config.maxmemory_policy` is `config["maxmemory-policy"]`."""
        if not name.startswith("_"):
            try:
                return self.get(name.replace("_", "-"))
            except KeyError:
                pass
        raise AttributeError(f"no parameter {name!r}")

    def text(self, name: str) -> str:
        """The value as CONFIG GET answers it."""
        return self._parameters[name].text(self.get(name))

    def is_sensitive(self, name: str) -> bool:
        """Whether the value given to this parameter must be hidden from logs; names in any case."""
        parameter = self._parameters.get(name.lower())
        return parameter is not None and bool(parameter.flags & SENSITIVE)

    def glob(self, patterns: Iterable[str]) -> dict[str, str]:
        """What CONFIG GET answers: {name: text}, in the order of the patterns and of the table.

        A name without wildcards is answered as it was spelled; patterns match aliases as well. Case does not
        matter, each name comes once, and hidden parameters come only by their full names.
        """
        found: dict[str, str] = {}
        seen = set()
        for pattern in patterns:
            wanted = pattern.lower()
            if not any(char in pattern for char in "[*?"):
                if wanted in self._parameters and wanted not in seen:
                    seen.add(wanted)
                    found[pattern] = self.text(wanted)
                continue
            matches = glob_regex(pattern).fullmatch
            for name, parameter in self._parameters.items():
                if name not in seen and not parameter.flags & HIDDEN and matches(name):
                    seen.add(name)
                    found[name] = self.text(name)
        return found

    # Changing values.

    def on_change(self, name: str, apply: Callable[["Config"], None]) -> None:
        """Have apply(config) called when CONFIG SET changed this parameter.

        The new values are in place then. ConfigError(text) refuses them: all are put back, and the appliers
        are called again. One function registered for several parameters is called once for one command.
        """
        self._appliers.setdefault(self._parameters[name].name, []).append(apply)

    def set_value(self, name: str, value: Any) -> None:
        """Store a typed value as it is, for the server's own changes (REPLICAOF, the default pidfile)."""
        self._values[self._parameters[name].name] = value

    def set_many(self, pairs: list[tuple[str, str]], *, loading: str | None = None, local: bool = False) -> None:
        """CONFIG SET: all pairs or none. `local`: the client comes from this machine; `loading`: data
        loads, and this is the error of what can't be set then.

        Raises ConfigError with the whole error reply, code included.
        """
        found = self._find_settable(pairs, loading, local)
        before = {name: self.get(name) for name, _ in found}
        appliers: dict[Callable[[Config], None], str] = {}
        for name, value in found:
            try:
                changed = self._store(name, self._split(name, value))
            except ConfigError as refusal:
                self._restore(before)
                raise self._set_failed(name, refusal) from None
            if changed:
                for apply in self._appliers.get(self._parameters[name].name, ()):
                    appliers.setdefault(apply, name)
        for apply, name in appliers.items():
            try:
                apply(self)
            except ConfigError as refusal:
                self.warn(
                    "Failed applying new configuration. "
                    f"Possibly related to new {name} setting. Restoring previous settings."
                )
                self._restore(before, appliers)
                raise self._set_failed(name, refusal) from None
        self._tell_of_inert(self._parameters[name] for name in before)

    def _tell_of_inert(self, parameters: Iterable[Parameter]) -> None:
        """Warn, once for each, of those that are set to something although it changes nothing."""
        for parameter in parameters:
            if parameter.inert and parameter.name not in self._told and self.get(parameter.name) != parameter.default:
                self._told.add(parameter.name)
                text = self.text(parameter.name)
                self.warn(f"The setting {parameter.name} '{text}' has no effect: {parameter.inert}")

    def _find_settable(self, pairs: list[tuple[str, str]], loading: str | None, local: bool) -> list[tuple[str, str]]:
        """The pairs with their names in lower case, or the refusal for the first that may not be set now."""
        found: dict[str, str] = {}
        for asked, value in pairs:
            name = asked.lower()
            parameter = self._parameters.get(name)
            if parameter is None:
                shown = before_zero(asked)
                raise ConfigError(f"ERR Unknown option or number of arguments for CONFIG SET - '{shown}'")
            if parameter.flags & IMMUTABLE:
                raise self._set_failed(asked, "can't set immutable config")
            if parameter.flags & PROTECTED and not self.allows("enable-protected-configs", local):
                raise self._set_failed(asked, "can't set protected config")
            if loading and parameter.flags & DENY_LOADING:
                raise ConfigError(loading)
            if name in found:
                raise self._set_failed(asked, "duplicate parameter")
            found[name] = value
        return list(found.items())

    def allows(self, name: str, local: bool) -> bool:
        """Whether enable-protected-configs, enable-debug-command or enable-module-command lets a client through."""
        return self[name] == "yes" or (self[name] == "local" and local)

    @staticmethod
    def _set_failed(name: str, reason: object) -> ConfigError:
        return ConfigError(f"ERR CONFIG SET failed (possibly related to argument '{name}') - {reason}")

    def _split(self, name: str, value: str) -> list[str]:
        if not self._parameters[name].multi_arg:
            return [value]
        return value.split(" ") if value else []

    def _store(self, name: str, args: list[str]) -> bool:
        """Parse and store; return whether appliers must hear of it."""
        parameter = self._parameters[name]
        if parameter.ends_at_zero:
            args = [before_zero(word) for word in args]
        value = parameter.parse(args, self)
        changed = value != self.get(name) or parameter.always_changes or bool(parameter.flags & VOLATILE)
        self.set_value(name, value)
        return changed

    def _restore(self, before: dict[str, Any], appliers: Iterable[Callable[["Config"], None]] = ()) -> None:
        for name, value in before.items():
            self.set_value(name, value)
        for apply in appliers:
            try:
                apply(self)
            except ConfigError as refusal:
                self.warn(f"Failed applying restored failed CONFIG SET command: {refusal}")

    def _clamp(self) -> None:
        """What is out of range in a hint is taken for the nearest sane value; a watchdog waits for two cron calls."""
        values = self._values
        values["repl-backlog-size"] = max(LEAST_BACKLOG, values["repl-backlog-size"])
        values["hz"] = max(MIN_HZ, min(MAX_HZ, values["hz"]))
        if values["watchdog-period"]:
            values["watchdog-period"] = max(values["watchdog-period"], 2 * 1000 // values["hz"])

    def process_title(self, template: str, program: str) -> str | None:
        """The template filled in, stripped of blanks; None when it is malformed or names an unknown variable."""
        port = self["port"] or self["tls-port"]
        host = self["bind"][0] if self["bind"] else "*"
        listening = f"{host}:{port}" if port else f"unixsocket:{self['unixsocket']}"
        variables: Mapping[str, str] = {
            "title": program,
            "listen-addr": listening,
            "server-mode": "",
            "config-file": self.file or "-",
            "port": str(self["port"]),
            "tls-port": str(self["tls-port"]),
            "unixsocket": self["unixsocket"] or "",
        }
        title = ""
        rest = template
        while "{" in rest:
            before, _, rest = rest.partition("{")
            title += before
            if rest.startswith("{"):
                title += "{"
                rest = rest[1:]
                continue
            name, closing, rest = rest.partition("}")
            if not closing or name not in variables:
                return None
            title += variables[name]
        return (title + rest).strip(" ")

    # Reading configuration.

    def load(self, file: str | None = None, stdin: str | None = None, options: str | None = None) -> None:
        """Read the file, then what the standard input held, then the command line's options (lines of config).

        What comes later wins; `save` lines add up. Raises FatalConfigError. Unlike in redis-server, an include
        does not end the adding up of `save` lines in the file around it.
        """
        if file is not None:
            self.file = os.path.abspath(file)
        source = _Source()
        if self.file is not None:
            source.add_file(self.file)
        if stdin is not None:
            source.add(stdin, "<stdin>")
        if options is not None:
            source.add("\n" + options, None)
        self.reading_file = True
        try:
            self._read_lines(source.lines(), ())
        finally:
            self.reading_file = False
        self._check_whole()

    def _read_lines(self, lines: list[Line], including: tuple[str, ...]) -> None:
        for line in lines:
            if not line.text or line.text.startswith("#"):
                continue
            argv = split_args(line.text)
            if argv is None:
                raise FatalConfigError("Unbalanced quotes in configuration line", line)
            if argv:
                self._read_directive(argv[0].lower(), argv, line, including)

    def _read_directive(self, name: str, argv: list[str], line: Line, including: tuple[str, ...]) -> None:
        if name in self._parameters:
            try:
                self._store(name, self._words(name, argv[1:]))
            except ConfigError as refusal:
                raise FatalConfigError(str(refusal), line) from None
        elif name in DEPRECATED and len(argv) == 2:
            return
        elif name == "include" and len(argv) == 2:
            self._include(argv[1], line, including)
        elif name == "rename-command" and len(argv) == 3:
            self.renamed_commands.append(Directive(argv, line))
        elif name == "user" and len(argv) >= 2:
            self.user_directives.append(Directive(argv, line))
        elif name == "function-module" and len(argv) >= 2:
            self.function_modules.append(Directive(argv, line))
        elif name == "loadmodule" and len(argv) >= 2:
            raise FatalConfigError("loadmodule is not supported: this server has no module system", line)
        elif "." in name:
            if len(argv) < 2:
                raise FatalConfigError("Module config specified without value", line)
            raise FatalConfigError("Module config specified, but this server has no module system", line)
        elif name == "sentinel":
            if len(argv) > 1:
                raise FatalConfigError("sentinel directive while not in sentinel mode", line)
        else:
            raise FatalConfigError("Bad directive or wrong number of arguments", line)

    def _words(self, name: str, args: list[str]) -> list[str]:
        """The values of a line: one for most parameters; several may also come as one quoted word."""
        if not self._parameters[name].multi_arg:
            if len(args) != 1:
                raise ConfigError("wrong number of arguments")
            return args
        if len(args) == 1 and args[0]:
            return split_args(args[0]) or []
        return args

    def _include(self, pattern: str, line: Line, including: tuple[str, ...]) -> None:
        """Read the files that a path with wildcards names (none is fine), or the one that a plain path names."""
        if len(including) >= MAX_INCLUDE_DEPTH:
            raise FatalConfigError("Too many nested includes", line)
        import glob

        pattern = self["dir"].absolute(pattern)
        paths = sorted(glob.glob(pattern)) if any(char in pattern for char in "*?[") else [pattern]
        source = _Source()
        for path in paths:
            try:
                source.add_file(path)
            except UnreadableConfigError as error:
                raise UnreadableConfigError(error.reason, line) from None
        self._read_lines(source.lines(), (*including, pattern))

    def _check_whole(self) -> None:
        if self["logfile"]:
            # The server cannot stop later just because its log does not open, so it is tried now.
            try:
                os.close(self["dir"].open(self["logfile"], os.O_WRONLY | os.O_APPEND | os.O_CREAT))
            except OSError as error:
                raise FatalConfigError(f"Can't open the log file: {os.strerror(error.errno)}") from None
        self._clamp()
        self._tell_of_inert(self.parameters)

    # CONFIG REWRITE.

    def rewrite(self, *, force_all: bool = False) -> None:
        """CONFIG REWRITE; force_all writes defaults, too. Raises ConfigError with the whole error reply."""
        if self.file is None:
            raise ConfigError("ERR The server is running without a config file")
        try:
            from fastredis.config.rewriting import rewrite_file  # rarely needed, and not when starting
            rewrite_file(self, self.file, force_all)
        except OSError as error:
            reason = os.strerror(error.errno)
            self.warn(f"CONFIG REWRITE failed: {reason}")
            raise ConfigError(f"ERR Rewriting config file: {reason}") from None

    def parameter(self, name: str) -> Parameter | None:
        """The row of the table with this name or alias, in any case."""
        return self._parameters.get(name.lower())


class _Source:
    """Texts read one after the other as if they were one, each line remembering where it stands."""

    def __init__(self) -> None:
        self._lines: list[tuple[str, str | None, int]] = []

    def add(self, text: str, file: str | None) -> None:
        lines = [(line, file, number) for number, line in enumerate(text.split("\n"), 1)]
        if self._lines:
            # The end of one text and the start of the next are one line: a text ends where its newline is.
            head, *origin = self._lines.pop()
            tail, *new_origin = lines[0]
            lines[0] = (head + tail, *(origin if head else new_origin))
        self._lines += lines

    def add_file(self, path: str) -> None:
        try:
            with open(path, "rb") as stream:
                self.add(to_text(stream.read()), os.path.abspath(path))
        except OSError as error:
            reason = f"Fatal error, can't open config file '{path}': {os.strerror(error.errno)}"
            raise UnreadableConfigError(reason) from None

    def lines(self) -> list[Line]:
        return [
            Line(text.strip(" \t\r\n"), number, file, file_line)
            for number, (text, file, file_line) in enumerate(self._lines, 1)
        ]
