"""Sessions of drawn steps, and what is done with their findings."""
import time
from collections import Counter

from fastredis.engine import declarations
from tests.differential.alike import Alike
from tests.differential.grammar import Draw, known_commands, peer_facts
from tests.differential.run import INLINE, SUBSCRIBERS, WAITERS, WAKE, Finding, Run, kind, opens, printable, shrink
from tests.resp import Error

STEPS_OF_A_SESSION = 3000
BATCHES_BETWEEN_DATA = 6
BLOCKING = ("blpop", "brpop", "blmove", "blmpop", "brpoplpush", "bzpopmin", "bzpopmax", "bzmpop", "xread", "xreadgroup")
# The settings that decide on encodings, and values for them. No set may have more members as a listpack than as an
# intset: its encoding would depend on the order in which a table gives them, and on the form in which it is saved.
SETTINGS = {
    "list-max-listpack-size": (-2, -1, 1, 5, 16), "list-compress-depth": (0, 0, 1),
    "hash-max-listpack-entries": (4, 20, 512), "hash-max-listpack-value": (8, 64),
    "set-max-intset-entries": (20, 512), "set-max-listpack-entries": (4, 20),
    "set-max-listpack-value": (8, 64), "zset-max-listpack-entries": (4, 20, 128),
    "zset-max-listpack-value": (8, 64), "stream-node-max-entries": (3, 10, 100), "stream-node-max-bytes": (60, 4096),
    "hll-sparse-max-bytes": (0, 30, 3000),
    "notify-keyspace-events": ("", "", "", "KEA")}
# Values whose DUMP is the payload of RESTORE.
DUMPED = (
    "SET d x", "SET d 12345", "RPUSH d a b 3", "SADD d 1 2 3", "SADD d 1 2 99999999999", "SADD d a b",
    "HSET d f1 1 f2 b", "ZADD d 1 a 2.5 b inf c", "PFADD d a b", "RPUSH d " + "element " * 60, "SET d " + "x" * 500,
    "SADD d " + " ".join(map(str, range(40))),
    "XADD d 5-1 f 1 g b", "GEOADD d 13.1 38.2 a 13.5 38 b",
    "HSET d " + " ".join(f"f{n} {n}" for n in range(30)), "ZADD d " + " ".join(f"{n} m{n}" for n in range(30)))
LINE_WORDS = (b'"a b"', b"'x'", b'"\\x00"', b'"a', b"a'", b'"a"b', b"\\x41", b'"\\n\\"\\\\"', b"'it\\'s'", b"\t", b"  ",
              b"\v", b"\f", b'""', b"''", b'"\\xzz"', b"\xff", b"\r", b"x\ry", b"\x1c", b"\x85")


