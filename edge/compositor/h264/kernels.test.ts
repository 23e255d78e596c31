import assert from "node:assert/strict";
import { test } from "node:test";
import { type KernelExports, Kernels } from "../../../avatar/wasm/kernels.ts";
import { SeededRandom } from "../../../test/fuzz/random.ts";
import { BitReader } from "../../../test/support/bit-reader.ts";
import { module } from "../gen/h264-parts.js";
import { CAVLC_CODES, cavlcTableBytes } from "./cavlc-tables.ts";

/** The kernels of `assembly/h264-parts.ts`. */
interface Parts extends KernelExports {
  readonly PAIR: WebAssembly.Global;
  beginBits(at: number): void;
  endBits(): number;
  cavlcTables(): number;
  putResidual(levels: number, mask: number, maxLevels: number, nC: number): void;
  forwardPair(source: number, prediction: number, stride: number): void;
  inversePair(prediction: number, predictionStride: number, out: number, outStride: number): void;
  setQuantiser(qp: number, roundingShare: number): void;
  quantiseBlock(coefficients: number, levels: number, hasDc: boolean): number;
  scaleBlock(levels: number, coefficients: number): void;
  predictLuma(
    at: number,
    stride: number,
    x: number,
    y: number,
    out: number,
    width: number,
    height: number,
  ): void;
  predictChromaInter(
    at: number,
    stride: number,
    x: number,
    y: number,
    out: number,
    width: number,
    height: number,
  ): void;
  sad(a: number, aStride: number, b: number, bStride: number, w: number, h: number): number;
  ssd(a: number, aStride: number, b: number, bStride: number, w: number, h: number): number;
}

const kernels = new Kernels<Parts>(module);
const { exports } = kernels;
kernels.begin();
kernels.bytes(exports.cavlcTables(), 2912).set(cavlcTableBytes());
const room = kernels.reserve(65_536);
const shorts = (at: number, count: number) => new Int16Array(exports.memory.buffer, at, count);
const clip = (value: number) => Math.max(0, Math.min(255, value));

// CAVLC ------------------------------------------------------------------------

function residualBits(levels: readonly number[], nC: number): Uint8Array {
  shorts(room, 16).fill(0);
  shorts(room, 16).set(levels);
  const mask = levels.reduce((bits, level, n) => bits | (Number(level !== 0) << n), 0);
  exports.beginBits(room + 64);
  exports.putResidual(room, mask, levels.length, nC);
  const bytes = exports.endBits();
  return kernels.bytes(room + 64, bytes).slice();
}

/** Six bits; the last two are TrailingOnes. */
const FIXED_TOKENS = Array.from({ length: 17 }, (_, total) =>
  Array.from({ length: Math.min(total, 3) + 1 }, (_, ones) =>
    (total === 0 ? 3 : (total - 1) * 4 + ones).toString(2).padStart(6, "0"),
  ),
);

