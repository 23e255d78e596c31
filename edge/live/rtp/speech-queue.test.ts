import assert from "node:assert/strict";
import { test } from "node:test";
import { VirtualClock } from "../../../avatar/clock.ts";
import { MediaClock } from "./media-clock.ts";
import { SpeechQueue } from "./speech-queue.ts";

interface Sent {
  readonly atMs: number;
  readonly timestampMs: number;
  readonly isFirst: boolean;
  readonly samples: Int16Array;
}

function open() {
  const clock = new VirtualClock();
  const mediaClock = new MediaClock(clock, () => 0);
  mediaClock.observe(0);
  const sent: Sent[] = [];
  const queue = new SpeechQueue({
    clock,
    mediaClock,
    send: (samples, timestampMs, isFirst) =>
      sent.push({ atMs: clock.now(), samples, timestampMs, isFirst }),
  });
  const push = (timestampMs: number, count: number, segment = 1) => {
    const samples = Int16Array.from({ length: count }, (_, i) => (timestampMs * 16 + i) % 30_000);
    queue.push({ samples, timestampMs, segment });
  };
  return { clock, sent, queue, push };
}

/** The samples that were sent, one after the other. */
function heard(sent: readonly Sent[]): number[] {
  return sent.flatMap(({ samples }) => [...samples]);
}

test("sound goes out in 20 ms frames when its time comes, and silence does not", async () => {
  const { clock, sent, push } = open();
  // Two seconds at once, as a fast voice makes them.
  push(100, 32_000);
  await clock.advanceTo(10_000);
  const spoken = sent.slice(0, 100);
  assert.deepEqual(
    spoken.map(({ timestampMs }) => timestampMs),
    spoken.map((_, n) => 100 + 20 * n),
  );
  for (const { atMs, timestampMs } of spoken) assert.ok(Math.abs(atMs - timestampMs) <= 2);
  assert.deepEqual(
    heard(spoken),
    heard(spoken).map((_, i) => (1600 + i) % 30_000),
  );
  // The tail of silence, and nothing after it.
  assert.equal(sent.length, 103);
  assert.ok(sent.slice(100).every(({ samples }) => samples.every((sample) => sample === 0)));
  assert.deepEqual(
    sent.filter(({ isFirst }) => isFirst).map(({ timestampMs }) => timestampMs),
    [100],
  );
  assert.ok(sent.at(-1)!.atMs < 2300);
});

test("pieces of any length become one line", async () => {
  const { clock, sent, push } = open();
  let timestampMs = 0;
  for (const count of [640, 100, 1, 539, 640, 320, 80]) {
    await clock.advanceTo(timestampMs);
    push(timestampMs, count);
    timestampMs += count / 16;
  }
  await clock.advanceTo(5000);
  const total = 640 + 100 + 1 + 539 + 640 + 320 + 80;
  const samples = heard(sent);
  assert.deepEqual(
    samples.slice(0, total),
    Array.from({ length: total }, (_, i) => i),
  );
  assert.ok(samples.slice(total).every((sample) => sample === 0));
  assert.equal(sent.filter(({ isFirst }) => isFirst).length, 1);
});

test("after a pause time stamps go on by the clock, and the marker tells", async () => {
  const { clock, sent, push } = open();
  push(0, 640);
  await clock.advanceTo(3000);
  push(3000, 640);
  await clock.advanceTo(6000);
  const starts = sent.filter(({ isFirst }) => isFirst).map(({ timestampMs }) => timestampMs);
  assert.deepEqual(starts, [0, 3000]);
});

test("sound that comes late does not overlap the tail", async () => {
  const { clock, sent, push } = open();
  push(0, 640);
  await clock.advanceTo(75);
  push(40, 640);
  await clock.advanceTo(1000);
  for (const [n, { timestampMs }] of sent.entries()) assert.equal(timestampMs, 20 * n);
});

test("an interruption drops what was not sent, and no more", async () => {
  const { clock, sent, queue, push } = open();
  push(0, 16_000, 1);
  await clock.advanceTo(300);
  queue.drop(1);
  push(400, 640, 2);
  queue.drop(1);
  await clock.advanceTo(3000);
  const spoken = sent.filter(({ samples }) => samples.some((sample) => sample !== 0));
  const times = spoken.map(({ timestampMs }) => timestampMs);
  assert.deepEqual(times.slice(-2), [400, 420]);
  assert.ok(times.at(-3)! <= 302);
  for (let n = 1; n < sent.length; n++) {
    assert.ok(sent[n]!.timestampMs >= sent[n - 1]!.timestampMs + 20, "frames overlap");
  }
});

test("a minute is kept, and no more", async () => {
  const { clock, sent, queue, push } = open();
  push(0, 90 * 16_000);
  assert.equal(queue.dropped, 1500);
  queue.stop();
  await clock.advanceTo(100_000);
  assert.equal(sent.length, 1);
});
