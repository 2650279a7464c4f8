"""Intsets against Python sets, and against the bytes that a real server writes."""
import random
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from tests.ds.dumps import restore_payload, write_length
from tests.resp import Status
from tests.servers import peer_server

probes = pytest.importorskip("tests.ds.pack_probes", reason="built with FASTREDIS_PROBES=1 only")
IntsetProbe = probes.IntsetProbe

LIMITS = [limit + near for limit in (-2**31, -2**15, 0, 2**15, 2**31) for near in (-1, 0, 1)]
LIMITS += [-2**63, -2**63 + 1, 2**63 - 2, 2**63 - 1]
SMALL = st.integers(-40, 40)
NUMBERS = st.one_of(SMALL, SMALL, st.integers(-2**15, 2**15 - 1), st.sampled_from(LIMITS))


def width_of(numbers):
    """Bytes that all of these fit."""
    return next(width for width in (2, 4, 8)
                if all(-(1 << 8 * width - 1) <= number < 1 << 8 * width - 1 for number in numbers))


def packed(numbers, width=None):
    """An intset as the format describes it."""
    width = width or width_of(numbers)
    numbers = sorted(numbers)
    return struct.pack(f"<II{len(numbers)}{ {2: 'h', 4: 'i', 8: 'q'}[width] }", width, len(numbers), *numbers)


def filled(numbers):
    ints = IntsetProbe()
    for number in numbers:
        ints.add(number)
    return ints


class IntsetMachine(RuleBasedStateMachine):
    def __init__(self):
        super().__init__()
        self.ints = IntsetProbe()
        self.numbers = set()
        self.width = 2

    @rule(number=NUMBERS)
    def add(self, number):
        assert self.ints.add(number) == (number not in self.numbers)
        self.numbers.add(number)
        self.width = max(self.width, width_of([number]))

    @rule(start=st.integers(-2**15, 2**31), count=st.integers(1, 400))
    def add_ascending(self, start, count):
        for number in range(start, start + count):
            self.add(number)

    @rule(number=NUMBERS)
    def remove(self, number):
        assert self.ints.remove(number) == (number in self.numbers)
        self.numbers.discard(number)

    @precondition(lambda self: self.numbers)
    @rule(chance=st.integers(0, 10**6))
    def remove_one_that_is_there(self, chance):
        self.remove(sorted(self.numbers)[chance % len(self.numbers)])

    @rule(seed=st.integers(0, 99), share=st.sampled_from([0.5, 0.99]))
    def remove_many(self, seed, share):
        chance = random.Random(seed)
        for number in [number for number in self.numbers if chance.random() < share]:
            self.remove(number)

    @rule(number=NUMBERS)
    def contains(self, number):
        assert (number in self.ints) == (number in self.numbers)

    @rule()
    def go_on_with_a_copy(self):
        self.ints.copy_and_drop()

    @precondition(lambda self: self.numbers)
    @rule(seed=st.integers(0, 2**64 - 1))
    def random(self, seed):
        assert set(self.ints.random(10, seed)) <= self.numbers

    @invariant()
    def holds(self):
        self.ints.verify()
        assert bytes(self.ints) == packed(self.numbers, self.width)
        assert list(self.ints) == sorted(self.numbers)
        assert self.ints.used == self.ints.charge
        assert probes.intset_is_valid(bytes(self.ints))

    def teardown(self):
        assert self.ints.free() == 0


IntsetMachine.TestCase.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
TestIntsetMachine = IntsetMachine.TestCase


# As redis-server 7.0.15 writes them: DUMP.
@pytest.mark.parametrize("numbers, data", [
    ([5, -3, 32767, -32768], b"\x02\0\0\0\x04\0\0\0\x00\x80\xfd\xff\x05\x00\xff\x7f"),
    ([5, 32768, -3], b"\x04\0\0\0\x03\0\0\0\xfd\xff\xff\xff\x05\0\0\0\0\x80\0\0"),
    ([5, 2147483648, -3],
     b"\x08\0\0\0\x03\0\0\0\xfd\xff\xff\xff\xff\xff\xff\xff\x05\0\0\0\0\0\0\0\0\0\0\x80\0\0\0\0")])
def test_known_bytes(numbers, data):
    assert bytes(filled(numbers)) == data
    assert list(IntsetProbe(data)) == sorted(numbers)


@pytest.mark.parametrize("first", [0, 2**15 - 1, -2**15, 2**31 - 1, -2**31])
@pytest.mark.parametrize("second", LIMITS)
def test_every_change_of_width(first, second):
    """The number that needs more room goes to one of the ends."""
    others = [-1, 1, 2]
    ints = filled([*others, first, second])
    assert ints.width == width_of([first, second])
    assert list(ints) == sorted({*others, first, second})
    ints.verify()