/** Clause 9.2, read back from the standard's own tables. */
function readResidual(bits: BitReader, maxLevels: number, nC: number): number[] {
  const [low, middle, high, chroma] = CAVLC_CODES.coeffTokens;
  const tokens = nC < 0 ? chroma : nC < 2 ? low : nC < 4 ? middle : nC < 8 ? high : FIXED_TOKENS;
  const pairs = tokens!.flatMap((row, total) => row.map((_, ones) => ({ total, ones })));
  const { total, ones } = pairs[bits.code(tokens!.flat())]!;
  const levels: number[] = [];
  let suffixLength = total > 10 && ones < 3 ? 1 : 0;
  for (let n = 0; n < total; n++) {
    if (n < ones) {
      levels.push(bits.bit() ? -1 : 1);
      continue;
    }
    let prefix = 0;
    while (bits.bit() === 0) prefix++;
    let code = Math.min(15, prefix) * 2 ** suffixLength;
    const size = prefix === 14 && suffixLength === 0 ? 4 : prefix >= 15 ? prefix - 3 : suffixLength;
    code += bits.u(size);
    if (prefix >= 15 && suffixLength === 0) code += 15;
    if (n === ones && ones < 3) code += 2;
    const level = code % 2 === 0 ? (code + 2) / 2 : (-code - 1) / 2;
    levels.push(level);
    if (suffixLength === 0) suffixLength = 1;
    if (Math.abs(level) > 3 * 2 ** (suffixLength - 1) && suffixLength < 6) suffixLength++;
  }
  const block = new Array<number>(maxLevels).fill(0);
  if (total === 0) return block;
  const zeroCodes = maxLevels === 4 ? CAVLC_CODES.totalZerosChromaDc : CAVLC_CODES.totalZeros;
  let zeros = total < maxLevels ? bits.code(zeroCodes[total - 1]!) : 0;
  let at = zeros + total - 1;
  for (const [n, level] of levels.entries()) {
    block[at] = level;
    if (n === total - 1) break;
    const run = zeros > 0 ? bits.code(CAVLC_CODES.runs[Math.min(zeros, 7) - 1]!) : 0;
    zeros -= run;
    at -= run + 1;
  }
  return block;
}

test("a block as it is coded in textbooks", () => {
  const levels = [0, 3, 0, 1, -1, -1, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0];
  const bits = [...residualBits(levels, 0)].map((byte) => byte.toString(2).padStart(8, "0"));
  assert.equal(bits.join("").slice(0, 24), "000010001110010111101101");
});

test("any levels come back, of every size, number and place", () => {
  const random = new SeededRandom(11);
  for (let n = 0; n < 6000; n++) {
    const maxLevels = random.pick([4, 15, 16]);
    const density = random.unit();
    const size = random.pick([1, 2, 3, 15, 16, 40, 300, 2047]);
    const levels = Array.from({ length: maxLevels }, () =>
      random.unit() < density ? random.below(2 * size + 1) - size : 0,
    );
    const nC = maxLevels === 4 ? -1 : random.below(17);
    const bits = new BitReader(residualBits(levels, nC));
    assert.deepEqual(readResidual(bits, maxLevels, nC), levels, `block ${n}, nC ${nC}`);
    assert.equal(bits.bit(), 1, "nothing is left");
  }
});

// Transform and quantisation -----------------------------------------------------

const FORWARD = [
  [1, 1, 1, 1],
  [2, 1, -1, -2],
  [1, -1, -1, 1],
  [1, -2, 2, -1],
];

/** Cf X Cf', by row and column. */
function transform(block: readonly number[]): number[] {
  const product: number[] = [];
  for (let v = 0; v < 4; v++) {
    for (let u = 0; u < 4; u++) {
      let sum = 0;
      for (let y = 0; y < 4; y++) {
        for (let x = 0; x < 4; x++) sum += FORWARD[v]![y]! * FORWARD[u]![x]! * block[4 * y + x]!;
      }
      product.push(sum);
    }
  }
  return product;
}

/** Equations 8-338 to 8-354, one after the other. */
function inverse(d: readonly number[]): number[] {
  const line = ([a, b, c, e]: readonly number[]) => {
    const e0 = a! + c!;
    const e1 = a! - c!;
    const e2 = (b! >> 1) - e!;
    const e3 = b! + (e! >> 1);
    return [e0 + e3, e1 + e2, e1 - e2, e0 - e3];
  };
  const rows = [0, 1, 2, 3].map((y) => line(d.slice(4 * y, 4 * y + 4)));
  const columns = [0, 1, 2, 3].map((x) => line(rows.map((row) => row[x]!)));
  return Array.from({ length: 16 }, (_, n) => (columns[n % 4]![n >> 2]! + 32) >> 6);
}

const pairAt = () => exports.PAIR.value as number;

