// From levels and a prediction to the samples that every decoder has
// (ITU-T H.264, 8.5). Expects the quantiser that the levels were made with.
import { mbX, mbY } from "./neighbours";
import { chromaStride, currentU, currentV, currentY, lumaStride } from "./planes";
import {
  CHROMA_AT,
  CHROMA_DC_LEVELS,
  CHROMA_LEVELS,
  DC_LEVELS,
  LUMA_LEVELS,
  LUMA_MASKS,
  PREDICTION,
} from "./macroblock-state";
import { dcScale, scaleBlock } from "./quantise";
import { copyRows, hadamard16, inversePair, PAIR } from "./transform";

/** int32 [4, 4] */
const dcs = memory.data(64, 16);
/** A pair, of which the left block is wanted. */
const block8 = memory.data(32, 16);
/** Place of each DC level of the scan in `dcs` (Table 8-2). */
export const ZIGZAG = memory.data<u8>([0, 1, 4, 8, 5, 2, 3, 6, 9, 12, 13, 10, 7, 11, 14, 15], 16);

@inline
function lumaAt(x: usize, y: usize): usize {
  return currentY + (<usize>mbY * 16 + y) * lumaStride + <usize>mbX * 16 + x;
}

/** Index of the block at an even column and a row, in the order of Figure 6-10. */
@inline
export function pairIndex(x: usize, y: usize): usize {
  return ((y & 1) << 1) | ((x & 2) << 1) | ((y & 2) << 2);
}

/** Luma of an inter macroblock. @param pattern of its quarters */
export function reconstructInter(pattern: u32): void {
  if (pattern == 0) {
    copyRows(PREDICTION, 16, lumaAt(0, 0), lumaStride, 16);
    copyRows(PREDICTION + 8, 16, lumaAt(8, 0), lumaStride, 16);
    return;
  }
  for (let y: usize = 0; y < 4; y++) {
    for (let x: usize = 0; x < 4; x += 2) {
      const block = pairIndex(x, y);
      const at = PREDICTION + y * 64 + x * 4;
      const to = lumaAt(4 * x, 4 * y);
      if (load<u32>(LUMA_MASKS + 2 * block) == 0) {
        copyRows(at, 16, to, lumaStride, 4);
        continue;
      }
      scaleBlock(LUMA_LEVELS + 32 * block, PAIR);
      scaleBlock(LUMA_LEVELS + 32 * block + 32, PAIR + 32);
      inversePair(at, 16, to, lumaStride);
    }
  }
}

/** Luma of an Intra_16x16 macroblock (8.5.2 and 8.5.10). */
export function reconstructIntra16(): void {
  for (let i: usize = 0; i < 16; i++) {
    store<i32>(dcs + 4 * <usize>load<u8>(ZIGZAG + i), load<i16>(DC_LEVELS + 2 * i));
  }
  hadamard16(dcs);
  const scale = dcScale();
  for (let y: usize = 0; y < 4; y++) {
    for (let x: usize = 0; x < 4; x += 2) {
      const block = pairIndex(x, y);
      const dc = dcs + (y * 4 + x) * 4;
      scaleBlock(LUMA_LEVELS + 32 * block, PAIR);
      scaleBlock(LUMA_LEVELS + 32 * block + 32, PAIR + 32);
      store<i16>(PAIR, <i16>((load<i32>(dc) * scale + 32) >> 6));
      store<i16>(PAIR, <i16>((load<i32>(dc, 4) * scale + 32) >> 6), 32);
      inversePair(PREDICTION + y * 64 + x * 4, 16, lumaAt(4 * x, 4 * y), lumaStride);
    }
  }
}

/** A block of Intra_4x4. @param index in the order of Figure 6-10 */
export function reconstructBlock(index: usize, x: usize, y: usize): void {
  const at = PREDICTION + y * 64 + x * 4;
  const to = lumaAt(4 * x, 4 * y);
  if (load<u16>(LUMA_MASKS + 2 * index) == 0) {
    for (let row: usize = 0; row < 4; row++) {
      store<u32>(to + row * lumaStride, load<u32>(at + row * 16));
    }
    return;
  }
  // Pairs are 8 wide: what stands to the right stays as it is.
  scaleBlock(LUMA_LEVELS + 32 * index, PAIR);
  inversePair(at, 16, block8, 8);
  for (let row: usize = 0; row < 4; row++) {
    store<u32>(to + row * lumaStride, load<u32>(block8 + row * 8));
  }
}

/** Both planes of chroma (8.5.4 and 8.5.11). @param kind CodedBlockPatternChroma */
export function reconstructChroma(kind: u32): void {
  reconstructPlane(0, currentU, kind);
  reconstructPlane(1, currentV, kind);
}

function reconstructPlane(plane: usize, planeAt: usize, kind: u32): void {
  const prediction = PREDICTION + CHROMA_AT + 64 * plane;
  const to = planeAt + <usize>mbY * 8 * chromaStride + <usize>mbX * 8;
  const levels = CHROMA_DC_LEVELS + 16 * plane;
  if (kind == 0 || (kind == 1 && load<u64>(levels) == 0)) {
    copyRows(prediction, 8, to, chromaStride, 8);
    return;
  }
  const p = <i32>load<i16>(levels);
  const q = <i32>load<i16>(levels, 2);
  const r = <i32>load<i16>(levels, 4);
  const s = <i32>load<i16>(levels, 6);
  const scale = dcScale();
  for (let y: usize = 0; y < 2; y++) {
    if (kind == 2) {
      scaleBlock(CHROMA_LEVELS + 128 * plane + 64 * y, PAIR);
      scaleBlock(CHROMA_LEVELS + 128 * plane + 64 * y + 32, PAIR + 32);
    } else {
      for (let at: usize = 0; at < 64; at += 16) v128.store(PAIR + at, i64x2.splat(0));
    }
    const sum = y == 0 ? p + r : p - r;
    const difference = y == 0 ? q + s : q - s;
    store<i16>(PAIR, <i16>(((sum + difference) * scale) >> 5));
    store<i16>(PAIR, <i16>(((sum - difference) * scale) >> 5), 32);
    inversePair(prediction + 32 * y, 8, to + 4 * y * chromaStride, chromaStride);
  }
}
