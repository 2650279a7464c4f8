"""server.clock: the engine's time in a test's hands."""
import asyncio
import threading
import time
from datetime import UTC, datetime, timedelta

import freezegun
import pytest
import time_machine

import fastredis
from tests.helpers import wait_until


@pytest.fixture
def server():
    with fastredis.Server(unixsocket=None) as server:
        yield server


def test_keys_expire(server):
    execute = server.engine.execute
    server.clock.freeze()
    assert server.clock.is_frozen
    execute("SET", "key", "value", "EX", 60)
    execute("HSET", "hash", "f", 1)
    execute("HEXPIRE", "hash", 30, "FIELDS", 1, "f")
    server.clock.advance(59.999)
    assert execute("PTTL", "key") == 1 and execute("EXISTS", "hash") == 0
    server.clock.advance(timedelta(milliseconds=2))
    assert execute("DBSIZE") == 0
    server.clock.release()
    assert not server.clock.is_frozen
    assert abs(server.clock.now.timestamp() - time.time()) < 5


def test_the_time_that_commands_see(server):
    when = datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC)
    server.clock.set(when)
    seconds = int(when.timestamp())
    assert server.clock.now == when
    assert server.engine.execute("TIME") == [b"%d" % seconds, b"0"]
    assert server.engine.execute("XADD", "stream", "*", "f", 1) == b"%d-0" % (seconds * 1000)
    assert server.engine.execute("EVAL", "return redis.call('TIME')[1]", 0) == b"%d" % seconds
    server.clock.set(seconds + 0.5)
    assert server.engine.execute("TIME") == [b"%d" % seconds, b"500000"]
    server.engine.execute("SET", "key", 1)
    server.clock.advance(100)
    assert server.engine.execute("OBJECT", "IDLETIME", "key") == 100


def test_a_running_clock_goes_on(server):
    server.engine.execute("SET", "key", 1, "EX", 100)
    server.clock.advance(timedelta(seconds=50))
    assert 0 < server.engine.execute("TTL", "key") <= 50
    before = server.clock.now
    time.sleep(0.01)
    assert server.clock.now > before


def test_waits_end(server):
    server.clock.freeze()
    answers = []
    thread = threading.Thread(target=lambda: answers.append(server.engine.execute("BLPOP", "list", 3600)))
    thread.start()
    wait_until(lambda: b"blocked_clients:1" in server.engine.execute("INFO", "clients"))
    with server.client() as client:
        other = threading.Thread(target=lambda: answers.append(client.blpop("list", 3600)))
        other.start()
        wait_until(lambda: b"blocked_clients:2" in server.engine.execute("INFO", "clients"))
        server.clock.advance(3601)
        thread.join(10)
        other.join(10)
    assert answers == [None, None]


def test_on_a_loop():
    async def run():
        async with fastredis.AsyncServer(unixsocket=None) as server:
            server.clock.freeze()
            waiting = asyncio.ensure_future(server.engine.aexecute("BLPOP", "list", 60))
            await asyncio.sleep(0)
            server.clock.advance(61)
            assert await asyncio.wait_for(waiting, 5) is None

    asyncio.run(run())


def test_an_advance_is_heard_of_by_sockets(server):
    server.engine.execute("CONFIG", "SET", "notify-keyspace-events", "Ex")
    server.clock.freeze()
    with server.client(protocol=2) as client, client.pubsub() as pubsub:
        pubsub.subscribe("__keyevent@0__:expired")
        pubsub.get_message(timeout=5)
        server.engine.execute("SET", "key", 1, "EX", 10)
        server.clock.advance(10.001)
        assert pubsub.get_message(timeout=5)["data"] == b"key"


# --- libraries that freeze the program's time ---------------------------------------------------

def moves_by(server, mover, move):
    execute = server.engine.execute
    assert server.clock.now == datetime(2030, 1, 1, tzinfo=UTC)
    execute("SET", "key", "value", "EX", 100)
    move(99)
    assert execute("EXISTS", "key") == 1
    move(2)
    assert execute("EXISTS", "key") == 0
    mover.move_to(datetime(2031, 2, 3, tzinfo=UTC))
    assert server.clock.now == datetime(2031, 2, 3, tzinfo=UTC) and server.clock.is_frozen


def test_it_follows_freezegun(server):
    with freezegun.freeze_time("2030-01-01") as frozen:
        with server.clock.follow(frozen):
            moves_by(server, frozen, frozen.tick)
        frozen.tick(60)                             # it is let go
        assert not server.clock.is_frozen and server.clock.now.year < 2030
    with freezegun.freeze_time("2030-01-01", auto_tick_seconds=1) as frozen, server.clock.follow(frozen) as clock:
        assert frozen() and clock.now > datetime(2030, 1, 1, tzinfo=UTC)


def test_it_follows_time_machine(server):
    with time_machine.travel("2030-01-01", tick=False) as traveller, server.clock.follow(traveller):
        moves_by(server, traveller, traveller.shift)
    assert not server.clock.is_frozen


@pytest.mark.parametrize("frozen", [freezegun.freeze_time("2030-01-01"), time_machine.travel("2030-01-01", tick=False)])
def test_a_frozen_program_does_not_stop_the_loop(frozen):
    """Timeouts and the end go by the real time."""
    with frozen, fastredis.Server() as server:
        answers = []
        waiting = threading.Thread(target=lambda: answers.append(server.engine.execute("BLPOP", "nosuch", 0.1)))
        waiting.start()
        waiting.join(10)
        assert answers == [None]
