"""Error texts for commands in plain Python, which raise ErrorReply(text). The texts are in errors.pxd."""

CLIENT_NAME = ERR_CLIENT_NAME.decode()
LOADING_DATA = ERR_LOADING.decode()
NO_KEY = ERR_NO_KEY.decode()
NOT_INTEGER = ERR_NOT_INTEGER.decode()
NOT_POSITIVE = ERR_NOT_POSITIVE.decode()
SYNTAX = ERR_SYNTAX.decode()
SHUTDOWN_FAILED = ERR_SHUTDOWN_FAILED.decode()
TIMEOUT = ERR_TIMEOUT.decode()
TIMEOUT_NEGATIVE = ERR_TIMEOUT_NEGATIVE.decode()
TIMEOUT_RANGE = ERR_TIMEOUT_RANGE.decode()
UNBLOCKED = ERR_UNBLOCKED.decode()


def subcommand_error(container, subcommand):
    """The text for a subcommand (str) that has other arguments than it takes."""
    return f"ERR unknown subcommand or wrong number of arguments for '{subcommand}'. Try {container} HELP."


cdef bytes arity_error(bytes command):
    return b"ERR wrong number of arguments for '" + command + b"' command"


cdef bytes expire_error(bytes command):
    return b"ERR invalid expire time in '" + command + b"' command"
