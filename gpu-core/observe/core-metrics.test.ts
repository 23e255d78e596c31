import assert from "node:assert/strict";
import { test } from "node:test";
import { CoreMetrics } from "./core-metrics.ts";
import type { CoreSnapshot } from "./observer.ts";

const device = (index: number) => ({
  index,
  state: "ready" as const,
  models: 3,
  memoryBytes: 300,
  memoryBudgetBytes: 1000,
  residentBytes: 5000,
  restarts: 2,
});
const SNAPSHOT: CoreSnapshot = {
  isUp: true,
  maxModels: 1200,
  replicas: 1,
  hostMemoryBytes: 600,
  hostMemoryBudgetBytes: 2000,
  waitingRequests: 4,
  runningRequests: 2,
  loadingRequests: 3,
  devices: [device(0), { ...device(1), state: "failed" }],
  spans: { exported: 7, failed: 1, dropped: 0 },
};
const TIMES = { melMs: 1, encoderMs: 2, prepareMs: 3, unetMs: 20, fitMs: 4 };

/** The samples of a family, without its comments and, for brevity, its empty buckets. */
async function samples(metrics: CoreMetrics, family: string): Promise<string[]> {
  const lines = (await metrics.text()).split("\n");
  return lines.filter((line) =>
    new RegExp(`^mouthpiece_core_${family}(_bucket|_sum|_count)?[ {]`).test(line),
  );
}

test("events are counted exactly, per label", async () => {
  const metrics = new CoreMetrics(async () => SNAPSHOT);
  const ok = { method: "InferSpeech", code: "ok", reason: "ok" };
  metrics.requestEnded({ ...ok, durationMs: 300 });
  metrics.requestEnded({ ...ok, durationMs: 3000 });
  const full = { method: "InferBatch", code: "resource_exhausted", reason: "queue_full" };
  metrics.requestEnded({ ...full, durationMs: 1 });
  const batch = { device: 0, worker: 0, priority: "live", frames: 3, queueMs: 7 } as const;
  metrics.batchEnded({ ...batch, times: TIMES });
  metrics.batchEnded({ ...batch, device: 1, priority: "batch", frames: 65, times: null });
  metrics.modelLoaded({ ms: 700, failure: null });
  metrics.modelLoaded({ failure: "out_of_memory" });
  metrics.modelLookedUp(true);
  metrics.modelLookedUp(true);
  metrics.modelEvicted("memory");
  metrics.requestRetried();

  const expected: Record<string, string[]> = {
    requests_total: [
      '{method="InferSpeech",code="ok"} 2',
      '{method="InferBatch",code="resource_exhausted"} 1',
    ],
    frames_total: ['{device="0",priority="live"} 3', '{device="1",priority="batch"} 65'],
    batches_total: ['{device="0"} 1', '{device="1"} 1'],
    requests_retried_total: [" 1"],
    request_failures_total: ['{method="InferBatch",reason="queue_full"} 1'],
    model_load_failures_total: ['{reason="out_of_memory"} 1'],
    model_lookups_total: ['{result="hit"} 2', '{result="miss"} 0'],
    model_loads_total: ['{result="ok"} 1', '{result="failed"} 1'],
    model_evictions_total: [
      '{reason="capacity"} 0',
      '{reason="memory"} 1',
      '{reason="idle"} 0',
      '{reason="replica"} 0',
    ],
    device_busy_seconds_total: [
      '{device="0",stage="mel"} 0.001',
      '{device="0",stage="encoder"} 0.002',
      '{device="0",stage="prepare"} 0.003',
      '{device="0",stage="unet"} 0.02',
      '{device="0",stage="fit"} 0.004',
    ],
  };
  for (const [family, lines] of Object.entries(expected)) {
    assert.deepEqual(
      await samples(metrics, family),
      lines.map((line) => `mouthpiece_core_${family}${line}`),
    );
  }
  assert.deepEqual(await samples(metrics, "batch_frames"), [
    'mouthpiece_core_batch_frames_bucket{le="1"} 0',
    'mouthpiece_core_batch_frames_bucket{le="2"} 0',
    'mouthpiece_core_batch_frames_bucket{le="4"} 1',
    'mouthpiece_core_batch_frames_bucket{le="8"} 1',
    'mouthpiece_core_batch_frames_bucket{le="16"} 1',
    'mouthpiece_core_batch_frames_bucket{le="32"} 1',
    'mouthpiece_core_batch_frames_bucket{le="64"} 1',
    'mouthpiece_core_batch_frames_bucket{le="+Inf"} 2',
    "mouthpiece_core_batch_frames_sum 68",
    "mouthpiece_core_batch_frames_count 2",
  ]);
  const requests = await samples(metrics, "request_seconds");
  assert.ok(requests.includes('mouthpiece_core_request_seconds_sum{method="InferSpeech"} 3.3'));
  assert.ok(
    requests.includes('mouthpiece_core_request_seconds_bucket{le="0.5",method="InferSpeech"} 1'),
  );
  const stages = await samples(metrics, "batch_stage_seconds");
  assert.ok(
    stages.includes('mouthpiece_core_batch_stage_seconds_bucket{le="0.025",stage="unet"} 1'),
  );
  assert.ok(
    stages.includes('mouthpiece_core_batch_stage_seconds_bucket{le="0.01",stage="unet"} 0'),
  );
  const waits = await samples(metrics, "batch_queue_seconds");
  assert.ok(waits.includes('mouthpiece_core_batch_queue_seconds_count{priority="live"} 1'));
  // Failed loads say nothing about how long a load takes.
  assert.ok(
    (await samples(metrics, "model_load_seconds")).includes(
      "mouthpiece_core_model_load_seconds_count 1",
    ),
  );
});

