"""Tree against a sorted list of pairs: every operation, then verify() walks the memory."""
import math
import random
from bisect import bisect_left, insort

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

probes = pytest.importorskip("tests.ds.btree_probes", reason="built with FASTREDIS_PROBES=1 only")
TreeProbe = probes.TreeProbe
LEAF = probes.LEAF

# Few scores, so that many are equal and members decide; -0.0 and 0.0 are the same score.
SCORES = st.one_of(st.sampled_from([0.0, -0.0, 1.0, 1.5, math.inf, -math.inf]), st.floats(-20, 20).map(round),
                   st.floats(allow_nan=False))
MEMBERS = st.one_of(st.integers(0, 3000).map(lambda n: b"%d" % n), st.binary(max_size=3))
SOME = st.integers(1, 700)
PLACES = st.floats(0, 1)            # a rank, as a share of the tree


def texts(first, count):
    return [b"m%d" % number for number in range(first, first + count)]


class TreeMachine(RuleBasedStateMachine):
    """The same calls go to a tree and to a sorted list; a dict has each member's score."""

    def __init__(self):
        super().__init__()
        self.tree = TreeProbe()
        self.pairs = []
        self.scores = {}

    def add(self, score, text):
        if text in self.scores:
            self.change(score, text)
            return
        self.tree.insert(score, text)
        insort(self.pairs, (score, text))
        self.scores[text] = score

    def change(self, score, text):
        old = self.scores[text]
        if score != old:
            self.tree.update(old, text, score)
            del self.pairs[bisect_left(self.pairs, (old, text))]
            insort(self.pairs, (score, text))
            self.scores[text] = score

    def rank(self, place):
        return int(place * (len(self.pairs) - 1))

    @rule(score=SCORES, text=MEMBERS)
    def insert_or_update(self, score, text):
        self.add(score, text)

    @rule(score=SCORES, step=st.sampled_from([0, 1, -1, 0.001]), first=st.integers(0, 3000), count=SOME)
    def insert_many(self, score, step, first, count):
        """Upwards, downwards, or all with one score."""
        for number, text in enumerate(texts(first, count)):
            self.add(score + step * number, text)

    @rule(seed=st.integers(0, 1000), count=SOME)
    def insert_random(self, seed, count):
        chance = random.Random(seed)
        for _ in range(count):
            self.add(chance.choice((chance.random(), chance.randrange(50))), b"r%d" % chance.randrange(3000))

    @rule(place=PLACES)
    def remove(self, place):
        if self.pairs:
            score, text = self.pairs.pop(self.rank(place))
            assert self.tree.remove(score, text)
            del self.scores[text]

    @rule(seed=st.integers(0, 1000), count=SOME)
    def remove_random(self, seed, count):
        chance = random.Random(seed)
        for _ in range(min(count, len(self.pairs))):
            self.remove(chance.random())

    @rule(place=PLACES, score=SCORES)
    def refuse_to_remove_what_is_not_there(self, place, score):
        if self.pairs:
            old, text = self.pairs[self.rank(place)]
            if score != old:
                assert not self.tree.remove(score, text)
                assert self.tree.rank(score, text) == -1

    @rule(place=PLACES, score=SCORES)
    def update(self, place, score):
        if self.pairs:
            self.change(score, self.pairs[self.rank(place)][1])

    @rule(place=PLACES, by=st.sampled_from([1e-9, 1.0, -1.0, 7.0]), count=SOME)
    def increment(self, place, by, count):
        """Small steps: mostly in place or within a leaf."""
        for _ in range(min(count, len(self.pairs))):
            score, text = self.pairs[self.rank(place)]
            self.change(score + by, text)
            place = (place + 0.37) % 1

    @rule(place=PLACES, share=PLACES)
    def delete_range(self, place, share):
        first = self.rank(place) if self.pairs else 0
        count = int((len(self.pairs) - first) * share)
        gone = [text for _, text in self.pairs[first:first + count]]
        assert self.tree.delete_range(first, count) == gone
        del self.pairs[first:first + count]
        for text in gone:
            del self.scores[text]

    @rule(count=SOME, at_end=st.booleans())
    def pop(self, count, at_end):
        for _ in range(min(count, len(self.pairs))):
            score, text = self.pairs.pop(-1 if at_end else 0)
            assert self.tree.remove(score, text)
            del self.scores[text]

    @rule(place=PLACES)
    def ranks_and_walks(self, place):
        if not self.pairs:
            assert self.tree.walk() == []
            return
        rank = self.rank(place)
        score, text = self.pairs[rank]
        assert self.tree.rank(score, text) == rank
        assert self.tree.walk(rank, 100) == self.pairs[rank:rank + 100]
        assert self.tree.walk(rank, 100, reverse=True) == self.pairs[max(rank - 99, 0):rank + 1][::-1]
        assert self.tree.walk(len(self.pairs)) == []

    @rule(score=SCORES)
    def count_by_score(self, score):
        assert self.tree.count_score(score, after=False) == sum(other < score for other, _ in self.pairs)
        assert self.tree.count_score(score, after=True) == sum(other <= score for other, _ in self.pairs)
        assert self.tree.from_score(score) == next((pair for pair in self.pairs if pair[0] >= score), None)

    @invariant()
    def same(self):
        self.tree.verify()
        assert len(self.tree) == len(self.pairs)
        assert self.tree.walk() == self.pairs
        if not self.pairs:
            assert self.tree.used == 0
        assert abs(self.tree.bytes - self.tree.used) <= self.tree.leaves * 32

    def teardown(self):
        while self.tree.drain(3):
            self.tree.verify()
        assert self.tree.used == 0


