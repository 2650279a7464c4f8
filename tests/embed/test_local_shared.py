"""server.engine in many hands: who waits, who gives up, what raises, and calls out of the middle of a command."""
import asyncio
import gc
import os
import random
import signal
import threading
import time

import pytest

import fastredis
from fastredis import ClosedError, FastredisError
from tests.helpers import wait_until


@pytest.fixture(scope="module")
def shared():
    with fastredis.Server() as server:
        yield server


@pytest.fixture
def engine(shared):
    shared.engine.execute("FLUSHALL")
    return shared.engine


def clients(engine):
    return engine.execute("CLIENT", "LIST").count(b"\n")


class Waiting:
    """A thread that waits for a list with a client."""

    def __init__(self, engine, *command):
        self.answer = None
        self.thread = threading.Thread(target=self.run, args=(engine, *(command or ("BLPOP", "list", 0))))
        self.before = self.blocked(engine)
        self.thread.start()
        wait_until(lambda: self.blocked(engine) == self.before + 1)

    @staticmethod
    def blocked(engine):
        with engine.new_client(decode=False) as client:
            line = client.execute("INFO", "clients").partition(b"blocked_clients:")[2]
        return int(line.partition(b"\r")[0])

    def run(self, engine, *command):
        try:
            self.answer = engine.execute(*command)
        except (FastredisError, UnicodeDecodeError) as error:
            self.answer = error

    def end(self):
        self.thread.join(10)
        assert not self.thread.is_alive()
        return self.answer


# --- spare clients ------------------------------------------------------------------------

def test_commands_beside_a_wait_leave_no_clients(engine):
    before = clients(engine)
    waiting = Waiting(engine)
    for i in range(50):
        assert engine.execute("ECHO", i) == b"%d" % i
        with pytest.raises(TypeError):
            engine.execute("ECHO", None)
    assert engine.execute_all([("PING",)]) == [b"PONG"]
    assert clients(engine) <= before + 1
    engine.execute("LPUSH", "list", "value")
    assert waiting.end() == [b"list", b"value"]


def test_giving_up_leaves_no_clients(engine):
    async def test():
        for _ in range(10):
            tasks = [asyncio.ensure_future(engine.aexecute("BLPOP", "list", 0)) for _ in range(3)]
            await asyncio.sleep(0)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    before = clients(engine)
    asyncio.run(test())
    assert clients(engine) <= before + 2


def test_what_cannot_be_decoded_leaves_no_clients(engine):
    with engine.new_client(decode=True) as client:
        before = clients(engine)
        for _ in range(5):
            waiting = [Waiting(client), Waiting(client)]
            engine.execute("RPUSH", "list", b"\xff", b"\xff")
            assert [type(one.end()) for one in waiting] == [UnicodeDecodeError] * 2
        assert clients(engine) <= before + 1


def test_the_rest_of_what_cannot_be_decoded_is_no_answer(engine):
    with engine.new_client(decode=True) as client:
        waiting = Waiting(client, "BLMPOP", 0, 1, "list", "LEFT", "COUNT", 3)
        engine.execute("RPUSH", "list", b"\xff", "b", "c")
        assert isinstance(waiting.end(), UnicodeDecodeError)
        waiting = Waiting(client)
        engine.execute("RPUSH", "list", "right")
        assert waiting.end() == ["list", "right"]


def test_a_spare_client_is_like_the_one_it_stands_for(engine):
    with engine.new_client() as client:
        waiting = [Waiting(client), Waiting(client)]
        engine.execute("RPUSH", "list", 1, 2)
        assert sorted(one.end() for one in waiting) == [[b"list", b"1"], [b"list", b"2"]]
        client.execute("SELECT", 5)
        client.execute("HELLO", 2)
        client.execute("HSET", "key", "field", "value")
        waiting = Waiting(client)
        assert client.execute("HGETALL", "key") == [b"field", b"value"]
        client.execute("LPUSH", "list", 3)
        waiting.end()


def test_a_spare_client_keeps_nothing_of_who_had_it(engine):
    with engine.new_client() as client:
        waiting = Waiting(client)
        assert client.execute("SELECT", 5) == b"OK"
        assert client.execute("SET", "key", 1) == b"OK"
        assert client.execute("MULTI") == b"OK"
        assert client.execute("GET", "key") == b"1"
        assert engine.execute("GET", "key") == b"1"
        engine.execute("LPUSH", "list", "value")
        waiting.end()


