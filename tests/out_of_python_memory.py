"""Python's n-th allocation fails, for every n, under each write command: a MemoryError where nobody expects one.

    python -m tests.out_of_python_memory [words of a case's name]

Each n is tried in a child of an engine that holds the case's data. What may come of it:
  - the process ends, with a report
  - an error is replied, or the connection is lost: the data are as they were, and nothing is propagated
  - the command was executed, whether or not its reply arrives: data and what is propagated are as ever
Anything else is a fault: half a change, a signal, a child that hangs, a server that does not answer the next client.
Needs CPython's own _testcapi. The commands of a case come in one read.
"""
import _testcapi
import os
import pickle
import signal
import sys
import tempfile
import time

from tests.effect_rows import all_effects
from tests.local import Local, words
from tests.out_of_memory import CHILD_SECONDS, MORE, lines_of, look
from tests.resp import Error, encode

ENDED = "the engine has ended the process"


def cases():
    """{name: (setup, commands)}, both as lines."""
    found = {f"{name} ({line.split()[0]})": (setup, line) for name, (setup, line, *_) in all_effects()}
    return found | {name: case for name, case in MORE.items() if "big" not in name}


def end(text, is_bug):
    """For Engine.on_fatal."""
    os.write(2, ENDED.encode())
    os._exit(1)


def run(client, data, n):
    """Hand the engine the bytes while the n-th allocation fails; whether the connection lives."""
    connection = client.connection
    if n:
        _testcapi.set_nomemory(n, n + 1)
    try:
        connection.data_received(data)
    except MemoryError:                 # a loop closes the connection then
        _testcapi.remove_mem_hooks()
        client.socket.abort()
    finally:
        _testcapi.remove_mem_hooks()
    return not client.socket.closed


def attempt(local, client, data, n):
    """What came of it in a child: None if it ended with a report, else (whether the client lives, output, look())."""
    reader, writer = os.pipe()
    with tempfile.TemporaryFile() as said:
        pid = os.fork()
        if pid == 0:
            status = 70
            try:
                os.dup2(said.fileno(), 1)
                os.dup2(said.fileno(), 2)
                signal.signal(signal.SIGALRM, signal.SIG_DFL)
                signal.alarm(CHILD_SECONDS)
                lives = run(client, data, n)
                answer = pickle.dumps((lives, bytes(client.socket.output), look(local)))
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
        told = said.read().decode(errors="replace")
    if status and ENDED in told:
        return None
    assert status == 0, f"allocation {n}: status {os.waitstatus_to_exitcode(status)}: {told[-500:]}"
    return pickle.loads(answer)


def check(setup, line, most=100_000):
    """Try a case with each n up to the first that changes nothing; how often it came out how."""
    counts = {"ended": 0, "undone": 0, "done": 0}
    local = Local("enable-debug-command yes\n")
    with local:
        local.engine.on_fatal = end
        client = local.client()
        for each in lines_of(setup):
            reply = client.call(*words(each))
            assert not isinstance(reply, Error), f"{each}: {reply}"
        data = b"".join(encode(*words(each)) for each in lines_of(line))
        local.notes.take()
        before = look(local)
        plain = attempt(local, client, data, 0)
        for n in range(1, most):
            tried = attempt(local, client, data, n)
            if tried is None:
                counts["ended"] += 1
                continue
            lives, output, state = tried
            if state == plain[2]:
                counts["done"] += 1
                assert not lives or output, f"allocation {n}: no reply, and the client waits"
                if tried == plain and n > 30:
                    break
            else:
                counts["undone"] += 1
                assert state == before, f"allocation {n}: half a change: {output!r}, {state} instead of {plain[2]}"
                assert not lives or b"-" in output, f"allocation {n}: no error: {output!r}"
    return counts


def main():
    failed = 0
    for name, (setup, line) in cases().items():
        if not all(word.lower() in name.lower() for word in sys.argv[1:]):
            continue
        started = time.monotonic()
        try:
            print(f"{name}: {check(setup, line)}, {time.monotonic() - started:.1f} s", flush=True)
        except AssertionError as error:
            failed += 1
            print(f"{name}: FAILED: {error}", flush=True)
    raise SystemExit(failed > 0)


if __name__ == "__main__":
    main()
