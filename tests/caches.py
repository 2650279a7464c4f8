"""Caches are right: who is told by CLIENT TRACKING what has changed knows what every key is.

    python -m tests.caches [--seed N] [--rounds N] [--steps N]

The random commands of tests.effects, with expiry, eviction, scripts, transactions and clients that wait, while some
clients cache what the keys of database 0 are: one that is told of what it reads, one that hears of all names, one that
is told over another connection, in RESP2. A finding is a key that is not what a cache holds, after all messages were
read. Exit status 1 for a finding.
"""
import argparse
import sys
from collections import Counter

from tests.effects import EVERY, STEPS, Finding, World, dump
from tests.resp import Push, encode

READ = 60                                   # keys that a cache reads between two comparisons


class Cache:
    """A client that caches; `kept` is what it holds. Messages come over `ear`."""

    def __init__(self, local, *options, resp2=False):
        self.client = self.ear = local.client()
        self.kept = {}
        if resp2:
            self.ear = local.client()
            self.ear.call("SUBSCRIBE", "__redis__:invalidate")
            options = (*options, "REDIRECT", self.ear.connection.id)
        else:
            self.client.call("HELLO", 3)
        assert str(self.client.call("CLIENT", "TRACKING", "ON", *options)) == "OK"
        self.told = Counter()

    def read(self, key):
        """Ask for something about a key, so that it counts as read."""
        self.client.socket.sendall(encode("TYPE", key))
        while isinstance(message := self.client.read(), Push):
            self.hear(message)

    def settle(self):
        """Take in all messages."""
        while self.ear.socket.output or self.ear.position < len(self.ear.buffer):
            self.hear(self.ear.read())

    def hear(self, message):
        names = message[-1]
        assert message[0] in (b"invalidate", b"message"), message
        self.told["all" if names is None else "names"] += 1
        if names is None:
            self.kept.clear()
        for name in names or ():
            self.kept.pop(name, None)


def shown_state(value):
    """What a cache is to be right about: of a stream its entries, for neither groups nor XSETID count as a change."""
    if value is not None and value[0] == "stream":
        return value[0], value[1][b"entries"], *value[2:]
    return value


class CachedWorld(World):
    """The world of tests.effects, with caches."""

    def __init__(self, seed):
        super().__init__(seed)
        self.caches = {"default": Cache(self.first), "NOLOOP": Cache(self.first, "NOLOOP"),
                       "BCAST": Cache(self.first, "BCAST"), "RESP2": Cache(self.first, resp2=True)}
        self.compared = 0
        self.draw.command_name = b""                     # nothing is drawn yet, and its keys are asked for

    def compare(self):
        """Compare the caches with what the keys are, and have them read some keys."""
        super().compare()
        state = {key: shown_state(value) for (database, key), value in self.keys().items() if database == 0}
        for name, cache in self.caches.items():
            cache.settle()
            for key, kept in cache.kept.items():
                self.compared += 1
                if state.get(key) != kept:
                    self.fail(f"the cache {name} holds {key}: {kept!r:.500}, it is {state.get(key)!r:.500}")
            for key in [*state, *(self.draw.key() for _ in range(READ))]:
                cache.read(key)
                cache.kept[key] = state.get(key)
            self.first.notes.take()

    def keys(self):
        found = dump(self.first, self.control)
        found.pop("libraries", None)
        return found


def run(seed, steps=STEPS, every=EVERY):
    """One round -> (entries of caches that were compared, messages by kind). Errors: tests.effects.Finding."""
    world = CachedWorld(seed)
    try:
        for number in range(steps):
            world.step()
            if number % every == 0:
                world.compare()
        world.compare()
        return world.compared, sum((cache.told for cache in world.caches.values()), Counter())
    finally:
        world.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=1, help="of the first round; the next ones count up")
    parser.add_argument("--rounds", type=int, default=25)
    parser.add_argument("--steps", type=int, default=STEPS)
    options = parser.parse_args()
    for seed in range(options.seed, options.seed + options.rounds):
        try:
            compared, told = run(seed, options.steps)
        except Finding as finding:
            print(finding)
            return 1
        print(f"seed {seed}: {compared} entries compared, messages: {dict(told)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
