import assert from "node:assert/strict";
import { test } from "node:test";
import sharp from "sharp";
import { createImageCodecs } from "../../../avatar/image/codecs.ts";
import type { Rectangle } from "../../../avatar/rectangle.ts";
import {
  composite,
  randomFrame,
  randomRegion,
  seededRandom,
  type Texture,
} from "../../../test/support/composite.ts";
import type { Background } from "../band.ts";
import { decodeEntry } from "../prepared-entry.ts";
import { PreparedFrameError } from "../prepared-frame-error.ts";
import { readPreparedPng } from "./png-frame.ts";
import { PngPreparer } from "./png-preparer.ts";
import { PngSplicer } from "./png-splicer.ts";

const preparer = new PngPreparer();
const splicer = new PngSplicer();
const codecs = createImageCodecs();

function spliceInto(frame: Background, region: Rectangle, mouth: Uint8Array, softEdge = 0) {
  const prepared = readPreparedPng(decodeEntry(preparer.prepare(frame, region, { softEdge })));
  return Buffer.concat(splicer.splice(prepared, mouth));
}

/** The pixels of a PNG by libpng, which also checks every CRC and the Adler-32. */
async function pixelsOf(file: Uint8Array, channels: 3 | 4): Promise<Uint8Array> {
  const { data, info } = await sharp(file, { failOn: "warning" })
    .raw()
    .toBuffer({ resolveWithObject: true });
  assert.equal(info.channels, channels);
  return data;
}

const randomBytes = (random: (below: number) => number, count: number) =>
  Uint8Array.from({ length: count }, () => random(256));

test("any mouth anywhere in any frame: the pixels of the plain composite", async () => {
  for (let seed = 0; seed < 300; seed++) {
    const random = seededRandom(seed);
    const size = { width: 1 + random(70), height: 1 + random(50), channels: 3 as 3 | 4 };
    if (random(3) === 0) size.channels = 4;
    const texture: Texture = (["noise", "flat", "smooth"] as const)[random(3)]!;
    const frame = randomFrame(random, size, texture);
    const region = randomRegion(random, size);
    const softEdge = random(2) * random(9);
    const mouth = randomBytes(random, region.width * region.height * 3);
    const file = spliceInto(frame, region, mouth, softEdge);
    const expected = composite(frame, region, mouth, softEdge);
    const where = `seed ${seed}: ${JSON.stringify({ size, texture, region, softEdge })}`;
    assert.deepEqual(
      Buffer.from(await pixelsOf(file, size.channels)),
      Buffer.from(expected),
      where,
    );
    const { data } = await codecs.decode(file);
    for (let i = 0; i < data.length; i++) {
      const at = size.channels * (i >> 2) + (i & 3);
      const wanted = size.channels === 3 && (i & 3) === 3 ? 255 : expected[at];
      if (data[i] !== wanted) assert.fail(`${where}: byte ${i} by @jsquash`);
    }
  }
});

test("frames wider than the window, and higher than a block", async () => {
  const random = seededRandom(7);
  for (const size of [
    { width: 8192, height: 5, channels: 4 as const },
    { width: 600, height: 300, channels: 3 as const },
    { width: 3, height: 8192, channels: 3 as const },
  ]) {
    const frame = randomFrame(random, size, "smooth");
    const region = randomRegion(random, size);
    const mouth = randomBytes(random, region.width * region.height * 3);
    assert.deepEqual(
      Buffer.from(await pixelsOf(spliceInto(frame, region, mouth), size.channels)),
      Buffer.from(composite(frame, region, mouth, 0)),
    );
  }
});

test("one prepared frame takes any number of mouths, and stays as it is", async () => {
  const random = seededRandom(3);
  const frame = randomFrame(random, { width: 90, height: 60, channels: 3 }, "smooth");
  const region = { x: 30, y: 20, width: 31, height: 23 };
  const bytes = preparer.prepare(frame, region, { softEdge: 0 });
  const before = bytes.slice();
  const prepared = readPreparedPng(decodeEntry(bytes));
  for (const fill of [() => 0, () => 255, random.bind(null, 256), (i: number) => 255 * (i & 1)]) {
    const mouth = Uint8Array.from({ length: 31 * 23 * 3 }, (_, i) => fill(i));
    const file = Buffer.concat(splicer.splice(prepared, mouth));
    const expected = composite(frame, region, mouth, 0);
    assert.deepEqual(Buffer.from(await pixelsOf(file, 3)), Buffer.from(expected));
  }
  assert.deepEqual(bytes, before);
});

