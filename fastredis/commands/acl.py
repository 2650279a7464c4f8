"""ACL: users and what they may do. What stands behind it is in fastredis.engine.acl."""

import math
import os

from fastredis.commands.help_text import help_lines
from fastredis.engine.acl.access import dry_run
from fastredis.engine.acl.rules import SPACES
from fastredis.engine.acl.users import DEFAULT, AclFileError
from fastredis.engine.audit import audit, author, rule_words, user_words
from fastredis.engine.command import declarer
from fastredis.engine.declarations import ACL_CATEGORIES
from fastredis.engine.errors import NOT_INTEGER, subcommand_error
from fastredis.engine.flags import ADMIN, CONTAINER, LOADING, NOSCRIPT, STALE
from fastredis.engine.options import parse_integer
from fastredis.engine.reply import ErrorReply, Status
from fastredis.text import to_text

declare = declarer("server")

OK = Status("OK")
EVERYWHERE = ("request_policy:all_nodes", "response_policy:all_succeeded")
MOST_BITS = 4096
SHOWN = 10              # entries that ACL LOG replies unless told otherwise
NO_FILE = (
    "ERR This Redis instance is not configured to use an ACL file. You may want to specify users via the ACL SETUSER "
    "command and then issue a CONFIG REWRITE (assuming you have a Redis configuration file set) in order to store "
    "users in the Redis configuration."
)

HELP = """
CAT [<category>]
    List all commands that belong to <category>, or all command categories
    when no category is specified.
DELUSER <username> [<username> ...]
    Delete a list of users.
DRYRUN <username> <command> [<arg> ...]
    Returns whether the user can execute the given command without executing the command.
GETUSER <username>
    Get the user's details.
GENPASS [<bits>]
    Generate a secure 256-bit user password. The optional `bits` argument can
    be used to specify a different size.
LIST
    Show users details in config file format.
LOAD
    Reload users from the ACL file.
LOG [<count> | RESET]
    Show the ACL log entries.
SAVE
    Save the current config to the ACL file.
SETUSER <username> <attribute> [<attribute> ...]
    Create or modify a user with the specified attributes.
USERS
    List all the registered usernames.
WHOAMI
    Return the current connection username.
"""

declare(
    b"acl", None, arity=-2, flags=CONTAINER, since="6.0.0",
    complexity="Depends on the subcommand",
    summary="Deals with users and what they may do.",
)


def at_most(c, words: int) -> None:
    """Refuse more words than the subcommand takes."""
    if len(c.args) > words:
        raise ErrorReply(subcommand_error("ACL", to_text(c.args[1])))


def cmd_acl_cat(c):
    """ACL CAT [category] -> array of categories, or of the commands in one.

    Errors: there is no such category.
    Source: https://redis.io/docs/latest/commands/acl-cat/
    """
    at_most(c, 3)
    if len(c.args) == 2:
        c.reply(list(ACL_CATEGORIES))
        return
    commands = c.engine.users.names.categories.get(c.args[2].lower())
    if commands is None:
        raise ErrorReply(f"ERR Unknown category '{to_text(c.args[2][:128])}'")
    c.reply([command.name for command in commands])


declare(
    b"acl|cat", cmd_acl_cat, arity=-2, flags=NOSCRIPT | LOADING | STALE, since="6.0.0",
    complexity="O(1) as there are only so many categories and commands",
    summary="Lists the categories of commands, or the commands in one.",
    args="[category]",
)


def cmd_acl_deluser(c):
    """ACL DELUSER username [username ...] -> integer: how many users there were. Their connections are closed.

    Errors: the default user cannot go.
    Source: https://redis.io/docs/latest/commands/acl-deluser/
    """
    if DEFAULT in c.args[2:]:
        raise ErrorReply("ERR The 'default' user cannot be removed")
    who = author(c)
    gone = [name for name in c.args[2:] if c.engine.users.delete(name, c)]
    if gone:
        audit(c.engine, who, "ACL DELUSER", user_words(c.engine, gone))
    c.reply(len(gone))


declare(
    b"acl|deluser", cmd_acl_deluser, arity=-3, flags=ADMIN | NOSCRIPT | LOADING | STALE, since="6.0.0",
    tips=EVERYWHERE,
    complexity="O(N) where N is the number of given users and of connections",
    summary="Deletes users and closes their connections.",
    args="username...",
)


