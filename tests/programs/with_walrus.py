"""walrus: locks, rate limits, caches, containers and full-text search, several of them by scripts."""
import sys
import time

from walrus import Database
from walrus.rate_limit import RateLimitException

db = Database(port=int(sys.argv[1]))
db.flushall()
lock, other = db.lock("lock", ttl=2000), db.lock("lock", ttl=2000)
assert lock.acquire() and not other.acquire(block=False)
assert not other.release() and lock.release()
assert other.acquire(block=False)
other.clear()
with db.lock("lock", ttl=500):
    pass
limiter = db.rate_limit("limit", limit=3, per=60)
assert [limiter.limit("x") for _ in range(5)] == [False, False, False, True, True]


@limiter.rate_limited(key_function=lambda *args, **options: "y")
def limited():
    return 1


assert [limited() for _ in range(3)] == [1, 1, 1]
try:
    limited()
    raise AssertionError("not limited")
except RateLimitException:
    pass
cache = db.cache("cache", default_timeout=10)
assert cache.get("a") is None and cache.set("a", 1) and cache.get("a") == 1
counter = []


@cache.cached(timeout=1)
def cached(n):
    counter.append(n)
    return n * 2


assert cached(4) == cached(4) == 8 and counter == [4]
time.sleep(1.1)
assert cached(4) == 8 and counter == [4, 4]
h, items, members, scores = db.Hash("h"), db.List("l"), db.Set("s"), db.ZSet("z")
h.update(a=1, b="2")
assert h.as_dict(decode=True) == {"a": "1", "b": "2"}
items.extend(["a", "b", "c", "d"])
assert items[1:3] == [b"b", b"c"] and len(items) == 4
members.add("x", "y", "z")
assert "x" in members and len(members) == 3
scores.add({"a": 3, "b": 1, "c": 2})
assert list(scores[:2]) == [b"b", b"c"]
bits = db.bit_field("bits")
assert bits.incrby("u8", 0, 5).execute() == [5]
bloom = db.bloom_filter("bloom")
bloom.add("in")
assert "in" in bloom and "out" not in bloom
words = db.autocomplete()
for title in ("quick fox", "quick dog", "lazy dog"):
    words.store(title)
assert sorted(words.search("quick")) == ["quick dog", "quick fox"]
index = db.Index("docs")
index.add("1", "the quick brown fox", kind="a")
index.add("2", "a lazy brown dog", kind="b")
assert sorted(d["kind"] for d in index.search("brown")) == ["a", "b"]
graph = db.graph("g")
graph.store("charlie", "likes", "huey")
assert [row["o"] for row in graph.query("charlie", "likes")] == ["huey"]
