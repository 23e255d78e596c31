// The pictures of a coder and what it remembers of each macroblock.
//
// Planes are 8-bit luma and two of chroma at half the size (4:2:0), in whole
// macroblocks. The reconstruction and the reference have a border, which repeats
// their edges: motion vectors may point there (ITU-T H.264, 8.4.2.2.1).

export const LUMA_BORDER: i32 = 32;
export const CHROMA_BORDER: i32 = 16;

export let mbWidth: i32 = 0;
export let mbHeight: i32 = 0;
/** Bytes from row to row of the source. */
export let sourceStride: usize = 0;
/** Bytes from row to row of the reconstruction and the reference. */
export let lumaStride: usize = 0;
export let chromaStride: usize = 0;

export let sourceY: usize = 0;
export let sourceU: usize = 0;
export let sourceV: usize = 0;
export let currentY: usize = 0;
export let currentU: usize = 0;
export let currentV: usize = 0;
export let referenceY: usize = 0;
export let referenceU: usize = 0;
export let referenceV: usize = 0;
/** A `MbRecord` per macroblock. */
export let records: usize = 0;

/** How a macroblock is coded. Those from `INTRA_4X4` on are intra. */
export const SKIP: u8 = 0;
export const INTER_16X16: u8 = 1;
export const INTER_16X8: u8 = 2;
export const INTER_8X16: u8 = 3;
export const INTER_8X8: u8 = 4;
export const INTRA_4X4: u8 = 5;
export const INTRA_16X16: u8 = 6;
export const PCM: u8 = 7;

/** What later macroblocks, the deblocking filter and the next picture look up. */
@unmanaged
export class MbRecord {
  kind: u8;
  /** QPY, clause 7.4.5. */
  qp: u8;
  /** Bits 0-3: quarters of luma with levels; 4-5: chroma, 0 none, 1 DC, 2 DC and AC. */
  pattern: u8;
  intra16Mode: u8;
  chromaMode: u8;
}

export const RECORD_BYTES: usize = 128;
/** u8 [4, 4] levels per luma block in reading order, then [2, 2] of each chroma plane. */
export const COUNTS: usize = 16;
/** u8 [4, 4]: Intra4x4PredMode. */
export const MODES: usize = 48;
/** [4, 4] motion vectors: int16 x and y, in quarters of a luma sample. */
export const VECTORS: usize = 64;

@inline
export function recordOf(mb: i32): usize {
  return records + <usize>mb * RECORD_BYTES;
}

/** Of the source, per macroblock: three planes. */
const SOURCE_BYTES: i32 = 384;

/** Bytes that `layOut` takes. */
export function coderBytes(width: i32, height: i32, hasSource: bool): i32 {
  const luma = (width * 16 + 2 * LUMA_BORDER) * (height * 16 + 2 * LUMA_BORDER);
  const chroma = (width * 8 + 2 * CHROMA_BORDER) * (height * 8 + 2 * CHROMA_BORDER);
  const source = hasSource ? SOURCE_BYTES : 0;
  return width * height * (source + <i32>RECORD_BYTES) + 2 * (luma + 2 * chroma) + 64;
}

/**
 * @param at multiple of 16
 * @param width in macroblocks, as `height`
 * @param hasSource false for who only decodes
 */
export function layOut(at: usize, width: i32, height: i32, hasSource: bool): void {
  mbWidth = width;
  mbHeight = height;
  sourceStride = <usize>width * 16;
  lumaStride = sourceStride + 2 * LUMA_BORDER;
  chromaStride = <usize>width * 8 + 2 * CHROMA_BORDER;
  const mbs = <usize>(width * height);
  sourceY = at;
  sourceU = sourceY + mbs * 256;
  sourceV = sourceU + mbs * 64;
  records = hasSource ? sourceV + mbs * 64 : at;
  const pictures = records + mbs * RECORD_BYTES;
  memory.fill(records, 0, mbs * RECORD_BYTES);
  const luma = lumaStride * <usize>(height * 16 + 2 * LUMA_BORDER);
  const chroma = chromaStride * <usize>(height * 8 + 2 * CHROMA_BORDER);
  const lumaStart = <usize>LUMA_BORDER * (lumaStride + 1);
  const chromaStart = <usize>CHROMA_BORDER * (chromaStride + 1);
  memory.fill(pictures, 128, 2 * (luma + 2 * chroma));
  currentY = pictures + lumaStart;
  currentU = pictures + luma + chromaStart;
  currentV = currentU + chroma;
  referenceY = currentY + luma + 2 * chroma;
  referenceU = currentU + luma + 2 * chroma;
  referenceV = currentV + luma + 2 * chroma;
}

/** What was reconstructed becomes the reference of the next picture. */
export function finishPicture(): void {
  extend(currentY, lumaStride, mbWidth * 16, mbHeight * 16, LUMA_BORDER);
  extend(currentU, chromaStride, mbWidth * 8, mbHeight * 8, CHROMA_BORDER);
  extend(currentV, chromaStride, mbWidth * 8, mbHeight * 8, CHROMA_BORDER);
  const y = currentY;
  const u = currentU;
  const v = currentV;
  currentY = referenceY;
  currentU = referenceU;
  currentV = referenceV;
  referenceY = y;
  referenceU = u;
  referenceV = v;
}

function extend(plane: usize, stride: usize, width: i32, height: i32, border: i32): void {
  const side = <usize>border;
  for (let y: usize = 0; y < <usize>height; y++) {
    const row = plane + y * stride;
    const left = i8x16.splat(load<i8>(row));
    const right = i8x16.splat(load<i8>(row + width - 1));
    for (let x: usize = 0; x < side; x += 16) {
      v128.store(row - side + x, left);
      v128.store(row + width + x, right);
    }
  }
  const first = plane - side;
  const last = first + <usize>(height - 1) * stride;
  for (let y: usize = 1; y <= side; y++) {
    memory.copy(first - y * stride, first, stride);
    memory.copy(last + y * stride, last, stride);
  }
}

// Where the planes lie, for `../../h264/macroblock-coder.ts`: 0 luma, 1 and 2 chroma.

export function sourceOf(plane: i32): usize {
  return plane == 0 ? sourceY : plane == 1 ? sourceU : sourceV;
}

/** The picture that was finished last. */
export function referenceOf(plane: i32): usize {
  return plane == 0 ? referenceY : plane == 1 ? referenceU : referenceV;
}

export function strideOf(plane: i32): usize {
  return plane == 0 ? lumaStride : chromaStride;
}