TestTree = TreeMachine.TestCase
TestTree.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)


def tree_of(scores):
    tree = TreeProbe()
    for number, score in enumerate(scores):
        tree.insert(score, b"%d" % number)
    tree.verify()
    return tree


def test_leaves_are_full_after_adding_in_order():
    for scores in (range(LEAF * 100), range(LEAF * 100, 0, -1)):
        assert tree_of(scores).leaves == 100


def test_leaves_are_rather_full_after_adding_at_random():
    chance = random.Random(7)
    tree = tree_of([chance.random() for _ in range(30000)])
    assert 30000 / (tree.leaves * LEAF) > 0.78


def test_members_of_one_score_are_ordered_by_their_bytes():
    tree = TreeProbe()
    members = [b"", b"\0", b"\0\0", b"a", b"aa", b"b", b"\x7f", b"\x80", b"\xff", b"\xff\0"]
    for number, member in enumerate(reversed(members)):
        tree.insert(-0.0 if number % 2 else 0.0, member)
    assert [member for _, member in tree.walk()] == members
    for below, member in enumerate(members):
        assert tree.count_lex(member, after=False) == below
        assert tree.count_lex(member, after=True) == below + 1


@pytest.mark.parametrize("count", [1, LEAF, LEAF + 1, 20000])
def test_counts_by_member_on_several_levels(count):
    tree = TreeProbe()
    members = sorted(b"%d" % number for number in range(0, 2 * count, 2))
    for member in members:
        tree.insert(5, member)
    assert tree.depth == {1: 0, LEAF: 0, LEAF + 1: 1, 20000: 2}[count]
    for text in (b"", b"1", b"100", b"101", b"777", b"~"):
        assert tree.count_lex(text, after=False) == bisect_left(members, text)
        assert tree.count_lex(text, after=True) == bisect_left(members, text) + (text in members)


@pytest.mark.parametrize("count", [0, 1, LEAF - 1, LEAF, LEAF + 1, 5 * LEAF, 20000, 300000])
@pytest.mark.parametrize("order", ["sorted", "reverse", "random", "equal"])
def test_builds_from_pairs_in_any_order(count, order):
    pairs = [(0.0 if order == "equal" else float(number // 3), b"%08d" % number) for number in range(count)]
    given = pairs[::-1] if order == "reverse" else pairs[:]
    if order in ("random", "equal"):
        random.Random(count).shuffle(given)
    tree = TreeProbe()
    tree.build(given)
    tree.verify()
    assert tree.walk() == pairs
    assert tree.leaves == math.ceil(count / LEAF)


def test_a_built_tree_can_be_changed():
    tree = TreeProbe()
    tree.build([(float(number), b"%d" % number) for number in range(0, 10000, 2)])
    for number in range(1, 10000, 2):
        tree.insert(number, b"%d" % number)
    tree.verify()
    for number in range(10000):
        assert tree.remove(number, b"%d" % number)
    tree.verify()
    assert tree.used == 0


def test_a_score_may_change_while_others_are_the_same():
    tree = tree_of([1.0] * 2000)
    for number in range(2000):
        tree.update(1.0, b"%d" % number, 2.0)
    tree.verify()
    assert tree.count_score(2.0, after=False) == 0


def test_draining_frees_a_few_leaves_at_a_time():
    tree = tree_of(range(LEAF * LEAF * 3))
    assert tree.depth == 2
    left = len(tree)
    while left:
        before, left = left, tree.drain(10)
        assert before - left <= 10 * LEAF
        tree.verify()
    assert tree.used == 0


def test_a_small_tree_is_small():
    assert tree_of(range(3)).used <= 128
    assert tree_of(range(20)).used <= 32 + 24 * 16