test("the transform is the standard's matrix, of two blocks at once", () => {
  const random = new SeededRandom(5);
  for (let n = 0; n < 200; n++) {
    const [source, prediction] = [room, room + 256];
    const extreme = random.below(3) === 0;
    const value = () => (extreme ? 255 * random.below(2) : random.below(256));
    for (let i = 0; i < 64; i++) {
      kernels.bytes(source, 64)[i] = value();
      kernels.bytes(prediction, 64)[i] = value();
    }
    exports.forwardPair(source, prediction, 16);
    for (const block of [0, 1]) {
      const differences = Array.from({ length: 16 }, (_, i) => {
        const at = (i >> 2) * 16 + (i & 3) + 4 * block;
        return kernels.bytes(source, 64)[at]! - kernels.bytes(prediction, 64)[at]!;
      });
      const expected = transform(differences);
      const found = shorts(pairAt() + 32 * block, 16);
      for (let i = 0; i < 16; i++) assert.equal(found[(i & 3) * 4 + (i >> 2)], expected[i]);
    }
  }
});

test("the inverse transform rounds where the standard does", () => {
  const random = new SeededRandom(6);
  for (let n = 0; n < 200; n++) {
    const blocks = [0, 1].map(() => Array.from({ length: 16 }, () => random.below(4000) - 2000));
    for (const [n, block] of blocks.entries()) {
      const to = shorts(pairAt() + 32 * n, 16);
      for (let i = 0; i < 16; i++) to[(i & 3) * 4 + (i >> 2)] = block[i]!;
    }
    const prediction = Array.from({ length: 32 }, () => random.below(256));
    kernels.bytes(room, 32).set(prediction);
    exports.inversePair(room, 8, room + 64, 8);
    const found = kernels.bytes(room + 64, 32);
    for (const [n, block] of blocks.entries()) {
      const residual = inverse(block);
      for (let i = 0; i < 16; i++) {
        const at = (i >> 2) * 8 + (i & 3) + 4 * n;
        assert.equal(found[at], clip(prediction[at]! + residual[i]!));
      }
    }
  }
});

test("quantised and scaled back, coefficients stay within a step", () => {
  const random = new SeededRandom(8);
  for (let qp = 10; qp <= 45; qp++) {
    const differences = Array.from({ length: 16 }, () => random.below(511) - 255);
    const coefficients = transform(differences);
    for (let i = 0; i < 16; i++) shorts(room, 16)[(i & 3) * 4 + (i >> 2)] = coefficients[i]!;
    exports.setQuantiser(qp, 32);
    exports.quantiseBlock(room, room + 64, true);
    exports.scaleBlock(room + 64, pairAt());
    kernels.bytes(room + 128, 32).fill(0);
    const scaled = Array.from(
      { length: 16 },
      (_, i) => shorts(pairAt(), 16)[(i & 3) * 4 + (i >> 2)]!,
    );
    const back = inverse(scaled);
    const step = 2 ** ((qp - 4) / 6);
    const error = back.reduce((sum, value, i) => sum + (value - differences[i]!) ** 2, 0) / 16;
    assert.ok(error <= step ** 2 / 8 + 1, `QP ${qp}: ${error} for a step of ${step}`);
  }
});

// Interpolation --------------------------------------------------------------------

const STRIDE = 48;
const taps = (values: readonly number[]) =>
  values[0]! - 5 * values[1]! + 20 * values[2]! + 20 * values[3]! - 5 * values[4]! + values[5]!;
const around = [-2, -1, 0, 1, 2, 3];

