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
import { FrameCoder } from "./frame-coder.ts";
import { END_OF_IMAGE, fileHeader, restartMarker } from "./jpeg-file.ts";
import { type PreparedJpeg, readPreparedJpeg } from "./jpeg-frame.ts";
import { createJpegKernels } from "./jpeg-kernels.ts";
import { type JpegPrepareOptions, JpegPreparer } from "./jpeg-preparer.ts";
import { JpegSplicer } from "./jpeg-splicer.ts";

const preparer = new JpegPreparer();
const splicer = new JpegSplicer();
const kernels = createJpegKernels();
const codecs = createImageCodecs();

const PLAIN: JpegPrepareOptions = { quality: 75, subsampling: "4:2:0", softEdge: 0 };

function prepare(frame: Background, region: Rectangle, options: JpegPrepareOptions): PreparedJpeg {
  return readPreparedJpeg(decodeEntry(preparer.prepare(frame, region, options)));
}

function splice(prepared: PreparedJpeg, mouth: Uint8Array): Buffer<ArrayBuffer> {
  return Buffer.concat(splicer.splice(prepared, mouth));
}

/** The composited picture, all of it coded with the tables of the prepared frame. */
function codeWhole(frame: Background, prepared: PreparedJpeg, mouth: Uint8Array): Buffer {
  const { region, softEdge } = prepared.entry;
  const pixels = composite(frame, region, mouth, softEdge);
  const data = frame.channels === 3 ? pixels : pixels.filter((_, index) => (index & 3) !== 3);
  const picture = { width: frame.width, height: frame.height, data };
  const { grid, tables } = prepared;
  const coder = new FrameCoder(kernels, picture, grid, tables);
  const parts: Uint8Array[] = [fileHeader(picture, grid, tables)];
  for (let row = 0; row < grid.rows; row++) {
    parts.push(coder.codeRow(row), restartMarker(row, grid));
  }
  return Buffer.concat([...parts, END_OF_IMAGE]);
}

/** Pixels as libjpeg-turbo has them, which must have nothing to remark. */
async function pixelsOf(file: Uint8Array, { width, height }: Background): Promise<Buffer> {
  const { data, info } = await sharp(file, { failOn: "warning" })
    .raw()
    .toBuffer({ resolveWithObject: true });
  assert.deepEqual([info.width, info.height, info.channels], [width, height, 3]);
  return data;
}

/** Peak signal-to-noise ratio in decibels. */
function psnr(a: Uint8Array, b: Uint8Array): number {
  assert.equal(a.length, b.length);
  const error = a.reduce((sum, value, i) => sum + (value - b[i]!) ** 2, 0) / a.length;
  return 10 * Math.log10(255 ** 2 / error);
}

const randomBytes = (random: (below: number) => number, count: number) =>
  Uint8Array.from({ length: count }, () => random(256));

test("any mouth anywhere in any frame: the bytes of the whole picture coded anew", async () => {
  for (let seed = 0; seed < 600; seed++) {
    const random = seededRandom(seed);
    const size = { width: 1 + random(90), height: 1 + random(90), channels: 3 as 3 | 4 };
    if (random(4) === 0) size.channels = 4;
    const texture: Texture = (["noise", "flat", "smooth"] as const)[random(3)]!;
    const frame = randomFrame(random, size, texture);
    const region = randomRegion(random, size);
    const options: JpegPrepareOptions = {
      quality: 1 + random(100),
      subsampling: random(2) === 0 ? "4:2:0" : "4:4:4",
      softEdge: random(2) * random(65),
    };
    const prepared = prepare(frame, region, options);
    const mouth = randomBytes(random, region.width * region.height * 3);
    const file = splice(prepared, mouth);
    const where = `seed ${seed}: ${JSON.stringify({ size, texture, region, options })}`;
    assert.ok(file.equals(codeWhole(frame, prepared, mouth)), where);
    if (seed % 4 > 0) continue;
    await pixelsOf(file, frame);
    const decoded = await codecs.decode(file);
    assert.deepEqual([decoded.width, decoded.height], [size.width, size.height], where);
  }
});

