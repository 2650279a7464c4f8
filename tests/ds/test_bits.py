"""Bit arrays against strings of "0" and "1": a bitmap as a state machine, the functions one by one."""
import random

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

probes = pytest.importorskip("tests.ds.bit_probes", reason="built with FASTREDIS_PROBES=1 only")
Bits = probes.Bits

INT64_MIN, INT64_MAX = -(2**63), 2**63 - 1
NUMBERS = st.one_of(
    st.integers(-300, 300), st.integers(INT64_MIN, INT64_MAX),
    st.builds(lambda power, sign, near: max(INT64_MIN, min(INT64_MAX, sign * 2**power + near)),
              st.integers(0, 63), st.sampled_from([1, -1]), st.integers(-2, 2)))
TYPES = st.one_of(st.tuples(st.integers(1, 63), st.just(False)), st.tuples(st.integers(1, 64), st.just(True)))
TEXTS = st.one_of(
    st.binary(max_size=40), st.binary(max_size=700),
    st.builds(lambda byte, size, end: bytes([byte]) * size + end,
              st.sampled_from([0, 255]), st.integers(0, 300), st.binary(max_size=3)))


def digits(text):
    """A string's bits as a text of "0" and "1"."""
    return "".join(f"{byte:08b}" for byte in text)


def field_value(text, is_signed):
    value = int(text, 2)
    return value - 2 ** len(text) if is_signed and text[0] == "1" else value


class BitmapMachine(RuleBasedStateMachine):
    """Single bits and fields of one string of fixed size; the model is its text of digits."""

    SIZE = 40

    def __init__(self):
        super().__init__()
        self.bits = Bits(bytes(self.SIZE))
        self.model = "0" * 8 * self.SIZE

    def write(self, offset, text):
        self.model = self.model[:offset] + text + self.model[offset + len(text):]

    @rule(offset=st.integers(0, 8 * SIZE - 1), bit=st.booleans())
    def set(self, offset, bit):
        self.bits.set(offset, bit)
        self.write(offset, str(int(bit)))

    @rule(offset=st.integers(0, 8 * SIZE - 1))
    def get(self, offset):
        assert self.bits.get(offset) == int(self.model[offset])

    @rule(kind=TYPES, data=st.data(), value=NUMBERS)
    def set_field(self, kind, data, value):
        width = kind[0]
        offset = data.draw(st.integers(0, 8 * self.SIZE - width))
        self.bits.set_field(offset, width, value)
        self.write(offset, f"{value % 2**width:0{width}b}")

    @rule(kind=TYPES, offset=st.integers(0, 8 * SIZE + 100))
    def get_field(self, kind, offset):
        width, is_signed = kind
        text = (self.model + "0" * 200)[offset:offset + width]
        assert self.bits.get_field(offset, width, is_signed) == field_value(text, is_signed)

    @precondition(lambda self: "1" in self.model)
    @rule()
    def first_set(self):
        assert self.bits.find(0, 8 * self.SIZE, True) == self.model.index("1")

    @invariant()
    def same(self):
        assert digits(bytes(self.bits)) == self.model
        assert self.bits.count(0, 8 * self.SIZE) == self.model.count("1")


TestBitmap = BitmapMachine.TestCase
TestBitmap.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)


@given(text=TEXTS, data=st.data())
def test_count_and_find(text, data):
    end = 8 * len(text)
    start = data.draw(st.integers(0, end))
    stop = data.draw(st.integers(0, end))
    part = digits(text)[start:stop]
    bits = Bits(text)
    assert bits.count(start, stop) == part.count("1")
    for bit in (0, 1):
        found = part.find(str(bit))
        assert bits.find(start, stop, bit) == (start + found if found >= 0 else -1)


def test_count_at_every_start_and_stop():
    text = random.Random(1).randbytes(70)
    bits, model = Bits(text), digits(text)
    for start in range(130):
        for stop in (start, start + 1, start + 7, start + 63, start + 64, start + 65, 8 * 70 - 3, 8 * 70):
            assert bits.count(start, stop) == model.count("1", start, stop)


def test_count_of_a_long_string():
    text = random.Random(2).randbytes(1_000_003)
    assert Bits(text).count(0, 8 * len(text)) == int.from_bytes(text, "big").bit_count()
    assert Bits(b"\xff" * 1_000_003).count(5, 8_000_024 - 3) == 8_000_016


MODEL_OPS = {
    "AND": lambda bits: all(bits),
    "OR": lambda bits: any(bits),
    "XOR": lambda bits: sum(bits) % 2,
    "NOT": lambda bits: not bits[0],
    "DIFF": lambda bits: bits[0] and not any(bits[1:]),
    "DIFF1": lambda bits: not bits[0] and any(bits[1:]),
    "ANDOR": lambda bits: bits[0] and any(bits[1:]),
    "ONE": lambda bits: sum(bits) == 1,
}