/** Clause 8.4.2.2.1 by its letters, one sample at a time. */
function lumaSample(plane: Uint8Array, x: number, y: number, fx: number, fy: number): number {
  const at = (dx: number, dy: number) => plane[(y + dy) * STRIDE + x + dx]!;
  const b1 = (dy: number) => taps(around.map((dx) => at(dx, dy)));
  const h1 = (dx: number) => taps(around.map((dy) => at(dx, dy)));
  const half = (sum: number) => clip((sum + 16) >> 5);
  const b = half(b1(0));
  const h = half(h1(0));
  const s = half(b1(1));
  const m = half(h1(1));
  const j = clip((taps(around.map((dy) => b1(dy))) + 512) >> 10);
  const mean = (p: number, q: number) => (p + q + 1) >> 1;
  const G = at(0, 0);
  const table = [
    [G, mean(G, h), h, mean(h, at(0, 1))],
    [mean(G, b), mean(b, h), mean(h, j), mean(h, s)],
    [b, mean(b, j), j, mean(j, s)],
    [mean(b, at(1, 0)), mean(b, m), mean(j, m), mean(s, m)],
  ];
  return table[fx]![fy]!;
}

test("luma at every quarter of a sample", () => {
  const random = new SeededRandom(9);
  for (const isExtreme of [false, true]) {
    const plane = Uint8Array.from({ length: STRIDE * STRIDE }, () =>
      isExtreme ? 255 * random.below(2) : random.below(256),
    );
    kernels.bytes(room, plane.length).set(plane);
    const out = room + plane.length;
    for (const [width, height] of [
      [16, 16],
      [16, 8],
      [8, 16],
      [8, 8],
    ] as const) {
      for (let quarter = 0; quarter < 16; quarter++) {
        const [fx, fy] = [quarter & 3, quarter >> 2];
        exports.predictLuma(room + 9 * STRIDE + 7, STRIDE, fx, fy, out, width, height);
        const found = kernels.bytes(out, 256);
        for (let y = 0; y < height; y++) {
          for (let x = 0; x < width; x++) {
            const expected = lumaSample(plane, 7 + x, 9 + y, fx, fy);
            assert.equal(found[y * 16 + x], expected, `${fx},${fy} at ${x},${y}`);
          }
        }
      }
    }
  }
});

test("chroma at every eighth of a sample", () => {
  const random = new SeededRandom(10);
  const plane = Uint8Array.from({ length: STRIDE * STRIDE }, () => random.below(256));
  kernels.bytes(room, plane.length).set(plane);
  const out = room + plane.length;
  for (let eighth = 0; eighth < 64; eighth++) {
    const [fx, fy] = [eighth & 7, eighth >> 3];
    for (const width of [4, 8]) {
      exports.predictChromaInter(room + 5 * STRIDE + 3, STRIDE, fx, fy, out, width, 8);
      for (let y = 0; y < 8; y++) {
        for (let x = 0; x < width; x++) {
          const at = (dx: number, dy: number) => plane[(5 + y + dy) * STRIDE + 3 + x + dx]!;
          const expected =
            ((8 - fx) * (8 - fy) * at(0, 0) +
              fx * (8 - fy) * at(1, 0) +
              (8 - fx) * fy * at(0, 1) +
              fx * fy * at(1, 1) +
              32) >>
            6;
          assert.equal(kernels.bytes(out, 64)[y * 8 + x], expected);
        }
      }
    }
  }
});

test("differences are summed as they are, black against white too", () => {
  const random = new SeededRandom(12);
  for (const [width, height] of [
    [16, 16],
    [16, 8],
    [8, 16],
    [8, 8],
  ] as const) {
    for (const isExtreme of [false, true]) {
      const a = Uint8Array.from({ length: 256 }, () => (isExtreme ? 255 : random.below(256)));
      const b = Uint8Array.from({ length: 256 }, () => (isExtreme ? 0 : random.below(256)));
      kernels.bytes(room, 256).set(a);
      kernels.bytes(room + 256, 256).set(b);
      let sad = 0;
      let ssd = 0;
      for (let y = 0; y < height; y++) {
        for (let x = 0; x < width; x++) {
          const difference = a[y * 16 + x]! - b[y * 16 + x]!;
          sad += Math.abs(difference);
          ssd += difference ** 2;
        }
      }
      assert.equal(exports.sad(room, 16, room + 256, 16, width, height), sad);
      assert.equal(exports.ssd(room, 16, room + 256, 16, width, height), ssd);
    }
  }
});
