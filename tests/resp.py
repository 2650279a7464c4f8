"""A minimal RESP2 and RESP3 client for tests: a blocking socket, every frame parsed and kept as raw bytes.

It hides nothing: a push frame is a frame like any other, an error is a value and not an exception, and each
RESP type has a Python type of its own, so that a test sees a status where a bulk string is due.

    :1          int                 *2 ...      list            %1 ...      dict
    $3 abc      bytes               ~2 ...      Set(list)       >2 ...      Push(list)
    +OK         Status("OK")        ,1.5        float           #t          bool
    -ERR no     Error("ERR no")     $-1  _      None            *-1         NIL_ARRAY
    =7 txt:abc  Verbatim(bytes)     (12         BigNumber(int)

An attribute (|) stands before the reply that it describes; Client.attributes keeps the last one read.
Source: https://redis.io/docs/latest/develop/reference/protocol-spec
"""
import socket


class Status(str):
    """A simple string: +OK."""

    def __eq__(self, other):
        return isinstance(other, Status) and str.__eq__(self, other)

    __hash__ = str.__hash__

    def __repr__(self):
        return f"Status({str.__repr__(self)})"


class Error(str):
    """An error reply, its code included: Error("ERR syntax error")."""

    def __eq__(self, other):
        return isinstance(other, Error) and str.__eq__(self, other)

    __hash__ = str.__hash__

    def __repr__(self):
        return f"Error({str.__repr__(self)})"


class Set(list):
    """A RESP3 set, in the order of the wire."""


class Push(list):
    """A RESP3 push frame."""


class Verbatim(bytes):
    """A RESP3 verbatim string without its three-letter format."""


class BigNumber(int):
    """A RESP3 big number."""


class NilArray:
    """The type of NIL_ARRAY, which is RESP2's null array: *-1."""

    def __repr__(self):
        return "NIL_ARRAY"


class Closed(Exception):
    """The server closed the connection where a reply was due."""


NIL_ARRAY = NilArray()
ESCAPES = {"n": b"\n", "r": b"\r", "t": b"\t", "b": b"\b", "a": b"\a"}


def split(line):
    """Split a command line by redis-cli's quoting rules -> list of bytes.

    "..." knows \\xHH \\n \\r \\t \\b \\a and \\ before any other character; '...' knows \\' only.
    Errors: ValueError for an unclosed quote, or a closing quote followed by something else than a space.
    """
    words, at = [], 0
    while True:
        while at < len(line) and line[at].isspace():
            at += 1
        if at == len(line):
            return words
        word, at = _read_word(line, at)
        words.append(word)


def _read_word(line, at):
    word, quote = b"", None
    while at < len(line):
        char = line[at]
        at += 1
        if quote is None:
            if char.isspace():
                return word, at
            if char in "\"'":
                quote = char
            else:
                word += char.encode()
        elif char == quote:
            if at < len(line) and not line[at].isspace():
                raise ValueError(f"a closing quote needs a space after it: {line}")
            quote = None
        elif char == "\\" and quote == '"' and at < len(line):
            if line[at] == "x":
                word += bytes([int(line[at + 1:at + 3], 16)])
                at += 3
            else:
                word += ESCAPES.get(line[at], line[at].encode())
                at += 1
        elif char == "\\" and line[at:at + 1] == "'":
            word += b"'"
            at += 1
        else:
            word += char.encode()
    if quote:
        raise ValueError(f"unclosed quote: {line}")
    return word, at


def encode(*argv):
    """One command as a RESP array of bulk strings; str and numbers are written as text."""
    words = [word if isinstance(word, bytes) else str(word).encode() for word in argv]
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in words)


