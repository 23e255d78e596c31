import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { InferenceSession, Tensor } from "onnxruntime-node";
import { cropRgb, rgbaToRgb } from "../image/crop.ts";
import { CubicResizer } from "../image/resize.ts";
import { DemoRenderer } from "./render.ts";
import { buildDemoUnet } from "./unet.ts";
import { VISEME, type VisemeName } from "./viseme.ts";

const SIDE = 320;
const PIXELS = SIDE * SIDE;
const ROW = 512;
type Face = Partial<Record<VisemeName, number>>;

const renderer = new DemoRenderer();
const resizer = new CubicResizer();
let session: InferenceSession;

before(async () => {
  session = await InferenceSession.create(buildDemoUnet(), { intraOpNumThreads: 1 });
});
after(() => session.release());

/** float32 [6,320,320] BGR of a background frame, the masked copy zeroed. */
function visual(index: number): Float32Array {
  const { width, height, pixels, rectangle } = renderer.render(index);
  const frame = rgbaToRgb({ width, height, data: new Uint8ClampedArray(pixels) });
  const crop = resizer.resize(cropRgb(frame, rectangle), 328, 328);
  const data = new Float32Array(6 * PIXELS);
  for (let y = 0; y < SIDE; y++) {
    for (let x = 0; x < SIDE; x++) {
      const masked = x >= 5 && x <= 314 && y >= 5 && y <= 309;
      for (let c = 0; c < 3; c++) {
        const value = crop.data[3 * ((y + 4) * 328 + x + 4) + 2 - c]! / 255;
        data[c * PIXELS + y * SIDE + x] = value;
        data[(c + 3) * PIXELS + y * SIDE + x] = masked ? 0 : value;
      }
    }
  }
  return data;
}

/** float32 [16,512]: the same face in every row, or one face per row. */
function features(face: Face | ((row: number) => Face)): Float32Array {
  const data = new Float32Array(16 * ROW);
  for (let row = 0; row < 16; row++) {
    const values = typeof face === "function" ? face(row) : face;
    for (const [name, value] of Object.entries(values)) {
      data[row * ROW + VISEME[name as VisemeName]] = value;
    }
  }
  return data;
}

async function run(input: Float32Array, audio: Float32Array): Promise<Float32Array> {
  const n = input.length / (6 * PIXELS);
  const { output } = await session.run({
    input: new Tensor("float32", input, [n, 6, SIDE, SIDE]),
    audio: new Tensor("float32", audio, [n, 32, 16, 16]),
  });
  assert.deepEqual(output?.dims, [n, 3, SIDE, SIDE]);
  return output.data as Float32Array;
}

function distance(a: Float32Array, b: Float32Array): { max: number; mean: number } {
  let [max, sum] = [0, 0];
  for (let i = 0; i < 3 * PIXELS; i++) {
    const step = Math.abs(a[i]! - b[i]!);
    max = Math.max(max, step);
    sum += step;
  }
  return { max, mean: sum / (3 * PIXELS) };
}

/** Pixels about the mouth whose blue and green pass `holds`: these tell skin, lips and gap apart. */
function count(picture: Float32Array, holds: (blue: number, green: number) => boolean): number {
  let found = 0;
  for (let y = 90; y < 190; y++) {
    for (let x = 84; x < 236; x++) {
      const at = y * SIDE + x;
      if (holds(picture[at]!, picture[PIXELS + at]!)) found++;
    }
  }
  return found;
}
const isDark = (_blue: number, green: number): boolean => green < 0.15;
const isWhite = (blue: number, green: number): boolean => blue > 0.7 && green - blue < 0.05;

/** The widest row of dark pixels. */
function darkWidth(picture: Float32Array): number {
  let widest = 0;
  for (let y = 90; y < 190; y++) {
    let width = 0;
    for (let x = 84; x < 236; x++) if (isDark(0, picture[PIXELS + y * SIDE + x]!)) width++;
    widest = Math.max(widest, width);
  }
  return widest;
}

test("silence gives the reference back, on every kind of frame", async () => {
  for (const index of [0, 25, 62, 124]) {
    const input = visual(index);
    assert.ok(distance(await run(input, features({})), input).max <= 2 / 255);
    const hum = features({ open: 0.03, teeth: 0.04, voice: 1 });
    assert.ok(distance(await run(input, hum), input).max <= 2 / 255);
  }
});

