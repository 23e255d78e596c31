import assert from "node:assert/strict";
import { test } from "node:test";
import { FilmViewer } from "./film-viewer.ts";
import type { LiveFrame } from "./live-media.ts";

const FRAME_SAMPLES = 640;

function record() {
  let left = 0;
  const viewer = new FilmViewer(() => ({
    requestKeyFrame() {},
    setVideoKilobits() {},
    leave: () => left++,
  }));
  const frame = (timestampMs: number, isKeyFrame = false) => {
    const parts: LiveFrame["parts"] = [new Uint8Array([timestampMs & 255])];
    viewer.frame({ format: "h264", parts, isKeyFrame, timestampMs, position: 0, segment: null });
  };
  const say = (timestampMs: number, value: number) => {
    const samples = new Int16Array(FRAME_SAMPLES).fill(value);
    viewer.sound({ samples, timestampMs, segment: 1 });
  };
  return { viewer, frame, say, left: () => left };
}

async function collect<T>(source: AsyncIterable<T>): Promise<T[]> {
  const items: T[] = [];
  for await (const item of source) items.push(item);
  return items;
}

/** What is heard in each 40 ms. */
async function heard(viewer: FilmViewer): Promise<number[]> {
  const all = (await collect(viewer.speech())).flatMap((samples) => [...samples]);
  assert.equal(all.length % FRAME_SAMPLES, 0);
  return Array.from({ length: all.length / FRAME_SAMPLES }, (_, n) => {
    const part = all.slice(n * FRAME_SAMPLES, (n + 1) * FRAME_SAMPLES);
    assert.ok(part.every((sample) => sample === part[0]));
    return part[0]!;
  });
}

test("a film begins with a key frame, and its sound with it", async () => {
  const { viewer, frame, say } = record();
  say(960, 1);
  frame(960);
  say(1000, 2);
  frame(1000, true);
  say(1040, 3);
  frame(1040);
  frame(1080);
  viewer.ended("over");
  const pictures = await collect(viewer.pictures());
  assert.deepEqual(
    pictures.map(({ timestampMs }) => timestampMs),
    [0, 40, 80],
  );
  assert.deepEqual(await heard(viewer), [2, 3, 0]);
});

test("frames that are missing leave a gap in the picture and none in the sound", async () => {
  const { viewer, frame, say } = record();
  frame(0, true);
  say(40, 1);
  // Its frame was lost.
  frame(160);
  say(200, 2);
  frame(200);
  viewer.ended("over");
  assert.deepEqual(await heard(viewer), [0, 1, 0, 0, 0, 2]);
  assert.equal((await collect(viewer.pictures())).length, 3);
});

test("what comes is there for a reader who has waited, and who leaves ends it", async () => {
  const { viewer, frame, left } = record();
  const pictures = viewer.pictures();
  const first = pictures.next();
  frame(0, true);
  assert.equal((await first).value?.timestampMs, 0);
  await pictures.return(undefined);
  assert.equal(viewer.endReason, "left");
  assert.equal(left(), 1);
  viewer.ended("over");
  assert.equal(left(), 1);
});

test("a reader who falls ten seconds behind has a film up to there", async () => {
  const { viewer, frame, left } = record();
  for (let n = 0; n < 400; n++) frame(40 * n, n === 0);
  assert.equal(viewer.endReason, "too_slow");
  assert.equal(left(), 1);
  const pictures = await collect(viewer.pictures());
  assert.equal(pictures.length, 251);
  assert.equal((await heard(viewer)).length, 251);
});
