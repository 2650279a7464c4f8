"""What data sets hold beside keys that this server does not know: data of modules.

It is kept as it stands in the RDB format and goes back into every file, base of an AOF and full synchronisation, so
that a server which knows it finds it again. FLUSHALL leaves it; a new data set brings its own.
"""


class Kept:
    """Belongs to one data set: engine.kept, or a load's.

    before      parts of the RDB format, their opcodes included, that stand in front of the keys
    after       ... and behind them
    """

    def __init__(self):
        self.before: list[bytes] = []
        self.after: list[bytes] = []

    @property
    def has_parts(self) -> bool:
        """Whether only the RDB format can hold all of it: there are no commands that make it."""
        return bool(self.before or self.after)

    def add(self, other: "Kept") -> None:
        """The keys of another data set were added to this one's."""
        self.before += [part for part in other.before if part not in self.before]
        self.after += [part for part in other.after if part not in self.after]


def kept_of(engine) -> Kept:
    """What an engine keeps, made if there was nothing."""
    if engine.kept is None:
        engine.kept = Kept()
    return engine.kept
