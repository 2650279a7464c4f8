"""Huey: tasks, results, schedules, retries, locks, pipelines."""
import sys
import time
from datetime import datetime, timedelta

from huey import PriorityRedisHuey, RedisExpireHuey, RedisHuey
from huey.exceptions import TaskLockedException

for kind in (RedisHuey, PriorityRedisHuey, RedisExpireHuey):
    huey = kind("app", port=int(sys.argv[1]))
    huey.flush()
    calls = []

    @huey.task()
    def add(x, y):
        return x + y

    @huey.task(retries=2, retry_delay=0)
    def flaky(calls=calls):
        calls.append(1)
        if len(calls) < 3:
            raise ValueError("again")
        return len(calls)

    consumer = huey.create_consumer(workers=2, periodic=False, initial_delay=0.02, max_delay=0.05, scheduler_interval=1)
    consumer.start()
    try:
        assert [r.get(blocking=True, timeout=30) for r in [add(n, n) for n in range(30)]] == [2 * n for n in range(30)]
        later = add.schedule((1, 2), eta=datetime.now() + timedelta(seconds=1))
        assert later.get() is None and later.get(blocking=True, timeout=30) == 3
        assert huey.enqueue(add.s(1, 2).then(add, 10)).get(blocking=True, timeout=30) == [3, 13]
        revoked = add.schedule((1, 2), delay=1)
        revoked.revoke()
        flaky()
        deadline = time.monotonic() + 30
        while len(calls) < 3:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        time.sleep(2.2)
        assert revoked.get() is None
    finally:
        consumer.stop(graceful=True)
    with huey.lock_task("one"):
        try:
            with huey.lock_task("one"):
                raise AssertionError("locked twice")
        except TaskLockedException:
            pass
    with huey.lock_task("one"):
        pass
    huey.flush()
