"""COMMAND: what commands there are, and how they are called. All of it is derived from the declarations."""

from fastredis.commands.help_text import help_lines
from fastredis.engine import declarations
from fastredis.engine.command import declarer
from fastredis.engine.errors import SYNTAX
from fastredis.engine.flags import LOADING, NO_MANDATORY_KEYS, STALE
from fastredis.engine.inspect import matches
from fastredis.engine.reply import ErrorReply, Status

declare = declarer("server")

HELP = """
(no subcommand)
    Return details about all Redis commands.
COUNT
    Return the total number of commands in this Redis server.
LIST
    Return a list of all commands in this Redis server.
INFO [<command-name> ...]
    Return details about multiple Redis commands.
    If no command names are given, documentation details for all
    commands are returned.
DOCS [<command-name> ...]
    Return documentation details about multiple Redis commands.
    If no command names are given, documentation details for all
    commands are returned.
GETKEYS <full-command>
    Return the keys from a full Redis command.
GETKEYSANDFLAGS <full-command>
    Return the keys and the access flags from a full Redis command.
"""


def all_commands(engine):
    """The declarations of the engine's commands, without subcommands."""
    return [command.declaration for command in engine.commands.by_name.values()]


def named(engine, names):
    """The declaration of each name (bytes, `config|get` for a subcommand); None where there is no such command."""
    found = [engine.commands.get(name) for name in names]
    return [command.declaration if command is not None else None for command in found]


def cmd_command(c):
    """COMMAND -> array of the entries of COMMAND INFO, of all commands.

    Source: https://redis.io/docs/latest/commands/command/
    """
    c.reply([declarations.info(command) for command in all_commands(c.engine)])


declare(
    b"command", cmd_command, arity=-1, flags=LOADING | STALE, acl=("connection",), since="2.8.13",
    tips=("nondeterministic_output_order",),
    complexity="O(N) where N is the number of commands",
    summary="Describes all commands.",
)


def cmd_command_count(c):
    """COMMAND COUNT -> integer: commands, without subcommands."""
    c.reply(len(c.engine.commands.by_name))


declare(
    b"command|count", cmd_command_count, arity=2, flags=LOADING | STALE, acl=("connection",), since="2.8.13",
    complexity="O(1)",
    summary="Counts the commands.",
)


def cmd_command_docs(c):
    """COMMAND DOCS [name ...] -> map of names and maps; a name that is no command is left out.

    Source: https://redis.io/docs/latest/commands/command-docs/
    """
    names = c.args[2:]
    commands = named(c.engine, names) if names else all_commands(c.engine)
    c.reply({command.name: declarations.docs(command) for command in commands if command is not None})


declare(
    b"command|docs", cmd_command_docs, arity=-2, flags=LOADING | STALE, acl=("connection",), since="7.0.0",
    tips=("nondeterministic_output_order",),
    complexity="O(N) where N is the number of commands asked for",
    summary="Documents commands.",
    args="[command-name...]",
)


def cmd_command_getkeys(c):
    """COMMAND GETKEYS command [arg ...] -> array: the keys in that command.

    Errors: no such command; it has no keys; wrong number of arguments; arguments in which no key can be found.
    Source: https://redis.io/docs/latest/commands/command-getkeys/
    """
    c.reply([key for key, _ in keys_of(c)])


declare(
    b"command|getkeys", cmd_command_getkeys, arity=-3, flags=LOADING | STALE, acl=("connection",), since="2.8.13",
    complexity="O(N) where N is the number of arguments",
    summary="Finds the keys in a command with its arguments.",
    args="command [arg...]",
)


def cmd_command_getkeysandflags(c):
    """COMMAND GETKEYSANDFLAGS command [arg ...] -> array of pairs: a key, and the set of what happens to it.

    Errors: as COMMAND GETKEYS.
    Source: https://redis.io/docs/latest/commands/command-getkeysandflags/
    """
    c.reply([[key, tuple(Status(flag) for flag in flags)] for key, flags in keys_of(c)])


