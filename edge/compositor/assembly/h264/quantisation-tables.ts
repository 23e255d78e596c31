// What each quantiser multiplies with (ITU-T H.264, 8.5.9).

/** normAdjust4x4 (Table in 8.5.9): at (even, even), at (odd, odd), elsewhere; per qP % 6. */
const NORM_ADJUST = memory.data<u8>([
  10, 16, 13,
  11, 18, 14,
  13, 20, 16,
  14, 23, 18,
  16, 25, 20,
  18, 29, 23,
], 16);

/** QPc for qPI from 30 to 51 (Table 8-15). */
const CHROMA_QPS = memory.data<u8>([
  29, 30, 31, 32, 32, 33, 34, 34, 35, 35, 36, 36, 37, 37, 37, 38, 38, 38, 39, 39, 39, 39,
], 1);

/** int16 [52, 16]: LevelScale4x4 << (qP / 6) without its factor of 16 */
const SCALES = memory.data(52 * 32, 16);
/** u16 [6, 16]: 2^17 / normAdjust4x4, over the squared norms of the basis */
const MULTIPLIERS = memory.data(6 * 32, 16);

export function initQuantisation(): void {
  for (let rest = 0; rest < 6; rest++) {
    for (let i = 0; i < 16; i++) {
      const isOddX = i & 1;
      const isOddY = (i >> 2) & 1;
      const kind = isOddX != isOddY ? 2 : isOddX;
      const norm = <i32>load<u8>(NORM_ADJUST + rest * 3 + kind);
      // Basis vectors of the forward transform are longer at odd places: 10 and not 4.
      const share: f64 = kind == 0 ? 1 : kind == 1 ? 0.64 : 0.8;
      store<u16>(MULTIPLIERS + (rest * 16 + i) * 2, <u16>Math.round((131072 / <f64>norm) * share));
      for (let qp = rest; qp < 52; qp += 6) {
        store<i16>(SCALES + (qp * 16 + i) * 2, <i16>(norm << (qp / 6)));
      }
    }
  }
}

@inline
export function scalesOf(qp: i32): usize {
  return SCALES + <usize>qp * 32;
}

@inline
export function multipliersOf(qp: i32): usize {
  return MULTIPLIERS + <usize>(qp % 6) * 32;
}

/** QPc, with chroma_qp_index_offset 0 (clause 8.5.8). */
@inline
export function chromaQp(qp: i32): i32 {
  return qp < 30 ? qp : <i32>load<u8>(CHROMA_QPS + qp - 30);
}
