"""Break the connections of chains of three at random moments, again and again, and see that all nodes end up equal.

    python -m tests.replication.cuts --cuts 100 --seed 1
    python -m tests.replication.cuts --cuts 20 --chain fastredis,redis,fastredis
    python -m tests.replication.cuts --cuts 60 --dual --peer /usr/bin/valkey-server

Clients write to the first node without a pause (tests.replication.traffic); the second one is its replica, the third
one the second's. How a connection breaks:

    drop     at once
    torn     after so many bytes more, in the middle of a command
    silent   nothing arrives for a while before it breaks
    twice    some times in quick succession, so in the middle of the handshake as well
    hung     nothing arrives, and nobody says so: the replica has to find out by repl-timeout
    away     it stays broken until more has been written than the backlog holds
    halved   the same, and then it breaks in the middle of the full synchronisation too

With --dual full synchronisations use two connections (dual-channel-replication-enabled) where both nodes know how, and
break in all these ways too, more often in the middle. A redis-server as the peer does not know the setting.

After away and halved there has to be a full synchronisation, after all others only partial ones, unless more has been
written meanwhile than the backlog holds. Every so often the clients pause; then all three must hold the same, and
exactly what the clients wrote: nothing twice, nothing missing.
"""
import argparse
import itertools
import random
import sys
import time
from collections import Counter

from tests.helpers import wait_until
from tests.replication.nodes import KINDS, Network, Node
from tests.replication.traffic import Writer, check_equal, known_commands, wait_for_offset
from tests.resp import Error

CHAINS = [chain for chain in itertools.product(KINDS, repeat=3) if "fastredis" in chain]
WAYS = {"drop": 20, "torn": 30, "silent": 15, "twice": 15, "hung": 2, "away": 7, "halved": 7}
FULL_WAYS = ("away", "halved")
DUAL_WAYS = {**WAYS, "away": 20, "halved": 60}
CUTS_BETWEEN_CHECKS = 8
TIMEOUT_SECONDS = 4                 # repl-timeout
BACKLOG_MB = 16
OPTIONS = ("--repl-backlog-size", f"{BACKLOG_MB}mb", "--repl-timeout", str(TIMEOUT_SECONDS))
TRANSFERS = [(("--repl-diskless-sync", sync), ("--repl-diskless-load", load))
             for sync in ("yes", "no") for load in ("disabled", "swapdb", "on-empty-db")]
DISKLESS = ("--repl-diskless-sync", "yes")
DUAL = ("--dual-channel-replication-enabled", "yes")


