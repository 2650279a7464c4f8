"""The replication backlog against a plain bytes object that keeps everything."""
import pytest
from fastredis.replication.stream import Stream
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from fastredis.engine.engine import Engine

BLOCK = 16 * 1024
FIRST = 1000            # offset of the stream before its first byte


def piece(number, size):
    """Bytes that differ from their neighbours, so that a misplaced one shows."""
    return (b"%08d" % number * (size // 8 + 1))[:size]


class BacklogModel(RuleBasedStateMachine):
    """`whole` is all that ever came in, `needed` the offset from which on a slow replica still reads."""

    def __init__(self):
        super().__init__()
        self.engine = Engine(1, 1)
        self.engine.set_offset(FIRST)
        self.stream = Stream(self.engine)
        self.stream.create(3 * BLOCK)
        self.backlog = self.stream.backlog
        self.whole = b""
        self.pieces = 0
        self.needed = None

    def at(self, offset):
        return self.whole[offset - FIRST - 1:]

    @rule(size=st.one_of(st.integers(0, 100), st.sampled_from([BLOCK - 1, BLOCK, BLOCK + 1, 5 * BLOCK + 7])))
    def append(self, size):
        self.pieces += 1
        data = piece(self.pieces, size)
        self.stream.append(data)
        self.whole += data

    @rule(wanted=st.sampled_from([1, 100, BLOCK, 3 * BLOCK, 10 * BLOCK]))
    def resize(self, wanted):
        self.backlog.resize(wanted, 2**62 if self.needed is None else self.needed)
        oldest = self.backlog.end if self.needed is None else self.needed
        assert self.backlog.start >= min(oldest, self.backlog.end - wanted)
        assert self.backlog.start <= max(oldest, FIRST + 1)

    @rule()
    def a_replica_falls_behind(self):
        self.needed = self.backlog.end if self.needed is None else self.needed

    @precondition(lambda self: self.needed is not None)
    @rule(share=st.floats(0, 1))
    def it_catches_up(self, share):
        assert self.backlog.read(self.needed) == self.at(self.needed)
        self.needed += int((self.backlog.end - self.needed) * share)
        self.resize(self.backlog.wanted)
        assert self.backlog.read(self.needed) == self.at(self.needed)

    @invariant()
    def agrees(self):
        self.backlog.verify()
        assert self.backlog.end == self.engine.propagated + 1 == FIRST + 1 + len(self.whole)
        assert self.backlog.read(self.backlog.start) == self.at(self.backlog.start)
        assert self.backlog.holds(self.backlog.end) and not self.backlog.holds(self.backlog.end + 1)
        assert self.backlog.holds(self.backlog.start) and not self.backlog.holds(self.backlog.start - 1)


TestBacklog = BacklogModel.TestCase
TestBacklog.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)


def test_a_large_backlog_goes_back_when_it_shrinks():
    engine = Engine(1, 1)
    stream = Stream(engine)
    stream.create(100 * BLOCK)
    for i in range(300):
        stream.append(piece(i, BLOCK // 2))
    large = stream.memory
    stream.resize(BLOCK)
    assert large > 100 * BLOCK and stream.memory < 4 * BLOCK
    assert stream.backlog.read(stream.backlog.end - 100) == piece(299, BLOCK // 2)[-100:]


def test_what_is_not_there_cannot_be_read():
    stream = Stream(Engine(1, 1))
    stream.create(BLOCK)
    stream.append(b"x" * 10)
    with pytest.raises(ValueError):
        stream.backlog.read(0)
    with pytest.raises(ValueError):
        stream.backlog.read(12)
    assert stream.backlog.read(11) == b""
