"""The pages of the site that are made of what the program declares: commands, parameters, differences.

pages() -> {path in the site: Markdown}. docs/hooks.py hands them to mkdocs; tests/test_docs.py reads them, too.
"""
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from fastredis.engine.command import declared_commands

from fastredis import REDIS_VERSION, commands
from fastredis.config import table, types
from fastredis.embed.settings import DEFAULTS, text_of
from fastredis.engine.arguments import Argument, parse_args
from fastredis.engine.declarations import ACL_CATEGORIES, Declaration, acl_categories, flag_names

TOP = Path(__file__).resolve().parent.parent
PACKAGE = TOP / "fastredis"

GROUPS = {
    "string": "Strings", "bitmap": "Bitmaps", "hyperloglog": "HyperLogLogs", "list": "Lists", "set": "Sets",
    "hash": "Hashes", "sorted-set": "Sorted sets", "geo": "Geospatial indexes", "stream": "Streams", "array": "Arrays",
    "generic": "Keys", "transactions": "Transactions", "pubsub": "Publish and subscribe", "scripting": "Scripts",
    "connection": "Connections", "server": "Server", "cluster": "Cluster",
}


def pages() -> dict[str, str]:
    """All of them."""
    commands.load()
    declared = [command.declaration for command in declared_commands()]
    words = handlers()
    notes = differences()
    found = {f"commands/{group}.md": group_page(group, of_group(declared, group), words, notes) for group in GROUPS}
    found["commands/index.md"] = commands_page(declared)
    found["parameters.md"] = parameters_page()
    found["differences.md"] = differences_page(notes)
    return found


# --- commands -------------------------------------------------------------------------------------------------------


def of_group(declared: Iterable[Declaration], group: str) -> list[Declaration]:
    """The commands of a group by name; a subcommand is with its container."""
    containers = {each.name: each.group for each in declared if b"|" not in each.name}
    return sorted((each for each in declared if containers[each.name.partition(b"|")[0]] == group),
                  key=lambda each: each.name)


def title(command: Declaration) -> str:
    return command.name.decode().replace("|", " ").upper()


def anchor(command: Declaration) -> str:
    return re.sub(r"[^a-z0-9]+", "-", command.name.decode())


def syntax(arguments: Iterable[Argument]) -> str:
    """Arguments as Redis's documentation writes them: `key [NX | XX] [EX seconds]`."""
    return " ".join(map(argument_syntax, arguments))


def argument_syntax(argument: Argument) -> str:
    if argument.type == "oneof":
        text = " | ".join(map(argument_syntax, argument.arguments))
        if not argument.optional or argument.token:
            text = f"<{text}>"
    elif argument.type == "block":
        text = syntax(argument.arguments)
    elif argument.type == "pure-token":
        text = argument.token or '""'
    else:
        text = argument.display_text or argument.name
    if argument.token and argument.type != "pure-token":
        text = f"{argument.token} {text}"
    if argument.multiple:
        again = text if argument.multiple_token or not argument.token else text.removeprefix(f"{argument.token} ")
        text += f" [{again} ...]"
    return f"[{text}]" if argument.optional else text


def flat(arguments: Iterable[Argument]) -> Iterator[Argument]:
    for argument in arguments:
        yield argument
        yield from flat(argument.arguments)


def arity_text(arity: int) -> str:
    count = abs(arity) - 1
    words = f"{count} argument{'' if count == 1 else 's'}" if count else "no argument"
    if arity > 0:
        return words
    return f"at least {words}" if count else "any number of arguments"


DOCUMENTED = re.compile(r'^(?:cdef int|def) (cmd_\w+)\((?:Client )?c[^)]*\)[^\n]*:\n    """((?:[^"]|"(?!""))*)"""',
                        re.MULTILINE)
DECLARED = re.compile(r'declare\(\s*b"([^"]+)",\s*(?:native\()?(cmd_\w+)')


def handlers() -> dict[bytes, str]:
    """The docstring of each command's handler. Cython's functions have none when they run, so it is the source's."""
    found = {}
    for path in sorted((PACKAGE / "commands").iterdir()):
        if path.suffix in (".py", ".pyx"):
            text = path.read_text()
            words = dict(DOCUMENTED.findall(text))
            found |= {name.encode(): words[handler] for name, handler in DECLARED.findall(text) if handler in words}
    return found


