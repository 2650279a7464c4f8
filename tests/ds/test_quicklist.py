"""Quicklist against a Python list: every operation, then verify() walks the memory."""
import random

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

probes = pytest.importorskip("tests.ds.list_probes", reason="built with FASTREDIS_PROBES=1 only")
QuicklistProbe, HEAD, TAIL = probes.QuicklistProbe, probes.HEAD, probes.TAIL

ENDS = st.sampled_from([HEAD, TAIL])
TEXTS = st.one_of(
    st.sampled_from([b"", b"a", b"b", b"7", b"-1", b"123456", b"x" * 63, b"x" * 64, b"y" * 200]),
    st.sampled_from([b"z" * 1500, b"ab" * 2100, b"z" * 4095, b"w" * 9000]),
    st.integers(-2**63, 2**63 - 1).map(lambda number: b"%d" % number),
    st.binary(max_size=40),
)
PLACES = st.integers(0, 10**6)          # taken modulo the length


class ListMachine(RuleBasedStateMachine):
    """All changes on lists of each kind of node size, compressed and not."""

    def __init__(self):
        super().__init__()
        self.model = []

    @initialize(fill=st.sampled_from([1, 2, 5, 128, -1, -2]), depth=st.sampled_from([0, 0, 1, 2]),
                large=st.sampled_from([0, 0, 1, 5, 100]))
    def begin(self, fill, depth, large):
        self.probe = QuicklistProbe(fill, depth, large)

    def place(self, number):
        """An index, from either end."""
        index = number % len(self.model)
        return index if number % 3 else index - len(self.model)

    @rule(where=ENDS, texts=st.lists(TEXTS, min_size=1, max_size=12))
    def push(self, where, texts):
        self.probe.push_all(where, texts)
        self.model = self.model + texts if where == TAIL else texts[::-1] + self.model

    @rule(where=ENDS, text=TEXTS, count=st.integers(20, 300))
    def push_many(self, where, text, count):
        texts = [text[:60] + b"%d" % number for number in range(count)]
        self.push(where, texts)

    @precondition(lambda self: self.model)
    @rule(where=ENDS, share=st.sampled_from([0.0, 0.0, 0.0, 0.1, 0.5, 1.0]))
    def drop(self, where, share):
        n = max(1, int(len(self.model) * share))
        assert self.probe.at_end(where) == (self.model[-1] if where == TAIL else self.model[0])
        self.probe.drop(where, n)
        self.model = self.model[:-n] if where == TAIL else self.model[n:]

    @precondition(lambda self: self.model)
    @rule(pushes=ENDS, text=TEXTS, count=st.integers(1, 400))
    def run_through(self, pushes, text, count):
        """A queue: as many go as come."""
        pops = HEAD if pushes == TAIL else TAIL
        for _ in range(count):
            self.push(pushes, [text])
            self.probe.drop(pops, 1)
            self.model.pop(0 if pops == HEAD else -1)

    @precondition(lambda self: self.model)
    @rule(number=PLACES, after=st.booleans(), texts=st.lists(TEXTS, min_size=1, max_size=3))
    def insert(self, number, after, texts):
        index = self.place(number)
        for text in texts:
            assert self.probe.insert(index, after, text)
            self.model.insert(index % len(self.model) + after, text)
            if index < 0:
                index -= 1

    @precondition(lambda self: self.model)
    @rule(number=PLACES, text=TEXTS)
    def replace(self, number, text):
        index = self.place(number)
        assert self.probe.replace(index, text)
        self.model[index] = text

    @rule(text=TEXTS)
    def replace_outside(self, text):
        assert not self.probe.replace(len(self.model), text)
        assert not self.probe.replace(-len(self.model) - 1, text)

    @precondition(lambda self: self.model)
    @rule(number=PLACES, most=st.sampled_from([0, 1, 2, 3, 1000]), where=ENDS)
    def remove(self, number, most, where):
        text = self.model[self.place(number)]
        expected, removed = model_remove(self.model, text, most, where)
        assert self.probe.remove(text, most, where) == removed
        self.model = expected

    @rule(text=TEXTS)
    def remove_what_may_not_be_there(self, text):
        self.model, removed = model_remove(self.model, text, 0, HEAD)
        assert self.probe.remove(text, 0, HEAD) == removed

    @precondition(lambda self: self.model)
    @rule(number=PLACES, backward=st.booleans())
    def walk(self, number, backward):
        index = self.place(number) % len(self.model)
        expected = self.model[index::-1] if backward else self.model[index:]
        assert self.probe.items(index, backward) == expected

    @precondition(lambda self: self.model)
    @rule(number=PLACES, start=PLACES, backward=st.booleans(), most=st.sampled_from([1, 3, 50, 10**9]))
    def find(self, number, start, backward, most):
        text, start = self.model[self.place(number)], self.place(start) % len(self.model)
        looked_at = (self.model[start::-1] if backward else self.model[start:])[:most]
        expected = looked_at.index(text) if text in looked_at else None
        assert self.probe.find(text, start, backward, most) == expected

    @rule()
    def copy(self):
        assert self.probe.copy_items() == self.model

    @precondition(lambda self: len(self.probe.nodes()) == 1 and "P" not in self.probe.nodes()[0][2])
    @rule()
    def change_to_a_listpack_and_back(self):
        assert self.probe.through_listpack() == self.probe.nodes()[0][1]

    @rule(step=st.integers(1, 100))
    def drain(self, step):
        left = len(self.model)
        while left:
            before, left = left, self.probe.drain(step)
            assert left < before
        if self.model:
            assert self.probe.account_used == 0
            self.probe.renew()
            self.model = []

    @invariant()
    def is_the_same(self):
        if hasattr(self, "probe"):
            self.probe.verify()
            assert len(self.probe) == len(self.model)
            assert self.probe.items() == self.model
            assert sum(self.probe.spans()) == len(self.model)

    def teardown(self):
        if hasattr(self, "probe"):
            assert self.probe.free() == 0


