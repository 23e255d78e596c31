// The five filters of PNG (PNG specification, clause 9), applied to a run of
// bytes whose neighbours are in place: `at - left` is the pixel to the left,
// `above` the row above. Loads and stores may reach 15 bytes beyond the run.

export const FILTER_COUNT = 5;

/** Writes `count` filtered bytes to `to`. @param left bytes per pixel */
export function filterRun(
  type: i32,
  to: usize,
  at: usize,
  above: usize,
  left: usize,
  count: i32,
): void {
  const end = at + <usize>count;
  if (type == 0) {
    memory.copy(to, at, count);
  } else if (type == 1) {
    for (; at < end; at += 16, to += 16) {
      v128.store(to, i8x16.sub(v128.load(at), v128.load(at - left)));
    }
  } else if (type == 2) {
    for (; at < end; at += 16, above += 16, to += 16) {
      v128.store(to, i8x16.sub(v128.load(at), v128.load(above)));
    }
  } else if (type == 3) {
    for (; at < end; at += 16, above += 16, to += 16) {
      v128.store(to, i8x16.sub(v128.load(at), floorAverage(v128.load(at - left), v128.load(above))));
    }
  } else {
    for (; at < end; at += 16, above += 16, to += 16) {
      const predicted = paeth(v128.load(at - left), v128.load(above), v128.load(above - left));
      v128.store(to, i8x16.sub(v128.load(at), predicted));
    }
  }
}

// WebAssembly's average rounds up; PNG's does not.
@inline
function floorAverage(a: v128, b: v128): v128 {
  return i8x16.sub(i8x16.avgr_u(a, b), v128.and(v128.xor(a, b), i8x16.splat(1)));
}

/** Whichever of left, above and above left is nearest to left + above - above left. */
@inline
function paeth(a: v128, b: v128, c: v128): v128 {
  const low = paethMask(
    i16x8.extend_low_i8x16_u(a),
    i16x8.extend_low_i8x16_u(b),
    i16x8.extend_low_i8x16_u(c),
  );
  const high = paethMask(
    i16x8.extend_high_i8x16_u(a),
    i16x8.extend_high_i8x16_u(b),
    i16x8.extend_high_i8x16_u(c),
  );
  return i8x16.narrow_i16x8_u(low, high);
}

@inline
function paethMask(a: v128, b: v128, c: v128): v128 {
  const fromB = i16x8.sub(b, c);
  const fromA = i16x8.sub(a, c);
  const pa = i16x8.abs(fromB);
  const pb = i16x8.abs(fromA);
  const pc = i16x8.abs(i16x8.add(fromA, fromB));
  const isA = v128.and(i16x8.le_s(pa, pb), i16x8.le_s(pa, pc));
  const isB = i16x8.le_s(pb, pc);
  return v128.bitselect(a, v128.bitselect(b, c, isB), isA);
}