def cmd_acl_dryrun(c):
    """ACL DRYRUN username command [argument ...] -> OK, or a bulk string: why the user may not run that.

    The database is the one that this connection has selected.
    Errors: no such user, no such command; a wrong number of arguments.
    Source: https://redis.io/docs/latest/commands/acl-dryrun/
    """
    user = c.engine.users.get(c.args[2])
    if user is None:
        raise ErrorReply(f"ERR User '{to_text(c.args[2])}' not found")
    words = c.args[3:]
    command = c.engine.commands.get(words[0]) if b"|" not in words[0] else None
    if command is not None and command.subcommands and len(words) > 1:
        command = command.subcommands.get(words[1].lower())
    if command is None:
        raise ErrorReply(f"ERR Command '{to_text(words[0])}' not found")
    if len(words) != command.arity and (command.arity > 0 or len(words) < -command.arity):
        raise ErrorReply(f"ERR wrong number of arguments for '{to_text(command.name)}' command")
    c.reply(dry_run(c, user, command, 3) or OK)


declare(
    b"acl|dryrun", cmd_acl_dryrun, arity=-4, flags=ADMIN | NOSCRIPT | LOADING | STALE, since="7.0.0",
    complexity="O(1)",
    summary="Says whether a user may run a command, which is not run.",
    args="username command [arg...]",
)


def cmd_acl_genpass(c):
    """ACL GENPASS [bits] -> bulk string: a random password in hexadecimal, of 256 bits unless given.

    Errors: no integer; not from 1 to 4096.
    Source: https://redis.io/docs/latest/commands/acl-genpass/
    """
    at_most(c, 3)
    bits = 256 if len(c.args) == 2 else parse_integer(c.args[2])
    if bits is None:
        raise ErrorReply(NOT_INTEGER)
    if not 0 < bits <= MOST_BITS:
        raise ErrorReply("ERR ACL GENPASS argument must be the number of bits for the output password, a positive "
                         f"number up to {MOST_BITS}")
    digits = math.ceil(bits / 4)
    c.reply(os.urandom(digits).hex()[:digits].encode())


declare(
    b"acl|genpass", cmd_acl_genpass, arity=-2, flags=NOSCRIPT | LOADING | STALE, since="6.0.0",
    complexity="O(1)",
    summary="Makes a random password.",
    args="[bits:integer]",
)


def permissions_fields(permissions, with_databases: bool) -> dict:
    fields = {
        "commands": permissions.describe_commands(),
        "keys": permissions.describe_keys(),
        "channels": permissions.describe_channels(),
    }
    if with_databases:
        fields["databases"] = permissions.describe_databases()
    return fields


def cmd_acl_getuser(c):
    """ACL GETUSER username -> map: flags, passwords (SHA-256), commands, keys, channels, selectors; null: no such user.

    Each selector is a map of commands, keys and channels. `databases` is a field of all of these when one of them is
    limited to some.
    Source: https://redis.io/docs/latest/commands/acl-getuser/
    """
    user = c.engine.users.get(c.args[2])
    if user is None:
        c.reply(None)
        return
    rules = user.rules
    with_databases = any(permissions.databases is not None for permissions in rules.all_permissions)
    c.reply({
        "flags": tuple(rules.flags()),
        "passwords": list(rules.passwords),
        **permissions_fields(rules.root, with_databases),
        "selectors": [permissions_fields(selector, with_databases) for selector in rules.selectors],
    })


declare(
    b"acl|getuser", cmd_acl_getuser, arity=3, flags=ADMIN | NOSCRIPT | LOADING | STALE, since="6.0.0",
    complexity="O(N) where N is the number of the user's rules",
    summary="Returns the rules of a user.",
    args="username",
    history=(("6.2.0", "Channels."), ("7.0.0", "Selectors; keys and channels are texts, no arrays.")),
)


def cmd_acl_list(c):
    """ACL LIST -> array: the `user` lines of all users.

    Source: https://redis.io/docs/latest/commands/acl-list/
    """
    c.reply(c.engine.users.lines())


declare(
    b"acl|list", cmd_acl_list, arity=2, flags=ADMIN | NOSCRIPT | LOADING | STALE, since="6.0.0",
    complexity="O(N) where N is the number of users",
    summary="Lists all users with their rules.",
)


def with_file(c):
    """The users, if there is an ACL file that they are in."""
    if not c.engine.config["aclfile"]:
        raise ErrorReply(NO_FILE)
    return c.engine.users


def cmd_acl_load(c):
    """ACL LOAD -> OK: the users are those of the ACL file now. Connections of users that are gone are closed.

    Errors: there is no such file; something is wrong in it, and then nothing has changed.
    Source: https://redis.io/docs/latest/commands/acl-load/
    """
    who = author(c)
    try:
        with_file(c).load_file(c)
    except AclFileError as error:
        raise ErrorReply(f"ERR {error}") from None
    audit(c.engine, who, "ACL LOAD", [])
    c.reply(OK)


