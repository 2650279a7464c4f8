"""Celery with its broker and its results in Redis: tasks, groups, chords, chains, retries, ETA, revocation."""
import os
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta

from celery import Celery, chain, chord, group

PORT = os.environ.get("PROGRAM_PORT") or sys.argv[1]
URL = f"redis://127.0.0.1:{PORT}"
SECONDS = 60

app = Celery("with_celery", broker=f"{URL}/0", backend=f"{URL}/1")
app.conf.update(task_track_started=True, result_expires=600, broker_connection_retry_on_startup=True,
                task_default_priority=3, broker_transport_options={"visibility_timeout": 600})


@app.task
def add(x, y):
    return x + y


@app.task
def total(numbers):
    return sum(numbers)


@app.task(bind=True, max_retries=3)
def flaky(self, fail):
    if self.request.retries < fail:
        raise self.retry(countdown=0.1)
    return self.request.retries


@app.task
def broken():
    raise ValueError("broken")


def try_everything():
    assert app.control.ping(timeout=5), "no worker"
    assert add.delay(2, 3).get(timeout=SECONDS) == 5
    assert group(add.s(i, i) for i in range(20))().get(timeout=SECONDS) == [2 * i for i in range(20)]
    assert chord([add.s(i, 1) for i in range(10)])(total.s()).get(timeout=SECONDS) == 55
    assert chain(add.s(1, 2), add.s(10), add.s(100))().get(timeout=SECONDS) == 113
    assert flaky.delay(2).get(timeout=SECONDS) == 2
    failure = broken.delay()
    assert isinstance(failure.get(timeout=SECONDS, propagate=False), ValueError) and failure.status == "FAILURE"
    began = time.monotonic()
    assert add.apply_async((1, 1), eta=datetime.now(UTC) + timedelta(seconds=1.5)).get(timeout=SECONDS) == 2
    assert time.monotonic() - began > 1.4
    assert add.apply_async((1, 1), priority=9).get(timeout=SECONDS) == 2
    revoked = add.apply_async((1, 1), countdown=2)
    revoked.revoke()
    kept = add.apply_async((4, 4), countdown=3)
    assert kept.get(timeout=SECONDS) == 8
    assert revoked.status == "REVOKED", revoked.status
    assert add.delay(1, 2).forget() is None


def main():
    command = [sys.executable, "-m", "celery", "-A", "with_celery", "worker", "--pool", "threads", "-c", "4",
               "--loglevel", "INFO"]
    folder = os.path.dirname(os.path.abspath(__file__))
    worker = subprocess.Popen(command, env=dict(os.environ, PROGRAM_PORT=PORT, PYTHONPATH=folder))
    try:
        deadline = time.monotonic() + SECONDS
        while not app.control.ping(timeout=0.5):
            assert time.monotonic() < deadline, "the worker does not answer"
        try_everything()
    finally:
        worker.send_signal(signal.SIGTERM)
        assert worker.wait(SECONDS) == 0


if __name__ == "__main__":
    main()
