"""MODULE: there is no module system, and these commands say so as a server without any module does."""

from fastredis.commands.help_text import help_lines
from fastredis.engine.command import declarer
from fastredis.engine.flags import ADMIN, CONTAINER, LOADING, NO_ASYNC_LOADING, NOSCRIPT, PROTECTED, STALE
from fastredis.engine.reply import ErrorReply
from fastredis.text import to_text

declare = declarer("server")

HELP = """
LIST
    Return a list of loaded modules.
LOAD <path> [<arg> ...]
    Load a module library from <path>, passing to it any optional arguments.
LOADEX <path> [[CONFIG NAME VALUE] [CONFIG NAME VALUE]] [ARGS ...]
    Load a module library from <path>, while passing it module configurations and optional arguments.
UNLOAD <name>
    Unload a module.
"""

declare(
    b"module", None, arity=-2, flags=CONTAINER, since="4.0.0",
    complexity="Depends on the subcommand",
    summary="Lists modules, of which there is none.",
)


def cmd_module_list(c):
    """MODULE LIST -> empty array.

    Source: https://redis.io/docs/latest/commands/module-list/
    """
    c.reply([])


declare(
    b"module|list", cmd_module_list, arity=2, flags=ADMIN | NOSCRIPT, since="4.0.0",
    tips=("nondeterministic_output_order",),
    complexity="O(1)",
    summary="Lists the loaded modules.",
)


def cmd_module_load(c):
    """MODULE LOAD path [arg ...], MODULE LOADEX path ... -> error: no library can be loaded.

    Source: https://redis.io/docs/latest/commands/module-load/
    """
    c.engine.log.warning(f"Module {to_text(c.args[2])} failed to load: this server has no module system")
    raise ErrorReply("ERR Error loading the extension. Please check the server logs.")


for name, since, args in (
    (b"module|load", "4.0.0", "path [arg...]"),
    (b"module|loadex", "7.0.0", "path [CONFIG... configs={name value}] [ARGS args...]"),
):
    declare(
        name, cmd_module_load, arity=-3, flags=ADMIN | NOSCRIPT | NO_ASYNC_LOADING | PROTECTED, since=since,
        complexity="O(1)",
        summary="Refuses to load a module.",
        args=args,
    )


def cmd_module_unload(c):
    """MODULE UNLOAD name -> error: there is none of that name.

    Source: https://redis.io/docs/latest/commands/module-unload/
    """
    raise ErrorReply("ERR Error unloading module: no such module with that name")


declare(
    b"module|unload", cmd_module_unload, arity=3, flags=ADMIN | NOSCRIPT | NO_ASYNC_LOADING | PROTECTED, since="4.0.0",
    complexity="O(1)",
    summary="Finds no module to unload.",
    args="name",
)


def cmd_module_help(c):
    """MODULE HELP -> array of simple strings."""
    c.reply(help_lines("MODULE", HELP))


declare(
    b"module|help", cmd_module_help, arity=2, flags=LOADING | STALE, since="5.0.0",
    complexity="O(1)",
    summary="Explains the subcommands of MODULE.",
)
