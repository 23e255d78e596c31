// Samples along the edges of blocks, filtered (ITU-T H.264, 8.7.2.2 to 8.7.2.4):
// 8 of them at a time, as int16.
import { chromaStride, lumaStride } from "./planes";

/** alpha' and beta' by indexA and indexB (Table 8-16). */
const ALPHA = memory.data<u8>([
  0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 4, 5, 6, 7, 8, 9, 10, 12, 13, 15, 17, 20, 22,
  25, 28, 32, 36, 40, 45, 50, 56, 63, 71, 80, 90, 101, 113, 127, 144, 162, 182, 203, 226, 255, 255,
], 1);
const BETA = memory.data<u8>([
  0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 6, 6, 7, 7, 8, 8,
  9, 9, 10, 10, 11, 11, 12, 12, 13, 13, 14, 14, 15, 15, 16, 16, 17, 17, 18, 18,
], 1);
/** tC0' by indexA, for bS 1, 2 and 3 (Table 8-17). */
const CLIPS = memory.data<u8>([
  0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
  0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 1, 0, 0, 1, 0, 0, 1,
  0, 1, 1, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 2, 1, 1, 2, 1, 1, 2, 1, 1, 2, 1, 2, 3,
  1, 2, 3, 2, 2, 3, 2, 2, 4, 2, 3, 4, 2, 3, 4, 3, 3, 5, 3, 4, 6, 3, 4, 6, 4, 5, 7, 4, 5, 8, 4, 6, 9,
  5, 7, 10, 6, 8, 11, 6, 8, 13, 7, 10, 14, 8, 11, 16, 9, 12, 18, 10, 13, 20, 11, 15, 23, 13, 17, 25,
], 1);

let p3: v128 = i16x8.splat(0);
let p2: v128 = i16x8.splat(0);
let p1: v128 = i16x8.splat(0);
let p0: v128 = i16x8.splat(0);
let q0: v128 = i16x8.splat(0);
let q1: v128 = i16x8.splat(0);
let q2: v128 = i16x8.splat(0);
let q3: v128 = i16x8.splat(0);

@inline
function distance(a: v128, b: v128): v128 {
  return i16x8.abs(i16x8.sub(a, b));
}

/** Which of 8 samples are filtered: filterSamplesFlag. */
@inline
function flags(alpha: i32, beta: i32): v128 {
  const betas = i16x8.splat(<i16>beta);
  return v128.and(
    i16x8.lt_s(distance(p0, q0), i16x8.splat(<i16>alpha)),
    v128.and(i16x8.lt_s(distance(p1, p0), betas), i16x8.lt_s(distance(q1, q0), betas)),
  );
}

@inline
function clip(value: v128, limit: v128): v128 {
  return i16x8.max_s(i16x8.min_s(value, limit), i16x8.neg(limit));
}

@inline
function clipSample(value: v128): v128 {
  return i16x8.max_s(i16x8.min_s(value, i16x8.splat(255)), i16x8.splat(0));
}

/** bS below 4 (8.7.2.3). @param clips tC0 of each sample, negative where bS is 0 */
function filterNormal(clips: v128, alpha: i32, beta: i32, isChroma: bool): bool {
  const isOn = v128.and(flags(alpha, beta), i16x8.ge_s(clips, i16x8.splat(0)));
  if (!v128.any_true(isOn)) return false;
  const betas = i16x8.splat(<i16>beta);
  const isFlatP = i16x8.lt_s(distance(p2, p0), betas);
  const isFlatQ = i16x8.lt_s(distance(q2, q0), betas);
  // A comparison gives -1.
  const limit = isChroma
    ? i16x8.add(clips, i16x8.splat(1))
    : i16x8.sub(i16x8.sub(clips, isFlatP), isFlatQ);
  const step = i16x8.add(
    i16x8.add(i16x8.shl(i16x8.sub(q0, p0), 2), i16x8.sub(p1, q1)),
    i16x8.splat(4),
  );
  const delta = v128.and(clip(i16x8.shr_s(step, 3), limit), isOn);
  if (!isChroma) {
    const middle = i16x8.avgr_u(p0, q0);
    const deltaP = clip(i16x8.shr_s(i16x8.sub(i16x8.add(p2, middle), i16x8.add(p1, p1)), 1), clips);
    const deltaQ = clip(i16x8.shr_s(i16x8.sub(i16x8.add(q2, middle), i16x8.add(q1, q1)), 1), clips);
    p1 = i16x8.add(p1, v128.and(deltaP, v128.and(isOn, isFlatP)));
    q1 = i16x8.add(q1, v128.and(deltaQ, v128.and(isOn, isFlatQ)));
  }
  p0 = clipSample(i16x8.add(p0, delta));
  q0 = clipSample(i16x8.sub(q0, delta));
  return true;
}

