"""fastredis.ds.numbers against int(), repr() and exact fractions, and against what a real server reads and writes."""
import locale
import math
import shutil
import struct
import subprocess
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.ds import value_probes as probes
from tests.resp import Error

INT64 = st.integers(-2**63, 2**63 - 1)
UINT64 = st.integers(0, 2**64 - 1)
PEER = pytest.mark.parametrize("either_server", ["peer"], indirect=True)

# Texts on the edges of what is a number: value, or None where it is none.
INTEGERS = {
    b"": None, b"0": 0, b"-0": None, b"+0": None, b"00": None, b"01": None, b"-01": None, b"+1": None, b"1 ": None,
    b" 1": None, b"-": None, b"--1": None, b"1-": None, b"1\0": None, b"\x001": None, b"1.0": None, b"1e3": None,
    b"0x10": None, b":": None, b"/": None, b"1:": None, b"\xb2": None, b"7": 7, b"-7": -7, b"10": 10, b"-10": -10,
    b"9223372036854775807": 2**63 - 1, b"9223372036854775808": None, b"-9223372036854775808": -2**63,
    b"-9223372036854775809": None, b"9999999999999999999": None, b"-9999999999999999999": None,
    b"18446744073709551615": None, b"18446744073709551616": None, b"99999999999999999999999": None,
}
UNSIGNED = {
    b"": None, b"0": 0, b"00": 0, b"007": 7, b"+7": 7, b" 7": 7, b"\t\n\v\f\r 7": 7, b" +7": 7, b"+ 7": None,
    b"++7": None, b"7 ": None, b"+": None, b" ": None, b"7x": None, b"x": None, b"0x7": None, b"7.0": None,
    b"18446744073709551615": 2**64 - 1, b"18446744073709551616": None, b"18446744073709551620": None,
    b"99999999999999999999": None, b"0" * 60 + b"18446744073709551615": 2**64 - 1, b"184467440737095516150": None,
}
DOUBLES = {
    b"": None, b"0": 0.0, b"-0": -0.0, b"-0.0": -0.0, b"+1": 1.0, b"01": 1.0, b"-007.50": -7.5, b"1.": 1.0,
    b"-.5": -0.5, b".": None, b"-": None, b"-.": None, b"1.2.3": None, b"..1": None, b"+": None, b"+-1": None,
    b" 1": None, b"\t1": None, b"\v1": None, b"1 ": None, b"1\n": None, b"1\0": None, b"\x001": None, b"1,5": None,
    b"1_0": None, b"1e3": 1000.0, b"1E+3": 1000.0, b"1e": None, b"1e+": None, b"e1": None, b"1e3x": None,
    b"inf": math.inf, b"-inf": -math.inf, b"+inf": math.inf, b"INF": math.inf, b"Infinity": math.inf,
    b"infinit": None, b"-infinityx": None, b"nan": None, b"-nan": None, b"NAN(1)": None,
    b"1e308": 1e308, b"1e309": None, b"-1e309": None, b"1e400": None, b"1e-400": None, b"-1e-400": None,
    b"4.9e-324": 5e-324, b"2e-324": None, b"3e-310": 3e-310, b"0e-999": 0.0, b"0x10": 16.0, b"0X1.8p1": 3.0,
    b"-0x.8": -0.5, b"0x": None, b"0xg": None, b"1x": None, b"9007199254740992": 2.0**53,
    b"9007199254740993": 2.0**53, b"9007199254740995": 2.0**53 + 4, b"900719925474099.3": 900719925474099.3,
    b"0.1": 0.1, b"3.141592653589793": math.pi, b"123456789012345678": 123456789012345678.0,
    b"0.0000000000000001": 1e-16, b"2.2250738585072011e-308": 2.2250738585072011e-308,
    b"1" * 300: float("1" * 300), b"1" * 400: None, b"0." + b"0" * 200 + b"1": 1e-201, b"0" * 5000 + b"3": 3.0,
}
# Values and increments for INCRBYFLOAT: the sum as it is stored where a long double has 64 bits, or None where one
# of the two is no number.
SUMS = {
    (b"0", b"0.1"): b"0.1", (b"0.1", b"0.2"): b"0.3", (b"10.50", b"0.1"): b"10.6", (b"5.0e3", b"2.0e2"): b"5200",
    (b"3", b"-3"): b"0", (b"-0", b"-0.0"): b"0", (b"1", b"-1.00000000000000000000001"): b"0", (b"0", b"1e-18"): b"0",
    (b"0", b"-1e-18"): b"0", (b"0", b"6e-18"): b"0.00000000000000001", (b"1e3", b"1e-3"): b"1000.001",
    (b"9223372036854775807", b"1"): b"9223372036854775808", (b"-9223372036854775808", b"0"): b"-9223372036854775808",
    (b"18446744073709551615", b"0"): b"18446744073709551615", (b"1e20", b"1"): b"100000000000000000000",
    (b"3.0e17", b"0.5"): b"300000000000000000.5", (b"1", b"1e-17"): b"1.00000000000000001",
    (b"0x10", b"0x.8p0"): b"16.5", (b"+1", b"01"): b"2", (b" 1", b"1"): None, (b"1", b" 1"): None, (b"1 ", b"1"): None,
    (b"1\0", b"1"): None, (b"", b"1"): None, (b"x", b"1"): None, (b"1", b"nan"): None, (b"nan", b"1"): None,
    (b"1e5000", b"1"): None, (b"1", b"1e-5000"): None, (b"1", b"-1e5000"): None, (b"1", b"1,5"): None,
    (b"0" * 5119, b"1"): b"1", (b"0" * 5120, b"1"): None,
    (b"0", b"123456789.123456789"): b"123456789.12345678899873747",
}


