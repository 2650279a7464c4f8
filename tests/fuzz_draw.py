"""Random commands and arguments for tests.fuzz."""
import random
import time

DAY_MS = 86_400_000
NUMBERS = (b"0", b"-1", b"1", b"2", b"7", b"100", b"2147483647", b"-2147483648", b"4294967295", b"9223372036854775807",
           b"-9223372036854775808", b"9223372036854775808", b"18446744073709551616", b"1" * 40)
ODD = (b"", b" ", b"x", b"+1", b"01", b" 1", b"1 ", b"-0", b"1.5", b"-1.5e3", b"1e400", b"0x10", b"nan", b"-inf",
       b"inf", b"\x00", b"\xff\xfe", b"\r\n", b"$5\r\n", b"*", b"?", b"[a-", b"\\", b"%s%n", b"k1 k2",
       b"3.0e-5000", b"1_0")
KEYS = [b"k%d" % number for number in range(24)]
# One word is drawn for each capital letter; an @name stands for one of the words of CHOICES.
TEMPLATES = """
SET K V|SET K V|SET K N|SET K V @set|SET K V @set @set|SET K V @set @set @set|SETNX K V|GETSET K V|GET K|GET K
GETDEL K|SETEX K R V|PSETEX K R V|SET K V EX R|SET K V PXAT A|SET K V EXAT S|SET K V PXAT A @set|GETEX K
GETEX K @getex|GETEX K PXAT A|GETEX K EXAT S|GETEX K EX R|STRLEN K|MGET K K K|MSET K V K V|MSETNX K V K V
APPEND K V|SETRANGE K O V|GETRANGE K I I|SUBSTR K I I|INCR K|DECR K|INCRBY K N|DECRBY K N|INCRBYFLOAT K F
INCRBYFLOAT K N|SET K F|LCS K K|LCS K K @lcs|LCS K K @lcs @lcs|LCS K K IDX MINMATCHLEN I WITHMATCHLEN
SETBIT K O B|SETBIT K O B|GETBIT K O|BITCOUNT K I I|BITCOUNT K I I @unit|BITCOUNT K|BITPOS K B|BITPOS K B I
BITPOS K B I I|BITPOS K B I I @unit|BITOP @bitop K K K|BITOP @bitop K K|BITOP @bitop K K K K K
BITFIELD K GET T O|BITFIELD K SET T O N|BITFIELD K INCRBY T O N
BITFIELD K OVERFLOW @overflow INCRBY T O N GET T O
BITFIELD K OVERFLOW @overflow SET T H N OVERFLOW @overflow INCRBY T H N
BITFIELD E OVERFLOW FAIL INCRBY T O N GET T O|BITFIELD_RO K GET T H|BITFIELD K|DEL K|DEL K K K|UNLINK K K
EXISTS K K|TOUCH K K|TYPE K|RENAME K K|RENAMENX K K|COPY K K|COPY K K REPLACE|COPY K K DB D
COPY K K DB D REPLACE|MOVE K D|OBJECT ENCODING K|OBJECT ENCODING K|EXPIRE K R|EXPIRE K R @expire
PEXPIRE K R @expire|EXPIREAT K S @expire|PEXPIREAT K A @expire|PEXPIREAT K A @expire @expire|PEXPIREAT K A
EXPIRE K 0|PEXPIRE K -1|PERSIST K|KEYS G|SCAN 0 COUNT 100000 MATCH G|SCAN 0 COUNT 100000 MATCH G TYPE @type
MULTI|MULTI|EXEC|EXEC|EXEC|DISCARD|WATCH W|WATCH W W|UNWATCH|SELECT D|SELECT 0|SWAPDB D D|FLUSHDB @flush|PING
PING V|ECHO V|WAIT 0 0|OBJECT FREQ K|PUBLISH K V|SPUBLISH K V|PUBSUB NUMSUB K|PUBSUB CHANNELS|CLIENT GETNAME
COMMAND GETKEYS SET K V|@odd K|@odd|TTL K|PTTL K|EXPIRETIME K|PEXPIRETIME K
"""
CHOICES = {
    "@set": b"NX XX GET KEEPTTL nx get".split(), "@getex": [b"PERSIST", b"persist", b"EX"],
    "@unit": [b"BYTE", b"BIT", b"bit"],
    "@lcs": [b"LEN", b"IDX", b"WITHMATCHLEN"], "@bitop": b"AND OR XOR NOT and not".split(),
    "@type": [b"string", b"list", b"x"],
    "@overflow": [b"WRAP", b"SAT", b"x"], "@expire": [b"NX", b"XX", b"GT", b"LT", b"lt"],
    "@flush": [b"SYNC", b"ASYNC", *[b"x"] * 18],
    "@odd": [b"get", b"nosuch", b"OBJECT", b"object", b"exec", b"", b"SET", b"pubsub"],
}
# Wrong arguments of these are told for missing keys too, and a cursor is not a C string.
STRICTER = (b"BITCOUNT", b"BITPOS", b"SCAN", b"KEYS")


