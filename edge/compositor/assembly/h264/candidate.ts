// Ways to code a macroblock, tried one after the other: what each costs, and
// the best so far.
import { bitsWritten, popBits, pushBits, ueBits } from "./bits";
import { ssd } from "./metrics";
import {
  CANDIDATE,
  CANDIDATE_BYTES,
  CHROMA_AT,
  SOURCE,
} from "./macroblock-state";
import {
  CHROMA_COUNTS,
  CHROMA_ROW,
  countGrid,
  gridAt,
  mbIndex,
  mbX,
  mbY,
  modeGrid,
  setVector,
  vectorGrid,
} from "./neighbours";
import {
  chromaStride,
  COUNTS,
  currentU,
  currentV,
  currentY,
  INTRA_4X4,
  INTRA_16X16,
  lumaStride,
  MbRecord,
  MODES,
  RECORD_BYTES,
  recordOf,
  SKIP,
  sourceStride,
  sourceU,
  sourceV,
  sourceY,
  VECTORS,
} from "./planes";
import { putMacroblock } from "./syntax";

/** Of everything that is tried: squared error x 16 + bits x `bitCost`. */
export let bestCost: i32 = i32.MAX_VALUE;
/** What a bit costs in squared error x 16; and in sums of absolute differences x 16. */
export let bitCost: i32 = 0;
export let bitCostSad: i32 = 0;

const best = memory.data(1056, 16);
const bestSamples = memory.data(384, 16);
/** Room for the bits of any macroblock. */
const scratch = memory.data(8192, 16);

/**
 * What a bit is worth in squared errors at QP 12; twice as much every three
 * quantisers on. Less than the usual 0.85: later pictures are built on what is
 * coded now. 0.38 to 1.05 were tried on a filmed head: 0.5 needs 3 % less.
 */
const BIT_WORTH: f64 = 0.5;

/** @param qp that of the macroblock */
export function setBitCost(qp: i32): void {
  const worth = BIT_WORTH * Math.pow(2, <f64>(qp - 12) / 3);
  bitCost = <i32>Math.round(16 * worth);
  // The metric is half a Hadamard sum, which is about as large as a plain sum.
  bitCostSad = <i32>Math.round(16 * Math.sqrt(worth));
}

/** Loads the source of the present macroblock. */
export function loadSource(): void {
  let from = sourceY + <usize>mbY * 16 * sourceStride + <usize>mbX * 16;
  for (let y: usize = 0; y < 16; y++, from += sourceStride) {
    v128.store(SOURCE + y * 16, v128.load(from));
  }
  const half = sourceStride >> 1;
  let u = sourceU + <usize>mbY * 8 * half + <usize>mbX * 8;
  let v = sourceV + <usize>mbY * 8 * half + <usize>mbX * 8;
  for (let y: usize = 0; y < 8; y++, u += half, v += half) {
    store<u64>(SOURCE + CHROMA_AT + y * 8, load<u64>(u));
    store<u64>(SOURCE + CHROMA_AT + 64 + y * 8, load<u64>(v));
  }
}

@inline
function lumaHere(): usize {
  return currentY + <usize>mbY * 16 * lumaStride + <usize>mbX * 16;
}

@inline
function chromaHere(plane: usize): usize {
  return plane + <usize>mbY * 8 * chromaStride + <usize>mbX * 8;
}

/** Squared error of what was reconstructed. */
export function errorHere(): i32 {
  return (
    ssd(SOURCE, 16, lumaHere(), lumaStride, 16, 16) +
    ssd(SOURCE + CHROMA_AT, 8, chromaHere(currentU), chromaStride, 8, 8) +
    ssd(SOURCE + CHROMA_AT + 64, 8, chromaHere(currentV), chromaStride, 8, 8)
  );
}

export function forgetBest(): void {
  bestCost = i32.MAX_VALUE;
}

/**
 * Weighs the candidate, which is reconstructed, and keeps it if it is the best so far.
 * @param skipped macroblocks skipped before it; negative in I slices
 */
export function weigh(skipped: i32, qpBefore: i32): void {
  const record = changetype<MbRecord>(CANDIDATE);
  let bits = 0;
  if (record.kind != SKIP) {
    pushBits(scratch);
    putMacroblock(skipped, qpBefore);
    bits = bitsWritten();
    popBits();
    // It ends a run, whose code the skipped ones have paid, and begins another.
    if (skipped > 0) bits -= <i32>ueBits(skipped) - 1;
  } else {
    // What a run grows by.
    bits = <i32>(ueBits(skipped + 1) - ueBits(skipped));
  }
  const cost = 16 * errorHere() + bits * bitCost;
  if (cost >= bestCost) return;
  bestCost = cost;
  takeGrids();
  memory.copy(best, CANDIDATE, CANDIDATE_BYTES);
  keepSamples();
}

