import { HUFFMAN_BYTES, type JpegTables } from "./jpeg-tables.ts";
import type { McuGrid } from "./mcu-grid.ts";
import { QUANTISATION_BYTES } from "./quantisation.ts";

/**
 * The live part of a prepared JPEG frame:
 *
 * | offset | meaning |
 * |---|---|
 * | 0 | u32, 0 for 4:4:4 and 1 for 4:2:0 |
 * | 4 | the quantisation tables of luma and chroma, 2 x 64 bytes as in DQT |
 * | 132 | the Huffman tables: DC and AC of luma, DC and AC of chroma, as in DHT |
 * | 544 | a record per row of MCUs that the mouth crosses |
 * | ... | the static bits of these rows, as runs |
 * | ... | the band of background around the mouth (`../band.ts`) |
 *
 * A record has 28 bytes, little-endian: the lengths in bits of its four runs,
 * u32, then the DC coefficients of Y, Cb and Cr, int16, before the mouth and
 * after it. The runs lie before the mouth, and after the first DC difference of
 * Y, of Cb and of Cr behind it. The bits of a run are kept as words of 64, the
 * first bit the highest, little-endian; the rest of the last word is filled up.
 */
export interface LivePart {
  readonly tables: JpegTables;
  readonly records: Uint8Array<ArrayBuffer>;
  readonly runs: Uint8Array<ArrayBuffer>;
  readonly band: Uint8Array<ArrayBuffer>;
}

export const ROW_RECORD_BYTES = 28;
export const QUANTISATION_START = 4;
export const HUFFMAN_START = QUANTISATION_START + QUANTISATION_BYTES;
export const RECORDS_START = HUFFMAN_START + HUFFMAN_BYTES;

/** Bytes of the words that hold a run. */
export function runBytes(bits: number): number {
  return 8 * Math.ceil(bits / 64);
}

export function encodeLivePart(
  { subsampling }: Pick<McuGrid, "subsampling">,
  { tables, records, runs, band }: LivePart,
): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(RECORDS_START + records.length + runs.length + band.length);
  new DataView(bytes.buffer).setUint32(0, Number(subsampling === "4:2:0"), true);
  bytes.set(tables.quantisation, QUANTISATION_START);
  bytes.set(tables.huffman, HUFFMAN_START);
  bytes.set(records, RECORDS_START);
  bytes.set(runs, RECORDS_START + records.length);
  bytes.set(band, RECORDS_START + records.length + runs.length);
  return bytes;
}
