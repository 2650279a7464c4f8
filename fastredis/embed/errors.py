"""What may go wrong around an embedded server. Replies that are errors are not among these."""


class FastredisError(Exception):
    """Base of the errors of this package."""


class SettingError(FastredisError, ValueError):
    """There is no such setting, or it can't have that value."""


class ServerError(FastredisError):
    """A server could not start, or has ended by itself; `log` is the end of its log."""

    def __init__(self, text: str, log: str = ""):
        super().__init__(text + (f"; its log ends with:\n{log}" if log else ""))
        self.log = log