def test_the_width_stays_when_numbers_go():
    """As in Redis: a set that had a large number once may get another one."""
    ints = filled([1, 2**40])
    assert ints.remove(2**40)
    assert bytes(ints) == packed([1], 8)


def test_an_empty_intset_costs_8_bytes():
    ints = IntsetProbe()
    assert (ints.used, bytes(ints), 0 in ints) == (8, b"\x02\0\0\0\0\0\0\0", False)


@pytest.mark.parametrize("step", [1, -1])
def test_room_is_given_back(step):
    ints = IntsetProbe()
    numbers = range(0, 10_000 * step, step)
    for number in numbers:
        ints.add(number)
        assert ints.used == ints.charge <= len(bytes(ints)) * 1.125 + 24
    for number in numbers:
        ints.remove(number)
        assert ints.used == ints.charge <= len(bytes(ints)) * 1.41 + 24
    assert ints.used == 8


def test_random_is_fair():
    numbers = range(0, 700, 7)
    drawn = filled(numbers).random(100_000, 1)
    times = [drawn.count(number) for number in numbers]
    # 1000 each; the deviation is 31.
    assert min(times) > 800 and max(times) < 1200


# --- foreign bytes

GOOD = packed([-5, 0, 7, 1000])


@pytest.mark.parametrize("data, valid, in_order", [
    (GOOD, True, True), (packed([-5, 2**20]), True, True), (packed([2**40, 7]), True, True), (packed([]), True, True),
    (b"", False, False), (GOOD[:7], False, False), (GOOD[:-1], False, False), (GOOD + b"\0", False, False),
    (b"\x03" + GOOD[1:], False, False), (b"\x04" + GOOD[1:], False, False), (b"\x00" + GOOD[1:], False, False),
    (b"\x02\x01" + GOOD[2:], False, False), (GOOD[:4] + b"\xff\xff\xff\xff" + GOOD[8:], False, False),
    (GOOD[:8] + GOOD[8:10] * 4, True, False), (GOOD[:8] + GOOD[10:12] + GOOD[8:10] + GOOD[12:], True, False)])
def test_foreign_bytes(data, valid, in_order):
    assert probes.intset_is_valid(data, deep=False) == valid
    assert probes.intset_is_valid(data) == in_order


@settings(max_examples=500, deadline=None)
@given(st.sampled_from([2, 4, 8]), st.integers(0, 4), st.binary(max_size=32))
def test_any_bytes(width, count, body):
    data = struct.pack("<II", width, count) + body
    assert probes.intset_is_valid(data, deep=False) == (len(body) == width * count)
    if probes.intset_is_valid(data):
        ints = IntsetProbe(data)
        ints.verify()
        assert packed(list(ints), width) == data
        assert all(number in ints for number in list(ints))


def test_verify_sees_damage():
    ints = filled([1, 2, 3])
    ints.break_byte(8, 9)
    with pytest.raises(AssertionError, match="intset of 3 numbers of 2 bytes is broken"):
        ints.verify()


# --- a real server

@pytest.fixture(scope="module")
def client(peer):
    """A client of a real server that writes intsets as they are."""
    with peer_server(peer.path, "--rdbcompression", "no", "--sanitize-dump-payload", "yes") as server:
        yield server.client()


def dumped(data):
    """A set as RDB files hold it."""
    return b"\x0b" + write_length(len(data)) + data


def test_bytes_are_those_of_a_real_server(client):
    chance = random.Random(7)
    for _ in range(300):
        numbers = chance.choices([*LIMITS, *range(-3, 4)], k=chance.randint(1, 10))
        gone = chance.choices(numbers, k=3)
        client.call("DEL", "k")
        client.call("SADD", "k", "12", *numbers)
        client.call("SREM", "k", *gone)
        ints = filled([12, *numbers])
        for number in gone:
            ints.remove(number)
        assert client.call("DUMP", "k")[:-10] == dumped(bytes(ints))


def test_a_real_server_takes_our_bytes(client):
    for numbers in (range(-5, 6), range(40_000, 40_100), LIMITS):
        client.call("DEL", "k")
        assert client.call("RESTORE", "k", "0", restore_payload(dumped(bytes(filled(numbers))))) == Status("OK")
        assert sorted(map(int, client.call("SMEMBERS", "k"))) == sorted(numbers)


# --- how fast

def test_ascending_numbers_are_appended():
    """A loose bound, for busy machines and sanitizers: a few tens of nanoseconds each."""
    adding, _ = probes.measure_ints(list(range(512)), 200)
    assert adding < 10_000
