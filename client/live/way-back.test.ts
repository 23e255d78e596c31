import assert from "node:assert/strict";
import { test } from "node:test";
import type { Closed } from "./live-connection.ts";
import { WayBackPlan } from "./way-back.ts";

const closed = (code: number, more: Partial<Closed> = {}): Closed => ({
  code,
  reason: null,
  message: null,
  retryAfterMs: null,
  ...more,
});

test("it tries again at growing distances, until the session has forgotten", () => {
  const plan = new WayBackPlan({ resumeMs: 30_000, random: () => 0.5 });
  const waits: number[] = [];
  let nowMs = 1000;
  for (;;) {
    const next = plan.closed(closed(1006), nowMs);
    if (next.kind === "over") {
      assert.equal(next.reason, "lost");
      break;
    }
    waits.push(next.inMs);
    nowMs += next.inMs;
    assert.ok(waits.length < 50, "it never ends");
  }
  assert.deepEqual(waits.slice(0, 7), [150, 300, 600, 1200, 2400, 4000, 4000]);
  assert.ok(nowMs - 1000 <= 30_000 && nowMs - 1000 > 25_000, `${nowMs - 1000} ms`);
});

test("once it has worked, the next break has all its time", () => {
  const plan = new WayBackPlan({ resumeMs: 30_000, random: () => 0.5 });
  plan.closed(closed(1006), 0);
  plan.found();
  assert.deepEqual(plan.closed(closed(1006), 3_600_000), { kind: "again", inMs: 150 });
});

test("an edge that is full says when", () => {
  const plan = new WayBackPlan({ resumeMs: 30_000, random: () => 0.5 });
  const next = plan.closed(closed(4429, { retryAfterMs: 5000 }), 0);
  assert.deepEqual(next, { kind: "again", inMs: 5000 });
});

test("what trying again cannot change is over", () => {
  const cases: [number, string | null, string][] = [
    [1000, "max_duration", "max_duration"],
    [4401, null, "refused"],
    [4404, "no_session", "no_session"],
    [4409, null, "replaced"],
  ];
  for (const [code, reason, expected] of cases) {
    const plan = new WayBackPlan({ resumeMs: 30_000, random: () => 0.5 });
    const next = plan.closed(closed(code, { reason }), 0);
    assert.deepEqual(next, { kind: "over", reason: expected, message: null });
  }
});
