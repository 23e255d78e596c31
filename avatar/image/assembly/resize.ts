// OpenCV's bicubic resize of 8-bit RGB in its fixed point: rows first, each
// into a line of 32-bit sums, then four lines at a time into a row of output.
// `../resize.ts` lays out the buffers and makes the tables.

const PIXEL: usize = 3;
/** Taps reach so far beyond the picture. */
const BORDER: usize = 2;
/** Lines of sums that a row of output needs; line n lies at n modulo 4. */
const LINES = 4;
const ROUND: i32 = 1 << 21;
const SHIFT = 22;

/** One column of output. */
@unmanaged
class Column {
  /** First tap, in bytes from the start of a padded row. */
  offset: i32;
  /** Weights of the first and second, and of the third and fourth tap, 16 bits each. */
  weights01: i32;
  weights23: i32;
}

/** One row of output. */
@unmanaged
class Row {
  /** First tap, which may lie outside the picture. */
  first: i32;
  weight0: i32;
  weight1: i32;
  weight2: i32;
  weight3: i32;
}

export function heapBase(): usize {
  return __heap_base;
}

/**
 * @param source 8-bit RGB [sourceHeight, sourceWidth, 3]
 * @param columns, rows `Column[width]`, `Row[height]`
 * @param padded room for 3 * (sourceWidth + 4) bytes
 * @param lines room for 4 * lineBytes
 * @param lineBytes at least 12 * width + 64
 * @param to 8-bit RGB [height, width, 3]; up to 15 bytes beyond are written
 */
export function resize(
  source: usize,
  sourceWidth: usize,
  sourceHeight: i32,
  columns: usize,
  rows: usize,
  width: usize,
  height: i32,
  padded: usize,
  lines: usize,
  lineBytes: usize,
  to: usize,
): void {
  let done = -1;
  const last = sourceHeight - 1;
  for (let y = 0; y < height; y++) {
    const row = changetype<Row>(rows + <usize>y * offsetof<Row>());
    const first = row.first;
    const end = clamp(first + LINES - 1, last);
    for (let n = max(done + 1, clamp(first, last)); n <= end; n++) {
      pad(source + <usize>n * PIXEL * sourceWidth, sourceWidth, padded);
      filterRow(padded, columns, width, lines + <usize>(n % LINES) * lineBytes);
    }
    done = max(done, end);
    filterLines(
      lines + <usize>(clamp(first, last) % LINES) * lineBytes,
      lines + <usize>(clamp(first + 1, last) % LINES) * lineBytes,
      lines + <usize>(clamp(first + 2, last) % LINES) * lineBytes,
      lines + <usize>(end % LINES) * lineBytes,
      row,
      PIXEL * width,
      to + <usize>y * PIXEL * width,
    );
  }
}

function clamp(n: i32, last: i32): i32 {
  return min(max(n, 0), last);
}

/** Repeats the first and the last pixel of a row beyond its ends. */
function pad(row: usize, width: usize, padded: usize): void {
  memory.copy(padded + BORDER * PIXEL, row, PIXEL * width);
  const lastPixel = row + PIXEL * (width - 1);
  const end = padded + PIXEL * (width + BORDER);
  for (let n: usize = 0; n < BORDER; n++) {
    copyPixel(row, padded + PIXEL * n);
    copyPixel(lastPixel, end + PIXEL * n);
  }
}

function copyPixel(from: usize, to: usize): void {
  store<u16>(to, load<u16>(from));
  store<u8>(to, load<u8>(from, 2), 2);
}

function filterRow(padded: usize, columns: usize, width: usize, line: usize): void {
  // Two taps of a channel side by side as 16-bit numbers; 16 and above give zero.
  const taps01 = i8x16(0, 16, 3, 16, 1, 16, 4, 16, 2, 16, 5, 16, 16, 16, 16, 16);
  const taps23 = i8x16(6, 16, 9, 16, 7, 16, 10, 16, 8, 16, 11, 16, 16, 16, 16, 16);
  const end = columns + width * offsetof<Column>();
  for (let at = columns; at < end; at += offsetof<Column>()) {
    const column = changetype<Column>(at);
    const pixels = v128.load(padded + column.offset);
    const sums = i32x4.add(
      i32x4.dot_i16x8_s(i8x16.swizzle(pixels, taps01), i32x4.splat(column.weights01)),
      i32x4.dot_i16x8_s(i8x16.swizzle(pixels, taps23), i32x4.splat(column.weights23)),
    );
    // Three are wanted; the next pixel overwrites the fourth.
    v128.store(line, sums);
    line += 12;
  }
}

function filterLines(
  line0: usize,
  line1: usize,
  line2: usize,
  line3: usize,
  row: Row,
  values: usize,
  to: usize,
): void {
  const weight0 = i32x4.splat(row.weight0);
  const weight1 = i32x4.splat(row.weight1);
  const weight2 = i32x4.splat(row.weight2);
  const weight3 = i32x4.splat(row.weight3);
  for (let n: usize = 0; n < values; n += 16) {
    const at = 4 * n;
    const low = i16x8.narrow_i32x4_s(
      weigh(line0 + at, line1 + at, line2 + at, line3 + at, weight0, weight1, weight2, weight3),
      weigh(line0 + at + 16, line1 + at + 16, line2 + at + 16, line3 + at + 16, weight0, weight1, weight2, weight3),
    );
    const high = i16x8.narrow_i32x4_s(
      weigh(line0 + at + 32, line1 + at + 32, line2 + at + 32, line3 + at + 32, weight0, weight1, weight2, weight3),
      weigh(line0 + at + 48, line1 + at + 48, line2 + at + 48, line3 + at + 48, weight0, weight1, weight2, weight3),
    );
    v128.store(to + n, i8x16.narrow_i16x8_u(low, high));
  }
}

// @ts-ignore: decorator
@inline
function weigh(
  line0: usize,
  line1: usize,
  line2: usize,
  line3: usize,
  weight0: v128,
  weight1: v128,
  weight2: v128,
  weight3: v128,
): v128 {
  const sum01 = i32x4.add(
    i32x4.mul(v128.load(line0), weight0),
    i32x4.mul(v128.load(line1), weight1),
  );
  const sum23 = i32x4.add(
    i32x4.mul(v128.load(line2), weight2),
    i32x4.mul(v128.load(line3), weight3),
  );
  return i32x4.shr_s(i32x4.add(i32x4.add(sum01, sum23), i32x4.splat(ROUND)), SHIFT);
}