class Comparison:
    """Two servers, and the findings so far: {signature: [steps, finding, settings, seed, how often]}."""

    def __init__(self, server, peer, peer_name, only=()):
        self.servers = (server, peer)
        with peer.client(protocol=3, timeout=60) as client:
            facts = peer_facts(client)
            self.settings = {name for name in SETTINGS if client.call("CONFIG", "GET", name)}
            client.call("CONFIG", "SET", "proto-max-bulk-len", "1mb")
        self.known = known_commands(facts, only)
        self.only = only
        self.valkey = peer_name.startswith("valkey")
        self.old = peer_name.startswith("redis 7.0")
        self.reads = {each.name for each in self.known if not each.declaration.flags & declarations.WRITE}
        self.alike = Alike(peer_name, known_commands(facts))
        with server.client() as client:
            client.call("CONFIG", "SET", "proto-max-bulk-len", "1mb")
            self.payloads = [self.payload(client, line) for line in DUMPED]
        self.found = {}
        self.seen = Counter()
        self.steps = 0
        self.passing = 0                    # differences that did not come again

    @staticmethod
    def payload(client, line):
        client.call("DEL", "d")
        assert not isinstance(client.call(*line.split()), Error)
        payload = client.call("DUMP", "d")
        client.call("DEL", "d")
        return payload

    def session(self, seed, count=STEPS_OF_A_SESSION):
        """A session of that seed; a difference ends it and is shrunk, unless it was seen already."""
        draw = Draw(seed, self.known, self.alike.draws, self.payloads)
        settings = [(name, str(draw.random.choice(values))) for name, values in SETTINGS.items()
                    if name in self.settings]
        # When a key that is over goes, and is told about, is each server's own business.
        draw.past = ("notify-keyspace-events", "KEA") not in settings
        if self.valkey:                     # it says `expired` where EXPIRE of Redis says `del`
            settings = [(name, value.replace("A", "$lshz")) for name, value in settings]
        if self.old:                        # it makes no consumer that claims nothing, and does not tell of one
            settings = [(name, value.replace("A", "$lshzxe")) for name, value in settings]
        run = None
        try:
            with Run(self.servers, self.alike, settings, self.passed()) as run:
                for steps in self.batches(draw, count):
                    run.run(steps)
                    self.steps += len(steps)
                run.compare_data()
        except Finding as finding:
            self.take(finding, run.steps, settings, seed)

    def batches(self, draw, count):
        """Lists of steps of one session; between them the data are compared."""
        done = 0
        while done < count:
            steps = [step for _ in range(BATCHES_BETWEEN_DATA) for step in self.some(draw)]
            yield self.without_nesting(steps) if self.valkey else steps
            done += len(steps)

    def some(self, draw):
        """The steps of one scene."""
        pick = draw.random
        chance = pick.random()
        number = pick.choice((0, 0, 1))
        # Valkey takes what follows a closing quote without a blank, and leaves out some bytes above 127.
        if chance < 0.03 and not self.valkey:
            return [(INLINE, self.line(draw))]
        if chance < 0.06:
            return self.waiting(draw)
        if chance < 0.08:
            return self.subscribing(draw)
        if chance < 0.1:
            keys = [draw_key(draw) for _ in range(pick.choice((1, 2)))]
            return [(number, (b"WATCH", *keys)), *self.commands(draw, 1 - number, 2), (number, (b"MULTI",)),
                    *self.commands(draw, number, 2), (number, (b"EXEC",))]
        if chance < 0.102 and not self.only:
            return [(number, (b"DEBUG", b"RELOAD"))]
        return self.commands(draw, number, pick.choice((1, 10, 60, 200)))

    @staticmethod
    def commands(draw, number, count):
        return [(number, tuple(draw.command()[1])) for _ in range(count)]

    def without_nesting(self, steps):
        """The steps without MULTI and WATCH in open transactions, which Valkey finds so wrong that EXEC fails."""
        left, batch = [], []
        for number, argv in steps:
            if not left or left[-1][0] != number:
                batch = []
            if not (argv and argv[0].upper() in (b"MULTI", b"WATCH") and opens(batch)):
                left.append((number, argv))
                batch.append(argv)
        return left

    def line(self, draw):
        """A request as a line of words, which end where a quote says so; behind it, the command that it was."""
        known, argv = draw.command()
        words = argv[:3] if known.fits(argv[:3]) else argv
        more = draw.random.choices(LINE_WORDS, k=draw.random.choice((0, 1, 1, 2)))
        if known.fits(words + more) and draw.draws(known.name, words + more):
            words = words + more
        if not draw.draws(known.name, words) or known.name == "bitcount":       # what is passed over is not counted
            words = argv
        line = draw.random.choice((b" ", b" ", b"  ", b"\t")).join(words).replace(b"\n", b"").replace(b"\0", b"")
        return line.lstrip(b"*") or b"PING", *argv      # a line with a zero byte would have no end

    def waiting(self, draw):
        """Commands that wait, what may serve them, and the end of the waiting."""
        names = [each for each in self.known if each.name in BLOCKING]
        steps = []
        for number in WAITERS[:draw.random.choice((1, 2))] if names else ():
            argv = forever(draw.command_of(draw.random.choice(names)))
            # Nobody runs out of time: whether that comes before what serves him would be a matter of chance.
            argv = [b"0" if word in (b"0.001", b"0.002", b"1e-3", b"0x1p-10") else word for word in argv]
            steps.append((number, tuple(argv)))
        steps += self.commands(draw, draw.random.choice((0, 1)), draw.random.choice((1, 3, 12)))
        return [*steps, WAKE]

    def subscribing(self, draw):
        """To subscribe, or not to any longer: without words, to none at all."""
        name = draw.random.choice((b"SUBSCRIBE", b"SUBSCRIBE", b"PSUBSCRIBE", b"SSUBSCRIBE", b"UNSUBSCRIBE",
                                   b"PUNSUBSCRIBE", b"SUNSUBSCRIBE"))
        count = draw.random.choice((0, 1, 2) if b"UNSUB" in name else (1, 2))
        words = [draw.random.choice((draw.channel(), b"ch*", b"__keyevent@*")) for _ in range(count)]
        # Redis 7.0 writes messages to the client itself into the middle of EXEC's reply.
        return [(draw.random.choice(SUBSCRIBERS if self.old else (*SUBSCRIBERS, 1)), (name, *words))]

    # --- findings ---

    def passed(self):
        """Signatures that are known by now and leave the data as they were, so that a session may go on."""
        return {signature for signature in self.seen if signature[0] in self.reads}

    def take(self, finding, steps, settings, seed):
        self.seen[finding.signature] += 1
        if finding.name == "no answer":
            raise AssertionError(f"seed {seed}: {finding}")
        data = finding.name in ("keys", "counters") or finding.name.startswith("data ")
        if self.seen[finding.signature] > (12 if data else 1):
            return
        shrunk = shrink(self.servers, self.alike, settings, list(steps), finding, self.passed())
        if shrunk is None:
            self.passing += 1
            self.seen[finding.signature] -= 1
            print(f"    (does not come again: seed {seed} {finding})", flush=True)
            return
        steps, finding = shrunk
        last = self.alike.name(steps[-1][1]) if steps and steps[-1][1] else ""
        key = (last if data else "", *finding.signature)
        if key not in self.found:
            self.found[key] = (steps, finding, settings, seed)
            print(told(steps, finding, settings, seed), flush=True)


