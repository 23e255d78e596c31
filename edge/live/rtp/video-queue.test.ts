import assert from "node:assert/strict";
import { test } from "node:test";
import { VirtualClock } from "../../../avatar/clock.ts";
import { type PayloadPlace, VideoQueue } from "./video-queue.ts";

function open() {
  const clock = new VirtualClock();
  const sent: PayloadPlace[] = [];
  const asked = { count: 0 };
  const queue = new VideoQueue({
    clock,
    send: (payload, place) => {
      sent.push(place);
      return payload.length;
    },
    onNeedsKeyFrame: () => asked.count++,
  });
  const push = (timestampMs: number, isKeyFrame = false, packets = 2, bytes = 100) =>
    queue.push(
      Array.from({ length: packets }, () => new Uint8Array(bytes)),
      timestampMs,
      isKeyFrame,
    );
  return { clock, sent, asked, queue, push };
}

test("pictures go out whole, and each ends once", () => {
  const { sent, queue, push } = open();
  push(0, true, 3);
  push(40, false, 2);
  while (queue.sendNext() > 0);
  assert.deepEqual(
    sent.map(({ timestampMs, isKeyStart, isLast }) => [timestampMs, isKeyStart, isLast]),
    [
      [0, true, false],
      [0, false, false],
      [0, false, true],
      [40, false, false],
      [40, false, true],
    ],
  );
  assert.equal(queue.bytes, 0);
});

test("nothing goes before the first key frame", () => {
  const { sent, queue, push, asked } = open();
  push(0);
  push(40);
  assert.equal(queue.sendNext(), 0);
  assert.deepEqual([asked.count, queue.dropped], [2, 2]);
  push(80, true);
  while (queue.sendNext() > 0);
  assert.equal(sent[0]!.timestampMs, 80);
});

test("what waits too long is dropped up to the next key frame, but not what was begun", async () => {
  const { clock, sent, queue, push, asked } = open();
  push(0, true, 1);
  queue.sendNext();
  push(0, false, 3);
  queue.sendNext();
  for (let n = 1; n <= 10; n++) {
    await clock.advanceTo(40 * n);
    push(40 * n);
  }
  assert.equal(asked.count, 0);
  await clock.advanceTo(480);
  push(480);
  // The picture that was begun is still there.
  assert.equal(asked.count, 0);
  while (queue.sendNext() > 0);
  push(520);
  assert.equal(asked.count, 1);
  push(560, true);
  while (queue.sendNext() > 0);
  assert.deepEqual([...new Set(sent.map(({ timestampMs }) => timestampMs))], [0, 560]);
  assert.equal(sent.filter(({ isLast }) => isLast).length, 3);
  assert.equal(queue.dropped, 12);
});

test("what waits for a key frame may be as late as that made it", async () => {
  const { clock, sent, queue, push } = open();
  push(0, true, 10);
  for (let n = 1; n <= 25; n++) {
    await clock.advanceTo(40 * n);
    push(40 * n, false, 1);
    if (n % 3 === 0) queue.sendNext();
  }
  while (queue.sendNext() > 0) await clock.advanceBy(10);
  assert.equal(queue.dropped, 0);
  assert.equal(sent.filter(({ isLast }) => isLast).length, 26);
});

test("it never holds more than its bound and one picture", () => {
  const { queue, push } = open();
  push(0, true, 1000, 1000);
  for (let n = 1; n < 100; n++) {
    push(40 * n, n % 10 === 0, 1000, 1000);
    assert.ok(queue.bytes <= 3_000_000, `${queue.bytes} bytes`);
  }
});
