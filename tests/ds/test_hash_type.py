"""Hashes against a dict of values and deadlines: every operation in each encoding, then verify() walks the memory."""
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

probes = pytest.importorskip("tests.ds.hash_probes", reason="built with FASTREDIS_PROBES=1 only")
HashProbe = probes.HashProbe

# Few enough to meet again; integers, which a listpack stores as such, and sizes on either side of the wide ones.
FIELDS = st.one_of(
    st.integers(0, 25).map(lambda n: b"f%d" % n),
    st.integers(-3, 3).map(lambda n: b"%d" % n),
    st.sampled_from([b"", b"-0", b"0001", b"x" * 63, b"x" * 64, b"y" * 255, b"y" * 256, b"z" * 5000, b"\0\xff"]),
)
VALUES = st.one_of(
    st.binary(max_size=20),
    st.integers(-(2**63), 2**63 - 1).map(lambda n: b"%d" % n),
    st.integers(0, 600).map(lambda n: b"v" * n),
)
WHENS = st.integers(1, 60)


class HashMachine(RuleBasedStateMachine):
    """fields: field -> [value, deadline]; now: what the clock says."""

    @initialize(entries=st.sampled_from([0, 3, 128]), value=st.sampled_from([4, 64, 10_000]))
    def start(self, entries, value):
        self.hash = HashProbe(entries, value)
        self.fields = {}
        self.now = 1
        self.was_table = False

    @rule(field=FIELDS, value=VALUES, keep=st.booleans())
    def set(self, field, value, keep):
        assert self.hash.set(field, value, keep) == (field not in self.fields)
        when = self.fields[field][1] if keep and field in self.fields else None
        self.fields[field] = [value, when]

    @rule(first=st.integers(0, 1000), count=st.integers(1, 200), when=st.none() | WHENS)
    def set_many(self, first, count, when):
        for number in range(first, first + count):
            field = b"many:%d" % number
            self.hash.set(field, b"%d" % number)
            if when is not None:
                assert self.hash.expire(field, when)
            self.fields[field] = [b"%d" % number, when]

    @rule(field=FIELDS)
    def get(self, field):
        assert self.hash.get(field) == (tuple(self.fields[field]) if field in self.fields else None)

    @rule(field=FIELDS)
    def delete(self, field):
        assert self.hash.delete(field) == (field in self.fields)
        self.fields.pop(field, None)

    @rule(field=FIELDS, when=WHENS)
    def expire(self, field, when):
        assert self.hash.expire(field, when) == (field in self.fields)
        if field in self.fields:
            self.fields[field][1] = when

    @rule(field=FIELDS)
    def persist(self, field):
        assert self.hash.expire(field, None) == (field in self.fields)
        if field in self.fields:
            self.fields[field][1] = None

    @rule(ms=st.integers(1, 20), limit=st.integers(1, 300))
    def time_passes(self, ms, limit):
        self.now += ms
        due = sorted(when for _, when in self.fields.values() if when is not None and when < self.now)[:limit]
        gone = self.hash.remove_due(self.now, limit)
        assert [self.fields.pop(field)[1] for field in gone] == due

    @rule(entries=st.sampled_from([0, 3, 128]))
    def change_the_limit(self, entries):
        self.hash.limit = entries

    @rule(fields=st.integers(1, 300))
    def expect(self, fields):
        self.hash.expect(fields)

    @rule(buckets=st.integers(1, 10))
    def rehash(self, buckets):
        self.hash.rehash(buckets)

    @rule()
    def swap_for_copy(self):
        self.hash.swap_for_copy()

    @rule()
    def random(self):
        if self.fields:
            field, value, when = self.hash.random()
            assert self.fields[field] == [value, when]

    @invariant()
    def holds(self):
        if not hasattr(self, "hash"):
            return
        self.hash.verify()
        assert len(self.hash) == len(self.fields)
        items = self.hash.items()
        assert {field: [value, when] for field, value, when in items} == self.fields
        assert len(items) == len(self.fields)
        whens = [when for _, when in self.fields.values() if when is not None]
        assert self.hash.soonest() == (min(whens) if whens else None)
        encoding = self.hash.encoding
        assert not (self.was_table and encoding != "hashtable")
        assert not (whens and encoding == "listpack")
        self.was_table = encoding == "hashtable"

    def teardown(self):
        if hasattr(self, "hash"):
            self.hash.free()
            assert self.hash.account_used == 0