/** bS 4 (8.7.2.4). */
function filterStrong(alpha: i32, beta: i32, isChroma: bool): bool {
  const isOn = flags(alpha, beta);
  if (!v128.any_true(isOn)) return false;
  const two = i16x8.splat(2);
  const weakP = i16x8.shr_s(i16x8.add(i16x8.add(i16x8.add(p1, p1), p0), i16x8.add(q1, two)), 2);
  const weakQ = i16x8.shr_s(i16x8.add(i16x8.add(i16x8.add(q1, q1), q0), i16x8.add(p1, two)), 2);
  if (isChroma) {
    p0 = v128.bitselect(weakP, p0, isOn);
    q0 = v128.bitselect(weakQ, q0, isOn);
    return true;
  }
  const betas = i16x8.splat(<i16>beta);
  const isNear = v128.and(
    isOn,
    i16x8.lt_s(distance(p0, q0), i16x8.splat(<i16>((alpha >> 2) + 2))),
  );
  const isFlatP = v128.and(isNear, i16x8.lt_s(distance(p2, p0), betas));
  const isFlatQ = v128.and(isNear, i16x8.lt_s(distance(q2, q0), betas));
  const four = i16x8.splat(4);
  const core = i16x8.add(p0, q0);
  const sumP = i16x8.add(i16x8.add(p2, p1), core);
  const sumQ = i16x8.add(i16x8.add(q2, q1), core);
  const strongP0 = i16x8.shr_s(
    i16x8.add(i16x8.add(i16x8.add(sumP, i16x8.add(p1, core)), q1), four),
    3,
  );
  const strongQ0 = i16x8.shr_s(
    i16x8.add(i16x8.add(i16x8.add(sumQ, i16x8.add(q1, core)), p1), four),
    3,
  );
  const strongP1 = i16x8.shr_s(i16x8.add(sumP, two), 2);
  const strongQ1 = i16x8.shr_s(i16x8.add(sumQ, two), 2);
  const strongP2 = i16x8.shr_s(
    i16x8.add(i16x8.add(i16x8.shl(i16x8.add(p3, p2), 1), sumP), four),
    3,
  );
  const strongQ2 = i16x8.shr_s(
    i16x8.add(i16x8.add(i16x8.shl(i16x8.add(q3, q2), 1), sumQ), four),
    3,
  );
  p0 = v128.bitselect(v128.bitselect(strongP0, weakP, isFlatP), p0, isOn);
  q0 = v128.bitselect(v128.bitselect(strongQ0, weakQ, isFlatQ), q0, isOn);
  p1 = v128.bitselect(strongP1, p1, isFlatP);
  q1 = v128.bitselect(strongQ1, q1, isFlatQ);
  p2 = v128.bitselect(strongP2, p2, isFlatP);
  q2 = v128.bitselect(strongQ2, q2, isFlatQ);
  return true;
}

@inline
function clipOf(strength: u32, indexA: i32): i16 {
  return strength == 0 ? -1 : <i16>load<u8>(CLIPS + 3 * indexA + <i32>strength - 1);
}

/** tC0 of 8 samples, of which each strength covers 4 (luma) or 2 (chroma). */
@inline
function clipsOf(four: u32, indexA: i32, isChroma: bool, from: u32): v128 {
  const a = clipOf((four >> from) & 255, indexA);
  const b = clipOf((four >> (from + 8)) & 255, indexA);
  if (!isChroma) {
    return i16x8.shuffle(i16x8.splat(a), i16x8.splat(b), 0, 1, 2, 3, 12, 13, 14, 15);
  }
  const c = clipOf((four >> 16) & 255, indexA);
  const d = clipOf(four >> 24, indexA);
  return i64x2.shuffle(
    i16x8.shuffle(i16x8.splat(a), i16x8.splat(b), 0, 1, 10, 11, 0, 1, 10, 11),
    i16x8.shuffle(i16x8.splat(c), i16x8.splat(d), 0, 1, 10, 11, 0, 1, 10, 11),
    0,
    2,
  );
}

