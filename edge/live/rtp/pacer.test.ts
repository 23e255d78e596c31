import assert from "node:assert/strict";
import { test } from "node:test";
import { VirtualClock } from "../../../avatar/clock.ts";
import { Pacer } from "./pacer.ts";

/** A source of packets of one size that notes when they went. */
function source(clock: VirtualClock, bytes: number) {
  const sentAtMs: number[] = [];
  const queue = { count: 0, sentAtMs };
  const sendNext = () => {
    if (queue.count === 0) return 0;
    queue.count--;
    sentAtMs.push(clock.now());
    return bytes;
  };
  return { ...{ queue }, sendNext };
}

test("a burst is spread over the time that its rate takes", async () => {
  const clock = new VirtualClock();
  const video = source(clock, 1000);
  // 1000 bytes per 4 ms.
  const pacer = new Pacer({ clock, sources: [video], rate: 2000 });
  video.queue.count = 100;
  pacer.wake();
  await clock.advanceBy(200);
  const inTime = video.queue.sentAtMs.length;
  // 50 packets by the rate, and 10 ms of burst.
  assert.ok(inTime >= 50 && inTime <= 54, `${inTime} packets in 200 ms`);
  await clock.advanceBy(300);
  assert.equal(video.queue.count, 0);
  assert.ok(video.queue.sentAtMs.at(-1)! >= 380);
});

test("the first source goes first, and what is debited waits", async () => {
  const clock = new VirtualClock();
  const again = source(clock, 1000);
  const video = source(clock, 1000);
  const pacer = new Pacer({ clock, sources: [again, video], rate: 800 });
  again.queue.count = 3;
  video.queue.count = 3;
  pacer.debit(5000);
  pacer.wake();
  await clock.advanceBy(30);
  assert.equal(again.queue.sentAtMs.length, 0);
  await clock.advanceBy(1000);
  assert.ok(again.queue.sentAtMs.at(-1)! <= video.queue.sentAtMs[0]!);
});

test("a rate that changes counts from then on", async () => {
  const clock = new VirtualClock();
  const video = source(clock, 1000);
  const pacer = new Pacer({ clock, sources: [video], rate: 80 });
  video.queue.count = 1000;
  pacer.wake();
  await clock.advanceBy(1000);
  const slow = video.queue.sentAtMs.length;
  pacer.setRate(8000);
  await clock.advanceBy(1000);
  const fast = video.queue.sentAtMs.length - slow;
  assert.ok(slow <= 12, `${slow} packets at 80 kbit/s`);
  assert.ok(fast > 850 && fast <= 1015, `${fast} packets at 8 Mbit/s`);
});

test("a stopped pacer sends nothing", async () => {
  const clock = new VirtualClock();
  const video = source(clock, 1000);
  const pacer = new Pacer({ clock, sources: [video], rate: 80 });
  video.queue.count = 10;
  pacer.wake();
  pacer.stop();
  pacer.wake();
  await clock.advanceBy(5000);
  assert.equal(video.queue.sentAtMs.length, 1);
});
