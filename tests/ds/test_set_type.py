"""Sets and set algebra against Python sets."""
import random
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

probes = pytest.importorskip("tests.ds.set_probes", reason="built with FASTREDIS_PROBES=1 only")
Memory, SetProbe = probes.Memory, probes.SetProbe

SMALL_NUMBERS = st.integers(-9, 9)
EDGES = [-2**63, 2**63 - 1, 2**31, -2**31 - 1, 32768, 99999]
NUMBERS = st.one_of(SMALL_NUMBERS, st.integers(-300, 300), st.sampled_from(EDGES)).map(lambda number: b"%d" % number)
WORDS = st.one_of(
    st.sampled_from([b"", b"a", b"b", b"-0", b"01", b"9223372036854775808"]),
    st.sampled_from([b"x" * 8, b"x" * 9, b"y" * 253, b"y" * 254]),
    st.binary(max_size=4),
    st.integers(0, 300).map(lambda number: b"member:%d" % number),
)
MEMBERS = st.one_of(NUMBERS, NUMBERS, WORDS)
LIMITS = st.tuples(st.sampled_from([0, 4, 16, 512]), st.sampled_from([0, 3, 16, 128]), st.sampled_from([0, 5, 8, 64]))


def is_number(member):
    """Whether a member is kept as an integer by an intset."""
    try:
        return -2**63 <= int(member) < 2**63 and b"%d" % int(member) == member
    except ValueError:
        return False


class Model:
    """What Redis 7.2 and later would make of the same calls: the members in order, and the encoding."""

    def __init__(self, limits, first, expected):
        self.limits = limits
        self.members = {}
        intset, listpack, _ = limits
        self.encoding = "hashtable"
        if expected <= intset and is_number(first):
            self.encoding = "intset"
        elif expected <= listpack:
            self.encoding = "listpack"

    def expect(self, count):
        intset, listpack, _ = self.limits
        if (self.encoding == "listpack" and count > listpack) or (self.encoding == "intset" and count > intset):
            self.encoding = "hashtable"

    def add(self, member):
        intset, listpack, value = self.limits
        if member in self.members:
            return False
        count = len(self.members)
        if self.encoding == "listpack" and (count >= listpack or len(member) > value):
            self.encoding = "hashtable"
        elif self.encoding == "intset" and is_number(member):
            if count + 1 > intset:
                self.encoding = "hashtable"
        elif self.encoding == "intset":
            ends = [b"%d" % end(map(int, self.members)) for end in (min, max)] if self.members else []
            fits = count < listpack and max(map(len, [member, *ends])) <= value
            self.encoding = "listpack" if fits else "hashtable"
            self.members = dict.fromkeys(sorted(self.members, key=int))
        self.members[member] = None
        return True

    def remove(self, member):
        return self.members.pop(member, self) is None


