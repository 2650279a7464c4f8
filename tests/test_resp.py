"""The request parser by itself: whole input, input cut everywhere, garbage, limits, and the cost of cut input.

What is a protocol error, and its text, is compared with what servers answer on the wire: fastredis, and a real one
when there is one.
"""
import itertools
import random
import time

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from fastredis._resp import RequestParser
from tests.conftest import PEER
from tests.resp import Closed, Status, encode
from tests.servers import fastredis_server, peer_server

BATCH = 64                      # as in _resp.pxd
LINE_MAX = 64 * 1024
INT_MAX = 2**31 - 1
MAX_BULK = 512 * 1024 * 1024
EVERY_SPLIT = 300               # streams up to this size are cut at every place, longer ones at some


def outcome(pieces, **options):
    """Feed the pieces to a parser -> (requests, text of the protocol error or None)."""
    parser = RequestParser(**options)
    requests = []
    for piece in pieces:
        try:
            requests += parser.feed(piece)
        except ValueError as error:
            return requests + error.requests, str(error)
    return requests, None


def cut(data, places):
    """The data in pieces that end at the given places."""
    edges = [0, *sorted(places), len(data)]
    return [data[begin:end] for begin, end in itertools.pairwise(edges)]


def single_bytes(data):
    return [data[i:i + 1] for i in range(len(data))]


def error(text):
    return f"Protocol error: {text}"


ECHO = encode("ECHO", "x")

