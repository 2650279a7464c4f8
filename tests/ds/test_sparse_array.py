"""Arrays against Python dicts; regular expressions against what they should match."""
import random

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

probes = pytest.importorskip("tests.ds.array_probes", reason="built with FASTREDIS_PROBES=1 only")
ArrayProbe = probes.ArrayProbe

LAST = 2**64 - 2
SLICE = 4096
INDEXES = st.one_of(
    st.integers(0, 200),
    st.integers(SLICE - 40, SLICE + 40),
    st.integers(0, 3 * SLICE),
    st.integers(0, LAST),
    st.integers(LAST - 5000, LAST),
)
TEXTS = st.one_of(
    st.binary(max_size=9),
    st.integers(-2**63, 2**63 - 1).map(lambda number: b"%d" % number),
    st.sampled_from([b"", b"-0", b"007", b"+7", b"1234567", b"12345678", b"-2305843009213693952",
                     b"2305843009213693951", b"2305843009213693952", b"1" * 21, b"x" * 7, b"x" * 8, b"x" * 255,
                     b"x" * 256, b"y" * 5000]),
)


class ArrayMachine(RuleBasedStateMachine):
    def __init__(self):
        super().__init__()
        self.array = ArrayProbe()
        self.values = {}

    @rule(index=INDEXES, text=TEXTS)
    def set(self, index, text):
        assert self.array.set(index, text) == (index not in self.values)
        self.values[index] = text

    @rule(index=INDEXES, count=st.integers(1, 300), step=st.sampled_from([1, 1, 2, 3, 5, 40]), back=st.booleans())
    def set_many(self, index, count, step, back):
        for n in range(count):
            at = index - n * step if back else index + n * step
            if 0 <= at <= LAST:
                self.set(at, b"%d" % (n * 10**(n % 12)))

    @rule(index=INDEXES)
    def delete(self, index):
        assert self.array.delete(index) == (index in self.values)
        self.values.pop(index, None)

    @precondition(lambda self: self.values)
    @rule(seed=st.integers(0, 99), share=st.sampled_from([0.5, 0.9, 0.99]))
    def delete_many(self, seed, share):
        chance = random.Random(seed)
        for index in [index for index in self.values if chance.random() < share]:
            self.delete(index)

    @rule(ends=st.tuples(INDEXES, INDEXES))
    def delete_range(self, ends):
        low, high = sorted(ends)
        gone = [index for index in self.values if low <= index <= high]
        assert self.array.delete_range(low, high) == len(gone)
        for index in gone:
            del self.values[index]

    @rule(ends=st.tuples(INDEXES, INDEXES))
    def walk(self, ends):
        start, end = ends
        inside = sorted((item for item in self.values.items() if min(ends) <= item[0] <= max(ends)),
                        reverse=end < start)
        assert self.array.range(start, end) == inside
        assert self.array.count_range(min(ends), max(ends)) == len(inside)

    @precondition(lambda self: self.values)
    @rule(chance=st.integers(0, 10**6))
    def walk_from_one_that_is_there(self, chance):
        index = sorted(self.values)[chance % len(self.values)]
        assert self.array.range(index, index) == [(index, self.values[index])]
        assert self.array.get(index) == self.values[index]

    @rule(slow=st.booleans())
    def go_on_with_a_copy(self, slow):
        self.array.become_slow_copy() if slow else self.array.become_copy()

    @precondition(lambda self: self.values)
    @rule(size=st.one_of(st.integers(1, 50), INDEXES.filter(bool)), cursor=INDEXES)
    def make_ring(self, size, cursor):
        """The newest values are those before the cursor, then those from the end down to it."""
        if not (max(self.values) >= size):
            return
        self.array.next = cursor
        assert self.array.make_ring(size)
        order = sorted(index for index in self.values if index < cursor)[::-1]
        order += sorted(index for index in self.values if index >= cursor)[::-1]
        kept = order[:size][::-1]
        self.values = {at: self.values[index] for at, index in enumerate(kept)}
        assert self.array.next == len(kept)

    @invariant()
    def agrees(self):
        self.array.verify()
        assert len(self.array) == len(self.values)
        assert self.array.length == (max(self.values) + 1 if self.values else 0)
        assert self.array.used == self.array.memory

    def teardown(self):
        assert self.array.range(0, LAST) == sorted(self.values.items())


TestArray = ArrayMachine.TestCase
TestArray.settings = settings(max_examples=25, stateful_step_count=25, deadline=None)


def filled(indexes, text=b"v"):
    array = ArrayProbe()
    for index in indexes:
        array.set(index, text)
    return array


