"""RQ: jobs, results (which it keeps in streams), failures, retries, dependencies, the scheduler."""
import sys
import time
from datetime import timedelta

from redis import Redis
from rq import Queue, Retry, SimpleWorker, Worker
from rq.registry import FailedJobRegistry, FinishedJobRegistry, ScheduledJobRegistry

connection = Redis(port=int(sys.argv[1]))
queue = Queue("default", connection=connection)
low = Queue("low", connection=connection)


def burst(kind=SimpleWorker, **options):
    worker = kind([queue, low], connection=connection)
    worker.work(burst=True, logging_level="WARNING", **options)
    return worker


def states(jobs):
    return [str(getattr(job.get_status(refresh=True), "value", job.get_status())) for job in jobs]


connection.flushall()
jobs = [queue.enqueue("math.gcd", 12, n) for n in range(1, 31)]
bad = queue.enqueue("math.sqrt", -1)
again = queue.enqueue("math.sqrt", -1, retry=Retry(max=2))
last = queue.enqueue("operator.add", 2, 3, depends_on=jobs[-1])
other = low.enqueue("operator.mul", 6, 7, meta={"who": "x"})
assert len(queue) == 32 and states([last]) == ["deferred"]
burst()
assert states(jobs) == ["finished"] * 30
assert [job.return_value() for job in jobs[:6]] == [1, 2, 3, 4, 1, 6]
assert states([bad, again, last, other]) == ["failed", "failed", "finished", "finished"]
assert last.return_value() == 5 and other.return_value() == 42 and other.meta == {"who": "x"}
assert [str(each.type) for each in bad.results()] == ["Type.FAILED"] and "math domain" in bad.latest_result().exc_string
assert again.results() and last.latest_result().return_value == 5
assert set(FailedJobRegistry(queue=queue).get_job_ids()) == {bad.id, again.id}
assert len(FinishedJobRegistry(queue=queue)) == 31
many = queue.enqueue_many([Queue.prepare_data("operator.add", (n, n)) for n in range(5)])
burst(Worker)                               # each job in a process of its own
assert [job.return_value() for job in many] == [0, 2, 4, 6, 8]
later = queue.enqueue_in(timedelta(seconds=1), "operator.add", 1, 1)
assert later.id in ScheduledJobRegistry(queue=queue)
time.sleep(1.2)
burst(with_scheduler=True)
deadline = time.monotonic() + 20
while states([later]) != ["finished"]:
    assert time.monotonic() < deadline, states([later])
    time.sleep(0.2)
    burst(with_scheduler=True)
assert later.return_value() == 2
cancelled = queue.enqueue("operator.add", 1, 1)
cancelled.cancel()
assert states([cancelled]) == ["canceled"] and len(queue) == 0
assert FailedJobRegistry(queue=queue).requeue(bad.id) and len(queue) == 1
queue.empty()
assert len(queue) == 0
queue.delete()