def same(a, b):
    """Equal with -0 and 0 told apart."""
    return a == b and (a is None) == (b is None) and (a is None or math.copysign(1, a) == math.copysign(1, b))


def canonical(text):
    """What parse_int64 must give, by way of Python's integers."""
    try:
        value = int(text)
    except ValueError:
        return None
    return value if b"%d" % value == text and -2**63 <= value < 2**63 else None


@pytest.mark.parametrize("text", INTEGERS)
def test_parse_int64_edges(text):
    assert probes.int64_of(text) == INTEGERS[text]


@pytest.mark.parametrize("text", UNSIGNED)
def test_parse_uint64_edges(text):
    assert probes.uint64_of(text) == UNSIGNED[text]


@pytest.mark.parametrize("text, value", [
    (b"-1", None), (b"-9223372036854775808", None), (b"+-1", None), (b"- 1", None), (b"-18446744073709551616", None),
    (b"-0", 0), (b"-01", 2**64 - 1), (b" -1", 2**64 - 1), (b"-9223372036854775809", 2**63 - 1),
    (b"-18446744073709551615", 1), (b"7\0x", 7), (b"\x007", None)])
def test_parse_uint64_wraps_a_negative_number_that_is_oddly_written(text, value):
    """strtoull() reads what is no proper integer."""
    assert probes.uint64_of(text) == value


@given(st.one_of(st.binary(max_size=24), st.from_regex(rb"\A[-+ ]?[0-9]{1,22}\Z"),
                 st.integers(-2**65, 2**65).map(lambda v: b"%d" % v)))
def test_parse_int64_is_canonical_int(text):
    assert probes.int64_of(text) == canonical(text)


@given(st.from_regex(rb"\A[ \t]{0,2}[+]?[0-9]{1,24}\Z"))
def test_parse_uint64_is_int_without_a_sign(text):
    value = int(text)
    assert probes.uint64_of(text) == (value if value < 2**64 else None)


@given(INT64)
@example(-2**63)
def test_int64_text_is_decimal(value):
    text = probes.text_of_int64(value)
    assert text == b"%d" % value
    assert probes.int64_of(text) == value


@given(UINT64)
def test_uint64_text_is_decimal(value):
    text = probes.text_of_uint64(value)
    assert text == b"%d" % value
    assert probes.uint64_of(text) == value