function keepSamples(): void {
  let from = lumaHere();
  for (let y: usize = 0; y < 16; y++, from += lumaStride) {
    v128.store(bestSamples + y * 16, v128.load(from));
  }
  let u = chromaHere(currentU);
  let v = chromaHere(currentV);
  for (let y: usize = 0; y < 8; y++, u += chromaStride, v += chromaStride) {
    store<u64>(bestSamples + CHROMA_AT + y * 8, load<u64>(u));
    store<u64>(bestSamples + CHROMA_AT + 64 + y * 8, load<u64>(v));
  }
}

/** The best becomes the candidate again, with its grids and its samples. */
export function restoreBest(): void {
  memory.copy(CANDIDATE, best, CANDIDATE_BYTES);
  putSamples(bestSamples);
  const record = changetype<MbRecord>(CANDIDATE);
  for (let y: usize = 0; y < 4; y++) {
    store<u32>(countGrid + gridAt(0, y), load<u32>(CANDIDATE + 4 * y, COUNTS));
  }
  for (let i: usize = 0; i < 4; i++) {
    const at = countGrid + CHROMA_COUNTS + 12 * (i >> 1) + 5 + CHROMA_ROW * (i & 1);
    store<u16>(at, load<u16>(CANDIDATE + 2 * i, COUNTS + 16));
  }
  if (record.kind == INTRA_4X4) {
    for (let y: usize = 0; y < 4; y++) {
      store<u32>(modeGrid + gridAt(0, y), load<u32>(CANDIDATE + 4 * y, MODES));
    }
  } else if (record.kind != INTRA_16X16) {
    for (let y: usize = 0; y < 4; y++) {
      for (let x: usize = 0; x < 4; x++) {
        setVector(x, y, 1, 1, load<i32>(CANDIDATE + 16 * y + 4 * x, VECTORS));
      }
    }
  }
}

/** Puts samples into the reconstruction. @param from luma [16, 16] and two of chroma [8, 8] */
export function putSamples(from: usize): void {
  let to = lumaHere();
  for (let y: usize = 0; y < 16; y++, to += lumaStride) {
    v128.store(to, v128.load(from + y * 16));
  }
  let u = chromaHere(currentU);
  let v = chromaHere(currentV);
  for (let y: usize = 0; y < 8; y++, u += chromaStride, v += chromaStride) {
    store<u64>(u, load<u64>(from + CHROMA_AT + y * 8));
    store<u64>(v, load<u64>(from + CHROMA_AT + 64 + y * 8));
  }
}

/** Writes the grids of the candidate into its record. */
export function takeGrids(): void {
  const kind = load<u8>(CANDIDATE, offsetof<MbRecord>("kind"));
  for (let y: usize = 0; y < 4; y++) {
    store<u32>(CANDIDATE + 4 * y, load<u32>(countGrid + gridAt(0, y)), COUNTS);
  }
  for (let i: usize = 0; i < 4; i++) {
    const at = countGrid + CHROMA_COUNTS + 12 * (i >> 1) + 5 + CHROMA_ROW * (i & 1);
    store<u16>(CANDIDATE + 2 * i, load<u16>(at), COUNTS + 16);
  }
  if (kind == INTRA_4X4) {
    for (let y: usize = 0; y < 4; y++) {
      store<u32>(CANDIDATE + 4 * y, load<u32>(modeGrid + gridAt(0, y)), MODES);
    }
  } else if (kind < INTRA_4X4) {
    for (let y: usize = 0; y < 4; y++) {
      v128.store(CANDIDATE + 16 * y, v128.load(vectorGrid + 4 * gridAt(0, y)), VECTORS);
    }
  }
}

/** The record of the present macroblock is that of the candidate. */
export function keepRecord(): void {
  // `memory.copy` is a call out of WebAssembly: too much for so little.
  const to = recordOf(mbIndex);
  for (let at: usize = 0; at < RECORD_BYTES; at += 16) {
    v128.store(to + at, v128.load(CANDIDATE + at));
  }
}

/** No block has levels. */
export function clearCounts(value: u8): void {
  const four = <u32>value * 0x01010101;
  for (let y: usize = 0; y < 4; y++) store<u32>(countGrid + gridAt(0, y), four);
  for (let i: usize = 0; i < 4; i++) {
    const at = countGrid + CHROMA_COUNTS + 12 * (i >> 1) + 5 + CHROMA_ROW * (i & 1);
    store<u16>(at, <u16>four);
  }
}
