import assert from "node:assert/strict";
import { test } from "node:test";
import { VirtualClock } from "../../../avatar/clock.ts";
import { KeyFrameRequests } from "./key-frame-requests.ts";

test("requests are passed on at once, then every half a second while there are any", async () => {
  const clock = new VirtualClock();
  const passedAtMs: number[] = [];
  const requests = new KeyFrameRequests(clock, () => passedAtMs.push(clock.now()));
  for (let n = 0; n < 100; n++) {
    requests.request();
    await clock.advanceBy(13);
  }
  await clock.advanceBy(5000);
  assert.deepEqual(passedAtMs, [0, 500, 1000, 1500]);
});

test("a key frame that comes meanwhile answers who waits", async () => {
  const clock = new VirtualClock();
  const requests = new KeyFrameRequests(clock, () => {});
  requests.request();
  requests.request();
  requests.answered();
  await clock.advanceBy(5000);
  assert.equal(requests.passed, 1);
  requests.request();
  assert.equal(requests.passed, 2);
});
