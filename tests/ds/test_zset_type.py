"""Sorted sets against a dict of scores, in both encodings; then verify() walks the memory."""
import math
import random
import struct

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

probes = pytest.importorskip("tests.ds.zset_probes", reason="built with FASTREDIS_PROBES=1 only")
ZsetProbe = probes.ZsetProbe
NX, XX, GT, LT, INCR = probes.NX, probes.XX, probes.GT, probes.LT, probes.INCR
SAME, ADDED, UPDATED, NOP, NAN = probes.SAME, probes.ADDED, probes.UPDATED, probes.NOP, probes.NAN

SCORES = st.one_of(st.sampled_from([0.0, -0.0, 1.0, -1.0, 2.5, math.inf, -math.inf]), st.integers(-9, 9).map(float),
                   st.floats(allow_nan=False))
# Texts that a listpack keeps as integers among them.
MEMBERS = st.one_of(st.integers(-5, 60).map(lambda n: b"%d" % n), st.sampled_from([b"007", b"-0", b"", b"z" * 40]),
                    st.binary(max_size=2))
FLAGS = st.sampled_from([0, 0, 0, NX, XX, GT, LT, XX | GT, XX | LT, INCR, INCR | NX, INCR | XX, INCR | GT, INCR | LT])
PLACES = st.floats(0, 1)


def ordered(scores):
    return sorted((score, member) for member, score in scores.items())


def same_bits(a, b):
    return struct.pack("d", a) == struct.pack("d", b)


def expected_add(scores, score, member, flags):
    """What adding does, and the new score: straight from ZADD's documentation."""
    old = scores.get(member)
    if old is None:
        return (NOP, None) if flags & XX else (ADDED, score)
    if flags & NX:
        return NOP, None
    if flags & INCR:
        score = old + score
        if math.isnan(score):
            return NAN, None
    if (flags & GT and score <= old) or (flags & LT and score >= old):
        return NOP, None
    return (SAME if score == old else UPDATED), score


class ZsetMachine(RuleBasedStateMachine):
    """The limit on entries decides in which encoding most of a run happens."""

    @initialize(entries=st.sampled_from([0, 4, 30, 10000]), value=st.sampled_from([3, 64]))
    def begin(self, entries, value):
        self.zset = ZsetProbe(entries, value)
        self.entries, self.value = entries, value
        self.scores = {}
        self.listpack = True

    @rule(score=SCORES, member=MEMBERS, flags=FLAGS)
    def add(self, score, member, flags):
        done, new_score = expected_add(self.scores, score, member, flags)
        if done == ADDED and (len(self.scores) + 1 > self.entries or len(member) > self.value):
            self.listpack = False
        got = self.zset.add(score, member, flags)
        assert got == (done, new_score)
        if done & (ADDED | UPDATED):
            assert same_bits(got[1], new_score)
            self.scores[member] = new_score

    @rule(seed=st.integers(0, 1000), count=st.integers(1, 200))
    def add_many(self, seed, count):
        chance = random.Random(seed)
        for _ in range(count):
            self.add(float(chance.randrange(30)), b"m%d" % chance.randrange(2 * count), 0)

    @rule(place=PLACES, step=st.sampled_from([0.25, -0.25, 3.0, -3.0]))
    def increment(self, place, step):
        if self.scores:
            self.add(step, self.at(place), INCR)

    @rule(score=st.just(math.nan), member=MEMBERS, flags=FLAGS)
    def refuse_nan(self, score, member, flags):
        assert self.zset.add(score, member, flags) == (NAN, None)

    def at(self, place):
        return ordered(self.scores)[int(place * (len(self.scores) - 1))][1]

    @rule(member=MEMBERS)
    def remove(self, member):
        assert self.zset.remove(member) == (self.scores.pop(member, None) is not None)

    @rule(place=PLACES)
    def remove_one_that_is_there(self, place):
        if self.scores:
            member = self.at(place)
            assert self.zset.remove(member)
            del self.scores[member]

    @rule(member=MEMBERS)
    def score_and_rank(self, member):
        pairs = ordered(self.scores)
        score = self.scores.get(member)
        assert self.zset.score(member) == score
        if score is None:
            assert self.zset.rank(member) is None and self.zset.rank(member, True) is None
        else:
            rank = pairs.index((score, member))
            assert self.zset.rank(member) == (rank, score)
            assert self.zset.rank(member, True) == (len(pairs) - 1 - rank, score)

    @rule(first=st.integers(0, 100), count=st.integers(0, 100), reverse=st.booleans())
    def by_rank(self, first, count, reverse):
        pairs = ordered(self.scores)[::-1 if reverse else 1]
        assert self.zset.by_rank(first, count, reverse) == pairs[first:first + count]

    @rule(low=SCORES, high=SCORES, low_open=st.booleans(), high_open=st.booleans(), reverse=st.booleans(),
          offset=st.integers(-1, 5), limit=st.integers(-1, 10))
    def by_score(self, low, high, low_open, high_open, reverse, offset, limit):
        pairs = ordered(self.scores)
        inside = [(score, member) for score, member in pairs
                  if (score > low if low_open else score >= low) and (score < high if high_open else score <= high)]
        first, count = self.zset.count_score(low, high, low_open, high_open)
        assert count == len(inside)
        assert not inside or pairs[first] == inside[0]
        wanted = [] if offset < 0 else inside[::-1 if reverse else 1][offset:offset + limit if limit >= 0 else None]
        assert self.zset.by_score(low, high, low_open, high_open, reverse, offset, limit) == wanted

    @rule(place=PLACES, share=PLACES)
    def delete_range(self, place, share):
        pairs = ordered(self.scores)
        first = int(place * len(pairs))
        count = int((len(pairs) - first) * share)
        self.zset.delete_range(first, count)
        for _, member in pairs[first:first + count]:
            del self.scores[member]

    @rule()
    def copy(self):
        self.zset.become_copy()

    @rule(hint=st.integers(0, 50), value=st.integers(0, 70))
    def expect(self, hint, value):
        self.zset.expect(hint, value)
        if hint > self.entries or value > self.value:
            self.listpack = False

    @rule(more=st.dictionaries(MEMBERS, SCORES), remove=st.booleans())
    def build(self, more, remove):
        """ZUNIONSTORE with itself: the result is a listpack where it fits."""
        pairs = ordered(self.scores)
        random.Random(len(pairs)).shuffle(pairs)
        pairs += [(score, member) for member, score in more.items()]
        scores = {**self.scores, **more}
        removed = sorted(scores)[::3] if remove else []
        for member in removed:
            del scores[member]
        self.zset.become_built(pairs, removed=removed)
        if scores:
            self.scores = scores
            self.listpack = (len(scores) <= self.entries and max(map(len, scores)) <= self.value)

    @invariant()
    def same(self):
        self.zset.verify()
        if self.listpack:               # there -0 has become 0
            self.scores = {member: score + 0.0 for member, score in self.scores.items()}
        pairs = ordered(self.scores)
        assert len(self.zset) == len(pairs)
        found = self.zset.by_rank(0, len(pairs) + 1)
        assert found == pairs
        assert all(same_bits(score, self.scores[member]) for score, member in found)
        assert self.zset.encoding == ("listpack" if self.listpack else "skiplist")
        assert abs(self.zset.value_bytes() - self.zset.used) <= 64 + 2 * len(pairs)

    def teardown(self):
        if hasattr(self, "zset"):
            left = len(self.scores)
            while True:
                before, left = left, self.zset.drain(5)
                if not left:
                    break
                assert left <= before
            assert self.zset.drained and self.zset.used == 0