# name: (bytes, requests, text of the protocol error that ends them or None)
STREAMS = {
    "one request": (encode("SET", "k", "v"), [[b"SET", b"k", b"v"]], None),
    "two requests": (encode("PING") + encode("ECHO", "x"), [[b"PING"], [b"ECHO", b"x"]], None),
    "empty argument": (encode("ECHO", ""), [[b"ECHO", b""]], None),
    "empty name": (encode("", "x"), [[b"", b"x"]], None),
    "any bytes": (encode("ECHO", b"\x00\r\n$1\r\n*\xff"), [[b"ECHO", b"\x00\r\n$1\r\n*\xff"]], None),
    "more than a batch": (ECHO * (BATCH * 2 + 1), [[b"ECHO", b"x"]] * (BATCH * 2 + 1), None),
    "what ends an argument is not looked at": (b"*1\r\n$4\r\nPINGxx" + ECHO, [[b"PING"], [b"ECHO", b"x"]], None),
    "*0": (b"*0\r\n" + ECHO, [[b"ECHO", b"x"]], None),
    "*-1": (b"*-1\r\n" + ECHO, [[b"ECHO", b"x"]], None),
    "*-10": (b"*-10\r\n" + ECHO, [[b"ECHO", b"x"]], None),
    "count with a sign": (b"*+1\r\n$4\r\nPING\r\n", [], error("invalid multibulk length")),
    "count with a zero in front": (b"*01\r\n$4\r\nPING\r\n", [], error("invalid multibulk length")),
    "count with a space": (b"* 1\r\n$4\r\nPING\r\n", [], error("invalid multibulk length")),
    "count that is no number": (ECHO + b"*x\r\n", [[b"ECHO", b"x"]], error("invalid multibulk length")),
    "count missing": (b"*\r\n", [], error("invalid multibulk length")),
    "count over INT_MAX": (b"*%d\r\n" % (INT_MAX + 1), [], error("invalid multibulk length")),
    "count over 64 bits": (b"*99999999999999999999\r\n", [], error("invalid multibulk length")),
    "size that is no number": (b"*1\r\n$x\r\n", [], error("invalid bulk length")),
    "size missing": (b"*1\r\n$\r\n", [], error("invalid bulk length")),
    "size negative": (b"*1\r\n$-1\r\n", [], error("invalid bulk length")),
    "size over the limit": (b"*1\r\n$%d\r\n" % (MAX_BULK + 1), [], error("invalid bulk length")),
    "size over 64 bits": (b"*1\r\n$99999999999999999999\r\n", [], error("invalid bulk length")),
    "size with a zero in front": (b"*1\r\n$04\r\nPING\r\n", [], error("invalid bulk length")),
    "no $": (b"*1\r\n4\r\nPING\r\n", [], error("expected '$', got '4'")),
    "no $ but *": (b"*1\r\n*1\r\n$4\r\nPING\r\n", [], error("expected '$', got '*'")),
    "no $ but a high byte": (b"*1\r\n\xe9\r\n", [], error("expected '$', got '\xe9'")),
    "no $ but nothing": (b"*1\r\n\r\n$4\r\nPING\r\n", [], error("expected '$', got '\r'")),
    "an error after some requests": (ECHO * 3 + b"*1\r\n$x\r\n", [[b"ECHO", b"x"]] * 3, error("invalid bulk length")),
    "an error in the second argument": (b"*2\r\n$4\r\nECHO\r\n$x\r\n", [], error("invalid bulk length")),
    "inline": (b"ECHO x\r\n", [[b"ECHO", b"x"]], None),
    "inline with LF only": (b"ECHO x\n", [[b"ECHO", b"x"]], None),
    "inline, empty lines": (b"\r\n\n\r\n  \r\nPING\r\n\r\n", [[b"PING"]], None),
    "inline among others": (b"PING\r\n" + ECHO + b"PING\r\n\n" + ECHO,
                            [[b"PING"], [b"ECHO", b"x"], [b"PING"], [b"ECHO", b"x"]], None),
    "inline, many": (b"PING\n" * (BATCH * 2 + 1), [[b"PING"]] * (BATCH * 2 + 1), None),
    "inline, blanks": (b" \tECHO \t x\t \r\n", [[b"ECHO", b"x"]], None),
    "inline, vertical tab and form feed in front": (b"\v\fECHO x\r\n", [[b"ECHO", b"x"]], None),
    "inline, vertical tab and form feed inside": (b"ECHO a\vb\fc\r\n", [[b"ECHO", b"a\vb\fc"]], None),
    "inline, form feed behind a quote": (b"ECHO 'a'\f\r\n", [[b"ECHO", b"a"]], None),
    "inline, CR inside": (b"ECHO\rx\r\n", [[b"ECHO", b"x"]], None),
    "inline, double quotes": (b'ECHO "a b"\r\n', [[b"ECHO", b"a b"]], None),
    "inline, empty quotes": (b"ECHO \"\"\r\nECHO ''\r\n", [[b"ECHO", b""]] * 2, None),
    "inline, quotes glued to a word": (b'ECHO a"b c"\r\n', [[b"ECHO", b"ab c"]], None),
    "inline, escapes": (b'ECHO "\\n\\r\\t\\b\\a\\\\\\"\\q\\x41\\xfF"\r\n', [[b"ECHO", b'\n\r\t\b\a\\"qA\xff']], None),
    "inline, broken hex escapes": (b'ECHO "\\xg1\\x1"\r\n', [[b"ECHO", b"xg1x1"]], None),
    "inline, single quotes": (b"ECHO 'a \\' \\n \"'\r\n", [[b"ECHO", b"a ' \\n \""]], None),
    "inline, backslash outside of quotes": (b"ECHO a\\x41\r\n", [[b"ECHO", b"a\\x41"]], None),
    "inline, NUL and too much": (b"\x00\r\n" + b"x" * LINE_MAX, [], error("too big inline request")),
    "inline, open double quote": (b'ECHO "a\r\n', [], error("unbalanced quotes in request")),
    "inline, open single quote": (b"ECHO 'a\r\n", [], error("unbalanced quotes in request")),
    "inline, quote closed inside a word": (b'ECHO "a"b\r\n', [], error("unbalanced quotes in request")),
    "inline, escaped quote left open": (b'ECHO "a\\"\r\n', [], error("unbalanced quotes in request")),
    "inline, backslash last": (b'ECHO "a\\\r\n', [], error("unbalanced quotes in request")),
    "inline, longest": (b"ECHO " + b"x" * (LINE_MAX - 6) + b"\n", [[b"ECHO", b"x" * (LINE_MAX - 6)]], None),
    "inline, too long": (b"x" * (LINE_MAX + 1), [], error("too big inline request")),
    "count line too long": (b"*" + b"1" * (LINE_MAX + 2), [], error("too big mbulk count string")),
    "size line too long": (b"*1\r\n$" + b"1" * (LINE_MAX + 2), [], error("too big bulk count string")),
}

# The same for a client that has not authenticated.
STRANGER_STREAMS = {
    "ten arguments": (encode(*["PING"] * 10), [[b"PING"] * 10], None),
    "eleven arguments": (encode(*["PING"] * 11), [], error("unauthenticated multibulk length")),
    "a large argument": (encode("ECHO", "x" * 16384), [[b"ECHO", b"x" * 16384]], None),
    "too large an argument": (encode("ECHO", "x" * 16385), [], error("unauthenticated bulk length")),
    "one after a request": (encode("PING") * 2 + encode(*["PING"] * 11), [[b"PING"]] * 2,
                            error("unauthenticated multibulk length")),
}