@pytest.mark.parametrize("order", ["up", "down", "random"])
def test_a_full_slice_is_dense_and_has_eight_bytes_a_slot(order):
    indexes = list(range(SLICE))
    if order == "random":
        random.Random(1).shuffle(indexes)
    array = filled(indexes[::-1] if order == "down" else indexes)
    assert array.facts == {"dense": 1, "dense_room": SLICE, "dense_used": SLICE, "sparse": 0, "sparse_room": 0}
    assert array.memory < 8 * SLICE + 600


def test_few_slots_stay_sparse():
    array = filled(range(0, SLICE, 16))
    assert array.facts["dense"] == 0
    assert array.memory < 16 * 256 + 600


def test_a_slice_becomes_sparse_when_most_of_it_goes():
    array = filled(range(SLICE))
    full = array.memory
    assert array.delete_range(10, SLICE - 10) == SLICE - 19
    array.verify()
    assert array.facts["dense"] == 0
    assert array.memory < full / 20


def test_lonely_slots_take_little():
    array = filled([2**40 * n for n in range(1000)])
    assert array.facts["sparse"] == 1000
    assert array.memory < 110 * 1000


def test_texts_have_a_header_of_a_byte():
    array = filled([0], b"x" * 39)
    small = array.memory
    array.set(0, b"x" * 3)
    assert small - array.memory == 40


def test_drained_in_pieces():
    array = filled(range(0, 4000 * SLICE, SLICE), b"x" * 20)
    assert array.effort == 8001
    steps = 0
    while array.drain(64):
        steps += 1
    assert steps > 20
    assert array.used == 0


def test_slow_copies_have_steps():
    assert filled(range(0, 10 * SLICE, 100)).become_slow_copy() == 5


def test_arrays_are_counted():
    before = probes.alive()
    array = filled([1])
    array.become_copy()
    assert probes.alive() == before + 1
    del array
    assert probes.alive() == before


def test_recent_goes_around_the_end():
    array = filled(range(5))
    array.next = 2
    assert [array.recent(age) for age in range(5)] == [1, 0, 4, 3, 2]


# ---- regular expressions ----

@pytest.mark.parametrize("pattern, yes, no", [
    (b"cpu", [b"cpu", b"a cpu b"], [b"cp", b"", b"CPU"]),
    (b"^[A-Za-z]+: (cpu|net)$", [b"error: net"], [b"error: nets", b" error: net"]),
    (b"", [b"", b"x"], []),
    (b"a.c", [b"abc", b"a\nc", b"\x00abc\x00"], [b"ac", b"ab"]),
    (b"^b|c$", [b"bx", b"xc"], [b"xbx", b"cx"]),
    (rb"\d+\.\d", [b"1.5", b"x10.0"], [b"1,5", b"."]),
    (rb"^\D*$", [b"abc", b""], [b"a1"]),
    (rb"\bfoo\b", [b"a foo b", b"foo"], [b"afoo"]),
    (rb"\w\s\w", [b"a b"], [b"a-b"]),
    (b"a+?b", [b"aab"], [b"b"]),
    (b"a??b", [b"b"], [b"a"]),
    (b"x{2,3}?y", [b"xxy"], [b"xy"]),
    (b"[]x]", [b"]", b"x"], [b"a"]),
    (b"[^]x]", [b"a"], [b"]"]),
    (b"[[:digit:])(]", [b"5", b"(", b")"], [b"a"]),
    (rb"\(\)\{", [b"(){"], [b"()"]),
    (b"[\xc3]", [b"\xc3\xa9"], [b"\xa9"]),
    (b"^.$", [b"\xff"], ["\u00e9".encode()]),
])
def test_regex(pattern, yes, no):
    assert probes.search(pattern, yes + no) == [True] * len(yes) + [False] * len(no)


def test_regex_without_case():
    assert probes.search(b"^aB[c-d]$", [b"Abc", b"ABD", b"abe"], True) == [True, True, False]


@pytest.mark.parametrize("pattern", [
    b"(", b")", b"a)(b", b"[a", b"a\\", b"*{", b"a\x00b", b"a{2000}{2000}", b"(" + b"a" * 1000 + b"){99}", b"[z-a]",
    b"[[:nope:]]"])
def test_wrong_regex(pattern):
    assert probes.search(pattern, []) == 3


def test_refused_regex():
    assert probes.search(b"a" * 2049, []) == 1
    assert probes.search(rb"(a)\1", []) == 2
    assert probes.search(rb"a\\1", [rb"a\1"]) == [True]


def test_patterns_that_take_for_ever_elsewhere():
    assert probes.search(b"(a+)+$", [b"a" * 60000 + b"!"]) == [False]
    assert probes.search(b"[a-z]+[0-9]", [b"a" * 60000] * 5) == [False] * 5
