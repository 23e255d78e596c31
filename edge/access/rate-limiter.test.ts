import assert from "node:assert/strict";
import { test } from "node:test";
import { allOf, createLocalRateLimiter } from "./rate-limiter.ts";

/** How many of `calls` are let in, one every `everyMs`. */
async function letIn(perMinute: number, calls: number, everyMs: number): Promise<number> {
  let nowMs = 5000;
  const limiter = createLocalRateLimiter(() => nowMs);
  let count = 0;
  for (let n = 0; n < calls; n++) {
    if ((await limiter.take("acme", perMinute)) === 0) count++;
    nowMs += everyMs;
  }
  return count;
}

test("a quarter of a minute's calls at once, and the minute's evenly", async () => {
  assert.equal(await letIn(60, 100, 0), 15);
  assert.equal(await letIn(60, 100, 1000), 100);
  // Ten minutes at twice the rate
  assert.equal(await letIn(60, 1200, 500), 600 + 14);
  assert.equal(await letIn(1, 10, 0), 1);
});

test("what it says to wait is enough, and hardly more", async () => {
  let nowMs = 0;
  const limiter = createLocalRateLimiter(() => nowMs);
  while ((await limiter.take("acme", 6)) === 0);
  const waitS = await limiter.take("acme", 6);
  assert.equal(waitS, 5);
  assert.equal(await limiter.take("other", 6), 0, "accounts are apart");
  nowMs += 1000 * waitS - 2000;
  assert.equal(await limiter.take("acme", 6), 2);
  nowMs += 2000;
  assert.equal(await limiter.take("acme", 6), 0);
  assert.equal(await limiter.take("acme", null), 0);
});

test("several at once let in what each lets in", async () => {
  const refuse = { take: async () => 7 };
  const local = createLocalRateLimiter(() => 0);
  assert.equal(await allOf(local, refuse).take("acme", 100), 7);
  assert.equal(await allOf(local, local).take("acme", null), 0);
});
