"""Work in slices: what is done in the background shares one timer and one budget."""
import logging

import pytest

from fastredis.engine.engine import Engine
from tests.local import Local
from tests.slice_probes import JobProbe

SLICE_US = 1000


class Timers:
    """A loop that only notes its timers: [(delay in s, function)]."""

    class Handle:
        def __init__(self, pending, entry):
            self.pending, self.entry = pending, entry

        def cancel(self):
            self.pending.remove(self.entry)

    def __init__(self):
        self.pending = []

    def call_later(self, delay, call):
        self.pending.append((delay, call))
        return self.Handle(self.pending, self.pending[-1])

    def fire(self):
        """Call the only timer."""
        (_, call), = self.pending
        self.pending.clear()
        call()


@pytest.fixture
def engine():
    engine = Engine(1, 0)
    engine.loop = Timers()
    engine.log = logging.getLogger(__name__)
    return engine


@pytest.fixture
def ends(engine):
    """What the engine says when it ends the process."""
    texts = []
    engine.on_fatal = lambda text, is_bug: texts.append(text)
    return texts


def start(engine, *names, log=None, **options):
    log = [] if log is None else log
    for name in names:
        JobProbe(engine, name, log, **options).schedule(0)
    return log


def test_there_is_one_timer_for_the_soonest(engine):
    jobs = [JobProbe(engine, str(pause), []) for pause in (5000, 2000, 9000)]
    for job, pause in zip(jobs, (5000, 2000, 9000), strict=True):
        job.schedule(pause)
    (delay, _), = engine.loop.pending
    assert 0 < delay <= 0.002
    jobs[2].schedule(0)
    (delay, _), = engine.loop.pending
    assert delay == 0
    jobs[2].schedule(3000)          # it goes on sooner anyway
    assert engine.loop.pending[0][0] == 0


def test_those_that_are_due_share_a_slice(engine):
    log = start(engine, "a", "b", "c", steps=2)
    engine.loop.fire()
    # The last may find no time left; then it is the first in the next slice.
    assert [name for name, _ in log] == ["a", "b", "c"][:len(log)]
    assert sum(given for _, given in log) <= SLICE_US
    assert log[0][1] <= SLICE_US / 3
    while engine.loop.pending:
        engine.loop.fire()
    assert sorted(name for name, _ in log) == ["a", "a", "b", "b", "c", "c"]
    assert max(given for _, given in log) <= SLICE_US


def test_one_alone_has_all_of_it_and_who_is_quick_leaves_the_rest(engine):
    log = start(engine, "alone", work_us=0)
    engine.loop.fire()
    assert SLICE_US / 3 < log[0][1] <= SLICE_US
    log = start(engine, "quick", work_us=0)
    start(engine, "next", log=log, work_us=0)
    engine.loop.fire()
    assert log[0][1] <= SLICE_US / 2
    assert log[1][0] == "next" and log[1][1] <= SLICE_US


def test_who_had_no_time_is_the_first_the_next_time(engine):
    log = start(engine, "greedy", steps=3, work_us=2 * SLICE_US)
    start(engine, "patient", log=log, steps=2, work_us=0)
    for _ in range(3):
        engine.loop.fire()
    assert [name for name, _ in log] == ["greedy", "patient", "greedy", "patient", "greedy"]


def test_others_have_the_loop_during_a_pause(engine):
    start(engine, "a", steps=2, work_us=0, pause_us=30_000)
    engine.loop.fire()
    (delay, _), = engine.loop.pending
    assert 0 < delay <= 0.03


def test_a_bug_that_leaves_data_half_changed_ends_the_process(engine, ends):
    log = start(engine, "Doing this", bug=ValueError("bug"))
    start(engine, "other", log=log, steps=2, work_us=0)
    engine.loop.fire()
    assert ends == ["Work in the background failed with an exception: Doing this"]
    assert len(engine.loop.pending) == 1


def test_another_bug_is_the_loops_and_the_others_go_on(engine, ends):
    log = start(engine, "that", bug=ValueError("bug"), deadly=False)
    start(engine, "other", log=log, work_us=0)
    with pytest.raises(ValueError, match="bug"):
        engine.loop.fire()
    engine.loop.fire()
    assert [name for name, _ in log] == ["that", "other"]
    assert ends == []
    assert engine.loop.pending == []


def test_a_deadline_is_exact_whatever_else_is_in_line():
    local = Local()
    local.engine.clock.release()
    local.engine.loop, loop = Timers(), local.engine.loop
    try:
        client = local.client()
        client.call("SET", "k", "v", "PX", "5000")
        (delay, _), = local.engine.loop.pending
        assert delay == pytest.approx(5.001, abs=0.1)
        JobProbe(local.engine, "a", []).schedule(60_000_000)
        client.call("SET", "k", "v", "PX", "300")
        (delay, _), = local.engine.loop.pending
        assert delay == pytest.approx(0.301, abs=0.1)
        local.engine.clock.freeze()
        (delay, _), = local.engine.loop.pending
        assert delay == pytest.approx(60, abs=1)
    finally:
        local.engine.loop = loop
        loop.close()