TestZset = ZsetMachine.TestCase
TestZset.settings = settings(max_examples=80, stateful_step_count=40, deadline=None)

LEX_MEMBERS = st.one_of(st.binary(max_size=2), st.integers(0, 30).map(lambda n: b"%d" % n))
BOUNDS = st.one_of(st.sampled_from([b"-", b"+"]), st.tuples(st.sampled_from([b"[", b"("]), LEX_MEMBERS).map(b"".join))


def inside_lex(member, low, high):
    above = {b"-": True, b"+": False, b"[": member >= low[1:], b"(": member > low[1:]}[low[:1]]
    below = {b"-": False, b"+": True, b"[": member <= high[1:], b"(": member < high[1:]}[high[:1]]
    return above and below


class LexMachine(RuleBasedStateMachine):
    """All members have one score."""

    @initialize(entries=st.sampled_from([0, 1000]))
    def begin(self, entries):
        self.zset = ZsetProbe(entries)
        self.members = set()

    @rule(members=st.lists(LEX_MEMBERS))
    def add(self, members):
        for member in members:
            self.zset.add(0, member)
        self.members.update(members)

    @rule(low=BOUNDS, high=BOUNDS, reverse=st.booleans(), offset=st.integers(0, 3), limit=st.integers(-1, 5))
    def by_lex(self, low, high, reverse, offset, limit):
        inside = [(0, member) for member in sorted(self.members) if inside_lex(member, low, high)]
        first, count = self.zset.count_lex(low, high)
        assert count == len(inside)
        assert not inside or sorted(self.members)[first] == inside[0][1]
        wanted = inside[::-1 if reverse else 1][offset:offset + limit if limit >= 0 else None]
        assert self.zset.by_lex(low, high, reverse, offset, limit) == wanted

    @rule(low=BOUNDS, high=BOUNDS)
    def remove_range(self, low, high):
        self.zset.delete_range(*self.zset.count_lex(low, high))
        self.members = {member for member in self.members if not inside_lex(member, low, high)}

    @invariant()
    def same(self):
        self.zset.verify()
        assert [member for _, member in self.zset.by_rank(0, 1000)] == sorted(self.members)


TestLex = LexMachine.TestCase
TestLex.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)


# --- encodings --------------------------------------------------------------------------------

def test_a_new_one_is_what_the_hints_ask_for():
    assert ZsetProbe(2, 3, size_hint=2, value_hint=3).encoding == "listpack"
    assert ZsetProbe(2, 3, size_hint=3, value_hint=3).encoding == "skiplist"
    assert ZsetProbe(2, 3, size_hint=2, value_hint=4).encoding == "skiplist"


