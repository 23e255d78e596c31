import assert from "node:assert/strict";
import { test } from "node:test";
import { crc32 } from "node:zlib";
import sharp, { type Sharp } from "sharp";
import { createImageCodecs } from "./codecs.ts";
import type { ImageError, ImageErrorCode } from "./image-error.ts";
import type { RgbaImage } from "./types.ts";

const codecs = createImageCodecs();
const WIDTH = 67;
const HEIGHT = 45;

/** Smooth colours, so that JPEG keeps them. */
function picture(width = WIDTH, height = HEIGHT): RgbaImage {
  const data = new Uint8ClampedArray(width * height * 4);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      data.set(
        [(x * 255) / width, (y * 255) / height, 128 + 60 * Math.sin(x / 9), 255],
        (y * width + x) * 4,
      );
    }
  }
  return { width, height, data };
}

function sharpOf({ width, height, data }: RgbaImage) {
  return sharp(data, { raw: { width, height, channels: 4 } });
}

function fails(code: ImageErrorCode, message: RegExp) {
  return (error: ImageError) => {
    assert.equal(error.name, "ImageError");
    assert.equal(error.code, code);
    assert.match(error.message, message);
    return true;
  };
}

function largestDifference(a: ArrayLike<number>, b: ArrayLike<number>): number {
  assert.equal(a.length, b.length);
  let largest = 0;
  for (let i = 0; i < a.length; i++) largest = Math.max(largest, Math.abs(a[i]! - b[i]!));
  return largest;
}

test("PNG goes there and back, and others read it", async () => {
  const image = picture();
  const file = await codecs.encodePng(image);
  const back = await codecs.decode(file);
  assert.deepEqual(back, image);
  assert.deepEqual(new Uint8ClampedArray(await sharp(file).raw().toBuffer()), image.data);
});

test("pixels are read from where they begin", async () => {
  const image = picture();
  const larger = new Uint8ClampedArray(image.data.length + 100);
  larger.set(image.data, 40);
  const view = { ...image, data: larger.subarray(40, 40 + image.data.length) };
  assert.deepEqual(await codecs.decode(await codecs.encodePng(view)), image);
  assert.deepEqual(
    await codecs.encodeJpeg(view, { quality: 80 }),
    await codecs.encodeJpeg(image, { quality: 80 }),
  );
});

for (const [name, make] of [
  ["RGB", (s: Sharp) => s.removeAlpha().png()],
  ["grey", (s: Sharp) => s.removeAlpha().greyscale().png()],
  ["palette", (s: Sharp) => s.png({ palette: true })],
  ["16 bit", (s: Sharp) => s.toColourspace("rgb16").png()],
  ["interlaced", (s: Sharp) => s.png({ progressive: true })],
] as const) {
  test(`reads ${name} PNG`, async () => {
    const file = await make(sharpOf(picture())).toBuffer();
    const expected = await sharp(file).toColourspace("srgb").ensureAlpha().raw().toBuffer();
    const image = await codecs.decode(file);
    assert.deepEqual([image.width, image.height], [WIDTH, HEIGHT]);
    assert.ok(largestDifference(image.data, expected) <= 1);
  });
}

for (const [name, options] of [
  ["4:2:0", {}],
  ["4:4:4", { chromaSubsampling: "4:4:4" }],
  ["progressive", { progressive: true }],
] as const) {
  test(`reads ${name} JPEG as libjpeg-turbo does`, async () => {
    const file = await sharpOf(picture()).jpeg(options).toBuffer();
    const expected = await sharp(file).ensureAlpha().raw().toBuffer();
    assert.equal(largestDifference((await codecs.decode(file)).data, expected), 0);
  });
}

test("writes baseline 4:2:0 JPEG at every quality, better ones larger", async () => {
  const image = picture(320, 200);
  const low = await codecs.encodeJpeg(image, { quality: 40 });
  const high = await codecs.encodeJpeg(image, { quality: 95 });
  assert.ok(high.length > low.length);
  for (const file of [low, high]) {
    const meta = await sharp(file).metadata();
    assert.equal(meta.format, "jpeg");
    assert.equal(meta.chromaSubsampling, "4:2:0");
    assert.equal(meta.isProgressive, false);
    assert.ok(largestDifference((await codecs.decode(file)).data, image.data) < 24);
  }
  const full = await codecs.encodeJpeg(image, { quality: 95, chroma: "4:4:4" });
  assert.equal((await sharp(full).metadata()).chromaSubsampling, "4:4:4");
});