@inline
function putRow(at: usize, row: v128): void {
  v128.store64_lane(at, i8x16.narrow_i16x8_u(row, row), 0);
}

/** @param four bS of the edge's quarters @param qp qPav of both sides */
export function filterTopEdge(at: usize, four: u32, qp: i32): void {
  const alpha = <i32>load<u8>(ALPHA + qp);
  const beta = <i32>load<u8>(BETA + qp);
  if (alpha == 0) return;
  const isStrong = (four & 255) == 4;
  for (let half: usize = 0; half < 2; half++, at += 8) {
    p2 = v128.load8x8_u(at - 3 * lumaStride);
    p1 = v128.load8x8_u(at - 2 * lumaStride);
    p0 = v128.load8x8_u(at - lumaStride);
    q0 = v128.load8x8_u(at);
    q1 = v128.load8x8_u(at + lumaStride);
    q2 = v128.load8x8_u(at + 2 * lumaStride);
    if (isStrong) {
      p3 = v128.load8x8_u(at - 4 * lumaStride);
      q3 = v128.load8x8_u(at + 3 * lumaStride);
      if (!filterStrong(alpha, beta, false)) continue;
      putRow(at - 3 * lumaStride, p2);
      putRow(at + 2 * lumaStride, q2);
    } else if (!filterNormal(clipsOf(four, qp, false, 16 * <u32>half), alpha, beta, false)) {
      continue;
    }
    putRow(at - 2 * lumaStride, p1);
    putRow(at - lumaStride, p0);
    putRow(at, q0);
    putRow(at + lumaStride, q1);
  }
}

/** @param four bS of the edge's quarters @param qp qPav of both sides */
export function filterTopChroma(at: usize, four: u32, qp: i32): void {
  const alpha = <i32>load<u8>(ALPHA + qp);
  const beta = <i32>load<u8>(BETA + qp);
  if (alpha == 0) return;
  p1 = v128.load8x8_u(at - 2 * chromaStride);
  p0 = v128.load8x8_u(at - chromaStride);
  q0 = v128.load8x8_u(at);
  q1 = v128.load8x8_u(at + chromaStride);
  const isChanged =
    (four & 255) == 4
      ? filterStrong(alpha, beta, true)
      : filterNormal(clipsOf(four, qp, true, 0), alpha, beta, true);
  if (!isChanged) return;
  putRow(at - chromaStride, p0);
  putRow(at, q0);
}

/** 8 rows of 8 samples around a vertical edge, to columns. */
@inline
function loadColumns(at: usize, stride: usize): void {
  const a = i8x16.shuffle(
    v128.load64_zero(at), v128.load64_zero(at + stride),
    0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23,
  );
  const b = i8x16.shuffle(
    v128.load64_zero(at + 2 * stride), v128.load64_zero(at + 3 * stride),
    0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23,
  );
  const c = i8x16.shuffle(
    v128.load64_zero(at + 4 * stride), v128.load64_zero(at + 5 * stride),
    0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23,
  );
  const d = i8x16.shuffle(
    v128.load64_zero(at + 6 * stride), v128.load64_zero(at + 7 * stride),
    0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23,
  );
  const ab0 = i16x8.shuffle(a, b, 0, 8, 1, 9, 2, 10, 3, 11);
  const ab1 = i16x8.shuffle(a, b, 4, 12, 5, 13, 6, 14, 7, 15);
  const cd0 = i16x8.shuffle(c, d, 0, 8, 1, 9, 2, 10, 3, 11);
  const cd1 = i16x8.shuffle(c, d, 4, 12, 5, 13, 6, 14, 7, 15);
  // Each holds two columns of 8 bytes.
  const c01 = i32x4.shuffle(ab0, cd0, 0, 4, 1, 5);
  const c23 = i32x4.shuffle(ab0, cd0, 2, 6, 3, 7);
  const c45 = i32x4.shuffle(ab1, cd1, 0, 4, 1, 5);
  const c67 = i32x4.shuffle(ab1, cd1, 2, 6, 3, 7);
  p3 = i16x8.extend_low_i8x16_u(c01);
  p2 = i16x8.extend_high_i8x16_u(c01);
  p1 = i16x8.extend_low_i8x16_u(c23);
  p0 = i16x8.extend_high_i8x16_u(c23);
  q0 = i16x8.extend_low_i8x16_u(c45);
  q1 = i16x8.extend_high_i8x16_u(c45);
  q2 = i16x8.extend_low_i8x16_u(c67);
  q3 = i16x8.extend_high_i8x16_u(c67);
}

