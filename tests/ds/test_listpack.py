"""Listpacks against plain lists, and against the bytes that a real server writes."""
import random

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from tests.ds.dumps import restore_payload, write_length
from tests.resp import Status
from tests.servers import peer_server

probes = pytest.importorskip("tests.ds.pack_probes", reason="built with FASTREDIS_PROBES=1 only")
ListpackProbe = probes.ListpackProbe

# On either side of each limit at which the encoding of an integer changes.
INTEGERS = sorted({sign * base + near for base in (0, 127, 128, 2**12, 2**15, 2**23, 2**31, 2**63)
                   for sign in (1, -1) for near in (-1, 0, 1) if -2**63 <= sign * base + near < 2**63})
# No integers, although they nearly are.
ODD_TEXTS = [b"", b"-", b"-0", b"00", b"007", b"+1", b" 1", b"1 ", b"1.0", b"1e3", b"0x10", b"--1", b"1-", b"1\0",
             b"9223372036854775808", b"-9223372036854775809", b"99999999999999999999", b"111111111111111111111"]
# Of texts, and one to five more of these are the limits of the stored length.
SIZES = [0, 1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 62, 63, 64, 65, 124, 125, 126, 127, 128, 4094, 4095, 4096, 4097,
         16377, 16378, 16379, 16380, 16381, 16382, 16383, 16384]


def is_integer(text):
    try:
        return b"%d" % int(text) == text and -2**63 <= int(text) < 2**63
    except ValueError:
        return False


def stored(text):
    """What the listpack gives for this text."""
    return int(text) if is_integer(text) else text


def filled(texts):
    listpack = ListpackProbe()
    for text in texts:
        listpack.append(text)
    return listpack


def checked(listpack, texts):
    """Compare all that can be read, and leave nothing behind."""
    listpack.verify()
    assert listpack.texts() == texts
    assert listpack.items() == [stored(text) for text in texts]
    assert listpack.items_backwards() == [stored(text) for text in reversed(texts)]
    assert len(listpack) == len(texts)
    assert listpack.used == listpack.charge
    assert listpack.free() == 0


TEXTS = st.one_of(
    st.binary(max_size=20), st.integers(0, 9).map(lambda n: b"%d" % n), st.sampled_from(ODD_TEXTS),
    st.sampled_from(INTEGERS).map(lambda n: b"%d" % n), st.integers(-2**63, 2**63 - 1).map(lambda n: b"%d" % n),
    st.tuples(st.sampled_from(b"abc"), st.sampled_from(SIZES)).map(lambda pair: bytes([pair[0]]) * pair[1]))
NUMBERS = st.one_of(st.sampled_from(INTEGERS), st.integers(-2**63, 2**63 - 1))
INDEXES = st.integers(0, 10**6)


