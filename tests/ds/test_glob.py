"""fastredis.ds.glob against a slow model of the pattern language, and against a real server's KEYS and COMMAND LIST."""
import random
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.ds import value_probes as probes

PEER = pytest.mark.parametrize("either_server", ["peer"], indirect=True)
ANY = frozenset(range(256))
STAR = "star"
# Few letters, so that patterns match now and then; the rest are the bytes with a meaning, or with the high bit.
ALPHABET = b"abAB-*?[]^\\\0\xff\x80"

EDGES = [
    # pattern, text, whether they match, and whether they do without regard to case
    (b"", b"", True, True), (b"", b"a", False, False), (b"*", b"", False, False), (b"**", b"", False, False),
    (b"*", b"a", True, True), (b"a*", b"a", True, True), (b"a**", b"a", True, True), (b"?", b"", False, False),
    (b"h?llo", b"hallo", True, True), (b"h*llo", b"hllo", True, True), (b"h[ae]llo", b"hillo", False, False),
    (b"h[^e]llo", b"hallo", True, True), (b"h[a-b]llo", b"hbllo", True, True), (b"h[b-a]llo", b"hallo", True, True),
    (b"h\\*llo", b"h*llo", True, True), (b"h\\*llo", b"hxllo", False, False), (b"a\\", b"a\\", True, True),
    (b"a\\", b"a", False, False), (b"ABC", b"abc", False, True), (b"[A-C]", b"b", False, True),
    (b"[Z-a]", b"z", False, False), (b"[\\A]", b"a", False, False), (b"[a", b"a", True, True),
    (b"[a", b"ab", False, False), (b"[^a", b"b", True, True), (b"[", b"[", False, False), (b"[^", b"x", True, True),
    (b"[]", b"]", False, False), (b"[]a]", b"]", False, False), (b"[^]", b"x", True, True),
    (b"[^]a", b"xa", True, True), (b"[\\]]", b"]", True, True), (b"[\\", b"\\", True, True), (b"[a-", b"-", True, True),
    (b"[a-]", b"b", False, False), (b"[a-]", b"^", True, True), (b"[\x80-\x7f]", b"\0", True, True),
    (b"[\x01-\xff]", b"\0", True, True), (b"[\x01-\xff]", b"\x02", False, False),
    (b"*a*b*c", b"xxaxxbxxc", True, True), (b"*a*b*c", b"xxaxxbxx", False, False),
    (b"*\0", b"a\0", True, True), (b"*[ab]?", b"xxbax", True, True), (b"*a", b"aab", False, False),
]


def fold(byte):
    return byte + 32 if 65 <= byte <= 90 else byte


def signed(byte):
    return byte - 256 if byte > 127 else byte


def class_members(pattern, at, nocase):
    """The bytes that the class at pattern[at:], behind its bracket, matches, and where it ends."""
    members = set()
    negated = pattern[at:at + 1] == b"^"
    at += negated
    while at < len(pattern) and pattern[at] != ord("]"):
        if pattern[at] == ord("\\") and at + 1 < len(pattern):
            members.add(pattern[at + 1])
            at += 2
        elif pattern[at + 1:at + 2] == b"-" and at + 2 < len(pattern):
            low, high = sorted((signed(pattern[at]), signed(pattern[at + 2])))
            if nocase:
                low, high = fold(low), fold(high)
            members |= {byte for byte in ANY if low <= signed(fold(byte) if nocase else byte) <= high}
            at += 3
        else:
            members |= {byte for byte in ANY if byte == pattern[at] or (nocase and fold(byte) == fold(pattern[at]))}
            at += 1
    return (ANY - members if negated else members), at + 1


def elements(pattern, nocase):
    """The pattern as a list: STAR, or the set of the bytes that match at that place."""
    parsed, at = [], 0
    while at < len(pattern):
        char = pattern[at:at + 1]
        at += 1
        if char == b"*":
            parsed.append(STAR)
        elif char == b"?":
            parsed.append(ANY)
        elif char == b"[":
            members, at = class_members(pattern, at, nocase)
            parsed.append(members)
        else:
            if char == b"\\" and at < len(pattern):
                char = pattern[at:at + 1]
                at += 1
            parsed.append({byte for byte in ANY if byte == char[0] or (nocase and fold(byte) == fold(char[0]))})
    return parsed