def escaped(text: str) -> str:
    """Text that is no Markdown."""
    return re.sub(r"([\\`*_\[\]<>#|])", r"\\\1", text)


def reply_lines(doc: str) -> Iterator[str]:
    """What a handler's docstring says of replies and errors: paragraphs of Markdown."""
    usage, *others = re.split(r"\n\s*\n", doc.strip())
    yield from labelled("Reply: " + usage.partition("-> ")[2])
    for paragraph in others:
        lines = paragraph.splitlines()
        if len({len(line) - len(line.lstrip()) for line in lines}) > 1:     # a drawing or a table
            yield "\n".join(f"    {line}" for line in lines)
        else:
            yield from labelled(paragraph)


def labelled(paragraph: str) -> Iterator[str]:
    """A paragraph in its parts: what it tells, `Errors:` and `Source:`."""
    for part in re.split(r"\s+(?=(?:Errors|Source): )", " ".join(paragraph.split())):
        label, _, text = part.partition(": ")
        if label == "Source":
            yield "**Source:** " + re.sub(r"https?://[^\s,;]*[^\s,;.]", r"<\g<0>>", text)
        elif label in ("Reply", "Errors"):
            yield f"**{label}:** {escaped(text)}"
        else:
            yield escaped(part)


def command_section(command: Declaration, doc: str, notes: Iterable[str]) -> str:
    """All that is known about one command."""
    arguments = parse_args(command.args)
    parts = [f"## {title(command)} {{ #{anchor(command)} }}", escaped(command.summary)]
    if command.subcommands:
        others = ", ".join(f"[{title(each)}](#{anchor(each)})" for each in command.subcommands.values())
        parts.append(f"Subcommands: {others}")
    if doc or not command.subcommands:
        usage = f"{title(command)} {syntax(arguments)}".strip()
        parts += [f"```text\n{usage}\n```", *(reply_lines(doc) if doc else ())]
    categories = acl_categories(command.flags, command.group, command.acl)
    facts = {
        "since": command.since,
        "arity": f"{command.arity} ({arity_text(command.arity)})",
        "flags": " ".join(flag_names(command.flags)),
        "ACL categories": " ".join(f"@{name}" for name in ACL_CATEGORIES if name in categories),
        "complexity": escaped(command.complexity),
        "deprecated since": command.deprecated_since,
        "instead": command.replaced_by,
    }
    parts.append("\n".join(["| | |", "|---|---|", *(f"| {name} | {text} |" for name, text in facts.items() if text)]))
    later = [f"* {version}: {text}" for version, text in command.history]
    told = " ".join(later)
    later += [f"* {each.since}: `{each.token or each.name}`" for each in flat(arguments)
              if each.since and (each.token or each.name) not in told]
    if later:
        parts.append("Came later:\n\n" + "\n".join(later))
    parts += [f"**Otherwise than in redis-server:** {note}" for note in notes]
    return "\n\n".join(parts)


def group_page(group: str, declared: Iterable[Declaration], words: dict[bytes, str], notes: list[str]) -> str:
    sections = [command_section(each, words.get(each.name, ""), [note for note in notes if names_command(note, each)])
                for each in declared]
    return f"# {GROUPS[group]}\n\n" + "\n\n".join(sections) + "\n"


def commands_page(declared: list[Declaration]) -> str:
    lines = ["# Commands", "",
             f"All {len(declared)} commands and subcommands, made from their declarations. `since` is the version of "
             "Redis, or of Valkey for what Redis has not, in which a command came. An arity counts the command's name; "
             "a negative one is the least number.", ""]
    for group, name in GROUPS.items():
        links = ", ".join(f"[{title(each)}]({group}.md#{anchor(each)})" for each in of_group(declared, group))
        lines += [f"## {name}", "", links, ""]
    return "\n".join(lines)


# --- differences ----------------------------------------------------------------------------------------------------

DIFFERENCES = re.compile(r"^Differences from redis-server[^\n]*:\n\n((?:[* ] .*\n)+)", re.MULTILINE)


def differences() -> list[str]:
    """The points of README's list."""
    found = DIFFERENCES.search((TOP / "README.md").read_text())
    assert found is not None, "README has no list of differences"
    return [" ".join(point.split()) for point in re.split(r"^\* ", found[1], flags=re.MULTILINE) if point]