test("an open vowel opens a dark gap, a rounded one a narrower, pressed lips none", async () => {
  const input = visual(62);
  const closed = await run(input, features({}));
  const open = await run(input, features({ open: 1 }));
  const round = await run(input, features({ open: 0.5, round: 1 }));
  const pressed = await run(input, features({ open: 0.3, pressed: 1 }));
  assert.ok(count(open, isDark) > count(closed, isDark) + 1000);
  assert.ok(count(round, isDark) > count(closed, isDark) + 300);
  assert.ok(darkWidth(round) < 0.75 * darkWidth(open));
  assert.ok(count(pressed, isDark) < count(closed, isDark) + 60);
  assert.ok(distance(pressed, closed).max > 0.1, "pressed lips are thinner");
});

test("teeth show together and white where they are asked for", async () => {
  const input = visual(62);
  const closed = await run(input, features({}));
  const teeth = await run(input, features({ teeth: 1, spread: 0.6, open: 0.1 }));
  assert.ok(count(teeth, isWhite) > count(closed, isWhite) + 300);
  assert.ok(count(teeth, isDark) < count(closed, isDark) + 400);
});

test("nothing outside the mask is touched, and values stay colours", async () => {
  const input = visual(100);
  for (const face of [{ open: 1 }, { open: 1, round: 1, teeth: 1, spread: 1 }, { pressed: 1 }]) {
    const output = await run(input, features(face));
    for (let i = 0; i < 3 * PIXELS; i++) {
      const [x, y] = [i % SIDE, Math.floor(i / SIDE) % SIDE];
      const border = x < 8 || x >= 312 || y < 48 || y >= 304;
      if (border && output[i] !== input[i]) assert.fail(`(${x}, ${y}) changed`);
      if (!(output[i]! >= -1e-3 && output[i]! <= 1.001))
        assert.fail(`${output[i]} at (${x}, ${y})`);
    }
    // No seam where the moving part begins.
    for (let y = 60; y < 300; y++) {
      const at = PIXELS + y * SIDE + 8;
      assert.ok(Math.abs(output[at]! - input[at]!) < 2 / 255);
    }
  }
});

test("each parameter moves the mouth without a jump", async () => {
  const input = visual(40);
  const steps = 25;
  for (const name of ["open", "spread", "round", "teeth", "pressed"] as const) {
    let last = await run(input, features({}));
    let total = 0;
    for (let k = 1; k <= steps; k++) {
      const base: Face = name === "pressed" ? { open: 0.4 * (1 - k / steps) } : {};
      const next = await run(input, features({ ...base, [name]: k / steps }));
      const { mean } = distance(next, last);
      if (!(name === "pressed" && k === 1)) assert.ok(mean < 0.004, `${name} ${k}: ${mean}`);
      total += mean;
      last = next;
    }
    assert.ok(total > (name === "spread" ? 0.001 : 0.002), `${name} does something: ${total}`);
  }
});

test("opening is monotone: the picture departs from the closed one with the jaw, step by step", async () => {
  const input = visual(80);
  const closed = await run(input, features({}));
  const sum = (picture: Float32Array): number => picture.reduce((total, value) => total + value, 0);
  let [last, lastSum] = [0, sum(closed)];
  for (let k = 1; k <= 20; k++) {
    const picture = await run(input, features({ open: k / 20 }));
    const { mean } = distance(picture, closed);
    assert.ok(mean >= last, `${mean} after ${last} at ${k}`);
    const step = Math.abs(sum(picture) - lastSum);
    assert.ok(step < 500, `the sum of all pixels steps by ${step} at ${k}`);
    [last, lastSum] = [mean, sum(picture)];
  }
});

test("the row of the frame's own time decides; far rows do not", async () => {
  const input = visual(62);
  const closed = await run(input, features({}));
  const at = async (row: number): Promise<number> =>
    distance(
      await run(
        input,
        features((k) => (k === row ? { open: 1 } : {})),
      ),
      closed,
    ).mean;
  const [own, next, far] = [await at(7), await at(8), await at(12)];
  assert.ok(own > next && next > far);
  assert.equal(far < 1e-6, true);
});

test("a batch gives what single frames give", async () => {
  const [a, b] = [visual(0), visual(124)];
  const [open, round] = [features({ open: 0.8 }), features({ round: 1, open: 0.3 })];
  const both = new Float32Array(12 * PIXELS);
  both.set(a);
  both.set(b, 6 * PIXELS);
  const audio = new Float32Array(32 * ROW);
  audio.set(open);
  audio.set(round, 16 * ROW);
  const batch = await run(both, audio);
  assert.ok(distance(batch.subarray(0, 3 * PIXELS), await run(a, open)).max < 1e-4);
  assert.ok(distance(batch.subarray(3 * PIXELS), await run(b, round)).max < 1e-4);
});