class ListpackMachine(RuleBasedStateMachine):
    def __init__(self):
        super().__init__()
        self.listpack = ListpackProbe()
        self.texts = []

    def index(self, chance):
        return chance % len(self.texts)

    @rule(text=TEXTS)
    def append(self, text):
        self.listpack.append(text)
        self.texts.append(text)

    @rule(texts=st.lists(TEXTS, max_size=30))
    def append_many(self, texts):
        for text in texts:
            self.listpack.append(text)
        self.texts += texts

    @rule(number=NUMBERS)
    def append_int(self, number):
        self.listpack.append_int(number)
        self.texts.append(b"%d" % number)

    @rule(text=TEXTS)
    def prepend(self, text):
        self.listpack.prepend(text)
        self.texts.insert(0, text)

    @rule(text=TEXTS, chance=INDEXES)
    def insert(self, text, chance):
        index = chance % (len(self.texts) + 1)
        assert self.listpack.insert(index, text) == index
        self.texts.insert(index, text)

    @rule(number=NUMBERS, chance=INDEXES)
    def insert_int(self, number, chance):
        index = chance % (len(self.texts) + 1)
        self.listpack.insert_int(index, number)
        self.texts.insert(index, b"%d" % number)

    @precondition(lambda self: self.texts)
    @rule(text=TEXTS, chance=INDEXES)
    def replace(self, text, chance):
        index = self.index(chance)
        assert self.listpack.replace(index, text) == index
        self.texts[index] = text

    @precondition(lambda self: self.texts)
    @rule(number=NUMBERS, chance=INDEXES)
    def replace_int(self, number, chance):
        index = self.index(chance)
        assert self.listpack.replace_int(index, number) == index
        self.texts[index] = b"%d" % number

    @precondition(lambda self: self.texts)
    @rule(chance=INDEXES, count=st.one_of(st.integers(0, 3), st.integers(0, 40), st.just(2**64 - 1)))
    def delete(self, chance, count):
        index = self.index(chance)
        after = self.listpack.delete(index, count)
        del self.texts[index:index + count]
        assert after == (index if index < len(self.texts) else None)

    @rule(texts=st.lists(TEXTS, max_size=5))
    def concat(self, texts):
        self.listpack.concat(filled(texts))
        self.texts += texts

    @rule()
    def concat_a_copy(self):
        if len(self.texts) < 200:
            self.listpack.concat(ListpackProbe(bytes(self.listpack)))
            self.texts += self.texts

    @rule()
    def go_on_with_a_copy(self):
        self.listpack.copy_and_drop()

    @rule(text=TEXTS, skip=st.integers(0, 3), chance=INDEXES)
    def find(self, text, skip, chance):
        start = chance % (len(self.texts) + 1)
        places = [start + i for i, each in enumerate(self.texts[start:]) if i % (skip + 1) == 0 and each == text]
        assert self.listpack.find(text, start, skip) == (places[0] if places else None)

    @precondition(lambda self: self.texts)
    @rule(chance=INDEXES)
    def find_one_that_is_there(self, chance):
        text = self.texts[self.index(chance)]
        assert self.listpack.find(text) == self.texts.index(text)

    @rule(index=st.integers(-40, 40))
    def seek(self, index):
        inside = -len(self.texts) <= index < len(self.texts)
        assert self.listpack.at(index) == (stored(self.texts[index]) if inside else None)

    @invariant()
    def holds(self):
        self.listpack.verify()
        assert len(self.listpack) == len(self.texts)
        assert self.listpack.texts() == self.texts
        assert self.listpack.items_backwards() == [stored(text) for text in reversed(self.texts)]
        assert self.listpack.used == self.listpack.charge
        assert probes.listpack_is_valid(bytes(self.listpack))

    def teardown(self):
        assert self.listpack.free() == 0


ListpackMachine.TestCase.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
TestListpackMachine = ListpackMachine.TestCase


# --- encodings

# As redis-server 7.0.15 writes them: DUMP without compression.
KNOWN = {
    "hash": ([b"name", b"Ann", b"age", b"41", b"f" * 3, b"-4097"],
             b"\x22\0\0\0\x06\0\x84name\x05\x83Ann\x04\x83age\x04)\x01\x83fff\x04\xf1\xff\xef\x03\xff"),
    "scores": ([b"77", b"-3", b"a", b"1", b"b", b"2.5"],
               b"\x19\0\0\0\x06\0M\x01\xdf\xfd\x02\x81a\x02\x01\x01\x81b\x02\x832.5\x04\xff"),
    "medium text": ([b"a" * 62, b"b" * 63, b"c" * 64, b"d" * 126, b"e" * 127],
                    b"\xd0\x01\0\0\x05\0\xbe" + b"a" * 62 + b"?\xbf" + b"b" * 63 + b"@\xe0@" + b"c" * 64
                    + b"B\xe0~" + b"d" * 126 + b"\x01\x80\xe0\x7f" + b"e" * 127 + b"\x01\x81\xff"),
    "long text": ([b"b" * 4096], b"\x0e\x10\0\0\x01\0\xf0\0\x10\0\0" + b"b" * 4096 + b" \x85\xff"),
    "none": ([], b"\x07\0\0\0\0\0\xff"),
}


@pytest.mark.parametrize("name", KNOWN)
def test_known_bytes(name):
    texts, data = KNOWN[name]
    assert bytes(filled(texts)) == data
    assert probes.listpack_is_valid(data)
    checked(ListpackProbe(data), texts)


