"""limits: its rate limiters, whose steps are scripts."""
import sys
import time
from concurrent.futures import ThreadPoolExecutor

from limits import parse, strategies
from limits.storage import storage_from_string

storage = storage_from_string(f"redis://127.0.0.1:{sys.argv[1]}")
assert storage.check()
for kind in (strategies.FixedWindowRateLimiter, strategies.MovingWindowRateLimiter,
             strategies.SlidingWindowCounterRateLimiter):
    storage.reset()
    limiter, limit = kind(storage), parse("10/minute")
    assert [limiter.hit(limit, "user", "1") for _ in range(12)] == [True] * 10 + [False] * 2, kind
    assert not limiter.test(limit, "user", "1") and limiter.test(limit, "user", "2")
    window = limiter.get_window_stats(limit, "user", "1")
    assert window.remaining == 0 and time.time() < window.reset_time <= time.time() + 61, window
    assert limiter.get_window_stats(limit, "user", "2").remaining == 10
    assert limiter.hit(limit, "user", "2", cost=9) and not limiter.hit(limit, "user", "2", cost=2)
    limiter.clear(limit, "user", "1")
    assert limiter.hit(limit, "user", "1")
    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(limiter.hit, [limit] * 100, ["crowd"] * 100)) == 10
    storage.reset()
    brief = parse("3/second")
    assert [limiter.hit(brief, "brief") for _ in range(3)] == [True] * 3
    time.sleep(2.1)
    assert limiter.hit(brief, "brief"), kind
assert storage.reset() is not None
