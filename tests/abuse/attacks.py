"""The attacks: python -m tests.abuse.attacks NAME PORT CLIENTS PASSWORD, until the standard input ends.

"ready" is printed when the attack is under way. An empty password: before authentication.
"""
import contextlib
import itertools
import resource
import select
import socket
import struct
import sys
import time

from tests.resp import encode

CHUNK = 1 << 16
BIG = 512 << 20                     # what an argument may have at most
ELEMENTS = 1_000_000
LINGER_RESET = struct.pack("ii", 1, 0)
REQUEST = b"GET /index.html HTTP/1.1\r\nHost: localhost\r\nUser-Agent: x\r\nAccept: */*\r\n\r\n"


class Attackers:
    """Many connections to one server, none of which is ever waited for."""

    def __init__(self, port, password):
        self.port = port
        self.password = password
        self.sockets = []

    def connect(self):
        """One more; authenticated, if that is wanted. None when the server takes no more."""
        try:
            sock = socket.create_connection(("127.0.0.1", self.port), 10)
            if self.password:
                sock.sendall(encode("AUTH", self.password))
                sock.recv(100)
        except OSError:
            return None
        sock.setblocking(False)
        self.sockets.append(sock)
        return sock

    def each(self, count, data):
        """So many connections, each of which sends that."""
        for _ in range(count):
            sock = self.connect()
            if sock is not None:
                self.send(sock, data)

    def send(self, sock, data):
        """As much as goes out at once; returns how many bytes. A connection that was closed is made anew."""
        try:
            return sock.send(data)
        except BlockingIOError:
            return 0
        except OSError:
            self.drop(sock)
            self.connect()
            return 0

    def drop(self, sock):
        with contextlib.suppress(ValueError):
            self.sockets.remove(sock)
        sock.close()

    def read(self, sock):
        """What has come, and is of no interest."""
        try:
            if not sock.recv(1 << 20):
                self.drop(sock)
                self.connect()
        except BlockingIOError:
            pass
        except OSError:
            self.drop(sock)
            self.connect()

    def pour(self, data, reading):
        """Send the bytes again and again on all connections, and read what comes, or not. A generator of steps."""
        sent = {}
        while True:
            readable, writable, _ = select.select(self.sockets if reading else [], self.sockets, [], 0.1)
            for sock in readable:
                self.read(sock)
            for sock in writable:
                if sock.fileno() >= 0:
                    at = sent.get(sock, 0)
                    sent[sock] = (at + self.send(sock, data[at:at + CHUNK])) % len(data)
            if not writable:
                time.sleep(0.01)
            yield


def waits():
    while True:
        time.sleep(0.05)
        yield


def half(attackers, clients):
    """Half a command, and then nothing."""
    attackers.each(clients, b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$100\r\nhalf")
    return waits()


def announced(attackers, clients):
    """An argument of 512 MB is announced and not sent."""
    attackers.each(clients // 50, b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$%d\r\n" % BIG)
    return waits()


def elements(attackers, clients):
    """A request of a million arguments is announced, and a tenth of them sent."""
    attackers.each(clients // 250, b"*%d\r\n$4\r\nMGET\r\n" % ELEMENTS)
    for _, sock in itertools.product(range(ELEMENTS // 10 * 7 // CHUNK), list(attackers.sockets)):
        attackers.send(sock, b"$1\r\na\r\n" * (CHUNK // 7))
    return waits()


def silent(attackers, clients):
    """Subscribers who read nothing, and one who publishes. Before authentication: errors that are not read."""
    attackers.each(max(clients // 50, 4), encode("SUBSCRIBE", "news"))
    publisher = attackers.connect()
    attackers.sockets.remove(publisher)
    attackers.sockets, others = [publisher], attackers.sockets
    attackers.kept = others
    return attackers.pour(encode("PUBLISH", "news", "x" * 10_000) * 50, reading=True)


def pings(attackers, clients):
    """Pipelines of a million PINGs whose replies are read."""
    attackers.each(4, b"")
    return attackers.pour(b"PING\r\n" * ELEMENTS, reading=True)


def deaf(attackers, clients):
    """Pipelines of a million ECHOs whose replies are not read."""
    attackers.each(4, b"")
    return attackers.pour(encode("ECHO", "x" * 100) * (ELEMENTS // 10), reading=False)


def resets(attackers, clients):
    """Connections that are opened and reset."""
    while True:
        for _ in range(20):
            sock = socket.socket()
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_RESET)
            with contextlib.suppress(OSError):
                sock.connect(("127.0.0.1", attackers.port))
                sock.send(b"*1\r\n$4\r\nPI")
            sock.close()
        yield


def guesses(attackers, clients):
    """Passwords are guessed, as fast as can be."""
    attackers.each(max(clients // 250, 4), b"")
    return attackers.pour(b"".join(encode("AUTH", "default", f"guess-{n}") for n in range(2000)), reading=True)


def web(attackers, clients):
    """Browsers, and the hello of TLS: each is closed, or answered an error, and comes again."""
    attackers.each(20, b"")
    for sock in attackers.sockets[:5]:
        attackers.send(sock, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(500))
    return attackers.pour(REQUEST + REQUEST.replace(b"GET", b"POST"), reading=True)


ATTACKS = {attack.__name__: attack for attack in (half, announced, elements, silent, pings, deaf, resets, guesses, web)}


def main(name, port, clients, password):
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    steps = ATTACKS[name](Attackers(int(port), password), int(clients))
    next(steps)
    print("ready", flush=True)
    while not select.select([sys.stdin], [], [], 0)[0]:
        next(steps)


if __name__ == "__main__":
    main(*sys.argv[1:])