def model_remove(items, text, most, where):
    """The list without up to `most` (0: all) of these, from that end on, and how many went."""
    places = [place for place, item in enumerate(items) if item == text]
    if most:
        places = places[-most:] if where == TAIL else places[:most]
    gone = set(places)
    return [item for place, item in enumerate(items) if place not in gone], len(gone)


TestList = ListMachine.TestCase
TestList.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)


@pytest.mark.parametrize(("fill", "limit"), [(-1, 4096), (-2, 8192), (-3, 16384), (-4, 32768), (-5, 65536),
                                             (-9, 65536)])
def test_a_negative_fill_is_a_number_of_bytes(fill, limit):
    assert not probes.exceeds(fill, limit, 10**6) and probes.exceeds(fill, limit + 1, 1)


@pytest.mark.parametrize(("fill", "count"), [(0, 1), (1, 1), (7, 7), (100000, 100000)])
def test_another_fill_is_a_number_of_elements_of_8_kib_at_most(fill, count):
    assert not probes.exceeds(fill, 8192, count) and probes.exceeds(fill, 100, count + 1)
    assert probes.exceeds(fill, 8193, 1)


@pytest.mark.parametrize("where", [HEAD, TAIL])
def test_nodes_are_full(where):
    probe = QuicklistProbe()
    probe.push_all(where, [b"%014d" % number for number in range(100_000)])
    nodes = probe.nodes()
    inner = nodes[1:-1]
    assert {count for count, _, _ in inner} == {511}
    assert all(8170 < size <= 8192 and not letters for _, size, letters in inner)
    probe.verify()


@pytest.mark.parametrize("where", [HEAD, TAIL])
def test_an_item_of_14_bytes_takes_less_than_17(where):
    probe = QuicklistProbe()
    probe.push_all(where, [b"item:%09d" % number for number in range(200_000)])
    assert probe.account_used / 200_000 < 16.4


def test_a_large_element_is_a_node_of_its_own():
    probe = QuicklistProbe(fill=-1)
    probe.push_all(TAIL, [b"a", b"x" * 4097, b"b", b"y" * 4096])
    assert [letters.strip("R") for _, _, letters in probe.nodes()] == ["", "P", "", ""]
    probe = QuicklistProbe(fill=-1, large=3)
    probe.push_all(TAIL, [b"a", b"bb", b"ccc", b"d"])
    assert [(count, letters.strip("R")) for count, _, letters in probe.nodes()] == [(2, ""), (1, "P"), (1, "")]


