import assert from "node:assert/strict";
import { test } from "node:test";
import { RestartPolicy } from "./restart-policy.ts";

const LIMITS = { max_restarts: 3, restart_window_s: 60 };

test("a process that worked is started again at once, one that did not ever later", () => {
  const policy = new RestartPolicy({ ...LIMITS, max_restarts: 100 });
  const delays = Array.from({ length: 9 }, (_, n) => policy.ended(n * 1000, false, true).inMs);
  assert.deepEqual(delays, [250, 500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000]);
  assert.equal(policy.ended(10_000, true, true).inMs, 100);
  assert.equal(policy.ended(11_000, false, true).inMs, 250);
});

test("one that keeps ending is taken out for the window, if others serve", () => {
  const policy = new RestartPolicy(LIMITS);
  for (let n = 0; n < 3; n++) assert.equal(policy.ended(n * 1000, true, true).type, "restart");
  assert.deepEqual(policy.ended(3000, true, true), { type: "take-out", inMs: 60_000 });
  assert.equal(policy.ended(63_000, true, true).type, "restart", "it has a new chance");
});

test("the last one is never taken out, and old ends do not count", () => {
  const alone = new RestartPolicy(LIMITS);
  for (let n = 0; n < 50; n++) assert.equal(alone.ended(n * 100, true, false).type, "restart");
  const slow = new RestartPolicy(LIMITS);
  for (let n = 0; n < 50; n++) assert.equal(slow.ended(n * 30_000, true, true).type, "restart");
});
