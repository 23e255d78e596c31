/** Natural index `8 u + v` of each coefficient in the order of coding (ITU-T T.81, figure A.6). */
// biome-ignore format: as the figure has it
const ZIGZAG = [
  0, 1, 8, 16, 9, 2, 3, 10, 17, 24, 32, 25, 18, 11, 4, 5,
  12, 19, 26, 33, 40, 48, 41, 34, 27, 20, 13, 6, 7, 14, 21, 28,
  35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23, 30, 37, 44, 51,
  58, 59, 52, 45, 38, 31, 39, 46, 53, 60, 61, 54, 47, 55, 62, 63,
];

/** ITU-T T.81, table K.1. */
// biome-ignore format: as the table has it
const LUMA = [
  16, 11, 10, 16, 24, 40, 51, 61,
  12, 12, 14, 19, 26, 58, 60, 55,
  14, 13, 16, 24, 40, 57, 69, 56,
  14, 17, 22, 29, 51, 87, 80, 62,
  18, 22, 37, 56, 68, 109, 103, 77,
  24, 35, 55, 64, 81, 104, 113, 92,
  49, 64, 78, 87, 103, 121, 120, 101,
  72, 92, 95, 98, 112, 100, 103, 99,
];

/** ITU-T T.81, table K.2. */
// biome-ignore format: as the table has it
const CHROMA = [
  17, 18, 24, 47, 99, 99, 99, 99,
  18, 21, 26, 66, 99, 99, 99, 99,
  24, 26, 56, 99, 99, 99, 99, 99,
  47, 66, 99, 99, 99, 99, 99, 99,
  99, 99, 99, 99, 99, 99, 99, 99,
  99, 99, 99, 99, 99, 99, 99, 99,
  99, 99, 99, 99, 99, 99, 99, 99,
  99, 99, 99, 99, 99, 99, 99, 99,
];

export const QUANTISATION_BYTES = 2 * 64;

/**
 * The tables of luma and chroma, in the order of coding, scaled as libjpeg does
 * (`jpeg_quality_scaling`; baseline, so 1..255).
 * @param quality 1..100
 */
export function quantisationTables(quality: number): Uint8Array<ArrayBuffer> {
  const percent = quality < 50 ? Math.trunc(5000 / quality) : 200 - 2 * quality;
  const tables = new Uint8Array(QUANTISATION_BYTES);
  for (const [k, natural] of ZIGZAG.entries()) {
    tables[k] = scale(LUMA[natural]!, percent);
    tables[64 + k] = scale(CHROMA[natural]!, percent);
  }
  return tables;
}

function scale(step: number, percent: number): number {
  return Math.min(255, Math.max(1, Math.trunc((step * percent + 50) / 100)));
}