test("head and tail go out without a copy", () => {
  const frame = randomFrame(seededRandom(1), { width: 40, height: 40, channels: 3 }, "noise");
  const region = { x: 10, y: 10, width: 8, height: 8 };
  const bytes = preparer.prepare(frame, region, { softEdge: 0 });
  const prepared = readPreparedPng(decodeEntry(bytes));
  const [head, , tail] = splicer.splice(prepared, new Uint8Array(8 * 8 * 3));
  assert.equal(head?.buffer, bytes.buffer);
  assert.equal(tail?.buffer, bytes.buffer);
});

test("what repeats is found again, across the mouth too", () => {
  const row = Uint8Array.from({ length: 300 * 3 }, (_, i) => (i * i) >> 3);
  const data = new Uint8Array(300 * 200 * 3);
  for (let y = 0; y < 200; y++) data.set(row, y * row.length);
  const region = { x: 140, y: 90, width: 10, height: 10 };
  const frame: Background = { width: 300, height: 200, channels: 3, data };
  const mouth = new Uint8Array(10 * 10 * 3);
  const file = spliceInto(frame, region, mouth);
  assert.ok(file.length < 4000, `${file.length} bytes`);
});

test("fast preparing gives the same pixels", async () => {
  const random = seededRandom(5);
  const frame = randomFrame(random, { width: 200, height: 150, channels: 3 }, "smooth");
  const region = { x: 40, y: 50, width: 60, height: 50 };
  const mouth = randomBytes(random, 60 * 50 * 3);
  const bytes = preparer.prepare(frame, region, { softEdge: 0, effort: "fast" });
  const file = Buffer.concat(splicer.splice(readPreparedPng(decodeEntry(bytes)), mouth));
  const expected = composite(frame, region, mouth, 0);
  assert.deepEqual(Buffer.from(await pixelsOf(file, 3)), Buffer.from(expected));
});

test("a mouth of another size is refused", () => {
  const frame = randomFrame(seededRandom(1), { width: 40, height: 40, channels: 3 }, "flat");
  const region = { x: 10, y: 10, width: 8, height: 8 };
  const prepared = readPreparedPng(decodeEntry(preparer.prepare(frame, region, { softEdge: 0 })));
  assert.throws(() => splicer.splice(prepared, new Uint8Array(8 * 7 * 3)), RangeError);
});

test("a damaged entry is refused, or gives a damaged picture, and nothing worse", () => {
  const random = seededRandom(11);
  const frame = randomFrame(random, { width: 50, height: 40, channels: 3 }, "smooth");
  const region = { x: 12, y: 9, width: 20, height: 18 };
  const entry = preparer.prepare(frame, region, { softEdge: 3 });
  const mouth = new Uint8Array(20 * 18 * 3);
  let refused = 0;
  for (let n = 0; n < 3000; n++) {
    const damaged = entry.slice(0, random(4) === 0 ? random(entry.length) : entry.length);
    for (let flips = 1 + random(4); flips > 0 && damaged.length > 0; flips--) {
      // Half of them where the numbers are.
      const at = random(2) === 0 ? random(Math.min(64, damaged.length)) : random(damaged.length);
      damaged[at]! ^= 1 << random(8);
    }
    try {
      splicer.splice(readPreparedPng(decodeEntry(damaged)), mouth);
    } catch (error) {
      assert.ok(error instanceof PreparedFrameError || error instanceof RangeError, String(error));
      refused++;
    }
  }
  assert.ok(refused > 1000, `${refused} were refused`);
  // And the kernels still work.
  const file = Buffer.concat(splicer.splice(readPreparedPng(decodeEntry(entry)), mouth));
  assert.ok(file.length > 100);
});