ELEMENTS = {
    0: "00 01", 127: "7f 01", 128: "c0 80 02", -1: "df ff 02", -4096: "d0 00 02", 4095: "cf ff 02",
    4096: "f1 00 10 03", -4097: "f1 ff ef 03", -32768: "f1 00 80 03", 32767: "f1 ff 7f 03",
    -32769: "f2 ff 7f ff 04", 32768: "f2 00 80 00 04", -8388608: "f2 00 00 80 04", 8388607: "f2 ff ff 7f 04",
    8388608: "f3 00 00 80 00 05", -2**31: "f3 00 00 00 80 05", 2**31 - 1: "f3 ff ff ff 7f 05",
    2**31: "f4 00 00 00 80 00 00 00 00 09", -2**63: "f4 00 00 00 00 00 00 00 80 09",
    2**63 - 1: "f4 ff ff ff ff ff ff ff 7f 09",
}


@pytest.mark.parametrize("number", ELEMENTS)
def test_integers(number):
    expected = bytes.fromhex(ELEMENTS[number])
    assert probes.element(b"%d" % number) == (len(expected), expected)
    listpack = ListpackProbe()
    listpack.append_int(number)
    assert bytes(listpack)[6:-1] == expected
    checked(listpack, [b"%d" % number])


@pytest.mark.parametrize("text", ODD_TEXTS)
def test_text_that_is_nearly_an_integer(text):
    assert probes.element(text) == (len(text) + 2, bytes([0x80 + len(text)]) + text + bytes([len(text) + 1]))
    checked(filled([text, b"1", text]), [text, b"1", text])


# Bytes of encoding and data -> the stored length. Redis takes a byte more from one below the power of two on.
@pytest.mark.parametrize("body, back", [
    (127, "7f"), (128, "01 80"), (16382, "7f fe"), (16383, "00 ff ff"), (16384, "01 80 80"),
    (2097150, "7f ff fe"), (2097151, "00 ff ff ff"), (2097152, "01 80 80 80")])
def test_stored_lengths(body, back):
    text = b"x" * (body - (2 if body < 4098 else 5))
    size, data = probes.element(text)
    assert size == len(data)
    assert data[body:] == bytes.fromhex(back)
    listpack = filled([b"before", text, b"behind"])
    assert listpack.sizes() == [8, size, 8]
    checked(listpack, [b"before", text, b"behind"])


def test_header():
    assert probes.header(0x01020304, 0x506) == b"\x04\x03\x02\x01\x06\x05"
    assert probes.header(7, 65534)[4:] == b"\xfe\xff"
    assert probes.header(7, 65535)[4:] == probes.header(7, 10**6)[4:] == b"\xff\xff"


# --- many elements

def test_more_elements_than_the_header_counts():
    listpack = ListpackProbe()
    for number in range(70_000):
        listpack.append_int(number % 100)
        if number in (65533, 65534, 65535):
            assert len(listpack) == number + 1
    assert bytes(listpack)[4:6] == b"\xff\xff"
    assert [listpack.at(index) for index in (0, 69_999, 70_000, -1, -70_000, -70_001, 65_540)] == [
        0, 99, None, 99, 0, None, 40]
    listpack.verify()
    assert listpack.delete(10, 69_000) == 10
    assert len(listpack) == 1000
    listpack.verify()


def test_concat_of_more_than_the_header_counts():
    half = ListpackProbe()
    for _ in range(40_000):
        half.append_int(7)
    whole = ListpackProbe(bytes(half))
    whole.concat(half)
    assert (len(whole), bytes(whole)[4:6]) == (80_000, b"\xff\xff")
    whole.verify()


# --- room

def test_rooms():
    """Steps of 8 bytes up to 512, as slabs have them, then of an eighth."""
    rooms = [probes.room_for(size) for size in range(1, 5000)]
    assert all(size <= room for size, room in enumerate(rooms, 1))
    assert all(room <= max(size + 7, size * 1.125) for size, room in enumerate(rooms, 1))
    assert sorted(set(rooms)) == [*range(8, 513, 8), *range(576, 1025, 64), *range(1152, 2049, 128),
                                  *range(2304, 4097, 256), 4608, 5120]
    assert all(probes.room_for(room) == room for room in rooms)


def test_an_empty_listpack_costs_8_bytes():
    assert ListpackProbe().used == 8


