"""HyperLogLogs against a list of registers, sparse and dense, and the estimate against what it was proven to hold."""
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

probes = pytest.importorskip("tests.ds.hyperloglog_probes", reason="built with FASTREDIS_PROBES=1 only")
HyperLogLog, REGISTERS = probes.HyperLogLog, probes.REGISTERS

# Few places, so that neighbours meet, and ranks that make runs.
PLACES = st.one_of(st.integers(0, 12), st.integers(60, 70), st.integers(16370, REGISTERS - 1),
                   st.integers(0, REGISTERS - 1))
RANKS = st.one_of(st.integers(1, 3), st.integers(1, 32))
STRINGS = st.builds(lambda encoding, rest: b"HYLL" + bytes([encoding]) + bytes(11) + rest,
                    st.sampled_from([0, 1]), st.binary(max_size=60))


def murmur(data, seed=0xADC83B19):
    """MurmurHash64A, word by word."""
    factor, mask = 0xC6A4A7935BD1E995, 2**64 - 1
    value = seed ^ len(data) * factor & mask
    whole = len(data) & ~7
    for i in range(0, whole, 8):
        word = int.from_bytes(data[i:i + 8], "little") * factor & mask
        word = (word ^ word >> 47) * factor & mask
        value = (value ^ word) * factor & mask
    if whole < len(data):
        value = (value ^ int.from_bytes(data[whole:], "little")) * factor & mask
    value = (value ^ value >> 47) * factor & mask
    return value ^ value >> 47


@given(st.binary(max_size=100))
def test_rank_and_register(element):
    value = murmur(element)
    high = value >> 14 | 1 << 50
    assert probes.rank(element) == ((high & -high).bit_length(), value & 0x3FFF)


class Machine(RuleBasedStateMachine):
    """One string, sparse until it must be dense; the model is its registers."""

    def __init__(self):
        super().__init__()
        self.hll = HyperLogLog()
        self.model = bytearray(REGISTERS)

    def raise_to(self, register, rank, sparse_max=3000):
        outcome = self.hll.set(register, rank, sparse_max)
        if outcome == "full":
            assert rank > 32 or len(bytes(self.hll)) + probes.REGISTERS > sparse_max
            assert self.hll.registers() == bytes(self.model), "a refusal changes nothing"
            self.hll.make_dense(bytes(self.model))
            outcome = self.hll.set(register, rank, sparse_max)
        assert outcome == ("changed" if rank > self.model[register] else "same")
        self.model[register] = max(rank, self.model[register])

    @rule(register=PLACES, rank=RANKS)
    def set(self, register, rank):
        self.raise_to(register, rank)

    @rule(start=PLACES, count=st.integers(1, 12), rank=RANKS)
    def set_neighbours(self, start, count, rank):
        for register in range(start, min(start + count, REGISTERS)):
            self.raise_to(register, rank)

    @rule(register=PLACES, rank=st.integers(33, 51))
    def set_high(self, register, rank):
        if self.hll.is_dense or rank == 51:
            self.raise_to(register, rank)

    @rule(changes=st.dictionaries(PLACES, RANKS, max_size=30))
    def set_rising(self, changes):
        """A cursor makes the same string as setting the registers one by one."""
        one_by_one = HyperLogLog(bytes(self.hll))
        for register in sorted(changes):
            one_by_one.set(register, changes[register])
            self.model[register] = max(changes[register], self.model[register])
        self.hll.set_rising(sorted(changes.items()))
        assert bytes(self.hll) == bytes(one_by_one)

    @invariant()
    def holds_the_registers(self):
        assert self.hll.registers() == bytes(self.model)
        assert probes.is_valid(bytes(self.hll))
        if not self.hll.is_dense:
            runs = self.hll.runs()
            assert sum(length for length, _ in runs) == REGISTERS
            assert all(1 <= length <= (4 if rank else REGISTERS) for length, rank in runs)


