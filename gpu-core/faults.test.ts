import assert from "node:assert/strict";
import { test } from "node:test";
import { parseCoreConfig } from "./config.ts";
import { FaultInjector } from "./faults.ts";

function specs(...faults: object[]) {
  return parseCoreConfig({ faults }, "test").faults;
}

test("a fault happens after `skip` passes, `count` times", () => {
  const faults = new FaultInjector(
    specs({ point: "model.run", action: "fail", skip: 2, count: 2 }),
  );
  const hits = Array.from({ length: 6 }, () => faults.hit("model.run") !== null);
  assert.deepEqual(hits, [false, false, true, true, false, false]);
  assert.equal(faults.hit("model.load"), null);
});

test("count 0 is always", () => {
  const faults = new FaultInjector(specs({ point: "model.run", action: "exit", count: 0 }));
  assert.ok(Array.from({ length: 100 }, () => faults.hit("model.run")).every(Boolean));
});

test("a fault is for its model, device and process only", () => {
  const list = specs(
    { point: "model.load", action: "fail", model: "ada" },
    { point: "model.run", action: "exit", device: 1, process: 0 },
  );
  const first = new FaultInjector(list, { device: 1, process: 0 });
  assert.equal(first.hit("model.load", "ben"), null);
  assert.equal(first.hit("model.load", "ada")?.action, "fail");
  assert.equal(first.hit("model.run", "ben")?.action, "exit");
  assert.equal(new FaultInjector(list, { device: 1, process: 1 }).hit("model.run"), null);
  assert.equal(new FaultInjector(list, { device: 0, process: 0 }).hit("model.run"), null);
});
