// node-redis's client-side cache: what others change is gone from it, in protocol 3.
import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { BasicClientSideCache, createClient } from "redis";

const port = Number(process.argv[2]);
const cache = new BasicClientSideCache();
const client = createClient({ RESP: 3, socket: { port }, clientSideCache: cache });
const other = createClient({ socket: { port } });
await client.connect();
await other.connect();

async function until(condition) {
  for (let i = 0; !(await condition()); i++) {
    assert(i < 500, `not within 5 s: ${condition}`);
    await sleep(10);
  }
}

await other.set("a", "1");
assert.equal(await client.get("a"), "1");
assert.equal(await client.get("a"), "1");
assert.equal(cache.stats().hitCount, 1);
assert.equal(cache.stats().missCount, 1);

await other.set("a", "2");
await until(async () => (await client.get("a")) === "2");

await other.hSet("h", "f", "1");
assert.equal((await client.hGetAll("h")).f, "1");
await other.hDel("h", "f");
await until(async () => Object.keys(await client.hGetAll("h")).length === 0);

await other.set("short", "x", { PX: 200 });
assert.equal(await client.get("short"), "x");
await until(async () => (await client.get("short")) === null);

await other.flushAll();
await until(async () => (await client.get("a")) === null);

client.destroy();
other.destroy();
