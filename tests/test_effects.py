"""A round of tests.effects with a fixed seed, and that it finds what it is to find."""
import pytest

from tests.effects import Finding, World, dump, missing, run, writers

SEED = 1
STEPS = 1500


def test_a_round_finds_nothing():
    succeeded = run(SEED, STEPS)
    assert sum(succeeded.values()) > STEPS / 4
    assert len(missing(succeeded)) < len(writers()) / 2


@pytest.fixture
def world():
    world = World(SEED)
    yield world
    world.close()


PLANTED = {
    "a value": "SET k w", "a key": "SET other v", "a deadline": "PEXPIRE k 100000", "an element": "RPUSH list x",
    "the order": "LMOVE list list LEFT RIGHT", "a score": "ZADD zset 2 a", "a field": "HSET hash g v",
    "a field's deadline": "HPEXPIRE hash 100000 FIELDS 1 f", "a key less": "DEL set", "a database": "MOVE k 2",
    "an entry": "XADD stream 1-2 f v", "what is pending": "XACK stream g 1-1", "a group": "XGROUP DESTROY stream g",
}


@pytest.mark.parametrize("line", PLANTED.values(), ids=PLANTED)
def test_a_difference_is_found(world, line):
    for setup in ("SET k v", "RPUSH list a b", "ZADD zset 1 a", "HSET hash f v", "SADD set a",
                  "XADD stream 1-1 f v", "XGROUP CREATE stream g 0", "XREADGROUP GROUP g c STREAMS stream >"):
        world.call(world.clients[0], setup.encode().split())
    world.drain("setup")
    world.compare()
    assert len(dump(world.first, world.control)) == 6
    world.call(world.clients[0], line.encode().split())
    world.first.notes.take()                # as if it had not been propagated
    with pytest.raises(Finding, match=f"seed {SEED}: .* became"):
        world.compare()


def test_an_error_while_replaying_is_found(world):
    world.looker.call("RPUSH", "k", "a")
    world.call(world.clients[0], [b"INCR", b"k"])
    with pytest.raises(Finding, match="replaying INCR k replied WRONGTYPE"):
        world.drain("INCR k")


def test_an_error_that_propagates_is_found(world):
    reply = world.call(world.clients[0], [b"INCR", b"k", b"k"])
    world.first.notes.taken.append((0, [b"INCR", b"k"]))
    with pytest.raises(Finding, match=r"wrong number of arguments.* and propagated"):
        world.drain("INCR k k", reply)


def test_every_command_that_may_write_is_drawn(world):
    names = {world.draw.command()[0].name for _ in range(20_000)}
    assert names == {fact.name for fact in writers()}