test("damaged files are refused, and good ones still read after hundreds of them", async () => {
  const image = picture();
  const png = await codecs.encodePng(image);
  const jpeg = await codecs.encodeJpeg(image, { quality: 80 });
  const flipped = (file: Uint8Array, at: number) =>
    file.map((byte, i) => (i === at ? byte ^ 0x55 : byte));
  const cases: [Uint8Array, RegExp][] = [
    [png.subarray(0, png.length >> 1), /cut short/],
    [png.subarray(0, 20), /cut short/],
    [flipped(png, png.length >> 1), /IDAT chunk has changed/],
    [jpeg.subarray(0, jpeg.length >> 1), /[Pp]remature end/],
    [jpeg.subarray(0, 30), /header/],
    [jpeg.subarray(0, 4), /header/],
  ];
  for (const [file, message] of cases) {
    await assert.rejects(codecs.decode(file), fails("damaged_image", message));
  }
  const brokenPixels = withBrokenPixels(png);
  const brokenTables = jpeg.slice();
  // A Huffman table that cannot be.
  brokenTables.fill(255, indexOfMarker(jpeg, 0xc4) + 5, indexOfMarker(jpeg, 0xc4) + 21);
  for (let i = 0; i < 300; i++) {
    await assert.rejects(codecs.decode(brokenPixels), fails("damaged_image", /pixels/));
    if (i < 20) await assert.rejects(codecs.decode(brokenTables), fails("damaged_image", /./));
  }
  assert.deepEqual(await codecs.decode(png), image);
  assert.equal((await codecs.decode(jpeg)).width, WIDTH);
});

test("other files are refused by name", async () => {
  const bytes = (text: string) => new TextEncoder().encode(text);
  await assert.rejects(codecs.decode(bytes("")), fails("unsupported_image", /empty/));
  await assert.rejects(codecs.decode(bytes("GIF89a......")), fails("unsupported_image", /GIF/));
  await assert.rejects(
    codecs.decode(bytes("RIFF1234WEBPVP8 ")),
    fails("unsupported_image", /WebP/),
  );
  await assert.rejects(codecs.decode(bytes("hello")), fails("unsupported_image", /PNG or JPEG/));
});

test("a small file that would be huge is refused before it is decoded", async () => {
  const jpeg = await codecs.encodeJpeg(picture(), { quality: 80 });
  const frame = indexOfMarker(jpeg, 0xc0);
  jpeg.set([0xff, 0xff, 0xff, 0xff], frame + 5);
  await assert.rejects(codecs.decode(jpeg), fails("image_too_large", /65535x65535/));
});

test("a size that disagrees with the data is refused", async () => {
  const image = { ...picture(), width: WIDTH + 1 };
  await assert.rejects(codecs.encodePng(image), RangeError);
  await assert.rejects(codecs.encodeJpeg(image, { quality: 80 }), RangeError);
});

function indexOfMarker(jpeg: Uint8Array, marker: number): number {
  const at = jpeg.findIndex((byte, i) => byte === 0xff && jpeg[i + 1] === marker);
  assert.ok(at > 0, "the marker is there");
  return at;
}

/** Replaces the compressed data by zeros, with a CRC that fits: damage that only decoding shows. */
function withBrokenPixels(png: Uint8Array): Uint8Array {
  const view = new DataView(png.buffer, png.byteOffset);
  const at = 33;
  assert.equal(new TextDecoder().decode(png.subarray(at + 4, at + 8)), "IDAT");
  const end = at + 12 + view.getUint32(at);
  const broken = png.slice();
  broken.fill(0, at + 8, end - 4);
  new DataView(broken.buffer).setUint32(end - 4, crc32(broken.subarray(at + 4, end - 4)));
  return broken;
}
