"""pydocket: tasks in a stream, scheduled ones, retries, keys that are there once, cancelled ones."""
import asyncio
import sys
from datetime import UTC, datetime, timedelta

from docket import Docket, Retry, Worker
from redis.asyncio import Redis

URL = f"redis://127.0.0.1:{sys.argv[1]}/0"
done, tries = [], []


async def note(number):
    done.append(number)


async def fail_twice(retry: Retry = Retry(attempts=3)):  # noqa: B008
    tries.append(retry.attempt)
    if len(tries) < 3:
        raise ValueError("not yet")


async def main():
    redis = Redis.from_url(URL)
    await redis.flushall()
    async with Docket(name="work", url=URL) as docket:
        for task in (note, fail_twice):
            docket.register(task)
        async with Worker(docket, concurrency=4) as worker:
            for number in range(40):
                await docket.add(note)(number)
            for _ in range(2):                                  # the same key: once
                await docket.add(note, key="once")(100)
            await docket.add(note, when=datetime.now(UTC) + timedelta(milliseconds=300))(200)
            await docket.add(note, when=datetime.now(UTC) + timedelta(hours=1), key="never")(300)
            await docket.cancel("never")
            await docket.add(fail_twice)()
            await asyncio.wait_for(worker.run_until_finished(), 60)
        assert sorted(done) == [*range(40), 100, 200] and tries == [1, 2, 3], (sorted(done), tries)
    await redis.aclose()


asyncio.run(main())