def model(pattern, text, nocase=False):
    """Follow all ways to match at once: `reached` are the lengths of text that the elements so far can match."""
    if not text:
        return not pattern
    reached = {0}
    for element in elements(pattern, nocase):
        if element is STAR:
            reached = set(range(min(reached), len(text) + 1)) if reached else set()
        else:
            reached = {at + 1 for at in reached if at < len(text) and text[at] in element}
    return len(text) in reached


@pytest.mark.parametrize(("pattern", "text", "exact", "folded"), EDGES)
def test_edges(pattern, text, exact, folded):
    assert probes.matches(pattern, text) is exact
    assert probes.matches(pattern, text, nocase=True) is folded


WORDS = st.lists(st.sampled_from(ALPHABET), max_size=12).map(bytes)


@given(WORDS, WORDS, st.booleans())
def test_same_as_the_model(pattern, text, nocase):
    assert probes.matches(pattern, text, nocase) == model(pattern, text, nocase)


ELEMENTS = [b"a", b"b", b"*", b"?", b"[ab]", b"[^a]", b"[a-b]", b"\\*"]


@given(st.lists(st.sampled_from(ELEMENTS), max_size=8).map(b"".join),
       st.lists(st.sampled_from(b"ab*"), max_size=16).map(bytes))
def test_same_as_the_model_where_many_match(pattern, text):
    assert probes.matches(pattern, text) == model(pattern, text)


@given(WORDS)
def test_without_wildcards_a_pattern_is_the_string(pattern):
    assert probes.has_wildcards(pattern) == any(byte in b"*?[\\" for byte in pattern)
    if not probes.has_wildcards(pattern):
        assert probes.matches(pattern, pattern)


@given(WORDS, WORDS)
def test_without_wildcards_nothing_else_matches(pattern, text):
    if not probes.has_wildcards(pattern):
        assert probes.matches(pattern, text) == (pattern == text)


@pytest.mark.parametrize("pattern", [
    b"a*" * 50 + b"b", b"*a" * 999 + b"*b", b"*" * 100_000 + b"b", b"*[^b]" * 1000 + b"b", b"?*" * 1000 + b"b"])
def test_hostile_patterns_cost_at_most_their_product(pattern):
    started = time.thread_time()
    assert not probes.matches(pattern, b"a" * 10_000)
    assert probes.matches(pattern, b"a" * 10_000 + b"b")
    assert time.thread_time() - started < 5


def test_more_than_a_thousand_stars_match_nothing():
    assert probes.matches(b"*a" * 1000, b"a" * 3000)
    assert probes.matches(b"*a" * 1000 + b"*", b"a" * 3000)
    assert probes.matches(b"*" * 3000 + b"a", b"a" * 3000)
    assert not probes.matches(b"*a" * 1001, b"a" * 3000)


@PEER
def test_keys_are_those_of_the_peer(either_server):
    chance = random.Random(1)
    words = {bytes(chance.choices(ALPHABET, k=chance.randrange(9))) for _ in range(1500)}
    words |= {text for _, text, _, _ in EDGES}
    patterns = {bytes(chance.choices(ALPHABET, k=chance.randrange(9))) for _ in range(3000)}
    patterns |= {pattern for pattern, _, _, _ in EDGES}
    # KEYS and its star alone do not come to the matcher.
    patterns.discard(b"*")
    with either_server() as server, server.client() as client:
        client.call("MSET", *(argument for word in words for argument in (word, "v")))
        for pattern in patterns:
            found = client.call("KEYS", pattern)
            assert set(found) == {word for word in words if probes.matches(pattern, word)}, pattern


@PEER
def test_matching_without_case_is_that_of_the_peer(either_server):
    chance = random.Random(2)
    with either_server() as server, server.client() as client:
        names = client.call("COMMAND", "LIST")
        total = 0
        for _ in range(1500):
            name = chance.choice(names).swapcase() if chance.random() < 0.5 else chance.choice(names)
            pattern = bytes(chance.choice(b"*?[]^-\\aZ") if chance.random() < 0.2 else byte for byte in name)
            found = client.call("COMMAND", "LIST", "FILTERBY", "PATTERN", pattern)
            assert set(found) == {name for name in names if probes.matches(pattern, name, nocase=True)}, pattern
            total += len(found)
        assert total > 100
