// BullMQ: jobs, their order, delays, retries, flows, repetition, rate limits, stalled jobs, and events, which are streams.
import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { FlowProducer, Queue, QueueEvents, Worker } from "bullmq";
import Redis from "ioredis";

const connection = { host: "127.0.0.1", port: Number(process.argv[2]), maxRetriesPerRequest: null };
const open = [];
const keep = (it) => (open.push(it), it);
const redis = new Redis(connection);
await redis.flushall();

async function until(what, condition, seconds = 30) {
  for (const end = Date.now() + seconds * 1000; !(await condition()); await sleep(50)) {
    assert(Date.now() < end, what);
  }
}

async function jobsAndEvents() {
  const queue = keep(new Queue("plain", { connection }));
  const events = keep(new QueueEvents("plain", { connection }));
  await events.waitUntilReady();
  const told = { waiting: 0, completed: 0, failed: 0, progress: 0 };
  for (const name of Object.keys(told)) events.on(name, () => (told[name] += 1));
  const order = [];
  const worker = keep(new Worker("plain", async (job) => {
    order.push(job.name);
    if (job.name === "bad") throw new Error("no");
    await job.updateProgress(50);
    return job.data.n * 2;
  }, { connection, autorun: false }));
  await queue.addBulk(Array.from({ length: 50 }, (_, n) => ({ name: `job ${n}`, data: { n } })));
  await queue.add("first", { n: 500 }, { priority: 1, lifo: true });
  const bad = await queue.add("bad", {}, { attempts: 3, backoff: { type: "fixed", delay: 10 } });
  assert.equal(await queue.getWaitingCount() + await queue.getPrioritizedCount(), 52);
  worker.run();
  const last = await queue.add("last", { n: 21 }, { delay: 200 });
  assert.equal(await last.waitUntilFinished(events, 30_000), 42);
  await until("all are done", async () => (await queue.getCompletedCount()) === 52 && (await queue.getFailedCount()) === 1);
  assert.equal((await queue.getJob(bad.id)).attemptsMade, 3);
  assert.deepEqual(order.filter((name) => name.startsWith("job ")), Array.from({ length: 50 }, (_, n) => `job ${n}`));
  await until("all is told", async () => told.completed === 52 && told.failed === 1 && told.progress === 52);
  assert((await redis.xlen("bull:plain:events")) > 100);
  await queue.trimEvents(10);
  assert((await redis.xlen("bull:plain:events")) <= 110);
  await queue.obliterate({ force: true });
  assert.equal((await redis.keys("bull:plain:*")).length <= 2, true);
}

async function flows() {
  const flow = keep(new FlowProducer({ connection }));
  const worker = keep(new Worker("flow", async (job) => {
    const values = Object.values(await job.getChildrenValues());
    return values.length ? values.reduce((a, b) => a + b) : job.data.n;
  }, { connection, concurrency: 4 }));
  const { job } = await flow.add({
    name: "sum", queueName: "flow",
    children: Array.from({ length: 10 }, (_, n) => ({ name: "part", queueName: "flow", data: { n } })),
  });
  const events = keep(new QueueEvents("flow", { connection }));
  assert.equal(await job.waitUntilFinished(events, 30_000), 45);
  assert(worker.isRunning());
}

async function repetitionAndLimits() {
  const queue = keep(new Queue("slow", { connection }));
  const times = [];
  keep(new Worker("slow", async () => times.push(Date.now()), { connection, limiter: { max: 5, duration: 400 } }));
  await queue.addBulk(Array.from({ length: 15 }, () => ({ name: "limited", data: {} })));
  await until("all are done", async () => times.length === 15);
  assert(times[14] - times[0] >= 700, `${times[14] - times[0]} ms`);
  await queue.upsertJobScheduler("every", { every: 100 }, { name: "again" });
  await until("it is repeated", async () => times.length >= 18);
  assert.equal(await queue.removeJobScheduler("every"), true);
  await queue.pause();
  assert.equal(await queue.isPaused(), true);
  await queue.resume();
}

async function stalled() {
  const queue = keep(new Queue("lost", { connection }));
  const first = new Worker("lost", () => sleep(60_000), { connection, lockDuration: 300, stalledInterval: 300, skipLockRenewal: true });
  first.on("error", () => {});
  await queue.add("job", {});
  await until("it is taken", async () => (await queue.getActiveCount()) === 1);
  await first.close(true);
  const second = keep(new Worker("lost", async () => "done", { connection, stalledInterval: 300 }));
  await until("it is taken over", async () => (await queue.getCompletedCount()) === 1);
  assert(second.isRunning());
}

await jobsAndEvents();
await flows();
await repetitionAndLimits();
await stalled();
await Promise.all(open.map((it) => it.close()));
redis.disconnect();
process.exit(0);
