import assert from "node:assert/strict";
import { test } from "node:test";
import { SeededRandom } from "../../../test/fuzz/random.ts";
import { depacketise } from "../../../test/support/h264-depacketiser.ts";
import { randomTrack } from "../../../test/support/h264-streams.ts";
import { openSession } from "../../compositor/h264/live-session.ts";
import { MAX_PAYLOAD_BYTES, packetiseAccessUnit } from "./h264-packetiser.ts";

/** A NAL unit of the byte stream, with a start code of 3 or 4 bytes. */
function randomPart(random: SeededRandom, bytes: number): Uint8Array {
  const zeros = 2 + random.below(2);
  const part = new Uint8Array(zeros + 1 + bytes);
  part[zeros] = 1;
  for (let i = 0; i < bytes; i++) part[zeros + 1 + i] = random.below(256);
  part[zeros + 1] = random.below(4) * 32 + 1 + random.below(12);
  return part;
}

function nalOf(part: Uint8Array): number[] {
  return [...part.subarray(part.indexOf(1) + 1)];
}

test("what a receiver puts together is what was sent", () => {
  const random = new SeededRandom(1);
  for (let n = 0; n < 300; n++) {
    const sizes = [2, 40, 300, 1198, 1199, 1200, 1201, 2399, 5000];
    const parts = Array.from({ length: 1 + random.below(40) }, () =>
      randomPart(random, random.below(2) ? random.pick(sizes) : 1 + random.below(200)),
    );
    const payloads = packetiseAccessUnit(parts);
    for (const { length } of payloads) assert.ok(length <= MAX_PAYLOAD_BYTES);
    assert.deepEqual(
      depacketise(payloads).map((nal) => [...nal]),
      parts.map(nalOf),
    );
  }
});

test("small NAL units share packets, nine at most", () => {
  const random = new SeededRandom(2);
  const parts = Array.from({ length: 20 }, () => randomPart(random, 20));
  const payloads = packetiseAccessUnit(parts);
  assert.deepEqual(
    payloads.map(({ length }) => length),
    [1 + 9 * 22, 1 + 9 * 22, 1 + 2 * 22],
  );
});

test("fragments are of one size, give or take", () => {
  const payloads = packetiseAccessUnit([randomPart(new SeededRandom(3), 1300)]);
  assert.deepEqual(
    payloads.map(({ length }) => length),
    [652, 651],
  );
});

test("a payload may be as small as a link wants", () => {
  const part = randomPart(new SeededRandom(4), 500);
  const payloads = packetiseAccessUnit([part], 100);
  assert.ok(payloads.every(({ length }) => length <= 100));
  assert.deepEqual([...depacketise(payloads)[0]!], nalOf(part));
});

test("what is no NAL unit is refused", () => {
  for (const part of [[], [0, 0, 1], [0, 0, 0, 1], [0x65, 1, 2], [0, 1, 5], [0, 0, 0, 0, 1, 5]]) {
    assert.throws(() => packetiseAccessUnit([Uint8Array.from(part)]), RangeError);
  }
});

test("each access unit of the coder is one picture, and key pictures bring their parameters", async () => {
  const random = new SeededRandom(5);
  const { track } = await randomTrack(random, 12, "box");
  const session = openSession(track);
  for (let n = 0; n < 30; n++) {
    const { parts, isKeyFrame } = session.nextFrame({ mouth: null, keyFrame: n % 7 === 0 });
    const nals = depacketise(packetiseAccessUnit(parts));
    const types = nals.map((nal) => nal[0]! & 31);
    const slices = nals.filter((_, i) => types[i] === 1 || types[i] === 5);
    // first_mb_in_slice is 0 where the slice's first bit is 1 (ue(v)).
    const firsts = slices.map((nal) => nal[1]! >> 7);
    assert.deepEqual(firsts, [1, ...slices.slice(1).map(() => 0)]);
    assert.deepEqual(types.slice(0, 2).join(), isKeyFrame ? "7,8" : types.slice(0, 2).join());
    assert.equal(types.includes(7), isKeyFrame);
  }
});