class SetMachine(RuleBasedStateMachine):
    def __init__(self):
        super().__init__()
        self.memory = Memory(4, 4, 5)
        self.start(4, (4, 4, 5), b"1")

    def start(self, expected, limits, first):
        self.set = None
        assert self.memory.used == 0
        self.memory = Memory(*limits)
        self.set = SetProbe.empty(self.memory, first, expected)
        self.model = Model(limits, first, expected)

    @rule(expected=st.sampled_from([1, 2, 5, 200, 1000]), limits=LIMITS, first=MEMBERS)
    def anew(self, expected, limits, first):
        self.start(expected, limits, first)

    @rule(member=MEMBERS)
    def add(self, member):
        assert self.set.add(member) == self.model.add(member)

    @rule(start=st.integers(-50, 50), count=st.integers(1, 200), word=st.sampled_from([b"", b"", b"w", b"member:"]))
    def add_many(self, start, count, word):
        if start % 2:
            self.set.expect(count)
            self.model.expect(count)
        for number in range(start, start + count):
            self.add(word + b"%d" % number)

    @rule(member=MEMBERS)
    def remove(self, member):
        assert self.set.remove(member) == self.model.remove(member)

    @rule(start=st.integers(-50, 50), count=st.integers(1, 200), word=st.sampled_from([b"", b"w", b"member:"]))
    def remove_many(self, start, count, word):
        for number in range(start, start + count):
            self.remove(word + b"%d" % number)

    @precondition(lambda self: self.model.members)
    @rule()
    def pop(self):
        assert self.model.remove(self.set.pop())

    @precondition(lambda self: self.model.members)
    @rule()
    def draw(self):
        assert self.set.random() in self.model.members

    @rule(member=MEMBERS)
    def contains(self, member):
        assert self.set.contains(member) == (member in self.model.members)

    @rule()
    def copy(self):
        other = self.set.copy()
        assert (other.encoding, set(other.members())) == (self.set.encoding, set(self.model.members))
        other.verify()
        other.add(b"another")
        assert not self.set.contains(b"another")

    @rule()
    def to_intset(self):
        if all(map(is_number, self.model.members)):
            self.set.to_intset()
            if len(self.model.members) <= self.memory.limit[0]:
                self.model.encoding = "intset"

    @rule(elements=st.integers(1, 50))
    def drain_a_copy(self, elements):
        other = self.set.copy()
        left = [len(other) + 1]
        while left[-1]:
            left.append(other.drain(elements))
        assert left == sorted(left, reverse=True)

    @invariant()
    def same(self):
        self.set.verify()
        members = self.set.members()
        assert self.set.encoding == self.model.encoding
        assert len(self.set) == len(members) == len(self.model.members)
        assert set(members) == set(self.model.members)
        if self.set.encoding == "listpack":
            assert members == list(self.model.members)
        if self.set.encoding == "intset":
            assert members == sorted(members, key=int)
        assert self.set.bytes() == self.memory.used

    def teardown(self):
        self.set = None
        assert self.memory.used == 0


TestSets = SetMachine.TestCase
TestSets.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)


# ---------------------------------------------------------------- algebra

SOURCES = st.lists(st.one_of(
    st.none(),
    st.integers(0, 2),                                          # the same set as an earlier one
    st.tuples(st.sampled_from(["intset", "listpack", "hashtable"]), st.sampled_from([b"", b"w", b"member:"]),
              st.integers(-20, 400), st.integers(1, 600), st.integers(1, 3), st.lists(MEMBERS, max_size=5)),
), min_size=1, max_size=12)


def build(memory, shape):
    encoding, word, start, count, step, more = shape
    limits = {"intset": 1000, "listpack": 0}, {"intset": 0, "listpack": 1000}, {"intset": 0, "listpack": 0}
    chosen = Memory(**limits[["intset", "listpack", "hashtable"].index(encoding)])
    names = [word + b"%d" % (number * step) for number in range(start, start + count)] + more
    made = SetProbe.of(chosen, names)
    return made, set(names)


def expected(name, models):
    if name == "unite":
        return set().union(*models)
    if name == "intersect":
        return set.intersection(*models)
    return models[0].difference(*models[1:])


@settings(max_examples=400, deadline=None)
@given(shapes=SOURCES, name=st.sampled_from(["unite", "intersect", "subtract"]), limits=LIMITS, settle=st.booleans())
def test_algebra(shapes, name, limits, settle):
    memory = Memory(*limits)
    sets, models = [], []
    for shape in shapes:
        if shape is None or (isinstance(shape, int) and shape >= len(sets)):
            sets.append(None)
            models.append(set())
        elif isinstance(shape, int):
            sets.append(sets[shape])
            models.append(models[shape])
        else:
            made, model = build(memory, shape)
            if settle:
                made.settle()
            sets.append(made)
            models.append(model)
    members, stored = probes.operate(memory, name, sets)
    right = expected(name, models)
    assert len(members) == len(right) and set(members) == right
    if name == "unite" and all(made is None or made.encoding == "intset" for made in sets):
        known = [made for made in sets if made is not None]
        if len({id(made) for made in known}) <= 8:
            assert members == sorted(members, key=int)
    for encoding, result in zip(["intset", "listpack"], stored, strict=False):
        check_stored(result, encoding, members, right, limits)
    for made, model in zip(sets, models, strict=True):
        if made is not None:
            made.verify()
            assert set(made.members()) == model
    stored = result = None
    assert memory.used == 0


