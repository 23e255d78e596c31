import assert from "node:assert/strict";
import { test } from "node:test";
import { SeededRandom } from "../../../test/fuzz/random.ts";
import { BitReader, rbspOf } from "../../../test/support/bit-reader.ts";
import {
  assertShown,
  playRandomly,
  randomPicture,
  randomTrack,
} from "../../../test/support/h264-streams.ts";
import { TinyH264 } from "../../../test/support/tiny-h264.ts";
import { encodeTrack } from "./encode-track.ts";
import { openSession } from "./live-session.ts";
import { pictureOf } from "./picture.ts";
import type { SliceMode } from "./slice-map.ts";

const region = { x: 40, y: 36, width: 30, height: 21 };
const mouth = new Uint8Array(region.width * region.height * 3).fill(90);

/** 12 frames of 128x96 in groups of 6, with key pictures at every third. */
async function smallTrack(mode: SliceMode, interQp = 30) {
  const random = new SeededRandom(4);
  const order = Array.from({ length: 12 }, (_, n) => n);
  return encodeTrack(
    {
      width: 128,
      height: 96,
      order,
      regionOf: () => region,
      read: async (n) => randomPicture(random, 128, 96, "waves", n),
    },
    { framesPerSecond: 25, mode, interQp, groupFrames: 6, keyEveryFrames: 3 },
  );
}

/** nal_unit_type, and of slices idr_pic_id or null, with frame_num. */
function describe(unit: Uint8Array) {
  const type = unit[4]! & 31;
  if (type !== 1 && type !== 5) return { type };
  const bits = new BitReader(rbspOf(unit));
  const first = bits.ue();
  bits.ue();
  bits.ue();
  const frameNum = bits.u(4);
  return { type, first, frameNum, idr: type === 5 ? bits.ue() : null };
}

test("random sessions: another decoder shows what the coder has", async () => {
  const tiny = await TinyH264.open();
  for (let seed = 1; seed <= 30; seed++) {
    const random = new SeededRandom(seed);
    const track = await randomTrack(random, 2 + random.below(8));
    const played = playRandomly(random, track, 20);
    for (const [n, expected] of played.entries()) {
      const { width, height } = expected.picture;
      const whole = tiny.decode(expected.bytes);
      const decoded = pictureOf(whole, Math.ceil(width / 16) * 16, Math.ceil(height / 16) * 16);
      assertShown(decoded, expected, `frame ${n} of seed ${seed}: ${track.what}`);
    }
  }
});

test("slices of a picture agree, and IDR pictures that follow each other differ", async () => {
  for (const mode of ["band", "box"] as const) {
    const session = openSession(await smallTrack(mode));
    let lastIdr = -1;
    let frameNum = 0;
    for (let n = 0; n < 40; n++) {
      const isSpeaking = n % 14 > 6;
      const unit = session.nextFrame({ mouth: isSpeaking ? mouth : null, keyFrame: n % 5 === 0 });
      const parts = unit.parts.map(describe);
      const slices = parts.filter(({ type }) => type === 1 || type === 5);
      assert.equal(slices.length, mode === "band" ? 3 : 5);
      assert.equal(slices[0]!.first, 0);
      if (unit.isKeyFrame) {
        assert.deepEqual([parts[0]!.type, parts[1]!.type], [7, 8]);
        assert.notEqual(slices[0]!.idr, lastIdr);
        lastIdr = slices[0]!.idr!;
        frameNum = 0;
      }
      for (const slice of slices) {
        assert.equal(slice.type, unit.isKeyFrame ? 5 : 1);
        assert.equal(slice.frameNum, frameNum);
        if (unit.isKeyFrame) assert.equal(slice.idr, lastIdr);
      }
      frameNum++;
    }
  }
});

test("a key picture comes with the next position that has one", async () => {
  const session = openSession(await smallTrack("band"));
  const keys: number[] = [];
  for (let n = 0; n < 24; n++) {
    const unit = session.nextFrame({ mouth: null, keyFrame: n === 1 || n === 15 });
    if (unit.isKeyFrame) keys.push(n);
  }
  assert.deepEqual(keys, [0, 3, 6, 12, 15, 18]);
});

test("a session begins at a key picture, wherever it is told to", async () => {
  const track = await smallTrack("box");
  for (const [startAt, begins] of [
    [0, 0],
    [2, 0],
    [4, 3],
    [11, 9],
  ] as const) {
    const session = openSession(track, { startAt });
    assert.equal(session.next.position, begins);
    assert.ok(session.nextFrame({ mouth }).isKeyFrame);
  }
  assert.throws(() => openSession(track, { startAt: 12 }), RangeError);
});

test("silence costs no coding: published pictures until someone speaks, and again from the next key picture on", async () => {
  const session = openSession(await smallTrack("band"));
  const isCoded: boolean[] = [];
  for (let n = 0; n < 12; n++) {
    const isSpeaking = n === 2 || n === 3;
    isCoded.push(session.nextFrame({ mouth: isSpeaking ? mouth : null }).qp !== null);
  }
  assert.deepEqual(isCoded.map(Number), [0, 0, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0]);
});

test("a mouth of another size is refused", async () => {
  const session = openSession(await smallTrack("band"));
  assert.throws(() => session.nextFrame({ mouth: mouth.subarray(3) }), RangeError);
});

test("two sessions of one track do not disturb each other", async () => {
  const track = await smallTrack("box");
  const play = (other: boolean) => {
    const session = openSession(track);
    const second = openSession(track, { startAt: 3 });
    const units: Buffer[] = [];
    for (let n = 0; n < 12; n++) {
      units.push(Buffer.concat(session.nextFrame({ mouth: n > 3 ? mouth : null }).parts));
      if (other) second.nextFrame({ mouth, keyFrame: true });
    }
    return Buffer.concat(units);
  };
  assert.deepEqual(play(true), play(false));
});

test("a session moves to another rendition with the next key picture", async () => {
  const track = await smallTrack("band");
  const coarse = await smallTrack("box", 38);
  const session = openSession(track);
  const slices: number[] = [];
  for (let n = 0; n < 12; n++) {
    if (n === 1) session.setTrack(coarse);
    const { parts, isKeyFrame } = session.nextFrame({ mouth: n > 4 ? mouth : null });
    slices.push(parts.length - (isKeyFrame ? 2 : 0));
  }
  assert.deepEqual(slices, [3, 3, 3, 5, 5, 5, 5, 5, 5, 5, 5, 5]);
  const other = await encodeTrack(
    {
      width: 64,
      height: 64,
      order: [0],
      regionOf: () => ({ x: 0, y: 0, width: 8, height: 8 }),
      read: async () => randomPicture(new SeededRandom(1), 64, 64, "flat", 0),
    },
    { framesPerSecond: 25 },
  );
  assert.throws(() => session.setTrack(other), RangeError);
});

test("speech goes on from the published picture, or begins anew where that is long ago", async () => {
  const track = await smallTrack("band");
  const bytesOf = (maxCatchUpFrames: number) => {
    const session = openSession(track, { maxCatchUpFrames });
    for (let n = 0; n < 4; n++) session.nextFrame({ mouth: null });
    const { parts } = session.nextFrame({ mouth });
    return parts.reduce((sum, { length }) => sum + length, 0);
  };
  assert.ok(bytesOf(30) < 0.8 * bytesOf(3), `${bytesOf(30)} and ${bytesOf(3)}`);
});
