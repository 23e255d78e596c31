import assert from "node:assert/strict";
import { test } from "node:test";
import { VirtualClock } from "../../avatar/clock.ts";
import { SIMULATION_DEFAULTS, SimulatedEngine } from "../../test/support/simulated-engine.ts";
import { CoreError } from "../core-error.ts";
import type { ModelFiles } from "../engine/messages.ts";
import type { BatchEnd } from "../observe/observer.ts";
import type { QueueOptions } from "./model-queue.ts";
import { SpeechWork } from "./speech-work.ts";
import { TensorWork } from "./tensor-work.ts";
import type { WorkLimits } from "./work.ts";
import { WorkerScheduler } from "./worker-scheduler.ts";

const NEVER = new AbortController().signal;
const FOREVER = Number.POSITIVE_INFINITY;
const LIVE: WorkLimits = {
  priority: "live",
  deadlineMs: FOREVER,
  arrivedMs: 0,
  queueTimeoutMs: FOREVER,
  readerTimeoutMs: FOREVER,
};
const WINDOW = { samples: new Int16Array(0), start: 0, utteranceSamples: 0 };
const FILES = {} as ModelFiles;
const REGION = { x: 0, y: 0, width: 0, height: 0 };

interface Outcome {
  readonly frames: number[];
  readonly atMs: number[];
  error: CoreError | null;
  doneMs: number | null;
}

async function setUp(
  options: { maxBatchSize?: number; maxQueueDelayMs?: number; frameMs?: number } = {},
) {
  const { frameMs = 10, ...settings } = options;
  const clock = new VirtualClock();
  const engine = new SimulatedEngine({ ...SIMULATION_DEFAULTS, frameMs: () => frameMs }, clock);
  await engine.start();
  const worker = engine.devices[0]!.workers[0]!;
  worker.record = true;
  const reports: BatchEnd[] = [];
  const scheduler = new WorkerScheduler(worker, {
    maxBatchSize: 1,
    maxQueueDelayMs: 0,
    clock,
    onBatch: (report) => reports.push(report),
    ...settings,
  });
  const open = async (name: string, options: QueueOptions = {}) => {
    const loaded = scheduler.load(name, FILES, "fp32", () => true);
    await clock.advanceBy(100);
    await loaded;
    return scheduler.open(name, options);
  };
  /** Starts a request that is read as fast as it comes. */
  const speak = (
    queue: ReturnType<typeof scheduler.open>,
    frames: number,
    limits: Partial<WorkLimits> = {},
    signal = new AbortController().signal,
  ) => {
    const orders = Array.from({ length: frames }, (_, frame) => ({
      frame,
      backgroundIndex: frame,
      region: REGION,
    }));
    const work = new SpeechWork(WINDOW, orders, { ...LIVE, ...limits }, clock);
    const outcome: Outcome = { frames: [], atMs: [], error: null, doneMs: null };
    const read = async () => {
      try {
        for await (const mouth of work.mouths(queue, signal)) {
          outcome.frames.push(mouth.order.frame);
          outcome.atMs.push(clock.now());
        }
        outcome.doneMs = clock.now();
      } catch (error) {
        outcome.error = error as CoreError;
      }
    };
    void read();
    return outcome;
  };
  return { clock, engine, worker, scheduler, reports, open, speak };
}

test("frames come in order, and only as far ahead as the reader allows", async () => {
  const { clock, worker, open, speak } = await setUp();
  const queue = await open("a");
  const outcome = speak(queue, 30);
  await clock.advanceBy(10_000);
  assert.deepEqual(
    outcome.frames,
    Array.from({ length: 30 }, (_, i) => i),
  );
  assert.equal(worker.batches.length, 30);
  assert.equal(worker.speeches, 0);

  const orders = Array.from({ length: 100 }, (_, frame) => ({
    frame,
    backgroundIndex: 0,
    region: REGION,
  }));
  const work = new SpeechWork(WINDOW, orders, LIVE, clock);
  const mouths = work.mouths(queue, new AbortController().signal);
  const first = mouths.next();
  await clock.advanceBy(10_000);
  await first;
  await clock.advanceBy(10_000);
  assert.equal(worker.batches.length, 30 + 12 + 1, "a reader who stops stops the work");
  await mouths.return(undefined);
  await clock.advanceBy(10);
  assert.equal(worker.speeches, 0);
  assert.equal(queue.requests, 0);
});