declare(
    b"acl|load", cmd_acl_load, arity=2, flags=ADMIN | NOSCRIPT | LOADING | STALE, since="6.0.0",
    complexity="O(N) where N is the number of users in the file",
    summary="Reads the users from the ACL file.",
)


def cmd_acl_log(c):
    """ACL LOG [count] -> array of maps, the newest denial first; ACL LOG RESET -> OK, and it is empty.

    Errors: no integer.
    Source: https://redis.io/docs/latest/commands/acl-log/
    """
    at_most(c, 3)
    log = c.engine.users.log
    if len(c.args) == 3 and c.args[2].lower() == b"reset":
        log.clear()
        c.reply(OK)
        return
    count = SHOWN if len(c.args) == 2 else parse_integer(c.args[2])
    if count is None:
        raise ErrorReply(NOT_INTEGER)
    c.reply([entry.fields(c.now_ms) for entry in log.newest(max(0, min(count, len(log.entries))))])


declare(
    b"acl|log", cmd_acl_log, arity=-2, flags=ADMIN | NOSCRIPT | LOADING | STALE, since="6.0.0",
    complexity="O(N) where N is the number of entries returned",
    summary="Lists what users were denied, or forgets it.",
    args="[operation=(count:integer | RESET)]",
    history=(("7.2.0", "Fields `entry-id`, `timestamp-created` and `timestamp-last-updated`."),),
)


def cmd_acl_save(c):
    """ACL SAVE -> OK: the ACL file holds the users as they are now.

    Errors: there is no such file; it cannot be written.
    Source: https://redis.io/docs/latest/commands/acl-save/
    """
    if not with_file(c).save_file():
        raise ErrorReply("ERR There was an error trying to save the ACLs. Please check the server logs for more "
                         "information")
    c.reply(OK)


declare(
    b"acl|save", cmd_acl_save, arity=2, flags=ADMIN | NOSCRIPT | LOADING | STALE, since="6.0.0",
    tips=EVERYWHERE,
    complexity="O(N) where N is the number of users",
    summary="Writes the users into the ACL file.",
)


def cmd_acl_setuser(c):
    """ACL SETUSER username [rule ...] -> OK: the user, a new one if there is none of that name, follows the rules.

    Its connections do so at once; who listens to a channel that is not allowed any more is disconnected.
    Errors: a name with blanks; a rule that makes no sense, and then nothing has changed.
    Source: https://redis.io/docs/latest/commands/acl-setuser/
    """
    if SPACES.search(c.args[2]):
        raise ErrorReply("ERR Usernames can't contain spaces or null characters")
    who = author(c)
    problem = c.engine.users.set_user(c.args[2], c.args[3:], c)
    if problem is not None:
        raise ErrorReply(f"ERR {problem}")
    audit(c.engine, who, "ACL SETUSER", user_words(c.engine, [c.args[2]]) + rule_words(c.engine, c.args[3:]))
    c.reply(OK)


declare(
    b"acl|setuser", cmd_acl_setuser, arity=-3, flags=ADMIN | NOSCRIPT | LOADING | STALE, since="6.0.0",
    tips=EVERYWHERE,
    complexity="O(N) where N is the number of rules and of connections",
    summary="Makes or changes a user.",
    args="username [rule...]",
    history=(("6.2.0", "Channels."), ("7.0.0", "Selectors and permissions for keys.")),
)


def cmd_acl_users(c):
    """ACL USERS -> array: the names of all users.

    Source: https://redis.io/docs/latest/commands/acl-users/
    """
    c.reply([user.name for user in c.engine.users.sorted()])


declare(
    b"acl|users", cmd_acl_users, arity=2, flags=ADMIN | NOSCRIPT | LOADING | STALE, since="6.0.0",
    complexity="O(N) where N is the number of users",
    summary="Lists the names of all users.",
)


def cmd_acl_whoami(c):
    """ACL WHOAMI -> bulk string: the name of the user whose rights this connection has.

    Source: https://redis.io/docs/latest/commands/acl-whoami/
    """
    c.reply(c.user.name)


declare(
    b"acl|whoami", cmd_acl_whoami, arity=2, flags=NOSCRIPT | LOADING | STALE, since="6.0.0",
    complexity="O(1)",
    summary="Returns the name of the connection's user.",
)


def cmd_acl_help(c):
    """ACL HELP -> array of simple strings."""
    c.reply(help_lines("ACL", HELP))


declare(
    b"acl|help", cmd_acl_help, arity=2, flags=LOADING | STALE, since="6.0.0",
    complexity="O(1)",
    summary="Explains the subcommands of ACL.",
)