def test_converts_when_a_member_is_added_but_not_when_one_changes():
    zset = ZsetProbe(2, 3)
    zset.add(1, b"a")
    zset.add(2, b"b")
    zset.add(3, b"b")
    assert zset.add(3, b"long", XX) == (NOP, None)
    assert zset.encoding == "listpack"
    zset.add(3, b"c")
    assert zset.encoding == "skiplist"
    assert zset.by_rank(0, 9) == [(1, b"a"), (3, b"b"), (3, b"c")]
    zset.delete_range(0, 2)
    assert zset.encoding == "skiplist"


def test_converts_for_a_long_member():
    zset = ZsetProbe(2, 3)
    zset.add(1, b"long")
    assert zset.encoding == "skiplist"


@pytest.mark.parametrize(("score", "stored"), [
    (3.0, b"\x03\x01"),                                     # 7-bit integer
    (0.0, b"\x00\x01"),
    (-0.0, b"\x00\x01"),                                    # the sign is lost
    (1.5, b"\x831.5\x04"),
    (math.inf, b"\x83inf\x04"),
    (-math.inf, b"\x84-inf\x05"),
    (2.0 ** 62, b"\xf4" + struct.pack("<q", 2 ** 62) + b"\x09"),
    (2.0 ** 63, b"\x939223372036854776000\x14"),
])
def test_scores_in_a_listpack(score, stored):
    zset = ZsetProbe()
    zset.add(score, b"a")
    assert zset.raw[6:] == b"\x81a\x02" + stored + b"\xff"
    assert same_bits(zset.score(b"a"), score + 0.0)


@pytest.mark.parametrize("entries", [0, 128])
@pytest.mark.parametrize("score", [0.1, 1 / 3, 5e-324, 1.7976931348623157e308, -2.2250738585072014e-308, 1e22,
                                   2.0 ** 53 + 2, -9007199254740993.0, 123456789.12345678])
def test_scores_come_back_exactly(score, entries):
    zset = ZsetProbe(entries)
    zset.add(score, b"a")
    assert same_bits(zset.score(b"a"), score)
    assert same_bits(zset.by_rank(0, 1)[0][0], score)


@pytest.mark.parametrize("size", [0, 1, 253, 254, 255, 70000])
def test_members_of_any_size(size):
    zset = ZsetProbe()
    member = b"x" * size
    zset.add(1, b"long" * 20)
    zset.add(1, member)
    assert zset.encoding == "skiplist"
    assert zset.by_rank(0, 2) == sorted([(1, b"long" * 20), (1, member)])
    zset.verify()
    assert zset.remove(member)
    assert zset.score(member) is None


def test_members_that_read_as_numbers_are_found_as_text():
    zset = ZsetProbe()
    for member in (b"1", b"01", b"-1", b"9223372036854775807", b"9223372036854775808"):
        assert zset.add(5, member) == (ADDED, 5)
    assert zset.rank(b"9223372036854775807") == (3, 5)
    assert not zset.remove(b"+1")
    assert [member for _, member in zset.by_rank(0, 9)] == [
        b"-1", b"01", b"1", b"9223372036854775807", b"9223372036854775808"]


# --- results of set operations ----------------------------------------------------------------

def test_a_build_adds_scores_up():
    zset = ZsetProbe()
    zset.become_built([(1, b"a"), (2, b"b"), (10, b"a")], add=True)
    assert zset.by_rank(0, 9) == [(2, b"b"), (11, b"a")]
    assert zset.encoding == "listpack"


@pytest.mark.parametrize("order", [1, -1])
def test_a_build_of_many(order):
    pairs = [(float(number // 2), b"%06d" % number) for number in range(50000)]
    zset = ZsetProbe()
    zset.become_built(pairs[::order], fresh=True)
    zset.verify()
    assert zset.encoding == "skiplist"
    assert zset.by_rank(0, len(pairs)) == pairs


def test_an_empty_build_leaves_nothing():
    zset = ZsetProbe()
    used = zset.used
    zset.become_built([(1, b"a")], removed=[b"a"])
    assert len(zset) == 0 and zset.used == used


# --- memory -----------------------------------------------------------------------------------

def test_memory_of_a_member():
    """15-byte members with random scores: Redis takes 77 bytes or more."""
    zset = ZsetProbe()
    chance = random.Random(3)
    for number in range(100000):
        zset.add(chance.random(), b"member:%08d" % number)
    assert zset.used / 100000 < 72
    assert zset.value_bytes(5) == pytest.approx(zset.used, rel=0.02)
    assert zset.value_bytes() == pytest.approx(zset.used, rel=0.001)


def test_draining_takes_bounded_steps():
    zset = ZsetProbe()
    for number in range(20000):
        zset.add(number, b"%d" % number)
    steps = 1
    left = 20000
    while left:
        before, left = left, zset.drain(100)
        assert before - left < 600
        steps += 1
    assert steps > 100
    assert zset.used == 0