def test_a_replacement_that_does_not_fit_splits_its_node():
    probe = QuicklistProbe(fill=-1)
    probe.push_all(TAIL, [b"%010d" % number for number in range(250)])
    assert probe.replace(100, b"x" * 2500)
    assert [count for count, _, _ in probe.nodes()] == [101, 149]
    assert probe.replace(100, b"y" * 5000)
    assert [(count, letters) for count, _, letters in probe.nodes()] == [(100, ""), (1, "P"), (149, "")]
    assert probe.replace(100, b"z")
    assert sum(count for count, _, _ in probe.nodes()) == 250 and len(probe.nodes()) == 2
    probe.verify()


def test_nodes_far_from_the_ends_are_compressed():
    probe = QuicklistProbe(fill=5, depth=2)
    texts = [b"element" * 20 + b"%d" % number for number in range(60)]
    probe.push_all(TAIL, texts)
    marks = ["C" in letters for _, _, letters in probe.nodes()]
    assert marks == [False] * 2 + [True] * 8 + [False] * 2
    assert probe.items() == texts and probe.items(-1, True) == texts[::-1]
    assert ["C" in letters for _, _, letters in probe.nodes()] == marks        # reading leaves them as they are
    assert probe.replace(30, b"changed") and probe.insert(30, True, b"new")
    probe.verify()
    assert sum("C" in letters for _, _, letters in probe.nodes()) >= 8
    probe.drop(HEAD, 40)
    probe.verify()
    assert len(probe) == 21


def test_what_does_not_get_smaller_is_not_compressed():
    probe = QuicklistProbe(fill=4, depth=1)
    probe.push_all(TAIL, [random.Random(number).randbytes(100) for number in range(40)])
    assert not any("C" in letters for _, _, letters in probe.nodes())
    probe.verify()


@pytest.mark.parametrize(("pushes", "pops"), [(HEAD, TAIL), (TAIL, HEAD), (TAIL, TAIL), (HEAD, HEAD)])
def test_a_short_queue_does_not_grow(pushes, pops):
    probe = QuicklistProbe()
    probe.push_all(TAIL, [b"task:%06d" % number for number in range(50)])
    most = 0
    for number in range(20_000):
        probe.push(pushes, b"task:%06d" % number)
        probe.drop(pops, 1)
        most = max(most, probe.account_used)
    probe.verify()
    assert len(probe) == 50 and len(probe.nodes()) <= 2 and most < 4000


def test_pushes_on_both_sides_in_turns():
    probe = QuicklistProbe()
    for number in range(30_000):
        probe.push(number % 2, b"%07d" % number)
    probe.verify()
    assert probe.items() == [b"%07d" % number for number in [*range(29_998, -1, -2), *range(1, 30_000, 2)]]


def test_a_list_that_was_emptied_gives_its_room_back():
    probe = QuicklistProbe(fill=-5)
    probe.push_all(TAIL, [b"x" * 100] * 600)
    probe.drop(HEAD, 595)
    probe.verify()
    assert probe.account_used < 4000


def test_memory_by_samples_is_near_the_truth():
    probe = QuicklistProbe()
    probe.push_all(TAIL, [b"x" * 100] * 10_000)
    assert probe.bytes() == probe.account_used
    assert 0.9 < probe.bytes(5) / probe.bytes() < 1.1


@pytest.mark.parametrize(("most", "where", "left", "removed"), [
    (0, HEAD, b"bcd", 3), (1, HEAD, b"bacad", 1), (2, TAIL, b"abcd", 2), (9, TAIL, b"bcd", 3),
])
def test_removing_from_a_listpack(most, where, left, removed):
    texts = [b"%c" % each for each in b"abacad"]
    assert probes.remove_from_listpack(texts, b"a", most, where) == ([b"%c" % each for each in left], removed)
    assert probes.remove_from_listpack(texts, b"none", most, where) == (texts, 0)
    long = [b"x" * 300, b"y" * 300, b"x" * 300]
    assert probes.remove_from_listpack(long, b"x" * 300, 0, where) == ([b"y" * 300], 2)
