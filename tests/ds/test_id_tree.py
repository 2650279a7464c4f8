"""Tree of ids against a dict: every operation, then verify() walks the memory."""
import random
from bisect import bisect_left, bisect_right

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

probes = pytest.importorskip("tests.ds.id_probes", reason="built with FASTREDIS_PROBES=1 only")
IdTreeProbe = probes.IdTreeProbe

TOP = 2**64 - 1
IDS = st.one_of(st.tuples(st.integers(0, 60), st.integers(0, 3)),
                st.tuples(st.sampled_from([0, 1, TOP - 1, TOP]), st.sampled_from([0, 1, TOP])))
TIMES = st.integers(-2, 20)
VALUES = st.tuples(TIMES, st.integers(0, 5), st.integers(0, 2**32 - 1))
SOME = st.integers(1, 3000)
PLACES = st.floats(0, 1)


class IdTreeMachine(RuleBasedStateMachine):
    """The same calls go to a tree and to a dict; `order` has the ids in order."""

    @initialize(plain=st.booleans())
    def begin(self, plain):
        self.plain = plain
        self.tree = IdTreeProbe(plain)
        self.values = {}

    def setting(self, id, value):
        assert self.tree.add(id, value) == (id not in self.values)
        self.values.setdefault(id, value)

    def order(self):
        return sorted(self.values)

    def entry(self, id):
        return id if self.plain or id is None else (id, self.values[id])

    def some(self, seed, count):
        return random.Random(seed).sample(self.order(), min(count, len(self.values)))

    @rule(id=IDS, value=VALUES)
    def add(self, id, value):
        self.setting(id, value)

    @rule(first=st.integers(0, 5000), step=st.sampled_from([1, 2, -1]), count=SOME)
    def add_in_order(self, first, step, count):
        for i in range(count):
            self.setting((max(first + step * i, 0), 7), (i % 13, i % 3, i))

    @rule(seed=st.integers(0, 1000), count=SOME)
    def add_at_random(self, seed, count):
        chance = random.Random(seed)
        for i in range(count):
            self.setting((chance.randrange(5000), chance.randrange(3)), (chance.randrange(20), i % 4, i))

    @rule(id=IDS)
    def remove(self, id):
        value = self.values.pop(id, None)
        assert self.tree.remove(id) == (True if self.plain and value is not None else value)

    @rule(seed=st.integers(0, 1000), count=SOME)
    def remove_at_random(self, seed, count):
        for id in self.some(seed, count):
            assert self.tree.remove(id) == (True if self.plain else self.values[id])
            del self.values[id]

    @rule(place=PLACES, count=SOME, backwards=st.booleans())
    def remove_in_order(self, place, count, backwards):
        ids = self.order()
        at = int(place * len(ids))
        for id in (ids[:at][::-1] if backwards else ids[at:])[:count]:
            assert self.tree.remove(id) is not None
            del self.values[id]

    @rule(seed=st.integers(0, 1000), count=st.integers(1, 50), value=VALUES)
    def change(self, seed, count, value):
        if self.plain:
            return
        for id in self.some(seed, count):
            self.tree.set(id, value)
            self.values[id] = value

    @rule(any_id=IDS, seed=st.integers(0, 1000), time=TIMES)
    def look(self, any_id, seed, time):
        ids = self.order()
        for id in [any_id, *self.some(seed, 3)]:
            at = bisect_left(ids, id)
            assert self.tree.find(id) == (self.entry(id) if id in self.values else None)
            assert self.tree.first_from(id) == self.entry(ids[at] if at < len(ids) else None)
            up_to = bisect_right(ids, id)
            assert self.tree.last_up_to(id) == self.entry(ids[up_to - 1] if up_to else None)
            assert self.tree.weight_below(id) == (
                at if self.plain else sum(self.values[each][1] for each in ids[:at]))
            if not self.plain:
                assert self.tree.first_before(id, time) == self.entry(
                    next((each for each in ids[at:] if self.values[each][0] <= time), None))

    @invariant()
    def holds(self):
        if not hasattr(self, "tree"):
            return
        self.tree.verify()
        assert len(self.tree) == len(self.values)
        assert self.tree.weight == (len(self.values) if self.plain else sum(each[1] for each in self.values.values()))

    @rule()
    def walk(self):
        expected = [self.entry(id) for id in self.order()]
        assert self.tree.entries() == expected
        assert self.tree.entries(reverse=True) == expected[::-1]

    def teardown(self):
        if not hasattr(self, "tree"):
            return
        assert self.tree.bytes >= self.tree.used * 0.9
        gone = []
        while True:
            left, some = self.tree.drain(3)
            gone += some
            assert left == (left if self.plain else len(self.values) - len(gone))
            if not left:
                break
        assert self.plain or gone == [self.values[id][2] for id in self.order()]
        assert self.tree.used == 0 and len(self.tree) == 0
        self.tree.verify()


IdTreeMachine.TestCase.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)
TestIdTree = IdTreeMachine.TestCase


def test_appended_ids_fill_their_leaves():
    tree = IdTreeProbe()
    for i in range(100_000):
        tree.add((i, 0))
    tree.verify()
    assert tree.used / 100_000 < 34.5      # 32 of them are the id and its value


def test_what_is_old_is_found_among_many():
    tree = IdTreeProbe()
    for i in range(100_000):
        tree.add((i, 0), (1000, 1, i))
    tree.set((71_234, 0), (5, 1, 1))
    assert tree.first_before((0, 0), 999) == ((71_234, 0), (5, 1, 1))
    assert tree.first_before((71_234, 1), 999) is None
    tree.set((71_234, 0), (1000, 1, 1))
    assert tree.first_before((0, 0), 999) is None
