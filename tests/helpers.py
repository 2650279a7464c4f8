"""What tests of several files share: waiting for something, INFO, processes, and how costs grow.

Servers are in tests.servers, an engine in the test's own process in tests.local, rows of commands in tests.rows.
"""
import contextlib
import os
import signal
import time
from pathlib import Path

PATIENCE_SECONDS = 60                   # for what takes a fraction of a second on an idle machine
PAUSE_SECONDS = 0.02
TRIES = 5
TIMES = 4                               # as many are measured as well
RATIO = 9                               # so much more they may cost: in proportion it is 4, with the square 16


def wait_until(condition, what="nothing came of it", seconds=PATIENCE_SECONDS):
    """Wait for a condition to come true -> what it returned.

    Errors: AssertionError with `what`, a text or a function that makes one, when it does not.
    """
    give_up = time.monotonic() + seconds
    pause = PAUSE_SECONDS / 16
    while not (found := condition()):
        assert time.monotonic() < give_up, f"waited {seconds} s in vain: {what() if callable(what) else what}"
        time.sleep(pause)
        pause = min(2 * pause, PAUSE_SECONDS)
    return found


def children(pid):
    """The process ids of a process's children, the dead ones left out. A thread may have forked them."""
    found = " ".join(read_process(path) or "" for path in Path(f"/proc/{pid}/task").glob("*/children"))
    return [int(child) for child in found.split() if state(child) not in (None, "Z")]


def state(pid):
    """The letter that says what a process does; None: there is no such process."""
    text = read_process(Path(f"/proc/{pid}/stat"))
    return text and text.rpartition(")")[2].split()[0]


def read_process(path):
    """A file of /proc that tells of a process; None: there is no such process, or it ended while it was read."""
    try:
        return path.read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None


@contextlib.contextmanager
def held(pid):
    """Hold a server that waits for work: what comes meanwhile it finds in one turn, in that order."""
    wait_until(lambda: state(pid) == "S")
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def info(client, section="everything"):
    """A section of INFO as {field: text}."""
    lines = client.call("INFO", section).decode().splitlines()
    return dict(line.split(":", 1) for line in lines if ":" in line)


def info_number(client, field):
    """A field of INFO as an integer."""
    return int(info(client)[field])


def wait_for_blocked(client, count):
    """Wait until so many clients wait; `client` is another one."""
    def blocked():
        return info(client, "clients")["blocked_clients"]

    wait_until(lambda: blocked() == str(count), lambda: f"{blocked()} clients wait, not {count}")


def cpu_seconds(run):
    """The CPU time of this process that a call takes."""
    started = time.process_time()
    run()
    return time.process_time() - started


def assert_in_proportion(measure, few):
    """Four times as many cost no more than some four times as much. measure(n) -> seconds that n take.

    The best of several tries counts, since other work on the machine disturbs.
    """
    ratios = []
    for _ in range(TRIES):
        ratios.append(measure(few * TIMES) / max(measure(few), 1e-4))
        if ratios[-1] < RATIO:
            return
    raise AssertionError(f"{TIMES} times as many cost {ratios} times as much")
