"""Dramatiq: messages, delays, retries, results, groups, rate limiters. Its broker is one large script."""
import sys
import time

import dramatiq
from dramatiq.brokers.redis import RedisBroker
from dramatiq.rate_limits import BucketRateLimiter, ConcurrentRateLimiter, WindowRateLimiter
from dramatiq.rate_limits.backends import RedisBackend as LimitBackend
from dramatiq.results import Results
from dramatiq.results.backends import RedisBackend as ResultBackend

PORT = int(sys.argv[1])
MS = 60_000

broker = RedisBroker(port=PORT, maintenance_chance=100_000)
broker.add_middleware(Results(backend=ResultBackend(port=PORT)))
dramatiq.set_broker(broker)
seen = []


@dramatiq.actor(store_results=True)
def add(x, y):
    return x + y


@dramatiq.actor(max_retries=3, min_backoff=20, max_backoff=50)
def flaky():
    seen.append(1)
    if len(seen) < 3:
        raise RuntimeError("again")


@dramatiq.actor(max_retries=0)
def broken():
    raise RuntimeError("broken")


broker.flush_all()
worker = dramatiq.Worker(broker, worker_timeout=100, worker_threads=4)
worker.start()
try:
    messages = [add.send(n, n) for n in range(50)]
    assert [m.get_result(block=True, timeout=MS) for m in messages] == [2 * n for n in range(50)]
    began = time.monotonic()
    assert add.send_with_options(args=(1, 2), delay=700).get_result(block=True, timeout=MS) == 3
    assert time.monotonic() - began > 0.6
    group = dramatiq.group([add.message(n, 1) for n in range(10)]).run()
    assert list(group.get_results(block=True, timeout=MS)) == list(range(1, 11))
    pipe = (add.message(1, 2) | add.message(10) | add.message(100)).run()
    assert pipe.get_result(block=True, timeout=MS) == 113
    flaky.send()
    broken.send()
    deadline = time.monotonic() + 30
    while len(seen) < 3:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    broker.join(add.queue_name, timeout=MS)
    worker.join()
    assert len(seen) == 3
finally:
    worker.stop()
backend = LimitBackend(port=PORT)
window = WindowRateLimiter(backend, "window", limit=3, window=60)
taken = []
for _ in range(5):
    with window.acquire(raise_on_failure=False) as acquired:
        taken.append(acquired)
assert taken == [True] * 3 + [False] * 2, taken
one = ConcurrentRateLimiter(backend, "one", limit=1)
with one.acquire() as first, one.acquire(raise_on_failure=False) as second:
    assert first and not second
bucket = BucketRateLimiter(backend, "bucket", limit=1, bucket=60_000)
with bucket.acquire(raise_on_failure=False) as first:
    assert first