def test_room_is_given_back():
    """All the way up and down, it takes a quarter more than its bytes at most."""
    listpack = ListpackProbe()
    for _ in range(3000):
        listpack.append(b"0123456789")
        assert len(bytes(listpack)) <= listpack.charge == listpack.used <= len(bytes(listpack)) * 1.125 + 24
    for _ in range(3000):
        listpack.delete(0, 1)
        assert len(bytes(listpack)) <= listpack.charge == listpack.used <= len(bytes(listpack)) * 1.41 + 24
    assert listpack.used == 8


# --- foreign bytes

BASE = [b"name", b"12", b"x" * 70, b"-70000", b"", b"y" * 4097, b"5000000000", b"z"]


def mutations(data, seed, count):
    chance = random.Random(seed)
    for _ in range(count):
        mutated = bytearray(data)
        kind = chance.randrange(4)
        if kind == 0:
            del mutated[chance.randrange(len(mutated)):]
        elif kind == 1:
            at = chance.randrange(len(mutated))
            del mutated[at:at + chance.randint(1, 9)]
        elif kind == 2:
            at = chance.randrange(len(mutated))
            mutated[at:at] = chance.randbytes(chance.randint(1, 9))
        if kind == 3 or chance.random() < 0.3:
            for _ in range(chance.randint(1, 3)):
                if mutated:
                    mutated[chance.randrange(len(mutated))] = chance.choice((0, 1, 0x7f, 0x80, 0xff,
                                                                             chance.randrange(256)))
        if len(mutated) >= 6 and chance.random() < 0.7:
            mutated[:4] = len(mutated).to_bytes(4, "little")       # else hardly anything gets beyond the total
        yield bytes(mutated)


def read_all(data):
    """Walk what was said to be valid."""
    listpack = ListpackProbe(data)
    listpack.verify()
    items = listpack.items()
    assert items == listpack.items_backwards()[::-1]
    assert [listpack.at(index) for index in range(len(items))] == items
    assert all(listpack.find(text) is not None for text in listpack.texts())
    return items


@pytest.mark.parametrize("seed", range(20))
def test_broken_bytes(seed):
    """Where the probes put them, a byte read beyond either end would end the process."""
    chance = random.Random(seed)
    texts = chance.sample(BASE, 5)
    accepted = 0
    for data in mutations(bytes(filled(texts)), seed, 2000):
        if probes.listpack_is_valid(data):
            read_all(data)
            accepted += 1
        probes.listpack_is_valid(data, deep=False)
    assert accepted < 1000


@settings(max_examples=500, deadline=None)
@given(st.binary(max_size=60), st.integers(0, 5))
@example(b"\xff", 0)
@example(b"\x80\x01\xff", 1)
@example(b"\xf0\xff\xff\xff\xff\x05\xff", 1)
@example(b"\xe0\xff", 1)
@example(b"\xf5\x01\xff", 1)
@example(b"\x00\x02\xff", 1)
@example(b"\x00\x01\xff\xff", 1)
def test_any_elements(body, count):
    data = (6 + len(body)).to_bytes(4, "little") + count.to_bytes(2, "little") + body
    if probes.listpack_is_valid(data):
        assert len(read_all(data)) == count


def test_a_shallow_look_sees_total_and_end_only():
    data = bytearray(bytes(filled([b"one", b"two"])))
    assert probes.listpack_is_valid(bytes(data), deep=False)
    data[6] = 0xfe
    assert probes.listpack_is_valid(bytes(data), deep=False)
    assert not probes.listpack_is_valid(bytes(data))
    assert not probes.listpack_is_valid(bytes(data[:-1]), deep=False)
    assert not probes.listpack_is_valid(bytes(data[:-1]) + b"\0", deep=False)
    assert not probes.listpack_is_valid(b"", deep=False)


def test_a_count_that_says_nothing_is_valid():
    data = bytearray(bytes(filled([b"one", b"two"])))
    data[4:6] = b"\xff\xff"
    assert probes.listpack_is_valid(bytes(data))
    assert len(ListpackProbe(bytes(data))) == 2


def longer_than_needed():
    """Elements as no Redis writes them but as it reads them: (bytes, text)."""
    yield b"\x8212", b"12"
    yield b"\xc0\x05", b"5"
    yield b"\xdf\xff", b"-1"
    yield b"\xf1\x05\x00", b"5"
    yield b"\xf2\xff\xff\xff", b"-1"
    yield b"\xf3\x00\x10\x00\x00", b"4096"
    yield b"\xf4" + (77).to_bytes(8, "little"), b"77"
    yield b"\xe0\x03abc", b"abc"
    yield b"\xf0\x03\0\0\0abc", b"abc"
    yield b"\xf0\x41\0\0\0" + b"q" * 65, b"q" * 65
    yield b"\x8512345", b"12345"
    yield b"\xe0\x0a1234567890", b"1234567890"


