"""Mutated DUMP payloads and whole RDB files by the million, as a tool: test_rdb.py has a few thousand of them.

    python -m tests.persist.fuzz_rdb --payloads 1000000 --files 10000 --seed 1     on any build (asan, debug)

Each round is a process of its own, which works on a thousand payloads or fifty files made from the round's seed, in an
engine without a server. So a crash, a sanitizer's report or a hang costs one round, and is printed with the seed, which
`--seed N --rounds 1` repeats, and with the bytes that were being read.

What is held against the reader:
  - it refuses (RdbError) or reads; the value then passes the checks of its memory
  - a payload whose checksum or version is wrong is not looked at
  - the engine's account of memory is where it was, to the byte, after each value read and dropped, refused or not;
    the process does not grow when a round is done over again
  - no wrong value: what was read is written and read again as the same type, value, encoding, deadlines and length
With --peer a redis-server is given the same payloads (RESTORE, which checks them deeply): where both accept, both must
hold the same value. It accepts some that we refuse: bytes behind a value, values that reach into the checksum, NaN as a
score, zsets out of order.
"""
import argparse
import collections
import contextlib
import mmap
import multiprocessing
import os
import random
import re
import sys
import time
from pathlib import Path

from fastredis.engine import inspect
from fastredis.persist.rdb_load import RdbError, load_file
from tests.persist import rdb_probes as probes
from tests.persist.dataset import READERS
from tests.persist.test_rdb import (
    BROKEN,
    BUDGET_US,
    NOW_MS,
    SAMPLES,
    VALUES,
    contents,
    dump,
    hash_of_valkey,
    load,
    mutated,
    new_engine,
    sample_engine,
)
from tests.resp import Client, Closed, Error
from tests.servers import find_peer, peer_server

PAYLOADS_PER_ROUND = 1000
FILES_PER_ROUND = 50
ROUND_SECONDS = 300.0
LARGE = 3000                        # bytes of a sample that would only make rounds slow
SHOWN = 1 << 16                     # bytes of an input that are kept for a report
GROWTH_BYTES = 8 << 20              # a round done again may take so much more memory: the allocator's, not a leak's
PEER_TYPES = {0: "string", 1: "list", 2: "set", 3: "zset", 4: "hash"}
PEER_VERSION = 10                   # what Redis 7.0 reads
NEW_TYPES = range(20, 28)           # types of values it does not
# An encoding that a value was read with, and the simpler one that it is read with once we have written it: numbers in
# the listpack of a set, and fields that might have deadlines, but do not. Redis does the same.
SIMPLER = {("listpack", "intset"), ("listpackex", "listpack")}


class Finding(Exception):
    """What the reader must not do."""


class Input:
    """The bytes being read, in memory that the parent still sees when the process that reads them has crashed."""

    def __init__(self):
        self.shared = mmap.mmap(-1, SHOWN + 8)

    def set(self, data):
        self.shared[:8] = len(data).to_bytes(8, "little")
        self.shared[8:8 + min(SHOWN, len(data))] = data[:SHOWN]

    def text(self):
        size = int.from_bytes(self.shared[:8], "little")
        return f"{size} bytes: {self.shared[8:8 + min(SHOWN, size)].hex()}"


def corpus():
    """Values, with their type byte, that mutations start from."""
    values = [value for value, _ in VALUES.values()] + [value for value in BROKEN.values() if value]
    return values + [value for value in SAMPLES.values() if len(value) < LARGE] + [hash_of_valkey(NOW_MS)]


# --- payloads ---------------------------------------------------------------------------------

def payloads(generator, count):
    """(payload, whether its version and checksum are right), by a generator of random numbers."""
    values = corpus()
    for _ in range(count):
        value = mutated(generator, generator.choice(values))
        payload = dump(value, generator.choice((9, PEER_VERSION, 12, 12, 80)))
        if generator.random() < 0.02:
            at = generator.randrange(len(payload))
            payload = payload[:at] + bytes([payload[at] ^ 1 << generator.randrange(8)]) + payload[at + 1:]
            yield payload, False
        else:
            yield payload, True


def read_once(engine, payload, valid, before):
    """Read a payload and drop the value -> whether it was accepted. Errors: Finding, AssertionError."""
    try:
        read = probes.read_payload(engine, payload) is not None
        if read and not valid:
            raise Finding("a wrong checksum was accepted")
        if valid and not read:
            raise Finding("a right checksum was not accepted")
    except RdbError:
        read = False
    if (used := probes.used_memory(engine)) != before:
        raise Finding(f"used memory was {before} and is {used}")
    return read


