"""The reply buffer by itself: what each kind of reply is in RESP2 and in RESP3, byte by byte."""
import math

import pytest
from fastredis.engine.reply import (
    NULL_ARRAY,
    Attributes,
    BigNumber,
    ErrorReply,
    Pairs,
    Push,
    Status,
    Verbatim,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from tests import resp
from tests.core_probes import ReplyProbe
from tests.resp import Client

# method, arguments, RESP2, RESP3
WRITTEN = [
    ("ok", (), b"+OK\r\n", b"+OK\r\n"),
    ("status", (b"QUEUED",), b"+QUEUED\r\n", b"+QUEUED\r\n"),
    ("status", (b"",), b"+\r\n", b"+\r\n"),
    ("error", (b"ERR no",), b"-ERR no\r\n", b"-ERR no\r\n"),
    ("error", (b"ERR two\r\nlines\n",), b"-ERR two  lines\r\n", b"-ERR two  lines\r\n"),
    ("error", (b"ERR \x00\xff",), b"-ERR \x00\xff\r\n", b"-ERR \x00\xff\r\n"),
    ("integer", (0,), b":0\r\n", b":0\r\n"),
    ("integer", (9,), b":9\r\n", b":9\r\n"),
    ("integer", (10,), b":10\r\n", b":10\r\n"),
    ("integer", (-1,), b":-1\r\n", b":-1\r\n"),
    ("integer", (2**63 - 1,), b":9223372036854775807\r\n", b":9223372036854775807\r\n"),
    ("integer", (-2**63,), b":-9223372036854775808\r\n", b":-9223372036854775808\r\n"),
    ("bulk", (b"",), b"$0\r\n\r\n", b"$0\r\n\r\n"),
    ("bulk", (b"a\r\nb\x00",), b"$5\r\na\r\nb\x00\r\n", b"$5\r\na\r\nb\x00\r\n"),
    ("bulk", (b"x" * 100000,), b"$100000\r\n" + b"x" * 100000 + b"\r\n", b"$100000\r\n" + b"x" * 100000 + b"\r\n"),
    ("null", (), b"$-1\r\n", b"_\r\n"),
    ("null_array", (), b"*-1\r\n", b"_\r\n"),
    ("boolean", (True,), b":1\r\n", b"#t\r\n"),
    ("boolean", (False,), b":0\r\n", b"#f\r\n"),
    ("double", (1.5,), b"$3\r\n1.5\r\n", b",1.5\r\n"),
    ("double", (3.0,), b"$1\r\n3\r\n", b",3\r\n"),
    ("double", (-0.0,), b"$2\r\n-0\r\n", b",-0\r\n"),
    ("double", (math.inf,), b"$3\r\ninf\r\n", b",inf\r\n"),
    ("double", (-math.inf,), b"$4\r\n-inf\r\n", b",-inf\r\n"),
    ("double", (0.1,), b"$3\r\n0.1\r\n", b",0.1\r\n"),
    ("big_number", (b"123456789012345678901234567890",), b"$30\r\n123456789012345678901234567890\r\n",
     b"(123456789012345678901234567890\r\n"),
    ("verbatim", (b"txt", b"a\r\nb"), b"$4\r\na\r\nb\r\n", b"=8\r\ntxt:a\r\nb\r\n"),
    ("verbatim", (b"mkd", b""), b"$0\r\n\r\n", b"=4\r\nmkd:\r\n"),
    ("array", (0,), b"*0\r\n", b"*0\r\n"),
    ("array", (2**40,), b"*1099511627776\r\n", b"*1099511627776\r\n"),
    ("map", (3,), b"*6\r\n", b"%3\r\n"),
    ("set", (3,), b"*3\r\n", b"~3\r\n"),
    ("push", (3,), b"*3\r\n", b">3\r\n"),
    ("protocol", (b"*1\r\n:1\r\n",), b"*1\r\n:1\r\n", b"*1\r\n:1\r\n"),
    ("late", ("array", [1, b"x"]), b"*2\r\n:1\r\n$1\r\nx\r\n", b"*2\r\n:1\r\n$1\r\nx\r\n"),
    ("late", ("array", []), b"*0\r\n", b"*0\r\n"),
    ("late", ("map", [b"a", 1, b"b", 2]), b"*4\r\n$1\r\na\r\n:1\r\n$1\r\nb\r\n:2\r\n",
     b"%2\r\n$1\r\na\r\n:1\r\n$1\r\nb\r\n:2\r\n"),
    ("late", ("set", [1, 2]), b"*2\r\n:1\r\n:2\r\n", b"~2\r\n:1\r\n:2\r\n"),
    ("late", ("array", list(range(1000))), b"*1000\r\n" + b"".join(b":%d\r\n" % i for i in range(1000)),
     b"*1000\r\n" + b"".join(b":%d\r\n" % i for i in range(1000))),
]

# value, RESP2, RESP3
OBJECTS = [
    (None, b"$-1\r\n", b"_\r\n"),
    (NULL_ARRAY, b"*-1\r\n", b"_\r\n"),
    (True, b":1\r\n", b"#t\r\n"),
    (-7, b":-7\r\n", b":-7\r\n"),
    (-2**63, b":-9223372036854775808\r\n", b":-9223372036854775808\r\n"),
    (2**63, b"$19\r\n9223372036854775808\r\n", b"(9223372036854775808\r\n"),
    (2.5, b"$3\r\n2.5\r\n", b",2.5\r\n"),
    (b"\x00", b"$1\r\n\x00\r\n", b"$1\r\n\x00\r\n"),
    ("\u00e9", b"$2\r\n\xc3\xa9\r\n", b"$2\r\n\xc3\xa9\r\n"),
    ("\udcff", b"$1\r\n\xff\r\n", b"$1\r\n\xff\r\n"),
    (Status("OK"), b"+OK\r\n", b"+OK\r\n"),
    (ErrorReply("ERR a\nb"), b"-ERR a b\r\n", b"-ERR a b\r\n"),
    (Verbatim("ab"), b"$2\r\nab\r\n", b"=6\r\ntxt:ab\r\n"),
    (BigNumber("12"), b"$2\r\n12\r\n", b"(12\r\n"),
    ([], b"*0\r\n", b"*0\r\n"),
    ([1, [None]], b"*2\r\n:1\r\n*1\r\n$-1\r\n", b"*2\r\n:1\r\n*1\r\n_\r\n"),
    ({"a": 1}, b"*2\r\n$1\r\na\r\n:1\r\n", b"%1\r\n$1\r\na\r\n:1\r\n"),
    (Pairs([("a", 1), ("a", 2)]),
     b"*4\r\n$1\r\na\r\n:1\r\n$1\r\na\r\n:2\r\n", b"%2\r\n$1\r\na\r\n:1\r\n$1\r\na\r\n:2\r\n"),
    ((2, 1), b"*2\r\n:2\r\n:1\r\n", b"~2\r\n:2\r\n:1\r\n"),
    (frozenset([5]), b"*1\r\n:5\r\n", b"~1\r\n:5\r\n"),
    (Push(["a"]), b"*1\r\n$1\r\na\r\n", b">1\r\n$1\r\na\r\n"),
    (Attributes(a=1), b"", b"|1\r\n$1\r\na\r\n:1\r\n"),
]


@pytest.mark.parametrize("protocol", [2, 3])
@pytest.mark.parametrize("method, arguments, resp2, resp3", WRITTEN)
def test_written(protocol, method, arguments, resp2, resp3):
    probe = ReplyProbe(protocol)
    probe.ok()
    getattr(probe, method)(*arguments)
    probe.integer(5)
    assert probe.take() == b"+OK\r\n" + (resp2 if protocol == 2 else resp3) + b":5\r\n"
    assert probe.take() == b""


@pytest.mark.parametrize("protocol", [2, 3])
@pytest.mark.parametrize("value, resp2, resp3", OBJECTS)
def test_objects(protocol, value, resp2, resp3):
    probe = ReplyProbe(protocol)
    probe.object(value)
    assert probe.take() == (resp2 if protocol == 2 else resp3)


def test_values_without_a_reply():
    probe = ReplyProbe(3)
    for value in (object(), 1j, bytearray(b"x")):
        with pytest.raises(TypeError):
            probe.object(value)


def test_truncate_takes_back():
    probe = ReplyProbe(2)
    probe.ok()
    mark = probe.size
    probe.object([1, 2, b"x" * 5000])
    probe.truncate(mark)
    probe.integer(1)
    assert probe.take() == b"+OK\r\n:1\r\n"


def test_memory_is_counted_and_given_back():
    probe = ReplyProbe(2)
    before = probe.used_memory
    probe.bulk(bytes(10_000_000))
    assert probe.used_memory >= before + 10_000_000
    probe.take()
    assert probe.used_memory < before + 1_100_000


def parsed(protocol):
    """Read protocol back with the tests' own client -> list of values."""
    client = Client.__new__(Client)
    client.buffer, client.position, client.attributes = protocol, 0, None
    values = []
    while client.position < len(client.buffer):
        values.append(client._frame())
    return values


def expected(value):
    """What the tests' client makes of a value in RESP3."""
    if isinstance(value, Status):
        return resp.Status(value)
    if isinstance(value, str):
        return value.encode("utf-8", "surrogateescape")
    if isinstance(value, tuple):
        return resp.Set(map(expected, value))
    if isinstance(value, list):
        return list(map(expected, value))
    if isinstance(value, dict):
        return {expected(key): expected(item) for key, item in value.items()}
    return value


SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(-2**63, 2**63 - 1), st.binary(max_size=30),
    st.floats(allow_nan=False), st.text(st.characters(codec="utf-8"), max_size=20),
    st.sampled_from(["OK", "QUEUED"]).map(Status))
VALUES = st.recursive(SCALARS, lambda inner: st.one_of(
    st.lists(inner, max_size=5), st.lists(inner, max_size=5).map(tuple),
    st.dictionaries(st.binary(max_size=5), inner, max_size=5)), max_leaves=30)


@settings(deadline=None, max_examples=200)
@given(values=st.lists(VALUES, max_size=5))
def test_any_value_can_be_read_back(values):
    probe = ReplyProbe(3)
    for value in values:
        probe.object(value)
    assert parsed(probe.take()) == [expected(value) for value in values]


@settings(deadline=None, max_examples=100)
@given(value=VALUES)
def test_late_header_is_the_same_as_an_early_one(value):
    items = list(value) if isinstance(value, (list, tuple)) else [value]
    early, late = ReplyProbe(2), ReplyProbe(2)
    early.object(items)
    late.late("array", items)
    assert early.take() == late.take()