class Cutter:
    """A chain of nodes of these kinds in a network, with writers, and what has been done to it."""

    def __init__(self, network, kinds, chance, seed, dual=False):
        self.chance = chance
        self.weights = DUAL_WAYS if dual else WAYS
        self.nodes = [self.node(kind, network, dual) for kind in kinds]
        self.master, *self.replicas = self.nodes
        known = known_commands(*self.nodes)
        self.writers = [Writer(self.master, number, seed, known) for number in range(2)]
        self.ways = Counter()
        self.full = self.partial = self.checks = 0

    def node(self, kind, network, dual):
        sync, load = self.chance.choice(TRANSFERS)
        if not dual:
            return Node(kind, network, *OPTIONS, *sync, *load)
        own = DUAL if kind == "fastredis" or network.peer_knows("dual-channel-replication-enabled") else ()
        return Node(kind, network, *OPTIONS, *DISKLESS, *load, *own)

    def __enter__(self):
        for writer in self.writers:
            writer.start()
        for upper, node in itertools.pairwise(self.nodes):
            node.follow(upper)
        self.wait_for_links()
        return self

    def __exit__(self, *exc_info):
        for writer in self.writers:
            writer.stop()

    def wait_for_links(self):
        """Wait until all have what the first one has now: a link alone may be one that is about to break."""
        offset = self.master.offset()
        for node in self.replicas:
            wait_for_offset(node, offset)

    def cut(self):
        """Break one of the two connections in one of the ways, and wait until all is well again."""
        way = self.chance.choices(list(self.weights), self.weights.values())[0]
        upper = self.chance.choice(self.nodes[:-1])
        before = [node.syncs() for node in self.nodes[:-1]]
        of_upper, written = self.nodes.index(upper), self.master.offset()
        time.sleep(self.chance.random() * 0.3)
        getattr(self, way)(upper)
        wait_until(lambda: sum(upper.syncs()[:2]) > sum(before[of_upper][:2]),
                   lambda: f"no synchronisation with {upper} after {way}:\n{self.told()}")
        self.wait_for_links()
        after = [node.syncs() for node in self.nodes[:-1]]
        full, partial = (sum(one[i] for one in after) - sum(one[i] for one in before) for i in (0, 1))
        if way in FULL_WAYS:
            assert after[of_upper][0] > before[of_upper][0], f"no full synchronisation after {way}:\n{self.told()}"
        elif self.master.offset() - written < BACKLOG_MB << 20:
            assert not full, f"{full} full synchronisations after {way} at {upper}:\n{self.told()}"
        self.ways[way] += 1
        self.full += full
        self.partial += partial

    # --- ways ---

    def drop(self, upper):
        upper.door.cut()

    def torn(self, upper):
        upper.door.cut_after(1 + int(self.chance.paretovariate(0.4)) % 30_000)

    def silent(self, upper):
        upper.door.hang()
        time.sleep(self.chance.random())
        upper.door.cut()

    def twice(self, upper):
        for _ in range(self.chance.randint(2, 6)):
            if self.chance.random() < 0.5:
                upper.door.cut()
                time.sleep(self.chance.random() * 0.05)
            else:
                upper.door.cut_after(self.chance.randint(1, 200))       # in the replies of a handshake
                time.sleep(self.chance.random() * 0.2)
        upper.door.cut()

    def hung(self, upper):
        upper.door.hang()
        replica = self.nodes[self.nodes.index(upper) + 1]
        wait_until(lambda: not replica.is_linked(), lambda: f"{replica} does not notice:\n{self.told()}")
        upper.door.cut()

    def away(self, upper):
        upper.door.shut()
        # What is on its way to a node that is a replica itself has to arrive before its backlog has moved on.
        goal = upper.offset() + (BACKLOG_MB << 20)
        block = self.chance.randbytes(1 << 20)
        for _ in range(BACKLOG_MB + 1):
            while isinstance(reply := self.master.call("SET", "block", block), Error):
                assert reply.startswith("OOM"), reply       # a writer has lowered maxmemory for a moment
                time.sleep(0.01)
        wait_until(lambda: upper.offset() > goal, f"{upper} does not get on")
        upper.door.open()

    def halved(self, upper):
        self.away(upper)
        upper.door.cut_after(self.chance.randint(1000, 1_000_000))

    # --- at rest ---

    def check(self):
        """Pause the clients and compare all nodes. Errors: AssertionError."""
        for writer in self.writers:
            writer.pause()
        check_equal(self.master, self.replicas, self.writers)
        for writer in self.writers:
            writer.resume()
        self.checks += 1

    def told(self):
        """What the nodes say of themselves."""
        return "\n".join(f"--- {node} ---\n{node.info()}\n{node.log()[-2500:]}" for node in self.nodes)

    def summary(self):
        steps = sum(writer.steps for writer in self.writers)
        ways = ", ".join(f"{count} {way}" for way, count in sorted(self.ways.items()))
        kinds = " - ".join(node.kind for node in self.nodes)
        return (f"{kinds}: {sum(self.ways.values())} cuts ({ways}), {steps} steps of the clients, {self.partial} "
                f"partial and {self.full} full synchronisations, equal {self.checks} times")


def run(cuts, seed=0, chains=CHAINS, tell=lambda text: None, peer=None, server_loop=None, dual=False):
    """So many cuts, spread over the chains -> (partial, full) synchronisations. dual: over two connections.

    Errors: AssertionError with the chain and the seed.
    """
    partial = full = 0
    for number, kinds in enumerate(chains):
        share = (number + 1) * cuts // len(chains) - number * cuts // len(chains)
        if not share:
            continue
        chance = random.Random(f"{seed} {number}")
        try:
            with Network(peer, server_loop) as network, Cutter(network, kinds, chance, seed, dual) as cutter:
                for done in range(1, share + 1):
                    cutter.cut()
                    if done % CUTS_BETWEEN_CHECKS == 0 or done == share:
                        cutter.check()
                tell(cutter.summary())
        except AssertionError as error:
            raise AssertionError(f"{error}\nchain {','.join(kinds)}, --seed {seed}") from error
        partial += cutter.partial
        full += cutter.full
    return partial, full


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cuts", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--chain", action="append", metavar="KIND,KIND,KIND",
                        help=f"kinds ({' or '.join(KINDS)}) of a chain; may be given more than once")
    parser.add_argument("--peer", help="path of the redis-server; by default the one on PATH")
    parser.add_argument("--dual", action="store_true", help="full synchronisations over two connections")
    arguments = parser.parse_args()
    chains = [tuple(chain.split(",")) for chain in arguments.chain or ()] or CHAINS
    began = time.monotonic()
    partial, full = run(arguments.cuts, arguments.seed, chains, tell=lambda text: print(text, flush=True),
                        peer=arguments.peer, dual=arguments.dual)
    print(f"{arguments.cuts} cuts, {partial} partial and {full} full synchronisations, "
          f"{time.monotonic() - began:.0f} s: nothing double, nothing missing")
    return 0


if __name__ == "__main__":
    sys.exit(main())