def combined(op, texts, size):
    """What BITOP makes of these strings, bit by bit."""
    rows = [[int(bit) for bit in digits(text.ljust(size, b"\0"))] for text in texts]
    text = "".join(str(int(bool(MODEL_OPS[op](bits)))) for bits in zip(*rows, strict=True))
    return int(text or "0", 2).to_bytes(size, "big")


def test_ops_are_all_covered():
    assert MODEL_OPS.keys() == probes.OPS.keys()


def enough(op, texts):
    """As many of the texts as the operation takes."""
    assume(len(texts) > 1 or op not in ("DIFF", "DIFF1", "ANDOR"))
    return texts[:1] if op == "NOT" else texts


@given(op=st.sampled_from(sorted(MODEL_OPS)), texts=st.lists(TEXTS, min_size=1, max_size=5))
@settings(deadline=None)
def test_combine(op, texts):
    texts = enough(op, texts)
    size = max(map(len, texts))
    assert probes.combine(op, [Bits(text) for text in texts], size) == combined(op, texts, size)


@given(op=st.sampled_from(sorted(MODEL_OPS)), size=st.integers(1, 400), data=st.data())
@settings(deadline=None)
def test_combine_into_a_source(op, size, data):
    texts = enough(op, data.draw(st.lists(st.binary(min_size=size, max_size=size), min_size=1, max_size=4)))
    into = data.draw(st.integers(0, len(texts) - 1))
    assert probes.combine(op, [Bits(text) for text in texts], size, into) == combined(op, texts, size)


@pytest.mark.parametrize("op", sorted(MODEL_OPS))
@pytest.mark.parametrize("sizes", [(20000, 20000, 20000), (4096, 8192, 4096), (4095, 12289, 4097), (1, 9000, 0)])
def test_combine_long_strings(op, sizes):
    chance = random.Random(3)
    texts = [chance.randbytes(size) for size in sizes]
    texts = texts[:1] if op == "NOT" else texts
    size = max(map(len, texts))
    assert probes.combine(op, [Bits(text) for text in texts], size) == combined(op, texts, size)


def sum_in_a_field(value, increment, width, is_signed, overflow):
    """The rule of BITFIELD's OVERFLOW, in Python's integers."""
    low, high = (-(2 ** (width - 1)), 2 ** (width - 1) - 1) if is_signed else (0, 2**width - 1)
    total = value + increment
    if low <= total <= high:
        return total
    if overflow == "FAIL":
        return None
    if overflow == "SAT":
        return high if total > high else low
    return field_value(f"{total % 2**width:0{width}b}", is_signed)


@given(kind=TYPES, bits=st.integers(0, 2**64 - 1), increment=NUMBERS, overflow=st.sampled_from(["WRAP", "SAT", "FAIL"]))
@settings(max_examples=500)
def test_add_to_a_field(kind, bits, increment, overflow):
    width, is_signed = kind
    value = field_value(f"{bits % 2**width:0{width}b}", is_signed)
    assert probes.add(value, increment, width, is_signed, overflow) == sum_in_a_field(
        value, increment, width, is_signed, overflow)


@given(kind=TYPES, value=NUMBERS, overflow=st.sampled_from(["WRAP", "SAT", "FAIL"]))
@settings(max_examples=500)
def test_set_a_field_to_any_number(kind, value, overflow):
    width, is_signed = kind
    assume(is_signed or value >= 0)
    assume(value > INT64_MIN + 2 ** (width - 1) - 1 or width == 64)
    assert probes.add(value, 0, width, is_signed, overflow) == sum_in_a_field(value, 0, width, is_signed, overflow)


@pytest.mark.parametrize(("width", "is_signed", "value", "expected"), [
    (8, False, -1, 255), (63, False, INT64_MIN, INT64_MAX), (8, True, INT64_MIN, 127), (8, True, INT64_MIN + 127, 127),
    (8, True, INT64_MIN + 128, -128), (63, True, INT64_MIN, 2**62 - 1), (64, True, INT64_MIN, INT64_MIN),
])
def test_saturation_of_the_lowest_numbers_is_as_in_redis(width, is_signed, value, expected):
    assert probes.add(value, 0, width, is_signed, "SAT") == expected


@pytest.mark.parametrize("width", [1, 2, 7, 8, 31, 63])
@pytest.mark.parametrize("increment", [INT64_MIN, -1, 0, 1, INT64_MAX])
@pytest.mark.parametrize("overflow", ["WRAP", "SAT", "FAIL"])
def test_add_at_the_ends_of_a_field(width, increment, overflow):
    for is_signed in (False, True):
        low, high = (-(2 ** (width - 1)), 2 ** (width - 1) - 1) if is_signed else (0, 2**width - 1)
        for value in {low, low + 1, 0, high - 1, high}:
            if low <= value <= high:
                assert probes.add(value, increment, width, is_signed, overflow) == sum_in_a_field(
                    value, increment, width, is_signed, overflow)