TestMachine = Machine.TestCase
TestMachine.settings = settings(max_examples=40, stateful_step_count=40, deadline=None)


def test_sparse_strings_grow_as_far_as_they_may():
    hll = HyperLogLog()
    outcomes = [hll.set(register, 1 + register % 7, 100) for register in range(0, REGISTERS, 90)]
    assert 97 <= len(bytes(hll)) <= 100 and outcomes[-1] == "full" and set(outcomes) == {"changed", "full"}


@given(st.integers(0, 2**32), st.integers(0, 63))
def test_dense_registers(seed, highest):
    rng = random.Random(seed)
    registers = bytes(rng.choices(range(highest + 1), k=REGISTERS))
    hll = HyperLogLog()
    hll.make_dense(registers)
    assert hll.is_dense and hll.registers() == registers and len(bytes(hll)) == probes.DENSE
    packed = int.from_bytes(bytes(hll)[16:], "little")
    assert all(packed >> 6 * i & 63 == registers[i] for i in rng.choices(range(REGISTERS), k=20))


@given(st.integers(0, 2**32))
def test_merge(seed):
    rng = random.Random(seed)
    ours, others = (bytes(rng.choices(range(33), k=REGISTERS)) for _ in "ab")
    hll = HyperLogLog()
    hll.make_dense(others)
    assert hll.merged_into(ours) == bytes(map(max, ours, others))
    few = sorted((register, rng.randint(1, 32)) for register in rng.sample(range(REGISTERS), 50))
    sparse = HyperLogLog()
    assert sparse.set_rising(few) == "changed"
    merged = bytearray(ours)
    for register, rank in few:
        merged[register] = max(merged[register], rank)
    assert sparse.merged_into(ours) == bytes(merged)


@settings(max_examples=300)
@given(STRINGS, PLACES, st.integers(1, 51))
def test_any_string_is_read_or_refused(text, register, rank):
    """A corrupt string is told, and nothing outside of it is touched (the sanitizer's build sees that)."""
    if not probes.is_valid(text):
        return
    hll = HyperLogLog(text)
    registers = hll.registers()
    assert (registers is None) == (sum(length for length, _ in hll.runs()) != REGISTERS)
    assert (hll.merged_into(bytes(REGISTERS)) is None) == (registers is None)
    assert hll.set(register, rank) in ("same", "changed", "full", "corrupt")
    hll.set_rising([(register, rank), (REGISTERS - 1, 1)])


def test_every_cut_of_a_sparse_string_is_corrupt():
    hll = HyperLogLog()
    for register in range(0, 3000, 100):
        hll.set(register, 5)
    whole = bytes(hll)
    assert hll.registers() is not None
    assert all(HyperLogLog(whole[:size]).registers() is None for size in range(16, len(whole)))
    assert HyperLogLog(whole + b"\0").registers() is None


def test_cached_cardinality():
    hll = HyperLogLog()
    assert hll.cached == 0
    hll.cache(2**40 + 5)
    assert hll.cached == 2**40 + 5 and bytes(hll)[8:16] == (2**40 + 5).to_bytes(8, "little")
    hll.uncache()
    assert hll.cached is None and bytes(hll)[8:15] == (2**40 + 5).to_bytes(8, "little")[:7]


@pytest.mark.parametrize("count", [0, 1, 2, 10, 100, 1000, 10_000, 100_000])
def test_estimate(count):
    """Six standard errors: one run in a billion is further off."""
    registers = bytearray(REGISTERS)
    rng = random.Random(count)
    for _ in range(count):
        rank, register = probes.rank(rng.randbytes(12))
        registers[register] = max(rank, registers[register])
    assert abs(probes.estimate(bytes(registers)) - count) <= 1 + 6 * 0.0081 * count


def test_estimate_of_impossible_registers():
    """A client may write any registers: there is an answer, whatever it is worth."""
    for rank in (51, 52, 63):
        assert probes.estimate(bytes([rank]) * REGISTERS) >= 0
