"""Streams against a dict of entries and dicts of what is pending: every operation, then verify() walks the memory."""
import random

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

probes = pytest.importorskip("tests.ds.stream_probes", reason="built with FASTREDIS_PROBES=1 only")
StreamProbe = probes.StreamProbe

TOP = 2**64 - 1
FIELDS = st.sampled_from([(b"a", b"b"), (b"a", b"b"), (b"a", b"c"), (b"x",), (b"7", b"007", b""), (b"f" * 70,)])
TEXTS = st.one_of(st.sampled_from([b"", b"0", b"-1", b"127", b"128", b"4096", b"123456789012", b"v" * 63, b"v" * 64]),
                  st.binary(max_size=12))
STEPS = st.sampled_from([(0, 1), (0, 1), (1, 0), (1, -3), (200, 5), (70_000, 0), (2**40, 2**40), (2**62, 1)])
PLACES = st.floats(0, 1)
NAMES = st.sampled_from([b"g", b"", b"group", b"\x00\xff"])
CONSUMERS = st.sampled_from([b"c", b"d", b"", b"consumer"])
TIMES = st.integers(0, 50)


class StreamMachine(RuleBasedStateMachine):
    @initialize(entries=st.sampled_from([1, 3, 100, 0]), size=st.sampled_from([60, 4096, 0]))
    def begin(self, entries, size):
        self.stream = StreamProbe(entries, size)
        self.entries = {}
        self.last = (0, 0)
        self.groups = {}            # name -> {id: (consumer, time, deliveries)}
        self.consumers = {}         # name -> names

    def ids(self):
        return sorted(self.entries)

    def some_id(self, place):
        ids = self.ids()
        return ids[int(place * (len(ids) - 1))] if ids else (5, 5)

    def add(self, step, pairs):
        ms, seq = self.last[0] + step[0], max(self.last[1] + step[1], 0)
        if (ms, seq) > self.last and ms <= TOP and seq <= TOP:
            self.stream.append((ms, seq), pairs)
            self.last = (ms, seq)
            self.entries[ms, seq] = pairs

    @rule(step=STEPS, fields=FIELDS, value=TEXTS)
    def append(self, step, fields, value):
        self.add(step, [(field, value) for field in fields])

    @rule(count=st.integers(1, 300), step=STEPS, fields=FIELDS)
    def append_many(self, count, step, fields):
        for i in range(count):
            self.add(step if i % 3 else (0, 1), [(field, b"%d" % i) for field in fields])

    @rule(place=PLACES, near=st.integers(-1, 1))
    def delete(self, place, near):
        ms, seq = self.some_id(place)
        id = (ms, max(min(seq + near, TOP), 0))
        assert self.stream.has(id) == (id in self.entries)
        assert self.stream.delete(id) == (id in self.entries)
        self.entries.pop(id, None)

    @rule(low=PLACES, high=PLACES, reverse=st.booleans(), seed=st.integers(0, 99), share=PLACES)
    def delete_while_walking(self, low, high, reverse, seed, share):
        start, end = self.some_id(low), self.some_id(high)
        ids = [id for id in self.ids() if start <= id <= end]
        keep = set(random.Random(seed).sample(range(len(ids)), int(share * len(ids))))
        assert self.stream.delete_some(start, end, reverse, keep) == (ids[::-1] if reverse else ids)
        for number, id in enumerate(ids[::-1] if reverse else ids):
            if number not in keep:
                del self.entries[id]

    @rule(length=st.integers(0, 400), share=PLACES)
    def trim_to_length(self, length, share):
        length = int(len(self.entries) * share) if length > 200 else length
        gone = max(len(self.entries) - length, 0)
        assert self.stream.trim(length=length) == gone
        for id in self.ids()[:gone]:
            del self.entries[id]

    @rule(place=PLACES)
    def trim_to_id(self, place):
        least = self.some_id(place)
        gone = [id for id in self.ids() if id < least]
        assert self.stream.trim(min_id=least) == len(gone)
        for id in gone:
            del self.entries[id]

    @rule(length=st.integers(0, 300), limit=st.integers(0, 150))
    def trim_about(self, length, limit):
        nodes = self.stream.nodes
        gone = self.stream.trim(length=length, approximate=True, limit=limit)
        assert gone <= max(len(self.entries) - length, 0) and (limit == 0 or gone <= limit)
        assert gone or self.stream.nodes == nodes
        for id in self.ids()[:gone]:
            del self.entries[id]

    @rule(low=PLACES, high=PLACES, reverse=st.booleans(), limit=st.integers(0, 20))
    def range(self, low, high, reverse, limit):
        start, end = self.some_id(low), self.some_id(high)
        found = [(id, self.entries[id]) for id in self.ids() if start <= id <= end]
        assert self.stream.range(start, end, reverse, limit) == (found[::-1] if reverse else found)[:limit]

    @rule(place=PLACES, near=st.integers(-1, 1))
    def behind(self, place, near):
        ms, seq = self.some_id(place)
        id = (ms, max(min(seq + near, TOP), 0))
        assert self.stream.behind(id) == sum(each > id for each in self.entries)

    @rule()
    def copy(self):
        self.stream.become_copy()

    # --- groups

    @rule(name=NAMES)
    def group(self, name):
        if name in self.groups:
            self.stream.remove_group(name)
            del self.groups[name], self.consumers[name]
        else:
            self.stream.add_group(name, self.last)
            self.groups[name], self.consumers[name] = {}, set()

    @rule(name=NAMES, consumer=CONSUMERS, place=PLACES, count=st.integers(1, 60), time=TIMES, deliveries=TIMES)
    def deliver(self, name, consumer, place, count, time, deliveries):
        if name not in self.groups:
            return
        ids = self.ids()
        at = int(place * len(ids))
        for number, id in enumerate(ids[at:at + count]):
            self.stream.give(name, consumer, id, time + number % 7, deliveries)
            self.groups[name][id] = (consumer, time + number % 7, deliveries)
            self.consumers[name].add(consumer)

    @rule(name=NAMES, place=PLACES, count=st.integers(1, 60))
    def acknowledge(self, name, place, count):
        if name not in self.groups:
            return
        ids = sorted(self.groups[name]) or [(1, 1)]
        at = int(place * len(ids))
        for id in ids[at:at + count]:
            assert self.stream.acknowledge(name, id) == (id in self.groups[name])
            self.groups[name].pop(id, None)
        assert not self.stream.acknowledge(name, ids[0]) or at > 0
        self.groups[name].pop(ids[0], None)

    @rule(name=NAMES, consumer=CONSUMERS)
    def remove_consumer(self, name, consumer):
        if name not in self.groups:
            return
        theirs = [id for id, record in self.groups[name].items() if record[0] == consumer]
        expected = len(theirs) if consumer in self.consumers[name] else None
        assert self.stream.remove_consumer(name, consumer) == expected
        self.consumers[name].discard(consumer)
        for id in theirs:
            del self.groups[name][id]

    @rule(name=NAMES, place=PLACES, time=TIMES)
    def first_idle(self, name, place, time):
        if name not in self.groups:
            return
        id = self.some_id(place)
        idle = [each for each, record in sorted(self.groups[name].items()) if each >= id and record[1] <= time]
        assert self.stream.first_idle(name, id, time) == (idle[0] if idle else None)
        record = self.groups[name].get(id)
        assert self.stream.pending_at(name, id) == (None if record is None else (id, *record))

    @invariant()
    def holds(self):
        if not hasattr(self, "stream"):
            return
        self.stream.verify()
        ids = self.ids()
        assert len(self.stream) == len(ids)
        assert self.stream.edges() == ((ids[0], ids[-1]) if ids else ((0, 0), (0, 0)))
        assert self.stream.groups() == sorted(self.groups)
        for name, records in self.groups.items():
            assert self.stream.pending(name) == [(id, *record) for id, record in sorted(records.items())]
            for consumer in self.consumers[name]:
                assert self.stream.pending_of(name, consumer) == [
                    id for id, record in sorted(records.items()) if record[0] == consumer]

    def teardown(self):
        if not hasattr(self, "stream"):
            return
        assert abs(self.stream.memory - self.stream.used) <= 0.05 * self.stream.used + 64
        whole = [(id, self.entries[id]) for id in self.ids()]
        assert self.stream.range((0, 0), (TOP, TOP)) == whole
        assert self.stream.range((0, 0), (TOP, TOP), True) == whole[::-1]
        while self.stream.drain(40):
            pass
        assert self.stream.used == 0


StreamMachine.TestCase.settings = settings(max_examples=80, stateful_step_count=25, deadline=None)
TestStream = StreamMachine.TestCase


def test_what_a_group_has_still_to_read():
    stream = StreamProbe()
    stream.add_group(b"g", (0, 0), 0)
    assert stream.lag(b"g") == 0
    for i in range(1, 251):
        stream.append((i, 0), [(b"f", b"v")])
    assert stream.lag(b"g") == 250
    stream.add_group(b"h", (100, 0))
    assert stream.lag(b"h") is None            # in the middle, and nobody has counted
    stream.add_group(b"i", (250, 0))
    assert stream.lag(b"i") == 0


def test_entries_take_no_more_than_their_bytes():
    stream = StreamProbe()
    for i in range(100_000):
        stream.append((1_700_000_000_000 + i, 0), [(b"field", b"value:%010d" % i)])
    # flags, ms, seq, lp-count and the value: 2 + 2 + 2 + 2 + 18 bytes
    assert stream.used / 100_000 < 29
