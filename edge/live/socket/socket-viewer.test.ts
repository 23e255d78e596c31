import assert from "node:assert/strict";
import { test } from "node:test";
import type { LiveFormat } from "../live-media.ts";
import { type BinaryHeader, decodeBinary } from "./binary-frame.ts";
import { Outbox } from "./outbox.ts";
import { SocketViewer } from "./socket-viewer.ts";
import { pcmCoder } from "./sound-coder.ts";

function openViewer(format: LiveFormat) {
  const sent: BinaryHeader[] = [];
  const clock = { now: 0 };
  const outbox = new Outbox({
    send(message) {
      assert.ok(typeof message !== "string");
      sent.push(decodeBinary(message.buffer)!.header);
    },
    close() {},
  });
  const viewer = new SocketViewer({
    format,
    outbox,
    sound: pcmCoder,
    now: () => clock.now,
    onError: (error) => assert.fail(String(error)),
  });
  const asked = { keyFrames: 0 };
  viewer.watch({
    requestKeyFrame: () => {
      asked.keyFrames++;
    },
    setVideoKilobits() {},
    leave() {},
  });
  let position = 0;
  const show = async (isKeyFrame = false) => {
    const timestampMs = 40 * ++position;
    clock.now = timestampMs;
    const parts = [new Uint8Array([1])];
    viewer.frame({ format, parts, isKeyFrame, timestampMs, position, segment: null });
    await settled();
  };
  return { viewer, sent, clock, asked, show, outbox };
}

const settled = () => new Promise((resolve) => setImmediate(resolve));

test("H.264 that the network cannot take is dropped up to the next key frame", async () => {
  const { viewer, sent, asked, show } = openViewer("h264");
  await show();
  assert.equal(sent.length, 0, "no decoder can begin here");
  assert.equal(asked.keyFrames, 1);
  await show(true);
  for (let n = 0; n < 20; n++) await show();
  assert.equal(sent.length, 8);
  assert.equal(viewer.dropped, 13);
  viewer.acknowledge(8);
  await show();
  assert.equal(sent.length, 8);
  assert.equal(asked.keyFrames, 2);
  await show(true);
  await show();
  assert.deepEqual(
    sent.slice(8).map(({ sequence, isKeyFrame }) => [sequence, isKeyFrame]),
    [
      [9, true],
      [10, false],
    ],
  );
});

test("JPEG goes on with the newest, and what may be under way follows the round trip", async () => {
  const { viewer, sent, show, clock } = openViewer("jpeg");
  await show(true);
  clock.now += 10;
  viewer.acknowledge(1);
  const { length } = sent;
  for (let n = 0; n < 20; n++) await show(true);
  // A round trip of 10 ms: one frame on its way, and three that may wait.
  assert.equal(sent.length - length, 4);
  viewer.acknowledge(1000);
  await show(true);
  assert.equal(sent.at(-1)?.timestampMs, 40 * 22);
});

test("H.264 may wait longer than JPEG: dropping it costs more than one picture", async () => {
  const { viewer, sent, show, clock } = openViewer("h264");
  await show(true);
  clock.now += 10;
  viewer.acknowledge(1);
  const { length } = sent;
  for (let n = 0; n < 30; n++) await show();
  assert.equal(sent.length - length, 11);
});

test("sound of what was interrupted is dropped, also where it waits", async () => {
  const { viewer, sent } = openViewer("jpeg");
  const say = (segment: number) =>
    viewer.sound({ samples: new Int16Array(640), timestampMs: 40, segment });
  say(1);
  say(2);
  viewer.interrupted(1);
  await settled();
  assert.deepEqual(
    sent.map(({ segment }) => segment),
    [2],
  );
  say(1);
  say(2);
  await settled();
  assert.deepEqual(
    sent.map(({ segment }) => segment),
    [2, 2],
  );
  for (let n = 0; n < 100; n++) say(3);
  await settled();
  // The one that was dropped counts until something later is acknowledged.
  assert.equal(sent.length, 49, "sound that nobody acknowledges is not sent for ever");
});