/** The columns back to 8 rows. */
@inline
function storeColumns(at: usize, stride: usize): void {
  const c01 = i8x16.narrow_i16x8_u(p3, p2);
  const c23 = i8x16.narrow_i16x8_u(p1, p0);
  const c45 = i8x16.narrow_i16x8_u(q0, q1);
  const c67 = i8x16.narrow_i16x8_u(q2, q3);
  const ab = i8x16.shuffle(c01, c01, 0, 8, 1, 9, 2, 10, 3, 11, 4, 12, 5, 13, 6, 14, 7, 15);
  const cd = i8x16.shuffle(c23, c23, 0, 8, 1, 9, 2, 10, 3, 11, 4, 12, 5, 13, 6, 14, 7, 15);
  const ef = i8x16.shuffle(c45, c45, 0, 8, 1, 9, 2, 10, 3, 11, 4, 12, 5, 13, 6, 14, 7, 15);
  const gh = i8x16.shuffle(c67, c67, 0, 8, 1, 9, 2, 10, 3, 11, 4, 12, 5, 13, 6, 14, 7, 15);
  const ad0 = i16x8.shuffle(ab, cd, 0, 8, 1, 9, 2, 10, 3, 11);
  const ad1 = i16x8.shuffle(ab, cd, 4, 12, 5, 13, 6, 14, 7, 15);
  const eh0 = i16x8.shuffle(ef, gh, 0, 8, 1, 9, 2, 10, 3, 11);
  const eh1 = i16x8.shuffle(ef, gh, 4, 12, 5, 13, 6, 14, 7, 15);
  const r01 = i32x4.shuffle(ad0, eh0, 0, 4, 1, 5);
  const r23 = i32x4.shuffle(ad0, eh0, 2, 6, 3, 7);
  const r45 = i32x4.shuffle(ad1, eh1, 0, 4, 1, 5);
  const r67 = i32x4.shuffle(ad1, eh1, 2, 6, 3, 7);
  v128.store64_lane(at, r01, 0);
  v128.store64_lane(at + stride, r01, 1);
  v128.store64_lane(at + 2 * stride, r23, 0);
  v128.store64_lane(at + 3 * stride, r23, 1);
  v128.store64_lane(at + 4 * stride, r45, 0);
  v128.store64_lane(at + 5 * stride, r45, 1);
  v128.store64_lane(at + 6 * stride, r67, 0);
  v128.store64_lane(at + 7 * stride, r67, 1);
}

/** @param four bS of the edge's quarters @param qp qPav of both sides */
export function filterLeftEdge(at: usize, four: u32, qp: i32): void {
  const alpha = <i32>load<u8>(ALPHA + qp);
  const beta = <i32>load<u8>(BETA + qp);
  if (alpha == 0) return;
  const isStrong = (four & 255) == 4;
  for (let half: usize = 0; half < 2; half++) {
    const rows = at + 8 * half * lumaStride - 4;
    loadColumns(rows, lumaStride);
    const isChanged = isStrong
      ? filterStrong(alpha, beta, false)
      : filterNormal(clipsOf(four, qp, false, 16 * <u32>half), alpha, beta, false);
    if (isChanged) storeColumns(rows, lumaStride);
  }
}

/** @param four bS of the edge's quarters @param qp qPav of both sides */
export function filterLeftChroma(at: usize, four: u32, qp: i32): void {
  const alpha = <i32>load<u8>(ALPHA + qp);
  const beta = <i32>load<u8>(BETA + qp);
  if (alpha == 0) return;
  loadColumns(at - 4, chromaStride);
  const isChanged =
    (four & 255) == 4
      ? filterStrong(alpha, beta, true)
      : filterNormal(clipsOf(four, qp, true, 0), alpha, beta, true);
  if (isChanged) storeColumns(at - 4, chromaStride);
}