declare(
    b"command|getkeysandflags", cmd_command_getkeysandflags, arity=-3, flags=LOADING | STALE, acl=("connection",),
    since="7.0.0",
    complexity="O(N) where N is the number of arguments",
    summary="Finds the keys in a command with its arguments, and what happens to them.",
    args="command [arg...]",
)


def keys_of(c):
    """[(key, flags), ...] of the command that the arguments spell. Raises an ErrorReply."""
    argv = c.args[2:]
    command = c.engine.commands.get(argv[0])
    if command is not None and command.subcommands and len(argv) > 1:
        command = command.subcommands.get(argv[1].lower())
    if command is None:
        raise ErrorReply("ERR Invalid command specified")
    if not command.keys.any:
        raise ErrorReply("ERR The command has no key arguments")
    if len(argv) != command.arity and (command.arity > 0 or len(argv) < -command.arity):
        raise ErrorReply("ERR Invalid number of arguments specified for command")
    try:
        return [(argv[position], flags) for position, flags in command.keys.positions(argv)]
    except ValueError:
        if command.flags & NO_MANDATORY_KEYS:
            return []
        raise ErrorReply("ERR Invalid arguments specified for command") from None


def cmd_command_help(c):
    """COMMAND HELP -> array of simple strings."""
    c.reply(help_lines("COMMAND", HELP))


declare(
    b"command|help", cmd_command_help, arity=2, flags=LOADING | STALE, acl=("connection",), since="5.0.0",
    complexity="O(1)",
    summary="Explains the subcommands of COMMAND.",
)


def cmd_command_info(c):
    """COMMAND INFO [name ...] -> array: for each name an array of ten, or null when there is no such command.

    Source: https://redis.io/docs/latest/commands/command-info/
    """
    names = c.args[2:]
    commands = named(c.engine, names) if names else all_commands(c.engine)
    c.reply([declarations.info(command) if command is not None else None for command in commands])


declare(
    b"command|info", cmd_command_info, arity=-2, flags=LOADING | STALE, acl=("connection",), since="2.8.13",
    tips=("nondeterministic_output_order",),
    complexity="O(N) where N is the number of commands asked for",
    summary="Describes commands; all of them, if none is given.",
    args="[command-name...]",
    history=(("7.0.0", "Without a name it describes all commands."),),
)


def cmd_command_list(c):
    """COMMAND LIST [FILTERBY MODULE name | ACLCAT category | PATTERN pattern] -> array of names, with subcommands.

    Errors: syntax.
    Source: https://redis.io/docs/latest/commands/command-list/
    """
    words = c.args[2:]
    chosen = everything
    if words:
        if len(words) != 3 or words[0].lower() != b"filterby" or words[1].lower() not in FILTERS:
            raise ErrorReply(SYNTAX)
        chosen = FILTERS[words[1].lower()](words[2])
    names = []
    for command in all_commands(c.engine):
        names += [each.name for each in (command, *command.subcommands.values()) if chosen(each)]
    c.reply(names)


declare(
    b"command|list", cmd_command_list, arity=-2, flags=LOADING | STALE, acl=("connection",), since="7.0.0",
    tips=("nondeterministic_output_order",),
    complexity="O(N) where N is the number of commands",
    summary="Lists the names of commands.",
    args="[FILTERBY filterby=(MODULE module-name | ACLCAT category | PATTERN pattern:pattern)]",
)


# Filters: from the argument to a function that says whether a declaration is wanted.


def everything(command):
    return True


def of_module(name):
    """Commands of a module: none, as there are no modules."""
    return lambda command: False


def of_category(name):
    category = name.decode("utf-8", "replace").lower()
    return lambda command: category in declarations.acl_categories(command.flags, command.group, command.acl)


def by_pattern(pattern):
    return lambda command: matches(pattern.lower(), command.name)


FILTERS = {b"module": of_module, b"aclcat": of_category, b"pattern": by_pattern}
