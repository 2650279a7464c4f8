"""taskiq's stream broker: tasks that workers of a group share, results, failures, what a lost worker has left."""
import asyncio
import sys

from redis.asyncio import Redis
from taskiq.api import run_receiver_task
from taskiq_redis import RedisAsyncResultBackend, RedisStreamBroker

URL = f"redis://127.0.0.1:{sys.argv[1]}"


def broker_of(name, **options):
    return RedisStreamBroker(URL, queue_name="tasks", consumer_name=name, **options).with_result_backend(
        RedisAsyncResultBackend(URL))


async def main():
    redis = Redis.from_url(URL)
    await redis.flushall()
    broker = broker_of("one", idle_timeout=300)

    @broker.task(task_name="add")
    async def add(a, b):
        return a + b

    @broker.task(task_name="fail")
    async def fail():
        raise ValueError("no")

    await broker.startup()
    worker = asyncio.create_task(run_receiver_task(broker))
    tasks = [await add.kiq(n, 1) for n in range(50)]
    results = [await task.wait_result(timeout=30) for task in tasks]
    assert [result.return_value for result in results] == list(range(1, 51))
    failed = await (await fail.kiq()).wait_result(timeout=30)
    assert failed.is_err and isinstance(failed.error, ValueError)
    group, = await redis.xinfo_groups("tasks")
    assert group["pending"] == 0 and group["entries-read"] == 51 and group["lag"] == 0, group
    worker.cancel()
    await asyncio.gather(worker, return_exceptions=True)
    # A worker that reads a task and is lost: another one claims it.
    left = await add.kiq(20, 22)
    read = await redis.xreadgroup(group["name"], "lost", {"tasks": ">"}, count=1)
    assert len(read[0][1]) == 1
    worker = asyncio.create_task(run_receiver_task(broker))
    assert (await left.wait_result(timeout=60)).return_value == 42
    worker.cancel()
    await asyncio.gather(worker, return_exceptions=True)
    await broker.shutdown()
    await redis.aclose()


asyncio.run(main())