def streams(table):
    return pytest.mark.parametrize("data, requests, problem", table.values(), ids=table)


@streams(STREAMS)
def test_whole(data, requests, problem):
    assert outcome([data]) == (requests, problem)


@streams(STREAMS)
def test_byte_by_byte(data, requests, problem):
    assert outcome(single_bytes(data)) == (requests, problem)


@streams(STREAMS)
def test_split_in_two(data, requests, problem):
    places = range(1, len(data)) if len(data) <= EVERY_SPLIT else [1, 2, 5, 6, 63, len(data) // 2, len(data) - 1]
    for place in places:
        assert outcome(cut(data, [place])) == (requests, problem), f"split at {place}"


@pytest.mark.parametrize("line", [
    b"ECHO x\x00 y z\r\n", b"\x00PING\r\n",
    b'ECHO "a\x00b"\r\n', b"*1\x00\r\n", b"*\x001\r\n", b"*1\r\n$4\x00\r\nPING\r\n"])
def test_a_line_with_a_zero_byte_has_no_end(line):
    """Redis looks for the end of a C string, finds none, and waits for more: so whatever follows is of no use."""
    for place in range(len(line)):
        parser = RequestParser()
        assert parser.feed(line[:place]) == []
        assert parser.feed(line[place:] + ECHO) == []
        assert parser.feed(ECHO * 3) == []


@streams({name: stream for name, stream in STREAMS.items() if stream[2] is None})
def test_bytes_left_over(data, requests, problem):
    """Each stream, then a part of a request: the part waits, and the rest of it completes it."""
    unfinished = encode("SET", "key", "value")
    for place in range(1, len(unfinished)):
        parser = RequestParser()
        assert parser.feed(data + unfinished[:place]) == requests
        assert parser.feed(b"") == []
        assert parser.feed(unfinished[place:] + data) == [[b"SET", b"key", b"value"], *requests]


@streams(STRANGER_STREAMS)
def test_before_authentication(data, requests, problem):
    assert outcome([data], authenticated=False) == (requests, problem)
    assert outcome(single_bytes(data), authenticated=False) == (requests, problem)
    assert outcome([data])[1] is None


def test_limit_of_an_argument_is_a_setting():
    data = encode("ECHO", "x" * 1000)
    assert outcome([data], max_bulk=1000) == ([[b"ECHO", b"x" * 1000]], None)
    assert outcome([data], max_bulk=999) == ([], error("invalid bulk length"))


def test_announced_arguments_cost_nothing():
    """A count or a size is a promise only: no room is made for it."""
    parser = RequestParser()
    parser.feed(b"*%d\r\n$4\r\nMGET\r\n" % INT_MAX)
    parser.feed(b"$%d\r\nabc" % MAX_BULK)
    assert parser.used_memory < 10000


def test_parser_gives_room_back_or_uses_it_again():
    parser = RequestParser()
    data = encode("MSET", *range(2000))
    for _ in range(3):
        parser.feed(data[:5000])
        parser.feed(data[5000:])
        first = parser.used_memory
    for _ in range(20):
        parser.feed(data[:5000])
        parser.feed(data[5000:])
    assert parser.used_memory == first


# --- generated input ------------------------------------------------------------------------

ARGUMENTS = st.one_of(st.binary(max_size=20), st.binary(min_size=100, max_size=300), st.just(b""))
REQUESTS = st.lists(st.lists(ARGUMENTS, min_size=1, max_size=12), max_size=12)
TOKENS = st.sampled_from([
    b"*", b"$", b"\r\n", b"\n", b"\r", b"0", b"1", b"3", b"-1", b"+", b" ", b'"', b"'", b"\\", b"\\x41", b"\x00",
    b"PING", b"*1\r\n", b"*2\r\n", b"*0\r\n", b"$0\r\n\r\n", b"$4\r\nPING\r\n", b"$4\r\nECHO\r\n",
    b"$999999999999\r\n", ECHO])
GARBAGE = st.one_of(st.lists(TOKENS, max_size=40).map(b"".join), st.binary(max_size=100))


@settings(deadline=None, max_examples=300)
@given(requests=REQUESTS, data=st.data())
def test_any_requests_in_any_pieces(requests, data):
    stream = b"".join(encode(*argv) for argv in requests)
    places = data.draw(st.lists(st.integers(0, len(stream)), max_size=30))
    assert outcome(cut(stream, places)) == (requests, None)


@settings(deadline=None, max_examples=20)
@given(count=st.integers(BATCH - 1, 5 * BATCH), argc=st.integers(1, 300), seed=st.integers(0, 2**32))
def test_many_requests_of_many_arguments(count, argc, seed):
    rng = random.Random(seed)
    requests = [[rng.randbytes(rng.randrange(5)) for _ in range(rng.choice([1, argc]))] for _ in range(count)]
    stream = b"".join(encode(*argv) for argv in requests)
    assert outcome(cut(stream, rng.sample(range(len(stream)), 20))) == (requests, None)


@settings(deadline=None, max_examples=500)
@given(stream=GARBAGE, data=st.data())
@example(stream=b"*1\r\n$4\r\nPING\r\n*1\r\n$4\r\nPINGx\n", data=None)
def test_garbage_means_the_same_in_any_pieces(stream, data):
    """The tail tells whether the parser's state is the same, too."""
    stream += b"\r\n" + ECHO + b"\n" + ECHO
    expected = outcome([stream])
    assert outcome(single_bytes(stream)) == expected
    if data is not None:
        places = data.draw(st.lists(st.integers(0, len(stream)), max_size=10))
        assert outcome(cut(stream, places)) == expected


# --- on the wire ------------------------------------------------------------------------------

def answers(server, data, count, closes):
    """All that a server sends for these bytes on a new connection, which it then closes or keeps open."""
    with server.client(timeout=20) as client:
        client.send_raw(data)
        received = b""
        try:
            for _ in range(count + closes):
                client.read()
                received += client.raw
            if not closes:
                assert client.call("QUIT") == Status("OK")
                return received
            client.read()
        except (Closed, ConnectionResetError):
            # A server that closes with input unread resets the connection: the reply may be lost by that.
            return received if closes else b"closed"
        return b"not closed"


@streams(STREAMS)
def test_servers_answer_so(either_target, row_session, data, requests, problem):
    received = answers(either_target.server, data, len(requests), problem is not None)
    if problem is not None:
        line = "-ERR " + problem.replace("\r", " ") + "\r\n"
        assert received.endswith(line.encode("latin-1"))
    if either_target.server.kind == "peer":
        ours = row_session.target("fastredis").server
        assert answers(ours, data, len(requests), problem is not None) == received


@pytest.fixture(scope="module")
def guarded_servers(request):
    """fastredis, and the peer when there is one, with a password."""
    peer = request.config.stash[PEER]
    servers = [fastredis_server("--requirepass", "secret", loop=request.config.getoption("--loop"))]
    if peer is not None:
        servers.append(peer_server(peer.path, "--requirepass", "secret"))
    yield servers
    for server in servers:
        server.stop()


@streams(STRANGER_STREAMS)
def test_servers_answer_strangers_so(guarded_servers, data, requests, problem):
    received = {answers(server, data, len(requests), problem is not None) for server in guarded_servers}
    assert len(received) == 1
    if problem is not None:
        assert received.pop().endswith(f"-ERR {problem}\r\n".encode())


def test_limits_are_gone_behind_auth(guarded_servers):
    """AUTH and a request that only who is authenticated may send, in one packet."""
    value = b"x" * 20000
    for server in guarded_servers:
        with server.client() as client:
            assert client.pipeline([("AUTH", "secret"), ("ECHO", value), ("DEL", *range(20))]) == [
                Status("OK"), value, 0]


# --- cost ---------------------------------------------------------------------------------------

SIZES = 8                       # times larger is the second input
LINEAR = SIZES * 4              # a generous bound; a quadratic cost would be SIZES ** 2
SHORT = 0.01                    # seconds; what takes less is not measured well


def seconds_in_pieces(data, piece_size):
    """CPU time to parse the data in pieces, the better of two runs."""
    pieces = [data[i:i + piece_size] for i in range(0, len(data), piece_size)]
    best = float("inf")
    for _ in range(2):
        parser = RequestParser()
        start = time.process_time()
        found = sum(len(parser.feed(piece)) for piece in pieces)
        best = min(best, time.process_time() - start)
        assert found == 1
    return best


def test_cost_of_a_large_value_is_linear():
    size = 64 * 1024 * 1024
    small, large = (seconds_in_pieces(encode("SET", "k", bytes(n)), 16 * 1024) for n in (size // SIZES, size))
    assert large < max(small, SHORT) * LINEAR


def test_cost_of_many_arguments_is_linear():
    count = 1_000_000
    small, large = (seconds_in_pieces(encode("DEL", *[b"key"] * n), 16 * 1024) for n in (count // SIZES, count))
    assert large < max(small, SHORT) * LINEAR
