"""What the engine, and the layers on it, ask of those further to the right. A hook does nothing by itself.

Whoever provides the thing derives a class, and puts an object of it in the engine's attribute. tests/test_source.py
holds that the layers below use no other names of such an attribute than those that stand here.
"""

import contextlib


class Host:
    """Who runs an engine (Engine.host): the server with its sockets, or a program that has the engine inside.

    cron_paused    DEBUG PAUSE-CRON: the timers of clients, files and replicas do nothing
    """

    cron_paused = False

    def cron(self) -> None:
        """Called `hz` times a second."""

    def listening_sockets(self) -> list[tuple]:
        """Sockets on which clients connect, each with a function for the socket of one who has connected.

        That gives the Connection, with a stand-in for its transport until the loop has one.
        """
        return []

    def outgoing_tls(self):
        """With what connections to other servers are made secure: an ssl.SSLContext; None: there is no TLS."""

    def tls_fields(self) -> list[tuple[str, object]]:
        """What INFO shows of certificates."""
        return []

    def listening(self) -> list[str]:
        """What INFO shows of each kind of socket that clients connect to."""
        return []

    def end(self, code: int) -> None:
        """The engine's service is over (Engine.ending): have nobody connect any more, and exit with the code."""

    def role_changed(self) -> None:
        """The engine has become a master or a replica."""

    def in_child(self, kind: str) -> None:
        """In a child process ("rdb", "aof" or "debug"), before it works."""

    def saving_at_end(self) -> contextlib.AbstractContextManager:
        """Around the last save before the end."""
        return contextlib.nullcontext()


class Peers:
    """What replication is to the layers below (Engine.replication). Here there is none."""

    def refusal(self, flags: int, client_flags: int) -> bytes | None:
        """Why a command may not run now; None: it may. Asked while GATE_REPLICATION is closed."""

    def connection_lost(self, connection) -> None:
        """A connection that REPLCONF was used on is gone."""

    def send_all(self) -> None:
        """Replicas may have more of the stream than before (Core.sendable)."""

    def flow(self) -> tuple[int, int]:
        """Bytes of replication that came in and went out."""
        return 0, 0

    def saved_info(self) -> tuple[str, int, int] | None:
        """What an RDB file tells of the history: id, offset, selected database; None: nothing."""

    def restore(self, aux: dict[bytes, bytes]) -> None:
        """At the start: the data come from an RDB file with these AUX fields."""

    def key_dropped(self, aux: dict[bytes, bytes], database: int, key: bytes) -> None:
        """At the start: a key of the RDB file is not loaded, its time has come."""

    def save_ended(self, succeeded: bool) -> None:
        """A background save to the RDB file has ended."""

    def flushed(self) -> None:
        """All data are gone (FLUSHALL)."""


class Libraries:
    """Libraries of functions (Engine.scripts.functions), for who loads and saves data sets.

    A set that a load fills has add(code, replace), which raises a BadLibraryError.
    """

    def codes(self) -> list[bytes]:
        """The code of each library that there is."""
        return []

    def new(self):
        """An empty set, for use()."""

    def beside(self):
        """An empty set, for join()."""

    def use(self, libraries) -> None:
        """The libraries of a set are those that there are now; None: there are none."""

    def join(self, libraries, replace: bool) -> None:
        """Those of a set are added. BadLibraryError: some are there already, and `replace` is False; none is added."""


class Scripting:
    """What scripts and functions are to the layers below (Engine.scripts)."""

    functions = Libraries()

    def flags_of(self, command: bytes, text: bytes, flags: int) -> int:
        """The flags of EVAL, FCALL and the like, with that first argument: what the script declares counts."""
        return flags


class Extensions:
    """Functions and commands that the program has declared (Engine.extensions)."""

    def find(self, name: bytes):
        """The function that FCALL calls by that name; None: there is none."""

    def run(self, client, function, keys: int, read_only: bool) -> None:
        """Call it with the arguments of the FCALL in argv, `keys` of which are keys, and reply."""


class Faults:
    """What a test has commands meet (Engine.faults), while GATE_FAULTS is closed."""

    def strike(self, client, command) -> bytes | None:
        """The error that a command is to fail with; empty: the client has been closed; None: it may run."""

    def delays(self, client) -> bool:
        """Whether the request under way is to come again later, which has been seen to."""
        return False


class BadLibraryError(Exception):
    """A library can't be had; `text` is the reason, as an error reply has it without its code."""

    def __init__(self, text: bytes):
        super().__init__(text.decode("utf-8", "replace"))
        self.text = text
