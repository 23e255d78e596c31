import assert from "node:assert/strict";
import { test } from "node:test";
import { silentLogger } from "../../avatar/logger.ts";
import { parseCoreConfig } from "../config.ts";
import { Engine } from "../engine/engine.ts";
import { Placer } from "./placement.ts";

/** Two devices of two workers, which nobody starts. */
function lanes() {
  const config = parseCoreConfig(
    { gpus: { count: 2 }, server: { worker_count_per_gpu: 2 } },
    "test",
  );
  const engine = new Engine(config, silentLogger);
  for (const device of engine.devices) device.state = "ready";
  return engine.lanes;
}

test("round-robin takes turns", () => {
  const loads = lanes().map((lane) => ({ lane, models: 0 }));
  const placer = new Placer("round-robin");
  const chosen = Array.from({ length: 5 }, () => placer.choose(loads, undefined));
  assert.deepEqual(
    chosen,
    [0, 1, 2, 3, 0].map((n) => loads[n]!.lane),
  );
});

test("least-loaded takes the worker with the fewest models", () => {
  const loads = lanes().map((lane, n) => ({ lane, models: [3, 2, 1, 2][n]! }));
  assert.equal(new Placer("least-loaded").choose(loads, undefined), loads[2]!.lane);
});

test("the preferred device is used while it is up, another when it is not", () => {
  const loads = lanes().map((lane) => ({ lane, models: 0 }));
  const placer = new Placer("least-loaded");
  assert.equal(placer.choose(loads, 1)?.device.options.index, 1);
  loads[2]!.lane.device.state = "down";
  assert.equal(placer.choose(loads, 1)?.device.options.index, 0);
  loads[0]!.lane.device.state = "down";
  assert.equal(placer.choose(loads, 1), null);
});