test("requests of one model that wait together run as one batch, one frame each in turn", async () => {
  const { clock, worker, open, speak, reports } = await setUp({ maxBatchSize: 4, frameMs: 4 });
  const queue = await open("a");
  for (let i = 0; i < 4; i++) speak(queue, 6);
  await clock.advanceBy(10_000);
  const sizes = worker.batches.map(({ frames }) => frames);
  assert.equal(
    sizes.reduce((sum, n) => sum + n, 0),
    24,
  );
  // The first request is alone when it comes; everything behind it is full.
  assert.ok(
    sizes.slice(2, -1).every((n) => n === 4),
    sizes.join(),
  );
  assert.equal(reports.length, sizes.length);
  assert.deepEqual(
    reports.map(({ frames }) => frames),
    sizes,
  );
});

test("with a delay a batch waits to be filled, but no longer than that", async () => {
  const { clock, worker, open, speak } = await setUp({
    maxBatchSize: 4,
    maxQueueDelayMs: 50,
    frameMs: 4,
  });
  const queue = await open("a");
  const start = clock.now();
  speak(queue, 1);
  await clock.advanceBy(30);
  assert.equal(worker.batches.length, 0);
  speak(queue, 1);
  await clock.advanceBy(100);
  assert.deepEqual(worker.batches, [{ model: "a", frames: 2, startMs: start + 50 }]);
  for (let i = 0; i < 4; i++) speak(queue, 1);
  await clock.advanceBy(10);
  assert.equal(worker.batches.at(-1)?.frames, 4, "a full batch does not wait");
});

test("a model may have a batch size and a delay of its own", async () => {
  const { clock, worker, open, speak } = await setUp({ maxBatchSize: 4, frameMs: 4 });
  const [a, b] = [await open("a"), await open("b", { maxBatchSize: 2, maxQueueDelayMs: 50 })];
  const start = clock.now();
  speak(b, 1);
  await clock.advanceBy(10);
  for (let i = 0; i < 4; i++) speak(a, 1);
  await clock.advanceBy(20);
  assert.deepEqual(
    worker.batches.map(({ model }) => model),
    ["a", "a"],
  );
  await clock.advanceBy(40);
  assert.deepEqual(worker.batches.at(-1), { model: "b", frames: 1, startMs: start + 50 });
  for (let i = 0; i < 4; i++) speak(b, 1);
  await clock.advanceBy(100);
  assert.deepEqual(
    worker.batches.filter(({ model }) => model === "b").map(({ frames }) => frames),
    [1, 2, 2],
  );
});

test("live goes before batch; batch gets what is left", async () => {
  const { clock, worker, open, speak } = await setUp();
  const [a, b] = [await open("a"), await open("b")];
  const offline = speak(a, 100, { priority: "batch" });
  await clock.advanceBy(55);
  const live = speak(b, 10);
  const from = worker.batches.length;
  await clock.advanceBy(1000);
  // Two batches were in flight already; then nothing but live frames.
  assert.deepEqual(
    worker.batches.slice(from, from + 10).map(({ model }) => model),
    Array(10).fill("b"),
  );
  assert.equal(live.frames.length, 10);
  await clock.advanceBy(10_000);
  assert.equal(offline.frames.length, 100);
});

test("a tenant with twenty requests does not slow down one with a single one", async () => {
  const { clock, open, speak } = await setUp();
  const [noisy, quiet] = [await open("noisy"), await open("quiet")];
  for (let i = 0; i < 20; i++) speak(noisy, 50);
  await clock.advanceBy(500);
  const start = clock.now();
  const outcome = speak(quiet, 8);
  await clock.advanceBy(5000);
  // Eight frames of 10 ms, the batch that ran, and the one that was sent just before its end.
  const tookMs = outcome.doneMs! - start;
  assert.ok(tookMs >= 80 && tookMs <= 100, `${tookMs} ms`);
});

test("who is about to stand still goes before who reads ahead", async () => {
  const { clock, worker, open } = await setUp();
  const queues = [await open("a"), await open("b")];
  for (const queue of queues) {
    const orders = Array.from({ length: 30 }, (_, frame) => ({
      frame,
      backgroundIndex: 0,
      region: REGION,
    }));
    // It takes one frame and then stands still.
    const mouths = new SpeechWork(WINDOW, orders, LIVE, clock).mouths(queue, NEVER);
    void mouths.next();
    if (queue === queues[0]) await clock.advanceBy(75);
  }
  const from = worker.batches.length;
  await clock.advanceBy(1000);
  const models = worker.batches.map(({ model }) => model).join("");
  // "a" read ahead while it was alone; "b" has its five frames and the one that
  // was taken before "a" gets any that can wait.
  assert.equal(models.slice(from).slice(0, 7).split("b").length - 1, 6);
  assert.equal(models.length, 26);
});

