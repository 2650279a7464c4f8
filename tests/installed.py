"""What is tried with a wheel that has just been installed, outside of the source tree: python tests/installed.py"""
import asyncio
import subprocess
import sys

import fastredis


async def main():
    async with fastredis.AsyncServer() as server:
        client = server.async_client(decode_responses=True)
        await client.set("key", "value")
        assert await client.get("key") == "value"
        assert await client.eval("return redis.call('GET', KEYS[1])", 1, "key") == "value"
        await client.aclose()


if __name__ == "__main__":
    with fastredis.Server() as server, server.client() as client:
        client.rpush("list", "a", "b")
        assert client.lrange("list", 0, -1) == [b"a", b"b"]
    asyncio.run(main())
    said = subprocess.run([sys.executable, "-m", "fastredis", "--version"], capture_output=True, text=True, check=True)
    print(said.stdout.strip(), "from", fastredis.__file__)