def payload_round(seed, notes, peer):
    """A round of mutated payloads -> counts. Errors: Finding, AssertionError."""
    counts = collections.Counter()
    engine, kept = new_engine(), new_engine()
    before = probes.used_memory(engine)
    accepted = {}
    for number, (payload, valid) in enumerate(payloads(random.Random(seed), PAYLOADS_PER_ROUND)):
        notes.set(payload)
        read = read_once(engine, payload, valid, before)
        counts["accepted" if read else "refused"] += 1
        if read:
            name = b"%d" % number
            probes.restore(kept, 0, name, payload)
            accepted[name] = payload
        if peer is not None and valid:
            compare_with_peer(peer, payload, kept if read else None, counts)
    read_again(kept, accepted, notes)
    resident = resident_bytes()
    for payload, valid in payloads(random.Random(seed), PAYLOADS_PER_ROUND):
        notes.set(payload)
        read_once(engine, payload, valid, before)
    # The sanitizer keeps freed memory for a while.
    if "asan" not in os.environ.get("LD_PRELOAD", "") and (growth := resident_bytes() - resident) > GROWTH_BYTES:
        raise Finding(f"the process has grown by {growth} bytes in a round that was done before")
    return counts


def read_again(engine, accepted, notes):
    """Write what was read and read it again: the same. Errors: Finding, AssertionError."""
    inspect.verify_values(engine)
    other = new_engine()
    lengths = {}
    for name, payload in accepted.items():
        notes.set(payload)
        written = probes.dump(engine, 0, name)
        if probes.value_length(engine, 0, name) != len(written) - 11:
            raise Finding("the length told is not that of what is written")
        try:
            probes.restore(other, 0, name, written)
        except RdbError as error:
            raise Finding(f"what was written is refused: {error}") from error
        lengths[name] = len(written)
    inspect.verify_values(other)
    values, again = (contents(each).get(0, {}) for each in (engine, other))
    for name, payload in accepted.items():
        notes.set(payload)
        if not same(values[name], again[name]):
            raise Finding(f"read again it is {again[name]} instead of {values[name]}")
        if values[name] == again[name] and len(probes.dump(other, 0, name)) != lengths[name]:
            raise Finding("written again it has another length")


def same(before, after):
    """Whether a key's type, value, encoding and deadline are the same when it was written and read again."""
    return before == after or ((before[2], after[2]) in SIMPLER and before[:2] == after[:2] and before[3] == after[3])


def resident_bytes():
    text = Path("/proc/self/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+)", text)[1]) * 1024


# --- the peer ---------------------------------------------------------------------------------

def compare_with_peer(peer, payload, engine, counts):
    """RESTORE on redis-server, which must agree on the value of what both accept. Errors: Finding."""
    version = int.from_bytes(payload[-10:-8], "little")
    if version > PEER_VERSION or payload[0] in NEW_TYPES:
        return
    reply = peer.call("RESTORE", "k", 0, payload, "REPLACE")
    refused = isinstance(reply, Error)
    if engine is None or refused:
        kind = "refused by both" if refused and engine is None else "only ours" if refused else "only the peer's"
        counts[kind] += 1
        return
    counts["accepted by both"] += 1
    single = new_engine()
    probes.restore(single, 0, b"k", payload)
    kind, ours, _, _ = contents(single)[0][b"k"]
    theirs = READERS[PEER_TYPES[kind]](peer, "k")
    if kind == 3:
        ours = sorted((member, float(score)) for member, score in ours)
        theirs = sorted(theirs)
    if ours != theirs or str(peer.call("TYPE", "k")) != PEER_TYPES[kind]:
        raise Finding(f"redis-server reads {theirs!r:.500} where we read {ours!r:.500}")


# --- files ------------------------------------------------------------------------------------

def files(generator, count):
    """(file, whether its checksum is to be looked at): mutated behind the header."""
    engine = sample_engine()
    wholes = [probes.save(engine, compress, stamp=stamp) for compress in (False, True) for stamp in (0, 1, 2)]
    for _ in range(count):
        whole = generator.choice(wholes)
        start = whole.index(b"\xFE\x00") if generator.random() < 0.9 else 0
        at = generator.randrange(start, len(whole))
        size = generator.choice((20, 300, 3000))
        body = whole[:at] + mutated(generator, whole[at:at + size]) + whole[at + size:]
        if generator.random() < 0.3:
            body = body[:-8] + probes.crc_of(body[:-8]).to_bytes(8, "little")
            yield body, True
        else:
            yield body, generator.random() < 0.1


def file_round(seed, notes, _):
    """A round of mutated files through the loader -> counts. Errors: Finding, AssertionError."""
    counts = collections.Counter()
    generator = random.Random(seed)
    engine = new_engine()
    before = probes.used_memory(engine)
    for data, verify in files(generator, FILES_PER_ROUND):
        notes.set(data)
        piece = generator.choice((None, None, 7, 100, 5000))
        checked = check_file(engine, data, verify)
        if (used := probes.used_memory(engine)) != before:
            raise Finding(f"used memory was {before} and is {used} after a check of a file")
        counts["whole files" if checked else "files refused"] += 1
        loaded, found = new_engine(), False
        with contextlib.suppress(RdbError):
            load(loaded, data, piece, verify=verify, drop_expired=False)
            found = True
        # A check does not see that a key is there twice, as it keeps none.
        if found and not checked:
            raise Finding("loaded in pieces, but refused by a check")
        inspect.verify_values(loaded)
        other = new_engine()
        load(other, probes.save(loaded), drop_expired=False)
        compare_data_sets(contents(loaded), contents(other))
        counts["keys"] += sum(map(len, contents(loaded).values()))
    return counts