test("no batch takes long, however many frames wait", async () => {
  const { clock, worker, open, speak } = await setUp({ maxBatchSize: 64, frameMs: 7 });
  const queue = await open("a");
  for (let i = 0; i < 10; i++) speak(queue, 10);
  await clock.advanceBy(2000);
  assert.equal(Math.max(...worker.batches.map(({ frames }) => frames)), 3);
});

test("two models that always wait share the worker", async () => {
  const { clock, worker, open, speak } = await setUp();
  const [a, b] = [await open("a"), await open("b")];
  for (let i = 0; i < 5; i++) speak(a, 400);
  speak(b, 400);
  await clock.advanceBy(4000);
  const models = worker.batches.slice(50, 370).map(({ model }) => model);
  const share = models.filter((model) => model === "b").length / models.length;
  assert.ok(Math.abs(share - 0.5) < 0.05, `b got ${share}`);
});

test("work whose deadline passes is dropped before it costs worker time", async () => {
  const { clock, worker, open, speak } = await setUp();
  const queue = await open("a");
  speak(queue, 12);
  const late = speak(queue, 50, { deadlineMs: clock.now() + 45 });
  await clock.advanceBy(45);
  const started = worker.batches.length;
  await clock.advanceBy(5000);
  assert.equal(late.error?.code, "deadline_exceeded");
  assert.ok(late.frames.length < 5);
  // What the first one still had, and nothing of the late one's forty.
  assert.ok(worker.batches.length - started <= 12);
  assert.equal(queue.requests, 0);
});

test("a request that nothing is done for is refused in time", async () => {
  const { clock, open, speak } = await setUp();
  const queue = await open("a");
  speak(queue, 1000);
  const waiting = speak(queue, 5, { priority: "batch", queueTimeoutMs: 300 });
  await clock.advanceBy(400);
  assert.equal(waiting.error?.code, "resource_exhausted");
  assert.equal(waiting.error?.retryAfterMs, 300);
});

test("callers that vanish, before and during, leave nothing behind", async () => {
  const { clock, worker, open, speak } = await setUp();
  const queue = await open("a");
  const gone = new AbortController();
  const outcome = speak(queue, 500, {}, gone.signal);
  await clock.advanceBy(55);
  const aborted = AbortSignal.abort();
  const never = speak(queue, 5, {}, aborted);
  gone.abort();
  await clock.advanceBy(1000);
  assert.equal(outcome.error?.code, "cancelled");
  assert.equal(never.error?.code, "cancelled");
  assert.equal(never.frames.length, 0);
  assert.equal(worker.speeches, 0);
  assert.equal(queue.requests, 0);
  assert.ok(worker.batches.length < 20);
});

test("InferBatch runs in chunks of the batch size between the turns of others", async () => {
  const { clock, worker, open } = await setUp({ maxBatchSize: 4, frameMs: 4 });
  const queue = await open("a");
  const tensors = { visual: new Uint8Array(10 * 6), audio: new Uint8Array(10 * 2) };
  const work = new TensorWork(tensors, 10, LIVE, clock);
  const outputs = work.outputs(queue, new AbortController().signal);
  await clock.advanceBy(1000);
  assert.equal((await outputs).length, 10);
  assert.deepEqual(
    worker.batches.map(({ frames }) => frames),
    // The first one is small: nothing is known of the model yet, and no batch may take long.
    [2, 4, 4],
  );
  assert.equal(work.unetMs, 40);
});

test("a device that ends fails what waits and what runs, as lost", async () => {
  const { clock, engine, scheduler, open, speak } = await setUp();
  const queue = await open("a");
  const outcomes = [speak(queue, 50), speak(queue, 50)];
  await clock.advanceBy(25);
  engine.devices[0]!.kill();
  scheduler.reset(new CoreError("device_lost", "gone"));
  await clock.advanceBy(10);
  assert.deepEqual(
    outcomes.map(({ error }) => error?.code),
    ["device_lost", "device_lost"],
  );
  assert.equal(scheduler.requests, 0);
});

test("a preload lets live speech go first, until somebody waits for it", async () => {
  let isWaitedFor = false;
  const { clock, scheduler, worker, open, speak } = await setUp();
  const queue = await open("a");
  speak(queue, 500);
  let loadedMs: number | null = null;
  void scheduler
    .load("b", FILES, "fp32", () => isWaitedFor)
    .then(() => {
      loadedMs = clock.now();
    });
  await clock.advanceBy(2000);
  assert.equal(loadedMs, null);
  isWaitedFor = true;
  await clock.advanceBy(500);
  assert.notEqual(loadedMs, null);
  assert.ok(worker.models.has("b"));
});
