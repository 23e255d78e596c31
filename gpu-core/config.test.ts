import assert from "node:assert/strict";
import { test } from "node:test";
import { parseCoreConfig } from "./config.ts";

test("the published keys are all known", () => {
  const config = parseCoreConfig(
    {
      server: { port: 50051, max_message_size_mb: 50, worker_count_per_gpu: 4, queue_size: 50 },
      gpus: { enabled: false, count: 8, memory_gb_per_gpu: 24, assignment_strategy: "round-robin" },
      capacity: {
        max_models: 1200,
        max_memory_gb: 200,
        eviction_policy: "lfu",
        idle_timeout_minutes: 60,
      },
      models_root: "/models",
      models: { ada: { model_path: "ada/model.onnx", preload: true, preferred_gpu: 7 } },
    },
    "config.yaml",
  );
  assert.equal(config.gpus.count, 8);
  assert.equal(config.models.ada?.preferred_gpu, 7);
  assert.equal(config.server.host, "127.0.0.1");
});

test("faults that could not happen are refused", () => {
  const cases: [object, RegExp][] = [
    [{ point: "model.resolve", action: "fail" }, /faults.0.point: .*model.load/],
    [
      { point: "device.ping", action: "fail" },
      /faults.0: fail cannot happen at device.ping, allowed are delay, hang, exit/,
    ],
    [{ point: "model.run", action: "delay" }, /faults.0: a delay needs delay_ms/],
    [
      { point: "device.start", action: "exit", process: 1 },
      /faults.0: process says nothing at device.start/,
    ],
    [{ point: "device.ping", action: "hang", model: "ada" }, /faults.0: model says nothing/],
  ];
  for (const [fault, message] of cases) {
    assert.throws(() => parseCoreConfig({ faults: [fault] }, "config.yaml"), message);
  }
});

test("what cannot be is refused with file, key and what is allowed", () => {
  const cases: [object, RegExp][] = [
    [
      { gpus: { assignment_strategy: "random" } },
      /config.yaml: gpus.assignment_strategy: .*round-robin/,
    ],
    [
      { capacity: { eviction: "lru" } },
      /unknown key capacity.eviction: allowed here are max_models/,
    ],
    [{ gpus: { devices: { "00": { memory_gb: 1 } } } }, /gpus.devices.*00/],
    [{ server: { queue_size: 0 } }, /server.queue_size/],
    [{ models: { "../x": {} } }, /models/],
    [
      { models: { ada: { preferred_gpu: 1 } } },
      /models.ada.preferred_gpu: 1 does not exist, allowed are 0 to 0/,
    ],
    [
      { gpus: { enabled: true }, models: { ada: { max_batch_size: 9 } } },
      /models.ada.max_batch_size: 9 is more than batching.max_batch_size, which is 8/,
    ],
  ];
  for (const [value, message] of cases) {
    assert.throws(() => parseCoreConfig(value, "config.yaml"), message);
  }
});