@pytest.mark.parametrize("exponent", range(20))
def test_every_number_of_digits(exponent):
    for value in (10**exponent - 1, 10**exponent, 10**exponent + 1):
        assert probes.digits_of(value) == len(str(value))
        assert probes.text_of_uint64(value) == b"%d" % value
        if value < 2**63:
            assert probes.text_of_int64(-value) == b"%d" % -value


@pytest.mark.parametrize("text", DOUBLES)
def test_parse_double_edges(text):
    assert same(probes.double_of(text), DOUBLES[text])


@given(st.from_regex(rb"\A[-+]?[0-9]{0,19}([.][0-9]{0,19})?([eE][-+]?[0-9]{1,3})?\Z"))
def test_parse_double_is_float(text):
    try:
        value = float(text)
    except ValueError:
        value = None
    else:
        zero = not text.lower().split(b"e")[0].strip(b"-+.0")
        if math.isinf(value) or (value == 0 and not zero):
            value = None
    assert same(probes.double_of(text), value)


@given(st.floats(allow_nan=False))
def test_parse_double_reads_any_repr(value):
    assert same(probes.double_of(repr(value).encode()), value)


def redis_text(value):
    """The text of a double in Redis 7.2 and later, from Python's shortest digits."""
    if math.isinf(value) or value == 0:
        return ("-" if math.copysign(1, value) < 0 else "") + ("inf" if value else "0")
    if value == int(value) and abs(value) <= 2**62:
        return str(int(value))
    shortest = Decimal(repr(value)).normalize()
    sign, digits, exponent = shortest.as_tuple()
    magnitude = exponent + len(digits) - 1
    if exponent >= 0 and magnitude < len(digits) + 7:
        return f"{shortest:f}"
    if exponent < 0 and (exponent > -7 or abs(magnitude) < 4):
        return f"{shortest:f}"
    first, *rest = map(str, digits)
    return "-" * sign + first + "." * bool(rest) + "".join(rest) + f"e{magnitude:+d}"


@pytest.mark.parametrize(("value", "text"), [
    (0.1, b"0.1"), (-0.0, b"-0"), (0.0, b"0"), (3.0, b"3"), (-1e15, b"-1000000000000000"), (1e17, b"1" + b"0" * 17),
    (2.0**62, b"4611686018427387904"), (2.0**63, b"9223372036854776000"), (1e19, b"1e+19"), (1e20, b"1e+20"),
    (12345678901234567890.0, b"12345678901234567000"), (1e-6, b"0.000001"), (1e-7, b"1e-7"), (1.5e-6, b"1.5e-6"),
    (0.00012345678, b"1.2345678e-4"), (0.0012345678, b"0.0012345678"), (5e-324, b"5e-324"), (0.3, b"0.3"),
    (1.7976931348623157e308, b"1.7976931348623157e+308"), (2.2250738585072014e-308, b"2.2250738585072014e-308"),
    (9007199254740993.5, b"9007199254740994"), (5.000000000000001, b"5.000000000000001"),
    (math.inf, b"inf"), (-math.inf, b"-inf"), (math.nan, b"nan"), (-math.nan, b"nan"),
])
def test_double_text_edges(value, text):
    assert probes.text_of_double(value) == text


@given(st.one_of(st.floats(allow_nan=False), INT64.map(float),
                 st.integers(0, 2**64 - 1).map(lambda bits: struct.unpack("d", struct.pack("Q", bits))[0]),
                 st.decimals(-10**6, 10**6, places=3).map(float))
       .filter(lambda value: not math.isnan(value)))
def test_double_text_is_shortest(value):
    text = probes.text_of_double(value)
    assert text.decode() == redis_text(value)
    assert same(probes.double_of(text), value)


@pytest.mark.parametrize("exponent", range(-1074, 1024))
def test_double_text_at_powers_of_two(exponent):
    power = math.ldexp(1.0, exponent)
    for value in (math.nextafter(power, 0), power, math.nextafter(power, math.inf)):
        assert probes.text_of_double(value).decode() == redis_text(value)