class Client:
    """One connection.

    call("GET", "k")           send, read one frame -> the parsed reply; `raw` has its bytes
    send(...), read()          the halves of call()
    pipeline([argv, ...])      all commands in one write -> list of replies
    send_raw(data)             bytes as they are: inline commands, split frames, broken protocol
    Errors: Closed at the end of the stream, TimeoutError when nothing came in `timeout` seconds.
    """

    def __init__(self, port, host="127.0.0.1", timeout=5.0, protocol=2):
        self.socket = socket.create_connection((host, port), timeout)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = b""
        self.position = 0
        self.raw = b""
        self.attributes = None
        if protocol == 3:
            reply = self.call("HELLO", "3")
            if not isinstance(reply, dict):
                raise ConnectionError(f"HELLO 3 was answered {reply!r}")

    def __enter__(self):
        return self

    def __exit__(self, *exc_info):
        self.close()

    def close(self):
        self.socket.close()

    def call(self, *argv):
        self.send(*argv)
        return self.read()

    def send(self, *argv):
        self.socket.sendall(encode(*argv))

    def send_raw(self, data):
        self.socket.sendall(data)

    def pipeline(self, commands):
        self.socket.sendall(b"".join(encode(*argv) for argv in commands))
        return [self.read() for _ in commands]

    def read(self):
        """The next frame, a push frame too -> its parsed value; its bytes are in `raw`, attributes left out."""
        self.attributes = None
        self.buffer = self.buffer[self.position:]
        self.position = 0
        value = self._frame()
        self.raw = self.buffer[:self.position]
        return value

    def pending(self, seconds):
        """True if the server sends something within that many seconds."""
        if self.position < len(self.buffer):
            return True
        timeout = self.socket.gettimeout()
        self.socket.settimeout(seconds)
        try:
            data = self.socket.recv(65536)
        except TimeoutError:
            return False
        finally:
            self.socket.settimeout(timeout)
        self.buffer += data
        return bool(data)

    def _receive(self, count):
        data = self.socket.recv(count)
        if not data:
            raise Closed
        self.buffer += data

    def _line(self):
        while (end := self.buffer.find(b"\r\n", self.position)) < 0:
            self._receive(65536)
        line = self.buffer[self.position:end]
        self.position = end + 2
        return line

    def _bulk(self, size):
        chunks, have = [self.buffer], len(self.buffer)
        while have < self.position + size + 2:
            chunk = self.socket.recv(1 << 20)
            if not chunk:
                raise Closed
            chunks.append(chunk)
            have += len(chunk)
        self.buffer = b"".join(chunks)
        body = self.buffer[self.position:self.position + size]
        if self.buffer[self.position + size:self.position + size + 2] != b"\r\n":
            raise ValueError("a bulk string does not end with CRLF")
        self.position += size + 2
        return body

    def _frame(self):
        line = self._line()
        kind, rest = line[:1], line[1:]
        if kind in SCALARS:
            return SCALARS[kind](rest)
        if kind in b"$=":
            size = int(rest)
            if size < 0:
                return None
            return self._bulk(size) if kind == b"$" else Verbatim(self._bulk(size)[4:])
        if kind in b"*~>":
            count = int(rest)
            if count < 0:
                return NIL_ARRAY
            items = [self._frame() for _ in range(count)]
            return {b"*": list, b"~": Set, b">": Push}[kind](items)
        if kind in b"%|" and kind:
            pairs = {self._key(): self._frame() for _ in range(int(rest))}
            if kind == b"%":
                return pairs
            self.attributes = pairs
            self.buffer = self.buffer[self.position:]
            self.position = 0
            return self._frame()
        raise ValueError(f"not a RESP frame: {line!r}")

    def _key(self):
        key = self._frame()
        return tuple(key) if isinstance(key, list) else key


def _null(rest):
    if rest:
        raise ValueError(f"a null with a body: {rest!r}")


SCALARS = {
    b"+": lambda rest: Status(rest.decode("utf-8", "backslashreplace")),
    b"-": lambda rest: Error(rest.decode("utf-8", "backslashreplace")),
    b":": int,
    b",": float,
    b"(": lambda rest: BigNumber(int(rest)),
    b"#": {b"t": True, b"f": False}.__getitem__,
    b"_": _null,
}
