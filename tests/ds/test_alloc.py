"""The accounted allocator: what a block is charged at, and that resizing keeps its bytes."""
import os
import random
import subprocess
import sys

import pytest
from fastredis.ds.alloc import slab_figures
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

probes = pytest.importorskip("tests.ds.probes", reason="built with FASTREDIS_PROBES=1 only")
BlocksProbe = probes.BlocksProbe

SIZES = st.one_of(st.integers(0, 600), st.integers(0, 100_000))


class BlocksMachine(RuleBasedStateMachine):
    def __init__(self):
        super().__init__()
        self.blocks = BlocksProbe()
        self.sizes = {}

    def check_new(self, number, zeroed, size):
        assert zeroed
        self.sizes[number] = size

    @rule(size=SIZES, kind=st.sampled_from(["alloc", "calloc"]))
    def take(self, size, kind):
        self.check_new(*self.blocks.take(size, kind), size)

    @precondition(lambda self: self.sizes)
    @rule(data=st.data(), size=SIZES)
    def resize(self, data, size):
        number = data.draw(st.sampled_from(sorted(self.sizes)))
        assert self.blocks.resize(number, size) == min(size, self.sizes[number])
        self.sizes[number] = size

    @precondition(lambda self: self.sizes)
    @rule(data=st.data())
    def give(self, data):
        number = data.draw(st.sampled_from(sorted(self.sizes)))
        self.blocks.give(number)
        del self.sizes[number]

    @invariant()
    def holds(self):
        for number, size in self.sizes.items():
            assert self.blocks.check(number) == size
        assert sum(self.sizes.values()) <= self.blocks.used
        # Small blocks round up to 8 bytes, large ones to what malloc sets aside.
        assert self.blocks.used <= sum(size + 64 + size // 8 for size in self.sizes.values())
        if not self.sizes:
            assert self.blocks.used == 0


TestBlocksMachine = BlocksMachine.TestCase
TestBlocksMachine.settings = settings(max_examples=60, deadline=None)


@pytest.mark.parametrize(("size", "charge"), [(0, 8), (1, 8), (8, 8), (9, 16), (500, 504), (512, 512)])
def test_small_blocks_are_charged_in_classes_of_8(size, charge):
    blocks = BlocksProbe()
    number, _ = blocks.take(size)
    assert blocks.used == charge
    blocks.give(number)
    assert blocks.used == 0


@pytest.mark.parametrize("size", [576, 1024, 32 * 1024])
def test_aligned_blocks(size):
    blocks = BlocksProbe()
    number, zeroed = blocks.take(size, "aligned")
    assert zeroed
    assert size <= blocks.used <= size + 128
    blocks.give(number)
    assert blocks.used == 0


def test_mapped_pages_go_back_in_pieces():
    blocks = BlocksProbe()
    number, zeroed = blocks.take(16 * 4096, "map")
    assert zeroed
    assert blocks.used == 16 * 4096
    blocks.give_front(number, 4 * 4096)
    assert blocks.used == 12 * 4096
    assert blocks.check(number) == 12 * 4096
    blocks.give(number)
    assert blocks.used == 0


# --- slabs: on every build, as a sanitizer's takes blocks of malloc for all but these tests -------------------------

class SlabsMachine(RuleBasedStateMachine):
    def __init__(self):
        super().__init__()
        self.blocks = BlocksProbe()
        self.sizes = {}

    @rule(size=st.integers(1, 64).map(lambda eighth: eighth * 8), count=st.integers(1, 300))
    def take(self, size, count):
        for _ in range(count):
            self.sizes[self.blocks.take(size, "slab")[0]] = size

    @precondition(lambda self: self.sizes)
    @rule(data=st.data(), seed=st.integers(0, 100), part=st.sampled_from([0.1, 0.5, 1]))
    def give(self, data, seed, part):
        """Some of them in any order, so that slabs become full, open and empty at all places of their lists."""
        numbers = random.Random(seed).sample(sorted(self.sizes), max(1, int(len(self.sizes) * part)))
        for number in numbers:
            assert self.blocks.check(number) == self.sizes.pop(number)
            self.blocks.give(number)

    @invariant()
    def holds(self):
        for number, size in self.sizes.items():
            assert self.blocks.check(number) == size

    def teardown(self):
        for number in self.sizes:
            self.blocks.give(number)


TestSlabsMachine = SlabsMachine.TestCase
TestSlabsMachine.settings = settings(max_examples=30, stateful_step_count=20, deadline=None)


def mappings():
    with open("/proc/self/maps") as file:
        return len(file.readlines())


def resident_bytes():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.skipif(os.environ.get("FASTREDIS_BUILD") == "asan",
                    reason="AddressSanitizer's allocator keeps what is freed")
def test_slabs_without_blocks_go_back_to_the_kernel():
    """In any order, and other blocks that are left keep their bytes."""
    blocks = BlocksProbe()
    numbers = [blocks.take(size, "slab")[0] for size in (24, 40, 504) for _ in range(30_000)]
    before = resident_bytes()
    random.Random(1).shuffle(numbers)
    blocks.give_slab_blocks(numbers[100:])
    assert before - resident_bytes() > 12_000_000       # of 17 million bytes
    figures = slab_figures()
    assert figures["slabs"] > figures["free"] >= figures["kept"] and figures["kept"] <= 64
    for number in numbers[:100]:
        assert blocks.check(number) in (24, 40, 504)
        blocks.give(number)


def test_what_is_unused_in_slabs_is_known():
    blocks = BlocksProbe()
    before = slab_figures()
    numbers = [blocks.take(size, "slab")[0] for size in (24, 504) for _ in range(10_000)]
    full = slab_figures()
    assert full["taken"] - before["taken"] == 10_000 * (24 + 504)
    assert full["unused"] - before["unused"] < 400 * 320                # heads, and what is left of two slabs
    for number in numbers[::2]:
        blocks.give(number)
    half = slab_figures()
    assert half["taken"] - before["taken"] == 5000 * (24 + 504)
    assert half["unused"] - full["unused"] == 5000 * (24 + 504)         # no slab is empty
    for number in numbers[1::2]:
        blocks.give(number)
    assert slab_figures()["taken"] == before["taken"]


def test_arenas_lie_side_by_side():
    """As one mapping: the kernel allows a process some 65,000, which would be a limit of the data."""
    blocks = BlocksProbe()
    before = mappings()
    numbers = [blocks.take(504, "slab")[0] for _ in range(100_000)]
    assert mappings() - before < 20                         # 48 arenas
    for number in numbers:
        blocks.give(number)


@pytest.mark.parametrize("size", [64, 128, 512])
def test_blocks_of_whole_cache_lines_begin_with_one(size):
    blocks = BlocksProbe()
    numbers = [blocks.take(size, "slab")[0] for _ in range(1000)]
    assert {blocks.address(number) % 64 for number in numbers} == {0}
    for number in numbers:
        blocks.give(number)


# --- what a sanitizer sees ---------------------------------------------------------------------------------------

FAULTS = {
    "a byte beyond the end": ("n = blocks.take(21)[0]; blocks.write(blocks.address(n), 21)", "heap-buffer-overflow"),
    "beyond a large one": ("n = blocks.take(1000)[0]; blocks.write(blocks.address(n), 1000)", "heap-buffer-overflow"),
    "a byte in front": ("n = blocks.take(24)[0]; blocks.write(blocks.address(n) - 1, 0)", "heap-buffer-overflow"),
    "after its end": ("n = blocks.take(24)[0]; a = blocks.address(n); blocks.give(n); blocks.write(a, 0)",
                      "heap-use-after-free"),
    "of a smaller size": ("blocks.give_as(blocks.take(24)[0], 16)", "Guru Meditation: a block is given back"),
    "of a size that is large": ("blocks.give_as(blocks.take(24)[0], 600)", "Guru Meditation: a block is given back"),
    "of a size that is small": ("blocks.give_as(blocks.take(600)[0], 24)", "Guru Meditation: a block is given back"),
    "beyond the last one of a slab": ("n = blocks.take(24, 'slab')[0]; blocks.write(blocks.address(n), 24)",
                                      "use-after-poison"),
    "in a slab, after its end": ("n = blocks.take(24, 'slab')[0]; a = blocks.address(n); blocks.give(n); "
                                 "blocks.write(a, 23)", "use-after-poison"),
}


@pytest.mark.skipif(os.environ.get("FASTREDIS_BUILD") != "asan", reason="a fault that only AddressSanitizer sees")
@pytest.mark.parametrize("fault", FAULTS)
def test_the_sanitizer_sees(fault):
    line, report = FAULTS[fault]
    code = f"from tests.ds.probes import BlocksProbe\nblocks = BlocksProbe()\n{line}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode != 0
    assert report in done.stderr


# --- without memory ----------------------------------------------------------------------------------------------

TAKE = "blocks.take(1 << 60, {!r})"
GROW = "blocks.resize(blocks.take({})[0], 1 << 60)"


@pytest.mark.parametrize("line", [*map(TAKE.format, ["alloc", "calloc", "aligned", "map"]), GROW.format(100),
                                  GROW.format(1000)])
def test_the_process_ends_without_memory(line, tmp_path):
    """With the report in the log file, too, if there is one."""
    log = tmp_path / "log"
    code = ("from fastredis.host.crash import exit_without_memory, report_trouble\n"
            "from tests.ds.probes import BlocksProbe\n"
            f"report_trouble({str(log)!r}, '', False)\nexit_without_memory(True)\nblocks = BlocksProbe()\n{line}\n")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 1
    assert f"Guru Meditation: out of memory, bytes asked for: {1 << 60}\n" in done.stderr
    assert log.read_text() in done.stderr


def test_what_is_possible():
    assert probes.is_possible(1 << 20)
    assert probes.is_possible(64 << 20)
    assert not probes.is_possible(1 << 60)
    assert not probes.is_possible(2**64 - 1)
    assert not probes.is_possible(1 << 60, old_size=1 << 21)
    assert probes.is_possible(1 << 30, old_size=1 << 31)      # a smaller one


@pytest.mark.parametrize(("a", "b", "same"), [(1, 8, True), (8, 9, False), (512, 505, True), (512, 513, False),
                                              (513, 514, False)])
def test_same_size_class(a, b, same):
    assert probes.size_class_is_same(a, b) is (same and os.environ.get("FASTREDIS_BUILD") != "asan")
    assert probes.size_class_is_same(a, a) is (a <= 512)
