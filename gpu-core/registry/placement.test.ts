import assert from "node:assert/strict";
import { test } from "node:test";
import { VirtualClock } from "../../avatar/clock.ts";
import { SIMULATION_DEFAULTS, SimulatedEngine } from "../../test/support/simulated-engine.ts";
import { WorkerScheduler } from "../scheduling/worker-scheduler.ts";
import { Placer } from "./placement.ts";

/** Two devices of two workers. */
function schedulers(): WorkerScheduler[] {
  const clock = new VirtualClock();
  const engine = new SimulatedEngine({ ...SIMULATION_DEFAULTS, devices: 2, workers: 2 }, clock);
  const options = { maxBatchSize: 1, maxQueueDelayMs: 0, clock, onBatch: () => {} };
  return engine.devices.flatMap(({ workers }) =>
    workers.map((worker) => new WorkerScheduler(worker, options)),
  );
}

test("round-robin takes turns", () => {
  const loads = schedulers().map((scheduler) => ({ scheduler, models: 0 }));
  const placer = new Placer("round-robin");
  const chosen = Array.from({ length: 5 }, () => placer.choose(loads, undefined));
  assert.deepEqual(
    chosen,
    [0, 1, 2, 3, 0].map((n) => loads[n]!.scheduler),
  );
});

test("least-loaded takes the worker with the fewest models when none is busy", () => {
  const loads = schedulers().map((scheduler, n) => ({ scheduler, models: [3, 2, 1, 2][n]! }));
  assert.equal(new Placer("least-loaded").choose(loads, undefined), loads[2]!.scheduler);
});

test("the preferred device is used while it is among the candidates, another when it is not", () => {
  const loads = schedulers().map((scheduler) => ({ scheduler, models: 0 }));
  const placer = new Placer("least-loaded");
  assert.equal(placer.choose(loads, 1)?.worker.device.index, 1);
  assert.equal(placer.choose(loads.slice(0, 2), 1)?.worker.device.index, 0);
  assert.equal(placer.choose([], 1), null);
});