def check_stored(result, encoding, members, right, limits):
    """A stored result has its members, and the encoding that it gets when they come one by one."""
    model = Model(limits, b"", 1)
    model.encoding = encoding
    for member in members:
        model.add(member)
    if encoding == "listpack" and all(map(is_number, right)) and len(right) <= limits[0]:
        model.encoding = "intset"
    result.verify()
    assert set(result.members()) == right
    assert result.encoding == model.encoding


def words(start, end, word=b"member:"):
    return [word + b"%d" % number for number in range(start, end)]


@pytest.mark.parametrize("sizes", [(50_000, 50_000), (3_000, 100_000), (100_000, 3_000), (600, 90_000), (40, 20_000)])
def test_algebra_of_large_tables(sizes):
    """Tables of like and of very unlike size: where a bucket tells enough of the hash, and where it does not."""
    memory = Memory()
    one, other = words(0, sizes[0]), words(sizes[0] // 2, sizes[0] // 2 + sizes[1])
    sets = [SetProbe.of(memory, one), SetProbe.of(memory, other)]
    used = memory.used
    for name in ("intersect", "unite", "subtract"):
        members, stored = probes.operate(memory, name, list(sets))
        right = expected(name, [set(one), set(other)])
        assert len(members) == len(right) and set(members) == right
        for result in stored:
            result.verify()
            assert set(result.members()) == right
        stored = result = None
        assert memory.used == used


@pytest.mark.parametrize("count", [2, 9, 30])
def test_many_sets(count):
    memory = Memory()
    parts = [words(number * 50, number * 50 + 200) for number in range(count)]
    sets = [SetProbe.of(memory, part) for part in parts]
    for name in ("intersect", "unite", "subtract"):
        members, _ = probes.operate(memory, name, list(sets))
        assert sorted(members) == sorted(expected(name, list(map(set, parts))))


def test_difference_with_many_small_sets():
    memory = Memory()
    large = words(0, 5000)
    small = [words(number * 10, number * 10 + 20) for number in range(30)]
    sets = [SetProbe.of(memory, part) for part in (large, *small)]
    members, stored = probes.operate(memory, "subtract", sets)
    assert sorted(members) == sorted(set(large).difference(*small))
    del sets, stored
    assert memory.used == 0


def test_a_sink_that_has_enough_ends_the_work():
    memory = Memory(512, 0, 64)
    numbers = SetProbe.of(memory, [b"%d" % number for number in range(300)])
    names = SetProbe.of(memory, words(0, 1000) + [b"%d" % number for number in range(200)])
    for name, sets in (("unite", [numbers, names]), ("unite", [numbers, numbers]), ("subtract", [names, numbers]),
                       ("intersect", [numbers, names]), ("intersect", [numbers, numbers.copy()]),
                       ("unite", [numbers, numbers.copy()])):
        assert 0 < probes.operate_once(memory, name, sets) <= 64


@pytest.mark.parametrize("made", [[b"%d" % number for number in range(40)], words(0, 40), words(0, 200)])
def test_random_members_are_fair(made):
    memory = Memory()
    random.shuffle(made)
    probe = SetProbe.of(memory, made)
    drawn = Counter(probe.random() for _ in range(200 * len(made)))
    assert set(drawn) == set(made)
    # 200 are expected of each; the standard deviation is 14.
    assert min(drawn.values()) > 115 and max(drawn.values()) < 290


def test_pops_until_empty():
    for made in ([b"%d" % number for number in range(300)], words(0, 100), words(0, 2000)):
        memory = Memory()
        probe = SetProbe.of(memory, made)
        assert Counter(probe.pop() for _ in range(len(made))) == Counter(made)
        assert len(probe) == 0
        probe.verify()


def test_memory_of_a_large_set():
    """Less than the 38 bytes a member that Redis 8 takes for these."""
    memory = Memory()
    probe = SetProbe.of(memory, [b"member:%06d" % number for number in range(200_000)])
    assert memory.used / 200_000 < 38
    assert probe.bytes(0) == memory.used
    assert abs(probe.bytes(5) - memory.used) < 0.01 * memory.used


def test_the_longest_members():
    memory = Memory()
    members = [b"x" * size for size in (0, 1, 63, 64, 65, 252, 253, 254, 255, 256, 70_000)]
    probe = SetProbe.of(memory, members)
    assert sorted(probe.members()) == members
    assert all(probe.remove(member) for member in members)
    assert len(probe) == 0
