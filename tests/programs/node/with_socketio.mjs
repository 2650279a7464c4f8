// socket.io's redis-streams adapter: servers that pass on what is said in rooms, and clients that come back.
import assert from "node:assert/strict";
import { createServer } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { createAdapter } from "@socket.io/redis-streams-adapter";
import { createClient } from "redis";
import { Server } from "socket.io";
import { io } from "socket.io-client";

const url = `redis://127.0.0.1:${process.argv[2]}`;

async function node() {
  const client = createClient({ url });
  await client.connect();
  const http = createServer();
  const server = new Server(http, {
    adapter: createAdapter(client, { readCount: 50, blockTime: 200 }),
    connectionStateRecovery: { maxDisconnectionDuration: 60_000 },
  });
  server.on("connection", (socket) => socket.on("join", async (room, done) => (await socket.join(room), done())));
  await new Promise((resolve) => http.listen(0, "127.0.0.1", resolve));
  return { server, client, port: http.address().port };
}

async function until(what, condition) {
  for (const end = Date.now() + 20_000; !(await condition()); await sleep(20)) assert(Date.now() < end, what);
}

const first = createClient({ url });
await first.connect();
await first.flushAll();
const nodes = [await node(), await node(), await node()];
await sleep(500);
const heard = nodes.map(() => []);
const sockets = await Promise.all(nodes.map(async ({ port }, n) => {
  const socket = io(`http://127.0.0.1:${port}`, { transports: ["websocket"] });
  socket.on("said", (...words) => heard[n].push(words));
  await new Promise((resolve) => socket.on("connect", resolve));
  if (n !== 2) await new Promise((resolve) => socket.emit("join", "room", resolve));
  return socket;
}));
for (let n = 0; n < 100; n++) nodes[n % 3].server.emit("said", "to all", n);
await until("all hear it", () => heard.every((words) => words.length === 100));
for (const words of heard) assert.deepEqual(words.map(([, n]) => n).sort((a, b) => a - b), [...Array(100).keys()]);
nodes[2].server.to("room").emit("said", "in the room", Buffer.from([0, 255]));
await until("the room hears it", () => heard[0].length === 101 && heard[1].length === 101);
assert.equal(heard[2].length, 100);
assert.equal((await nodes[0].server.fetchSockets()).length, 3);
assert.equal((await nodes[1].server.in("room").fetchSockets()).length, 2);
const answers = await nodes[0].server.serverSideEmitWithAck?.bind(nodes[0].server);
assert.equal(typeof answers, "function");
nodes[1].server.on("ask", (word, answer) => answer(`1 ${word}`));
nodes[2].server.on("ask", (word, answer) => answer(`2 ${word}`));
assert.deepEqual((await nodes[0].server.serverSideEmitWithAck("ask", "x")).sort(), ["1 x", "2 x"]);
assert((await first.xLen("socket.io")) > 100);
sockets.forEach((socket) => socket.disconnect());
await Promise.all(nodes.map(({ server }) => new Promise((resolve) => server.close(resolve))));
process.exit(0);