def test_closing_ends_all_waits(engine):
    client = engine.new_client()
    waiting = [Waiting(client) for _ in range(3)]
    client.disconnect()
    assert [str(one.end()) for one in waiting] == ["the client is closed"] * 3
    with pytest.raises(ClosedError):
        client.execute("PING")


def test_killing_one_that_waits(engine):
    with engine.new_client() as client:
        waiting = Waiting(client)
        engine.execute("CLIENT", "KILL", "ID", client.id)
        assert isinstance(waiting.end(), ClosedError)
        with pytest.raises(ClosedError):
            client.execute("PING")
        with pytest.raises(ClosedError):
            client.execute_all([("PING",)])


def test_an_answer_that_is_switched_off(engine):
    with engine.new_client() as client:
        client.execute("CLIENT", "REPLY", "OFF")
        waiting = Waiting(client)
        engine.execute("LPUSH", "list", "value")
        assert waiting.end() is None
        assert engine.execute("LLEN", "list") == 0


def test_a_client_that_waits_for_what_was_submitted(engine):
    with engine.new_client() as client:
        client.submit("BLPOP", "list", 0)
        engine.execute("SET", "key", "text")
        assert client.execute("GET", "key") == b"text"
        engine.execute("LPUSH", "list", "value")
        assert client.read() == [b"list", b"value"]
        assert client.execute("PING") == b"PONG"


# --- what raises ----------------------------------------------------------------------------

def broken():
    yield "SET", "key", 1
    raise ZeroDivisionError


@pytest.mark.parametrize(("requests", "error"), [
    ([("MULTI",), ("SET", "key", None), ("EXEC",)], TypeError),
    ([("MULTI",), ("SET", "key", "\ud800")], UnicodeEncodeError),
    (broken(), ZeroDivisionError), (5, TypeError), ([5], TypeError), ([()], TypeError),
], ids=["multi", "surrogate", "generator", "no iterator", "no arguments", "no name"])
def test_requests_that_raise(engine, requests, error):
    with engine.new_client() as client:
        with pytest.raises(error):
            client.execute_all(requests)
        assert client.execute("SELECT", 5) == b"OK"
        assert b"db=5" in client.execute("CLIENT", "INFO")


def test_a_transaction_that_is_given_up(engine):
    """CLIENT PAUSE holds EXEC, and whoever waits for it gives up."""
    async def test():
        task = asyncio.ensure_future(engine.aexecute_all([("MULTI",), ("SET", "key", 1), ("EXEC",)]))
        await asyncio.sleep(0.01)
        assert not task.done()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    engine.execute("CLIENT", "PAUSE", 10_000, "WRITE")
    asyncio.run(test())
    engine.execute("CLIENT", "UNPAUSE")
    assert engine.execute("GET", "key") is None
    assert engine.execute("SET", "key", 2) == b"OK"


def test_an_iterator_may_call(engine):
    def requests():
        for _ in range(3):
            yield "SET", "key", engine.execute("INCR", "n")

    assert engine.execute_all(requests()) == [b"OK"] * 3
    assert engine.execute("GET", "key") == b"3"


def test_a_signal_ends_a_wait(engine):
    """What a handler raises in the main thread; nothing is taken for it afterwards."""
    def handler(*_):
        raise TimeoutError

    before = signal.signal(signal.SIGALRM, handler)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.05)
        with pytest.raises(TimeoutError):
            engine.execute("BLPOP", "list", 0)
    finally:
        signal.signal(signal.SIGALRM, before)
    assert engine.execute("RPUSH", "list", "value") == 1
    assert engine.execute("LLEN", "list") == 1


def test_signals_in_the_middle_of_calls(engine):
    """What handlers raise anywhere in the engine's calls: nobody waits for ever, no answer is another one's."""
    class Ring(BaseException):
        pass

    def handler(*_):
        if armed:
            raise Ring

    armed, number, rings = False, 0, 0
    before = signal.signal(signal.SIGALRM, handler)
    done = time.monotonic() + 1
    try:
        while time.monotonic() < done:
            signal.setitimer(signal.ITIMER_REAL, random.uniform(0.00001, 0.002))
            try:
                armed = True
                for _ in range(50):
                    number += 1
                    assert engine.execute("ECHO", number) == b"%d" % number
                    engine.execute("SET", "key", number, "EX", 100)
                    assert engine.execute("BLPOP", "empty", 0.0001) is None
                    assert engine.execute_all([("MULTI",), ("INCR", "n"), ("EXEC",)])[0] == b"OK"
            except Ring:
                rings += 1
            armed = False
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert rings > 10
    assert engine.execute("BLPOP", "empty", 0.01) is None
    assert engine.execute("RPUSH", "empty", 1) == 1
    assert engine.execute("LLEN", "empty") == 1


