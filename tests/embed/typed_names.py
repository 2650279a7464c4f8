"""Every name of the package as a program uses it, for type checkers: mypy --strict tests/embed/typed_names.py"""
import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import fastredis


def errors() -> None:
    try:
        fastredis.Server(maxmemory="much")
    except fastredis.SettingError as error:
        print(error)
    except (fastredis.ServerError, fastredis.ClosedError, fastredis.WouldBlockError) as error:
        print(error)
    except fastredis.ReplyError as error:
        print(error.code)
    except fastredis.FastredisError:
        pass


def commands(engine: fastredis.LocalClient) -> None:
    print(engine.execute("SET", b"key", 1), engine.execute_all([("GET", "key"), ("PING",)]))
    pipe: fastredis.Pipeline = engine.pipeline(transaction=True)
    with pipe:
        values: list[Any] = pipe.add("INCR", "n").add("GET", "n").execute(raise_errors=False)
    print(values, len(pipe))
    with engine.new_client(database=1, decode=True) as client:
        client.execute("PING")


def mappings(server: fastredis.Server) -> None:
    db: fastredis.Db = server.db(0, decode=True)
    db["key"] = "value"
    del db["key"]
    print(dict(db), "key" in db, len(db), db.get("key"), fastredis.Db(server.engine, 1))


def states(server: fastredis.Server, path: Path) -> None:
    snapshot: fastredis.Snapshot = server.snapshot()
    with snapshot:
        server.restore(snapshot)
    print(snapshot.is_closed)
    server.dump_rdb(path)
    server.load_rdb(str(path))


def own(server: fastredis.Server) -> None:
    @server.function("take", flags=["no-writes"])
    def take(context: fastredis.Context, keys: list[bytes], args: list[bytes]) -> Any:
        return context.call("GET", keys[0])

    @server.command("MINE", arity=-2, flags=["readonly"], keys=fastredis.key_at(1, "RO access"), categories=["string"],
                    doc="Mine.", since="1.0.0")
    def mine(context: fastredis.Context, key: bytes, *args: bytes) -> int:
        return context.client_id

    keys = [fastredis.key_range(1, -1, 1, "RO access"), fastredis.key_count(1, "RO access")]
    server.command("OTHER", keys=keys)(mine)
    print(take, mine)


def events(server: fastredis.Server) -> None:
    def expired(event: fastredis.Event) -> None:
        print(event.name, event.key, event.database)

    subscription: fastredis.Subscription = server.on("expired", expired)
    with subscription:
        pass


def faults(server: fastredis.Server) -> None:
    every: fastredis.Faults = server.faults
    fault: fastredis.Fault = every.fail("ERR no", times=None, command="SET", client="name")
    with fault:
        print(fault.hits)
    for each in (every.slow(0.1), every.drop(), every.loading(), every.readonly(), every.oom(), every.moved(1, "a:1")):
        each.close()
    every.clear()


def time(server: fastredis.Server) -> None:
    server.clock.freeze()
    server.clock.set(datetime.now(UTC))
    server.clock.advance(timedelta(seconds=1))
    print(server.clock.now, server.clock.is_frozen)
    server.clock.release()


async def awaited() -> None:
    async with fastredis.AsyncServer(seed=7, port=0) as server:
        stream: fastredis.EventStream = server.events("set")
        async with stream:
            await server.engine.aexecute("SET", "key", 1)
            await server.engine.pipeline().add("GET", "key").aexecute()
            async for event in stream:
                print(event.key)
                break


def main() -> None:
    with fastredis.Server(seed=7, on_fatal=lambda text, is_bug: None) as server:
        errors()
        commands(server.engine)
        mappings(server)
        states(server, Path("data.rdb"))
        own(server)
        events(server)
        faults(server)
        time(server)
    asyncio.run(awaited())
    print(fastredis.connect("name").get("key"), fastredis.aconnect("name"), fastredis.url("name"))


if __name__ == "__main__":
    main()
