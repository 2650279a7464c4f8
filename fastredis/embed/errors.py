"""What may go wrong around an embedded server, and replies that are errors."""


class FastredisError(Exception):
    """Base of the errors of this package."""


class SettingError(FastredisError, ValueError):
    """There is no such setting, or it can't have that value."""


class ServerError(FastredisError):
    """A server could not start, or has ended by itself; `log` is the end of its log."""

    def __init__(self, text: str, log: str = ""):
        super().__init__(text + (f"; its log ends with:\n{log}" if log else ""))
        self.log = log


class ReplyError(FastredisError):
    """A command's reply is an error: its text, code first (`WRONGTYPE Operation against ...`)."""

    @property
    def code(self) -> str:
        """The first word: `WRONGTYPE`, `ERR`."""
        return str(self).partition(" ")[0]


class WouldBlockError(FastredisError):
    """The command has to wait, and was called where nothing can be waited for: on the engine's own event loop."""


class ClosedError(FastredisError):
    """The client in this process is closed: by close(), CLIENT KILL or QUIT, or since its server does not run."""