test("frames as long as they may be", async () => {
  const random = seededRandom(7);
  for (const size of [
    { width: 8192, height: 5, channels: 3 as const },
    { width: 3, height: 8192, channels: 3 as const },
  ]) {
    const frame = randomFrame(random, size, "smooth");
    const region = randomRegion(random, size);
    const prepared = prepare(frame, region, PLAIN);
    const mouth = randomBytes(random, region.width * region.height * 3);
    const file = splice(prepared, mouth);
    assert.ok(file.equals(codeWhole(frame, prepared, mouth)));
    await pixelsOf(file, frame);
  }
});

test("decoders see the picture that was put together, as well as libjpeg would show it", async () => {
  const random = seededRandom(2);
  const [width, height] = [150, 117];
  const data = Uint8Array.from({ length: width * height * 3 }, (_, i) => {
    const [x, y] = [Math.trunc(i / 3) % width, Math.trunc(i / 3 / width)];
    return 128 + 90 * Math.sin(x / 25 + (i % 3)) * Math.cos(y / (18 + 5 * (i % 3))) + random(3);
  });
  const frame: Background = { width, height, channels: 3, data };
  const region = { x: 40, y: 50, width: 61, height: 43 };
  const mouth = Uint8Array.from({ length: 61 * 43 * 3 }, (_, i) => 100 + 50 * Math.cos(i / 400));
  for (const quality of [100, 90, 75, 40]) {
    for (const subsampling of ["4:4:4", "4:2:0"] as const) {
      const prepared = prepare(frame, region, { quality, subsampling, softEdge: 6 });
      const file = splice(prepared, mouth);
      const wanted = composite(frame, region, mouth, 6);
      const raw = { width, height, channels: 3 as const };
      const theirs = await sharp(wanted, { raw })
        .jpeg({ quality, chromaSubsampling: subsampling })
        .toBuffer();
      const ours = psnr(await pixelsOf(file, frame), wanted);
      const bar = psnr(await pixelsOf(theirs, frame), wanted);
      const what = `quality ${quality}, ${subsampling}: ${ours} dB where libjpeg has ${bar}`;
      assert.ok(ours > bar - 0.25, what);
      if (quality === 100 && subsampling === "4:4:4") assert.ok(ours > 45, what);
      const decoded = (await codecs.decode(file)).data.filter((_, i) => (i & 3) !== 3);
      assert.ok(psnr(Uint8Array.from(decoded), wanted) > bar - 0.25, `${what} (@jsquash)`);
      // Codes for symbols that have not come up yet, and a marker per row, cost a little.
      const limit = theirs.length + 400 + 6 * prepared.grid.rows;
      assert.ok(file.length < limit, `${file.length} and ${theirs.length} bytes`);
    }
  }
});

test("a frame is what was recorded when its own mouth is put in", async () => {
  const random = seededRandom(9);
  const frame = randomFrame(random, { width: 80, height: 64, channels: 3 }, "noise");
  const region = { x: 16, y: 16, width: 33, height: 30 };
  const mouth = new Uint8Array(33 * 30 * 3);
  for (let y = 0; y < 30; y++) {
    const start = ((16 + y) * 80 + 16) * 3;
    mouth.set(frame.data.subarray(start, start + 33 * 3), y * 33 * 3);
  }
  const prepared = prepare(frame, region, { quality: 100, subsampling: "4:4:4", softEdge: 0 });
  assert.ok(psnr(await pixelsOf(splice(prepared, mouth), frame), Uint8Array.from(frame.data)) > 45);
});