def names_command(note: str, command: Declaration) -> bool:
    """Whether a difference is about this command: its first words in backquotes are the command's name."""
    return any(re.match(rf"{re.escape(title(command))}( |$)", code) for code in re.findall(r"`([^`]+)`", note))


def missing() -> str:
    """README's paragraph of what is not there."""
    found = re.search(r"^Not there yet: (.*?)\n\n", (TOP / "README.md").read_text(), re.MULTILINE | re.DOTALL)
    assert found is not None, "README does not say what is not there"
    return " ".join(found[1].split())


def differences_page(notes: Iterable[str]) -> str:
    return (f"# Differences from redis-server\n\nThe version whose behaviour is followed is {REDIS_VERSION}.\n\n"
            f"## Not there yet\n\n{missing()}\n\n"
            "## What you may notice\n\n" + "\n".join(f"* {note}" for note in notes)
            + "\n\nWhere Redis and Valkey disagree: [which is followed](internals.md#redis-or-valkey).\n")


# --- parameters -----------------------------------------------------------------------------------------------------

RESTRICTIONS = (
    (types.IMMUTABLE, "only in the file and on the command line"),
    (types.HIDDEN, "CONFIG GET answers it by its exact name only"),
    (types.PROTECTED, "CONFIG SET needs enable-protected-configs"),
    (types.DENY_LOADING, "CONFIG SET is refused while data load"),
    (types.SENSITIVE, "its value is in no log"),
)
UNBOUNDED = 2**31 - 1           # limits from here on are the type's, not the setting's


def default_text(parameter: types.Parameter) -> str:
    if isinstance(parameter, types.Directory):
        return "the directory it is started in"
    text = parameter.text(parameter.default)
    return f"`{text}`" if text else "empty"


def values_text(parameter: types.Parameter) -> str:
    if isinstance(parameter, types.Bool):
        return "`yes`, `no`"
    if isinstance(parameter, types.Enum):
        return ", ".join(f"`{value}`" for value in (*parameter.values, *parameter.newer))
    if isinstance(parameter, types.MemoryOrPercent):
        return "bytes (`100mb`), or a percentage"
    if isinstance(parameter, types.Int):
        kind = {"memory": "bytes (`100mb`)", "octal": "octal number"}.get(parameter.kind, "integer")
        if parameter.high >= UNBOUNDED:
            return f"{kind}, at least {parameter.text(parameter.low)}" if parameter.low > -UNBOUNDED else kind
        return f"{kind}, {parameter.text(parameter.low)} to {parameter.text(parameter.high)}"
    return "text" if isinstance(parameter, types.String) else "words"


def remarks(parameter: types.Parameter) -> str:
    found = [text for flag, text in RESTRICTIONS if parameter.flags & flag]
    if parameter.alias:
        found.append(f"also called `{parameter.alias}`")
    name = parameter.name.replace("-", "_")
    if name in DEFAULTS:
        found.append(f"in an embedded server {f'`{text_of(DEFAULTS[name])}`' if text_of(DEFAULTS[name]) else 'empty'}")
    return "; ".join(found)


def parameter_rows(parameters: Iterable[types.Parameter]) -> Iterator[str]:
    yield "| name | default | values | remarks |"
    yield "|---|---|---|---|"
    for each in parameters:
        yield f"| `{each.name}` | {default_text(each)} | {values_text(each)} | {remarks(each)} |"


def parameters_page() -> str:
    """The table of the settings, those that do something first."""
    working = [each for each in table.PARAMETERS if not each.inert and not each.absent]
    lines = ["# Parameters", "",
             f"All {len(table.PARAMETERS)} settings of redis.conf that are known here, made from the table that the "
             "server itself reads. They stand in a file, on the command line behind `--`, in CONFIG SET, or are "
             "keyword arguments of `fastredis.Server` with `_` for `-`. What they mean is in the redis.conf of Redis "
             "and Valkey.", "", "## Those that have an effect", "", *parameter_rows(working), "",
             "## Without effect", "",
             "They are read and kept, and the log says so if one is not at its default.", "",
             "| name | why |", "|---|---|"]
    lines += [f"| `{each.name}` | {each.inert} |" for each in table.PARAMETERS if each.inert]
    lines += ["", "## Refused", "", "Only the default is accepted.", "", "| name | default | why |", "|---|---|---|"]
    lines += [f"| `{each.name}` | {default_text(each)} | {each.absent} |" for each in table.PARAMETERS if each.absent]
    return "\n".join(lines) + "\n"