class Draw:
    """Random requests of one seed: command() is nearly valid, any() is an argument for no matter what command."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.now_ms = int(time.time() * 1000)
        self.templates = [line.split() for line in TEMPLATES.strip().replace("\n", "|").split("|")]
        draw = self.random
        self.letters = {
            # A failed BITFIELD that makes its key longer is a change here and none in Redis: its keys are not watched.
            "K": lambda: draw.choice(KEYS), "W": lambda: draw.choice(KEYS[::2]), "E": lambda: draw.choice(KEYS[1::2]),
            "V": self.value, "D": lambda: b"%d" % draw.randrange(4),
            "N": lambda: draw.choice(NUMBERS) if draw.random() < 0.3 else b"%d" % draw.randint(-300, 300),
            "I": lambda: b"%d" % draw.randint(-40, 40), "B": lambda: draw.choice((b"0", b"1")),
            "O": lambda: b"%d" % int(draw.paretovariate(0.7) % 3000), "H": lambda: b"#%d" % draw.randrange(20),
            "F": lambda: b"%.*g" % (draw.randint(1, 19), draw.uniform(-10, 10) * 10 ** draw.randint(-8, 18)),
            "T": lambda: draw.choice((b"i", b"u")) + b"%d" % draw.choice((1, 3, 8, 13, 31, 32, 33, 62, 63, 64, 64)),
            "R": lambda: b"%d" % draw.randrange(10**6, 10**9), "S": lambda: b"%d" % (self.moment() // 1000),
            "A": lambda: b"%d" % self.moment(), "G": lambda: b"[i-k]%d" % draw.randrange(len(KEYS)),
        }

    def moment(self):
        """A time in ms that is long over or days ahead."""
        if self.random.random() < 0.25:
            return self.random.choice((1, 1000, self.now_ms - 10_000))
        return self.now_ms + DAY_MS + self.random.randrange(10 * DAY_MS)

    def value(self):
        kind = self.random.random()
        if kind < 0.3:
            return b"%d" % self.random.choice((self.random.randint(-9, 9), self.random.getrandbits(62)))
        if kind < 0.4:
            return self.random.choice(ODD)
        if kind < 0.6:
            return bytes(self.random.choices(b"abcd", k=self.random.randint(0, 60)))
        return self.random.randbytes(self.random.choice((1, 3, 8, 20, 43, 44, 45, 46, 64, 100)))

    def command(self):
        """A command of TEMPLATES, one in twenty with a wrong or missing argument."""
        argv = []
        for word in self.random.choice(self.templates):
            if word in self.letters:
                argv.append(self.letters[word]())
            else:
                argv.append(self.random.choice(CHOICES[word]) if word in CHOICES else word.encode())
        if len(argv) > 1 and argv[0] not in STRICTER and self.random.random() < 0.05:
            at = self.random.randrange(1, len(argv))
            argv[at:at + 1] = self.random.choice(([], [self.random.choice(ODD)], [argv[at], self.random.choice(ODD)]))
        return argv

    def any(self, words):
        """An argument for a command with these option words: a key, a number, something odd, something long."""
        kind = self.random.random()
        if kind < 0.3:
            return self.random.choice(KEYS)
        if kind < 0.5:
            return self.random.choice(NUMBERS)
        if kind < 0.65:
            return self.random.choice(ODD)
        if kind < 0.75 or not words:
            return self.value()
        if kind > 0.999:
            return self.random.randbytes(self.random.choice((1000, 16384, 40_000, 1 << 20)))
        return self.random.choice(words)