GENERAL_EDGES = [0.0, -0.0, 1.0, -1.0, 1e14, 99999999999999.0, 1e15, 999999999999999.0, 123456789012345678.0, 1e-4,
                 1e-5, 9.9999999999999e-5, 0.1, 1 / 3, 2 / 3, 0.5, 1e100, 1e-100, 5e-324, 2.2250738585072014e-308,
                 2.225073858507201e-308, 1.7976931348623157e308, 1.5, 2.5, 12345678901234.5, 1234567890123.45,
                 0.000123456789012345, 99999999999999.5, 9.99999999999995, math.inf, -math.inf, 123456789012345.0,
                 1.00000000000005, 1.000000000000005, 4503599627370497.5]


@pytest.mark.parametrize("precision", range(1, 16))
@pytest.mark.parametrize("value", GENERAL_EDGES)
def test_general_text_edges(value, precision):
    assert probes.general_text_of_double(value, precision) == b"%.*g" % (precision, value)


@given(st.one_of(st.floats(allow_nan=False), INT64.map(float), st.integers(-10**6, 10**6).map(lambda n: n / 1000),
                 st.integers(-10**15, 10**15).map(lambda n: n / 64)), st.integers(1, 15))
def test_general_text_is_that_of_printf(value, precision):
    assert probes.general_text_of_double(value, precision) == b"%.*g" % (precision, value)


@pytest.mark.parametrize("text, value, length", [
    (b"1", 1.0, 1), (b"-12.5e2,", -1250.0, 7), (b"0x10]", 16.0, 4), (b"inf", math.inf, 3), (b"1e400", math.inf, 5),
    (b"-Infinity!", -math.inf, 9), (b"1e", 1.0, 1), (b"1.", 1.0, 2), (b" 7", 7.0, 2), (b"+3", 3.0, 2),
    (b"007", 7.0, 3), (b"-", 0.0, 0), (b"x", 0.0, 0), (b"", 0.0, 0), (b"1-2", 1.0, 1),
])
def test_leading_double(text, value, length):
    assert probes.leading_double_of(text) == (value, length)


def long_double(value):
    """The fraction `value`, rounded half to even to the significand of a long double."""
    if value == 0:
        return value
    top = abs(value).numerator.bit_length() - abs(value).denominator.bit_length()
    if abs(value) < Fraction(2)**top:
        top -= 1
    unit = Fraction(2)**(top - probes.LONG_DOUBLE_BITS + 1)
    return round(value / unit) * unit


def human_text(value):
    """A fraction with at most 17 decimals, rounded half to even, and no zeros behind."""
    scaled = round(value * 10**17)
    whole, decimals = divmod(abs(scaled), 10**17)
    return ("-" if scaled < 0 else "") + f"{whole}.{decimals:017d}".rstrip("0").rstrip(".")


DECIMALS = st.one_of(st.decimals(-10**18, 10**18, places=0), st.decimals(-10**6, 10**6, places=5),
                     st.decimals(-100, 100, places=20), st.decimals(-10**30, 10**30, places=3))


@given(DECIMALS, DECIMALS)
def test_long_double_sum_is_exact_arithmetic(a, b):
    total = long_double(long_double(Fraction(a)) + long_double(Fraction(b)))
    assert probes.long_double_sum(f"{a:f}".encode(), f"{b:f}".encode()).decode() == human_text(total)


@pytest.mark.parametrize(("a", "b"), SUMS)
def test_long_double_sum_edges(a, b):
    if probes.LONG_DOUBLE_BITS == 64:
        assert probes.long_double_sum(a, b) == SUMS[a, b]
    else:
        assert (probes.long_double_sum(a, b) is None) == (SUMS[a, b] is None)


