/** A level and what it allows (ITU-T H.264, Table A-1). */
export interface Level {
  /** level_idc */
  readonly idc: number;
  readonly maxMacroblocksPerSecond: number;
  readonly maxFrameMacroblocks: number;
  /** For the Baseline profile, in units of 1000 bit/s. */
  readonly maxKilobitsPerSecond: number;
}

/** Level 1b is left out: it would need a flag, and 1.1 serves as well. */
const LEVELS: readonly Level[] = [
  level(10, 1485, 99, 64),
  level(11, 3000, 396, 192),
  level(12, 6000, 396, 384),
  level(13, 11_880, 396, 768),
  level(20, 11_880, 396, 2000),
  level(21, 19_800, 792, 4000),
  level(22, 20_250, 1620, 4000),
  level(30, 40_500, 1620, 10_000),
  level(31, 108_000, 3600, 14_000),
  level(32, 216_000, 5120, 20_000),
  level(40, 245_760, 8192, 20_000),
  level(42, 522_240, 8704, 50_000),
  level(50, 589_824, 22_080, 135_000),
  level(51, 983_040, 36_864, 240_000),
  level(52, 2_073_600, 36_864, 240_000),
];

function level(idc: number, perSecond: number, frame: number, kilobits: number): Level {
  return {
    idc,
    maxMacroblocksPerSecond: perSecond,
    maxFrameMacroblocks: frame,
    maxKilobitsPerSecond: kilobits,
  };
}

/**
 * The lowest level for a picture (clause A.3.1).
 * @param columns macroblocks in a row
 * @throws RangeError when there is none
 */
export function chooseLevel(
  columns: number,
  rows: number,
  framesPerSecond: number,
  kilobitsPerSecond: number,
): Level {
  const macroblocks = columns * rows;
  const found = LEVELS.find(
    (candidate) =>
      macroblocks <= candidate.maxFrameMacroblocks &&
      macroblocks * framesPerSecond <= candidate.maxMacroblocksPerSecond &&
      Math.max(columns, rows) <= Math.sqrt(8 * candidate.maxFrameMacroblocks) &&
      kilobitsPerSecond <= candidate.maxKilobitsPerSecond,
  );
  if (found) return found;
  throw new RangeError(
    `H.264 has no level for ${columns * 16}x${rows * 16} at ${framesPerSecond} frames per second and ${kilobitsPerSecond} kbit/s`,
  );
}
