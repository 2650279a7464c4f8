"""What <COMMAND> HELP answers."""

from fastredis.engine.reply import Status


def help_lines(command: str, text: str) -> list[Status]:
    """The lines of a help text, one simple string each, between Redis's own first and last lines."""
    first = f"{command} <subcommand> [<arg> [value] [opt] ...]. Subcommands are:"
    return [Status(line) for line in (first, *text.strip("\n").split("\n"), "HELP", "    Prints this help.")]