def forever(argv):
    """XREAD and XREADGROUP that wait without an end."""
    if argv[0].upper() not in (b"XREAD", b"XREADGROUP") or b"STREAMS" not in argv:
        return argv
    at = argv.index(b"STREAMS")
    options = [word for index, word in enumerate(argv[:at])
               if b"BLOCK" not in (word.upper(), argv[index - 1].upper())]
    return [*options, b"BLOCK", b"0", *argv[at:]]


def draw_key(draw):
    draw.begin(draw.random.choice(draw.known))
    return draw.key()


def told(steps, finding, settings, seed):
    """A finding as rows, with the settings that its session had."""
    lines = [f"seed {seed}: {finding.name}: {kind(finding.mine)} / {kind(finding.other)}",
             "  " + " ".join(f"{name}={value}" for name, value in settings)]
    lines += [f"  {number}> " + " ".join(printable(word) for word in argv)[:1500] for number, argv in steps]
    return "\n".join([*lines, f"  {finding}"])


def test(server, peer, peer_name, steps, seed, only=(), seconds=None, tell=None):
    """Run sessions of the seeds seed, seed + 1, ... until so many steps are done -> the Comparison."""
    run = Comparison(server, peer, peer_name, only)
    start = told_at = time.monotonic()
    while run.steps < steps and (seconds is None or time.monotonic() < start + seconds):
        run.session(seed, min(STEPS_OF_A_SESSION, steps))
        seed += 1
        if tell and time.monotonic() > told_at + 30:
            told_at = time.monotonic()
            tell(f"{run.steps} steps, {run.steps / (told_at - start):.0f} a second, next seed {seed}, "
                 f"{len(run.found)} findings")
    return run