def compare_data_sets(values, again):
    """Errors: Finding unless a data set, read again, is the same."""
    if values.keys() != again.keys():
        raise Finding(f"saved and loaded again there are databases {[*again]} instead of {[*values]}")
    for index, keys in values.items():
        if keys.keys() != again[index].keys():
            raise Finding(f"saved and loaded again, database {index} has other keys")
        for name, facts in keys.items():
            if not same(facts, again[index][name]):
                raise Finding(f"saved and loaded again, {name} is {again[index][name]} instead of {facts}")


def check_file(engine, data, verify):
    """Read a file as --check-rdb does -> whether it is whole."""
    found = load_file(engine, -1, 0, keep=False)
    found.verify, found.drop_expired = verify, False
    found.give(data)
    try:
        while not found.step(BUDGET_US):
            found.give(b"")                     # no more will come
    except RdbError:
        return False
    return True


# --- rounds -----------------------------------------------------------------------------------

ROUNDS = {"payloads": payload_round, "files": file_round}


def work(pipe, kind, seed, notes, port):
    """What the process of a round does: sends its counts, or a finding's text."""
    try:
        with contextlib.ExitStack() as stack:
            peer = None
            if port is not None:
                peer = stack.enter_context(Client(port, timeout=ROUND_SECONDS))
                peer.call("FLUSHALL")
            pipe.send(ROUNDS[kind](seed, notes, peer))
    except (Finding, AssertionError) as finding:
        pipe.send(f"{type(finding).__name__}: {finding}\n  {notes.text()}")
    except (Closed, ConnectionError) as error:
        pipe.send(f"redis-server itself is gone ({error!r})\n  {notes.text()}")


def run_round(kind, seed, port=None, seconds=ROUND_SECONDS):
    """One round in a process of its own -> counts. Errors: Finding with the seed."""
    context = multiprocessing.get_context("fork")
    here, there = context.Pipe(duplex=False)
    notes = Input()
    worker = context.Process(target=work, args=(there, kind, seed, notes, port), daemon=True)
    worker.start()
    there.close()
    try:
        answer = here.recv() if here.poll(seconds) else f"no end within {seconds:.0f} s: {notes.text()}"
    except EOFError:
        worker.join()
        answer = f"the process ended with status {worker.exitcode} while reading {notes.text()}"
    finally:
        if worker.is_alive():
            worker.join(1)
        worker.kill()
        worker.join()
        here.close()
    if isinstance(answer, str):
        raise Finding(f"{kind}, seed {seed}: {answer}")
    return answer


def fuzz(kind, rounds, seed, port=None, report=print):
    """Rounds with seeds counting up -> (counts, how many of them found something); findings are reported."""
    total, findings, shown = collections.Counter(), 0, time.monotonic()
    for number in range(rounds):
        try:
            total += run_round(kind, seed + number, port)
        except Finding as finding:
            findings += 1
            report(str(finding))
        if time.monotonic() - shown > 30:
            shown = time.monotonic()
            report(f"{kind}: {number + 1} of {rounds} rounds, {dict(total)}, {findings} finding(s)")
    return total, findings


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--payloads", type=int, default=100_000, help="how many payloads (default: %(default)s)")
    parser.add_argument("--files", type=int, default=1000, help="how many whole files (default: %(default)s)")
    parser.add_argument("--rounds", type=int, help="rounds of each kind, instead of --payloads and --files")
    parser.add_argument("--seed", type=int, help="of the first round; the next ones count up")
    parser.add_argument("--peer", nargs="?", const="redis-server", metavar="PATH",
                        help="compare with this redis-server, by default the one on PATH")
    options = parser.parse_args()
    seed = options.seed if options.seed is not None else random.randrange(10**9)
    rounds = {"payloads": -(-options.payloads // PAYLOADS_PER_ROUND), "files": -(-options.files // FILES_PER_ROUND)}
    began, failed = time.monotonic(), 0
    with contextlib.ExitStack() as stack:
        port = None
        if options.peer:
            found = find_peer(options.peer)
            if found is None:
                parser.error("no redis-server to compare with")
            port = stack.enter_context(peer_server(found.path, "--sanitize-dump-payload", "yes")).port
        for kind, planned in rounds.items():
            count = planned if options.rounds is None else options.rounds
            counts, findings = fuzz(kind, count, seed, port if kind == "payloads" else None,
                                    lambda text: print(text, flush=True))
            failed += findings
            print(f"{kind}: {count} rounds from seed {seed}: {dict(counts)}, {findings} finding(s)", flush=True)
    print(f"{time.monotonic() - began:.0f} s; clock of the engines: {NOW_MS} ms")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
