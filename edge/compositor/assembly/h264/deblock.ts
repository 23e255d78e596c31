// The deblocking filter (ITU-T H.264, 8.7), within a slice
// (disable_deblocking_filter_idc 2): which edges are filtered, and how much.
import {
  filterLeftChroma,
  filterLeftEdge,
  filterTopChroma,
  filterTopEdge,
} from "./deblock-samples";
import {
  chromaStride,
  COUNTS,
  currentU,
  currentV,
  currentY,
  INTER_16X16,
  INTRA_4X4,
  lumaStride,
  MbRecord,
  mbWidth,
  recordOf,
  VECTORS,
} from "./planes";
import { chromaQp } from "./quantisation-tables";

/** u8 [4, 4]: bS of the vertical edges of a macroblock, edge by edge; then of the horizontal ones. */
const strengths = memory.data(32, 16);
const LEFT_EDGES = strengths;
const TOP_EDGES = strengths + 16;
/** A vector's share of a sample from which on an edge is filtered: a whole one. */
const FAR_VECTOR: i32 = 4;

/** Filters the macroblocks of a slice in their order. */
export function deblockSlice(first: i32, count: i32): void {
  for (let mb = first; mb < first + count; mb++) {
    const x = mb % mbWidth;
    const hasLeft = x > 0 && mb - 1 >= first;
    const hasAbove = mb - mbWidth >= first;
    deblockMacroblock(mb, x, mb / mbWidth, hasLeft, hasAbove);
  }
}

function deblockMacroblock(mb: i32, x: i32, y: i32, hasLeft: bool, hasAbove: bool): void {
  const record = recordOf(mb);
  const left = recordOf(mb - 1);
  const above = recordOf(mb - mbWidth);
  store<i64>(strengths, 0);
  store<i64>(strengths, 0, 8);
  store<i64>(strengths, 0, 16);
  store<i64>(strengths, 0, 24);
  setInnerStrengths(record);
  if (hasLeft) setOuterStrengths(LEFT_EDGES, record, left, 4, 3);
  if (hasAbove) setOuterStrengths(TOP_EDGES, record, above, 1, 12);
  const qp = qpOf(record);
  const luma = currentY + <usize>y * 16 * lumaStride + <usize>x * 16;
  const chroma = <usize>y * 8 * chromaStride + <usize>x * 8;
  for (let edge: usize = 0; edge < 4; edge++) {
    const four = load<u32>(LEFT_EDGES + 4 * edge);
    if (four == 0) continue;
    const qpLeft = edge == 0 ? qpOf(left) : qp;
    filterLeftEdge(luma + 4 * edge, four, (qp + qpLeft + 1) >> 1);
    if (edge & 1) continue;
    const both = (chromaQp(qp) + chromaQp(qpLeft) + 1) >> 1;
    filterLeftChroma(currentU + chroma + 2 * edge, four, both);
    filterLeftChroma(currentV + chroma + 2 * edge, four, both);
  }
  for (let edge: usize = 0; edge < 4; edge++) {
    const four = load<u32>(TOP_EDGES + 4 * edge);
    if (four == 0) continue;
    const qpAbove = edge == 0 ? qpOf(above) : qp;
    filterTopEdge(luma + 4 * edge * lumaStride, four, (qp + qpAbove + 1) >> 1);
    if (edge & 1) continue;
    const both = (chromaQp(qp) + chromaQp(qpAbove) + 1) >> 1;
    filterTopChroma(currentU + chroma + 2 * edge * chromaStride, four, both);
    filterTopChroma(currentV + chroma + 2 * edge * chromaStride, four, both);
  }
}

@inline
function qpOf(record: usize): i32 {
  return <i32>load<u8>(record, offsetof<MbRecord>("qp"));
}

@inline
function isIntra(record: usize): bool {
  return load<u8>(record, offsetof<MbRecord>("kind")) >= INTRA_4X4;
}

// Strengths (8.7.2.1) --------------------------------------------------------

function setInnerStrengths(record: usize): void {
  if (isIntra(record)) {
    for (let edge: usize = 1; edge < 4; edge++) {
      store<u32>(LEFT_EDGES + 4 * edge, 0x03030303);
      store<u32>(TOP_EDGES + 4 * edge, 0x03030303);
    }
    return;
  }
  if (isPlain(record)) return;
  for (let edge: usize = 1; edge < 4; edge++) {
    for (let i: usize = 0; i < 4; i++) {
      const across: usize = 4 * i + edge;
      store<u8>(LEFT_EDGES + 4 * edge + i, strengthOf(record, across, record, across - 1));
      const down: usize = 4 * edge + i;
      store<u8>(TOP_EDGES + 4 * edge + i, strengthOf(record, down, record, down - 4));
    }
  }
}

/** Whether a macroblock has one vector and no levels: nothing to filter inside. */
@inline
function isPlain(record: usize): bool {
  return (
    load<u8>(record, offsetof<MbRecord>("kind")) <= INTER_16X16 &&
    !v128.any_true(v128.load(record, COUNTS))
  );
}

/** @param step from block to block along the edge @param other first block beyond it */
function setOuterStrengths(
  to: usize,
  record: usize,
  neighbour: usize,
  step: usize,
  other: usize,
): void {
  if (isIntra(record) || isIntra(neighbour)) {
    store<u32>(to, 0x04040404);
    return;
  }
  if (isPlain(record) && isPlain(neighbour)) {
    store<u32>(to, <u32>strengthOf(record, 0, neighbour, 0) * 0x01010101);
    return;
  }
  for (let i: usize = 0; i < 4; i++) {
    store<u8>(to + i, strengthOf(record, step * i, neighbour, other + step * i));
  }
}

/** bS of the edge between two blocks of inter macroblocks, which have one reference. */
function strengthOf(record: usize, block: usize, neighbour: usize, other: usize): u8 {
  if ((load<u8>(record + block, COUNTS) | load<u8>(neighbour + other, COUNTS)) != 0) return 2;
  const a = record + 4 * block;
  const b = neighbour + 4 * other;
  if (load<i32>(a, VECTORS) == load<i32>(b, VECTORS)) return 0;
  const x = <i32>load<i16>(a, VECTORS) - <i32>load<i16>(b, VECTORS);
  const y = <i32>load<i16>(a, VECTORS + 2) - <i32>load<i16>(b, VECTORS + 2);
  return abs(x) >= FAR_VECTOR || abs(y) >= FAR_VECTOR ? 1 : 0;
}