test("gauges are what the core is at the scrape, and counts of others are not added up", async () => {
  let now = SNAPSHOT;
  const metrics = new CoreMetrics(async () => now);
  await metrics.text();
  now = {
    ...now,
    isUp: false,
    waitingRequests: 0,
    devices: [{ ...device(0), state: "down" }, device(1)],
  };
  const expected: Record<string, string[]> = {
    ready: [" 0"],
    models_max: [" 1200"],
    model_replicas: [" 1"],
    host_memory_bytes: [" 600"],
    host_memory_budget_bytes: [" 2000"],
    queued_requests: ['{state="waiting"} 0', '{state="running"} 2', '{state="loading"} 3'],
    models: ['{device="0"} 3', '{device="1"} 3'],
    model_memory_bytes: ['{device="0"} 300', '{device="1"} 300'],
    model_memory_budget_bytes: ['{device="0"} 1000', '{device="1"} 1000'],
    device_resident_bytes: ['{device="0"} 5000', '{device="1"} 5000'],
    device_restarts_total: ['{device="0"} 2', '{device="1"} 2'],
    trace_spans_total: ['{result="exported"} 7', '{result="failed"} 1', '{result="dropped"} 0'],
    device_state: [0, 1].flatMap((index) =>
      ["starting", "ready", "down", "failed"].map((state) => {
        const isIn = state === (index === 0 ? "down" : "ready");
        return `{device="${index}",state="${state}"} ${isIn ? 1 : 0}`;
      }),
    ),
  };
  for (const [family, lines] of Object.entries(expected)) {
    assert.deepEqual(
      await samples(metrics, family),
      lines.map((line) => `mouthpiece_core_${family}${line}`),
    );
  }
});

test("two cores in one process share nothing", async () => {
  const [one, other] = [
    new CoreMetrics(async () => SNAPSHOT),
    new CoreMetrics(async () => SNAPSHOT),
  ];
  one.requestRetried();
  assert.deepEqual(await samples(other, "requests_retried_total"), [
    "mouthpiece_core_requests_retried_total 0",
  ]);
});

test("the process's own metrics are there when asked for", async () => {
  assert.doesNotMatch(await new CoreMetrics(async () => SNAPSHOT).text(), /^process_/m);
  const text = await new CoreMetrics(async () => SNAPSHOT, { process: true }).text();
  assert.match(text, /^process_resident_memory_bytes \d+$/m);
  assert.match(text, /^nodejs_eventloop_lag_p99_seconds /m);
});