test("a mouth that nothing in its frame resembles can be coded", async () => {
  const size = { width: 64, height: 64, channels: 3 as const };
  const region = { x: 13, y: 9, width: 40, height: 41 };
  const mouths: ((x: number, y: number, channel: number) => number)[] = [
    (x, y) => 255 * ((x + y) & 1),
    (x, y) => 255 * (((x >> 3) + (y >> 3)) & 1),
    (x, y) => 255 * (((x >> 4) + (y >> 4)) & 1),
    (x, _y, channel) => 255 * ((x + channel) & 1),
    (x, y, channel) => 255 * (((x * 5) ^ (y * 3) ^ channel) & 1),
    // the signs of basis functions: the largest coefficients that can be
    (x, y) =>
      Math.cos(((2 * x + 7) * 3 * Math.PI) / 16) * Math.cos((2 * y + 15) * 0.2) > 0 ? 255 : 0,
  ];
  for (const value of [0, 128, 255]) {
    const frame = { ...size, data: new Uint8Array(64 * 64 * 3).fill(value) };
    for (const subsampling of ["4:2:0", "4:4:4"] as const) {
      for (const quality of [1, 50, 100]) {
        const prepared = prepare(frame, region, { quality, subsampling, softEdge: 0 });
        for (const pattern of mouths) {
          const mouth = Uint8Array.from({ length: 40 * 41 * 3 }, (_, i) =>
            pattern(Math.trunc(i / 3) % 40, Math.trunc(i / 120), i % 3),
          );
          const file = splice(prepared, mouth);
          assert.ok(file.equals(codeWhole(frame, prepared, mouth)));
          const pixels = await pixelsOf(file, frame);
          if (quality < 100 || subsampling === "4:2:0") continue;
          assert.ok(psnr(pixels, composite(frame, region, mouth, 0)) > 45);
        }
      }
    }
  }
});

test("one prepared frame takes any number of mouths, and stays as it is", () => {
  const random = seededRandom(3);
  const frame = randomFrame(random, { width: 90, height: 60, channels: 3 }, "smooth");
  const region = { x: 30, y: 20, width: 31, height: 23 };
  const bytes = preparer.prepare(frame, region, PLAIN);
  const before = bytes.slice();
  const prepared = readPreparedJpeg(decodeEntry(bytes));
  for (const fill of [() => 0, () => 255, random.bind(null, 256), (i: number) => 255 * (i & 1)]) {
    const mouth = Uint8Array.from({ length: 31 * 23 * 3 }, (_, i) => fill(i));
    assert.ok(splice(prepared, mouth).equals(codeWhole(frame, prepared, mouth)));
  }
  assert.deepEqual(bytes, before);
});

test("prepared twice, a frame has the same bytes", () => {
  const frame = randomFrame(seededRandom(4), { width: 70, height: 50, channels: 3 }, "noise");
  const region = { x: 5, y: 6, width: 20, height: 30 };
  const again = new JpegPreparer().prepare(frame, region, PLAIN);
  assert.deepEqual(preparer.prepare(frame, region, PLAIN), again);
});

test("head and tail go out without a copy", () => {
  const frame = randomFrame(seededRandom(1), { width: 40, height: 40, channels: 3 }, "noise");
  const region = { x: 10, y: 10, width: 8, height: 8 };
  const bytes = preparer.prepare(frame, region, PLAIN);
  const prepared = readPreparedJpeg(decodeEntry(bytes));
  const [head, , tail] = splicer.splice(prepared, new Uint8Array(8 * 8 * 3));
  assert.equal(head?.buffer, bytes.buffer);
  assert.equal(tail?.buffer, bytes.buffer);
});

test("a mouth of another size and impossible options are refused", () => {
  const frame = randomFrame(seededRandom(1), { width: 40, height: 40, channels: 3 }, "flat");
  const region = { x: 10, y: 10, width: 8, height: 8 };
  const prepared = prepare(frame, region, PLAIN);
  assert.throws(() => splicer.splice(prepared, new Uint8Array(8 * 7 * 3)), RangeError);
  for (const wrong of [{ quality: 0 }, { quality: 101 }, { quality: 7.5 }, { softEdge: 65 }]) {
    assert.throws(() => prepare(frame, region, { ...PLAIN, ...wrong }), RangeError);
  }
});
