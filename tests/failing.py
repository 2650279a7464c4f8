"""What the tools that make allocations fail have in common: a child in which it happens, and what may come of it."""
import os
import pickle
import resource
import signal
import sys
import tempfile
import time

from fastredis.host.crash import exit_without_memory

CHILD_SECONDS = 120
DIGEST = 40                     # digits that DEBUG DIGEST replies
REPORT = "Guru Meditation: "    # with which a process without memory ends


def in_child(work, name):
    """What work() returns in a fork; None: it ended with a report. AssertionError, with the name: any other end."""
    reader, writer = os.pipe()
    with tempfile.TemporaryFile() as said:
        pid = os.fork()
        if pid == 0:
            status = 70
            try:
                os.close(reader)
                os.dup2(said.fileno(), 1)
                os.dup2(said.fileno(), 2)
                resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
                signal.signal(signal.SIGALRM, signal.SIG_DFL)
                signal.alarm(CHILD_SECONDS)
                exit_without_memory(True)       # a sanitizer takes abort() for an error of its own
                answer = pickle.dumps(work())
                with os.fdopen(writer, "wb") as file:
                    file.write(answer)
                status = 0
            except BaseException as error:
                os.write(2, f"{type(error).__name__}: {error}\n".encode())
            finally:
                os._exit(status)
        os.close(writer)
        with os.fdopen(reader, "rb") as file:
            answer = file.read()
        _, status = os.waitpid(pid, 0)
        said.seek(0)
        told = f"{name}: {said.read().decode(errors='replace')}"
    assert "Sanitizer" not in told and "runtime error" not in told, told
    if os.waitstatus_to_exitcode(status) == 1 and REPORT in told:
        return None
    assert status == 0, f"status {os.waitstatus_to_exitcode(status)}: {told[:2000]}"
    return pickle.loads(answer)


def look(local):
    """(digest of the data, what was propagated)."""
    client = local.client()
    try:
        digest = client.call("DEBUG", "DIGEST")
        assert len(digest) == DIGEST, digest
        return digest, local.notes.take()
    finally:
        client.close()


def try_all(cases, check):
    """The command line: check those cases that have the words in their names, and exit with 1 if one failed."""
    failed = 0
    for name, case in cases.items():
        if not all(word.lower() in name.lower() for word in sys.argv[1:]):
            continue
        started = time.monotonic()
        try:
            print(f"{name}: {check(case)}, {time.monotonic() - started:.1f} s", flush=True)
        except AssertionError as error:
            failed += 1
            print(f"{name}: FAILED: {error}", flush=True)
    raise SystemExit(failed > 0)