@pytest.mark.parametrize(("text", "human", "plain"), [
    (b"0.1", b"0.1", b"0.10000000000000000" if probes.LONG_DOUBLE_BITS == 53 else b"0.1"),
    (b"1e300", None, b"1e+300"), (b"inf", b"inf", b"inf"), (b"-inf", b"-inf", b"-inf"), (b"-0", b"0", b"-0"),
    (b"100", b"100", b"100"), (b"1.50", b"1.5", b"1.5"), (b"-2.5e-7", b"-0.00000025", b"-2.4999999999999999e-07"
                                                         if probes.LONG_DOUBLE_BITS == 53 else b"-2.5e-07"),
])
def test_long_double_text(text, human, plain):
    assert probes.long_double_text(text, human=False) == plain
    if human:
        assert probes.long_double_text(text) == human


def test_the_longest_long_double_fits():
    largest = b"1e4932" if probes.LONG_DOUBLE_BITS >= 64 else b"1e308"
    text = probes.long_double_text(b"-" + largest)
    assert len(text) == 2 + int(largest[2:])
    assert probes.long_double_text(text) == text


@pytest.fixture
def comma_locale(tmp_path, monkeypatch):
    """LC_NUMERIC with a decimal comma: the German locale, built for the test if need be."""
    before = locale.setlocale(locale.LC_NUMERIC)
    name = "de_DE.UTF-8"
    try:
        locale.setlocale(locale.LC_NUMERIC, name)
    except locale.Error:
        if shutil.which("localedef") is None:
            pytest.skip("no German locale is installed and none can be built")
        subprocess.run(["localedef", "-i", "de_DE", "-f", "UTF-8", tmp_path / name], capture_output=True, check=False)
        if not (tmp_path / name / "LC_NUMERIC").exists():
            pytest.skip("localedef cannot build a German locale here")
        monkeypatch.setenv("LOCPATH", str(tmp_path))
        locale.setlocale(locale.LC_NUMERIC, name)
    yield
    locale.setlocale(locale.LC_NUMERIC, before)


@pytest.mark.usefixtures("comma_locale")
def test_texts_do_not_depend_on_the_locale():
    assert locale.localeconv()["decimal_point"] == ","
    assert probes.double_of(b"1.5e1") == 15.0
    assert probes.double_of(b"1,5e1") is None
    assert probes.text_of_double(1.5) == b"1.5"
    assert probes.long_double_sum(b"0.5", b"0.25") == b"0.75"
    # The program's own locale is as it was.
    assert locale.localeconv()["decimal_point"] == ","


@PEER
def test_integers_are_those_of_the_peer(either_server):
    with either_server() as server, server.client() as client:
        for text, value in INTEGERS.items():
            client.call("SET", "k", text)
            reply = client.call("INCRBY", "k", "0")
            assert (None if isinstance(reply, Error) else reply) == value, text
            reply = client.call("INCRBY", "new", text)
            client.call("DEL", "new")
            assert (None if isinstance(reply, Error) else reply) == value, text


@PEER
def test_unsigned_are_those_of_the_peer(either_server):
    with either_server() as server, server.client() as client:
        for text, value in UNSIGNED.items():
            client.call("DEL", "k")
            reply = client.call("XADD", "k", text + b"-1", "f", "v")
            assert reply == (b"%d-1" % value if value is not None else
                             Error("ERR Invalid stream ID specified as stream command argument")), text


@PEER
def test_doubles_are_those_of_the_peer(either_server):
    with either_server() as server, server.client() as client:
        for text, value in DOUBLES.items():
            client.call("DEL", "k")
            reply = client.call("ZADD", "k", text, "m")
            if value is None:
                assert reply == Error("ERR value is not a valid float"), text
            else:
                assert reply == 1, text
                score = client.call("ZSCORE", "k", "m")
                # A small sorted set stores -0 as the integer 0.
                assert float(score) == value, text
                # The peer reads our text as the same score.
                client.call("ZADD", "k", probes.text_of_double(value), "m")
                assert client.call("ZSCORE", "k", "m") == score, text


@PEER
def test_sums_are_those_of_the_peer(either_server):
    with either_server() as server, server.client() as client:
        for (a, b), total in SUMS.items():
            client.call("SET", "k", a)
            reply = client.call("INCRBYFLOAT", "k", b)
            assert reply == (total if total is not None else Error("ERR value is not a valid float")), (a, b)