def test_who_is_idle_is_not_closed():
    with fastredis.Server(timeout=1) as server:
        engine = server.engine
        with server.client() as other:
            other.ping()
            wait_until(lambda: not any(b"fastredis.sock" not in line and b"in-process" not in line
                                       for line in engine.execute("CLIENT", "LIST").splitlines()))
        time.sleep(0.5)
        assert engine.execute("PING") == b"PONG"


# --- calls out of the middle ----------------------------------------------------------------

def test_told_may_call_with_the_same_client(engine):
    with engine.new_client() as client:
        client.execute("SUBSCRIBE", "channel")
        engine.execute("SET", "key", "text")
        heard = []
        client.told = lambda: heard.append(client.execute("GET", "key"))
        assert client.execute("PUBLISH", "channel", "x") == 1
        assert heard == [b"text"] or heard == [b"text", b"text"]
        client.told = None
        assert client.execute("PING") == b"PONG"


def test_told_outlives_a_wait(engine):
    with engine.new_client() as client:
        heard = threading.Event()
        client.told = heard.set
        assert client.execute("BLPOP", "list", 0.01) is None
        client.execute("SUBSCRIBE", "channel")
        heard.clear()
        engine.execute("PUBLISH", "channel", "x")
        assert heard.is_set()


def test_told_that_fails_is_nobody_elses_business(shared, engine):
    with engine.new_client() as client, shared.client() as other:
        client.execute("SUBSCRIBE", "channel")
        client.told = lambda: 1 // 0
        assert other.publish("channel", "x") == 1
        assert engine.execute("PUBLISH", "channel", "x") == 1
        assert other.ping()
    assert "ZeroDivisionError" in shared.log


class Garbage:
    """In a cycle, so that it goes when garbage is collected, wherever that is."""

    def __init__(self, function):
        self.function = function
        self.me = self

    def __del__(self):
        self.function()


def test_garbage_in_the_middle_of_commands(shared, engine):
    """__del__ runs inside of commands that make containers: it can't execute, and what it closes is closed later."""
    answers = []

    def call(client):
        try:
            answers.append(client.execute("DEL", "list"))
        except FastredisError as error:
            answers.append(str(error))
        client.disconnect()

    before = clients(engine)
    threshold = gc.get_threshold()
    gc.set_threshold(5)
    try:
        with shared.client() as other:
            for _ in range(100):
                client = engine.new_client()
                Garbage(lambda client=client: call(client))
                other.client_list()
                other.info()
                engine.execute("RPUSH", "list", *range(10))
                engine.execute("LRANGE", "list", 0, -1)
                engine.execute("CLIENT", "LIST")
    finally:
        gc.set_threshold(*threshold)
    gc.collect()
    assert len(answers) == 100
    assert {type(answer) for answer in answers} <= {int, str}
    assert clients(engine) <= before + 1


def test_calls_of_the_loop_from_inside(shared, engine):
    """A thread that is inside of the engine would wait for itself."""
    assert shared.call(lambda: shared.call(lambda: 5)) == 5
    assert engine.call(lambda: shared.call(lambda: 5)) == 5
    engine.call(lambda: shared.set(maxmemory="100mb"))
    assert shared.config["maxmemory"] == 100 << 20
    shared.set(maxmemory=0)
    for function in (shared.stop, shared.wait_closed):
        with pytest.raises(FastredisError, match="inside"):
            engine.call(function)
    assert engine.execute("PING") == b"PONG"


def test_stopping_in_the_midst_of_calls():
    """Nobody is left behind, and nothing is; garbage collection is not needed for that."""
    def work(engine, answers):
        try:
            while True:
                engine.execute("INCR", "n")
                engine.execute("BLPOP", "list", 0.001)
                engine.execute_all([("MULTI",), ("GET", "n"), ("EXEC",)])
        except ClosedError as error:
            answers.append(str(error))

    def run():
        answers = []
        with fastredis.Server() as server:
            workers = [threading.Thread(target=work, args=[server.engine, answers]) for _ in range(4)]
            for worker in workers:
                worker.start()
            time.sleep(0.05)
        for worker in workers:
            worker.join(10)
        assert answers == ["the server does not run"] * 4

    run()
    threads, descriptors = threading.active_count(), len(os.listdir("/proc/self/fd"))
    gc.disable()
    try:
        for _ in range(3):
            run()
        assert len(os.listdir("/proc/self/fd")) <= descriptors
    finally:
        gc.enable()
    wait_until(lambda: threading.active_count() <= threads)