def test_longer_encodings_than_needed_are_rewritten():
    """So that equal elements are equal bytes, which is how they are found."""
    body, texts = b"", []
    for data, text in longer_than_needed():
        body += data + bytes([len(data)]) + b"\x81-\x02"
        texts += [text, b"-"]
    data = (7 + len(body)).to_bytes(4, "little") + len(texts).to_bytes(2, "little") + body + b"\xff"
    assert probes.listpack_is_valid(data)
    assert bytes(ListpackProbe(data)) == bytes(filled(texts))
    listpack = ListpackProbe(data)
    assert [listpack.find(text) for text in texts] == [texts.index(text) for text in texts]
    checked(listpack, texts)


@pytest.mark.parametrize("offset, value, message", [
    (0, 0, "broken"), (4, 9, "broken"), (10, 9, "broken"), (-1, 0, "broken")])
def test_verify_sees_damage(offset, value, message):
    listpack = filled([b"one", b"two"])
    offset %= len(bytes(listpack))
    before = bytes(listpack)[offset]
    listpack.break_byte(offset, value)
    with pytest.raises(AssertionError, match=message):
        listpack.verify()
    listpack.break_byte(offset, before)
    listpack.verify()


def test_verify_sees_a_long_encoding():
    listpack = filled([b"one", b"ab"])
    listpack.break_byte(7, ord("1"))
    listpack.break_byte(8, ord("2"))
    listpack.break_byte(9, ord("3"))
    with pytest.raises(AssertionError, match="element at 6 of 16 bytes is not in its shortest form"):
        listpack.verify()


# --- a real server

@pytest.fixture(scope="module")
def client(modern_peer):
    """A client of a real server that writes listpacks as they are."""
    with peer_server(modern_peer.path, "--rdbcompression", "no", "--sanitize-dump-payload", "yes",
                     "--proto-max-bulk-len", "10mb") as server:
        yield server.client()


def packed_list(data):
    """A list of one node, as RDB files hold it."""
    return b"\x12" + write_length(1) + write_length(2) + write_length(len(data)) + data


def test_bytes_are_those_of_a_real_server(client):
    chance = random.Random(7)
    pool = [*ODD_TEXTS, *(b"%d" % number for number in INTEGERS), *(b"s" * size for size in SIZES)]
    for _ in range(300):
        texts = chance.choices(pool, k=chance.randint(1, 7))
        if sum(map(len, texts)) > 8000:
            continue
        client.call("DEL", "k")
        client.call("RPUSH", "k", *texts)
        assert client.call("DUMP", "k")[:-10] == packed_list(bytes(filled(texts)))


def test_a_real_server_takes_our_bytes(client):
    texts = [*ODD_TEXTS, *(b"%d" % number for number in INTEGERS), *(b"s" * size for size in SIZES)]
    client.call("DEL", "k")
    assert client.call("RESTORE", "k", "0", restore_payload(packed_list(bytes(filled(texts))))) == Status("OK")
    assert client.call("LRANGE", "k", "0", "-1") == texts


def test_a_real_server_finds_the_same_bytes_valid(client):
    """But for an empty list, which no key may be."""
    different = []
    for seed in range(3):
        for data in mutations(bytes(filled(BASE[seed:seed + 5])), seed, 300):
            client.call("DEL", "k")
            reply = client.call("RESTORE", "k", "0", restore_payload(packed_list(data)))
            if (reply == Status("OK")) != (probes.listpack_is_valid(data) and data[6:7] != b"\xff"):
                different.append(data)
    assert different == []


# --- how fast

def test_a_search_does_not_decode():
    """A loose bound, for busy machines: a search takes a few nanoseconds an element."""
    texts = [text for number in range(64) for text in (b"field:%d" % number, b"value %d" % number)]
    nanoseconds, found = probes.measure_find(texts, b"field:63", 1, 20_000)
    assert found
    assert nanoseconds / len(texts) < 100