HashMachine.TestCase.settings = settings(max_examples=150, stateful_step_count=50, deadline=None)
TestHashMachine = HashMachine.TestCase


def filled(count, **limits):
    made = HashProbe(**limits)
    for number in range(count):
        made.set(b"field:%d" % number, b"value:%d" % number)
    return made


@pytest.mark.parametrize("count, encoding", [(128, "listpack"), (129, "hashtable")])
def test_becomes_a_table_above_the_limit(count, encoding):
    assert filled(count).encoding == encoding


@pytest.mark.parametrize("field, value", [(b"f" * 65, b"v"), (b"f", b"v" * 65)])
def test_becomes_a_table_for_a_long_field_or_value(field, value):
    made = filled(3)
    made.set(field[:64], value[:64])
    assert made.encoding == "listpack"
    made.set(field, value)
    assert made.encoding == "hashtable"


def test_the_encoding_says_whether_there_are_deadlines():
    made = filled(3)
    assert made.expire(b"none", 5) is False
    assert made.expire(b"field:1", None) is True
    assert made.encoding == "listpack"
    made.expire(b"field:1", 5)
    assert made.encoding == "listpackex"
    made.expire(b"field:1", None)
    assert made.encoding == "listpackex"


def test_fields_are_in_the_order_of_their_deadlines():
    made = filled(5)
    for number, when in [(3, 30), (1, 10), (4, 20), (2, 20)]:
        made.expire(b"field:%d" % number, when)
    assert [(field[-1:], when) for field, _, when in made.items()] == [
        (b"1", 10), (b"2", 20), (b"4", 20), (b"3", 30), (b"0", None)]
    made.set(b"field:4", b"new")
    made.set(b"field:1", b"kept", True)
    assert [(field[-1:], when) for field, _, when in made.items()] == [
        (b"1", 10), (b"2", 20), (b"3", 30), (b"0", None), (b"4", None)]


def test_a_value_of_the_same_size_class_is_written_in_place():
    made = filled(1, entries=0)
    before = made.account_used
    for size in range(7, 15):           # 3 + 7 + 7 to 3 + 7 + 14 bytes take 24
        made.set(b"field:0", b"v" * size)
        assert made.account_used == before
    made.set(b"field:0", b"v" * 15)
    assert made.account_used == before + 8
    assert made.get(b"field:0") == (b"v" * 15, None)


@pytest.mark.parametrize("count", [0, 1, 100, 5000])
@pytest.mark.parametrize("timed", [False, True])
def test_drain_in_slices(count, timed):
    made = filled(count)
    for number in range(count if timed else 0):
        made.expire(b"field:%d" % number, number + 1)
    slices = made.drain(100)
    assert made.account_used == 0
    assert slices == 1 if count <= 100 else slices > 10


def test_verify_counts_what_sampling_guesses():
    made = filled(10_000)
    assert abs(made.bytes(5) - made.bytes()) < made.bytes() / 10


def test_every_field_is_chosen():
    for count in (5, 200):
        made = filled(count)
        made.expire(b"field:0", 9)
        assert {made.random()[0] for _ in range(count * 20)} == {field for field, _, _ in made.items()}


def test_memory_per_field():
    """80 bytes is what Redis takes for a field of a big hash, 259 for a hash of ten short ones."""
    count = 100_000
    big = HashProbe()
    for number in range(count):
        big.set(b"field:%09d" % number, b"value:%09d" % number)
    assert big.account_used / count < 66
    small = HashProbe()
    for number in range(10):
        small.set(b"f%d" % number, b"value%d" % number)
    assert small.account_used < 200
