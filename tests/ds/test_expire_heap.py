"""Expire heap against a dict of deadlines: every operation, then verify() walks the memory."""
import random

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

probes = pytest.importorskip("tests.ds.probes", reason="built with FASTREDIS_PROBES=1 only")
HeapProbe = probes.HeapProbe

NAMES = st.integers(0, 300).map(lambda n: b"%d" % n)
WHENS = st.one_of(st.integers(0, 50), st.integers(-(2**63), 2**63 - 1))


class HeapMachine(RuleBasedStateMachine):
    def __init__(self):
        super().__init__()
        self.heap = HeapProbe()
        self.whens = {}

    @rule(name=NAMES, when=WHENS)
    def set(self, name, when):
        self.heap.set(name, when)
        self.whens[name] = when

    @rule(seed=st.integers(0, 99), count=st.integers(1, 9000))
    def set_many(self, seed, count):
        chance = random.Random(seed)
        for number in range(count):
            name, when = b"%d" % number, chance.randrange(1000)
            self.heap.set(name, when)
            self.whens[name] = when

    @rule(name=NAMES)
    def remove(self, name):
        self.heap.remove(name)
        self.whens.pop(name, None)

    @rule(name=NAMES)
    def move_in_memory(self, name):
        self.heap.move(name)

    @rule(name=NAMES)
    def when(self, name):
        assert self.heap.when(name) == self.whens.get(name)

    @rule(count=st.integers(1, 9000))
    def pop_due(self, count):
        whens = sorted(self.whens.values())
        for when in whens[:count]:
            top_when, name = self.heap.top()
            assert top_when == when == self.whens.pop(name)
            self.heap.remove(name)

    @rule(share=st.sampled_from([0.5, 0.99]), seed=st.integers(0, 99))
    def remove_many(self, share, seed):
        chance = random.Random(seed)
        for name in [name for name in self.whens if chance.random() < share]:
            self.heap.remove(name)
            del self.whens[name]

    @rule()
    def clear(self):
        self.heap.clear()
        self.whens.clear()

    @invariant()
    def holds(self):
        self.heap.verify()
        assert len(self.heap) == len(self.whens)
        top = self.heap.top()
        if self.whens:
            assert top[0] == min(self.whens.values()) == self.whens[top[1]]
        else:
            assert top is None
            assert self.heap.account_used == 0


HeapMachine.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestHeapMachine = HeapMachine.TestCase


def filled_heap(count):
    heap = HeapProbe()
    for number in range(count):
        heap.set(b"%d" % number, (number * 7919) % count)
    return heap


def test_one_item_costs_little():
    heap = filled_heap(1)
    assert heap.account_used == 8 * 16 + 2 * 8
    heap.remove(b"0")
    assert heap.account_used == 0


@pytest.mark.parametrize("count", [5, 6, 4093, 4094, 8189, 8190, 20_000])
def test_every_size_of_chunks(count):
    heap = filled_heap(count)
    heap.verify()
    assert heap.chunks == (3 + count + 4095) // 4096
    assert [heap.top()[0] for _ in range(count) if heap.remove(heap.top()[1]) is None and heap.top()] == [
        *range(1, count)]
    heap.verify()
    assert heap.account_used == 0


def test_a_shrinking_heap_keeps_one_spare_chunk():
    heap = filled_heap(20_000)
    seen = []
    for number in range(20_000):
        heap.remove(b"%d" % number)
        needed = (3 + len(heap) + 4095) // 4096
        seen.append(heap.chunks - needed)
    assert max(seen) == 1
    assert heap.account_used == 0


def test_removing_what_is_not_in_the_heap_does_nothing():
    heap = filled_heap(10)
    heap.remove(b"never set")
    heap.remove(b"3")
    heap.remove(b"3")
    assert (len(heap), heap.when(b"3")) == (9, None)
    heap.verify()


def test_drain_in_slices():
    heap = filled_heap(20_000)
    steps = 1
    while not heap.drain(1):
        steps += 1
    assert (steps, heap.account_used) == (5, 0)


def test_verify_sees_a_wrong_order():
    heap = filled_heap(100)
    heap.break_order()
    with pytest.raises(AssertionError, match="before its parent"):
        heap.verify()


def test_a_million_deadlines():
    figures = probes.measure_heap(1_000_000)
    assert figures["bytes_per_item"] < 16.2
    assert figures["bytes_left"] == 0
    # A loose bound, for busy machines.
    for operation in ("set", "move", "pop"):
        assert figures[operation]["max_us"] < 2000
