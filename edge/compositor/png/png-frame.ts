import type { Rectangle } from "../../../avatar/rectangle.ts";
import type { KernelExports } from "../../../avatar/wasm/kernels.ts";
import { type Band, bandBytes, bandOf } from "../band.ts";
import type { PatchExports } from "../patch.ts";
import type { PreparedEntry } from "../prepared-entry.ts";
import { PreparedFrameError } from "../prepared-frame-error.ts";

/** What `assembly/png.ts` exports. */
export interface PngExports extends KernelExports, PatchExports {
  crc32(start: number, bytes: number): number;
  largestBlock(width: number, channels: number, regionHeight: number): number;
  roomPerByte(): number;
  preparePng(layout: number): void;
  splicePng(layout: number): number;
}

/** Symbols of DEFLATE's literal/length alphabet (RFC 1951, 3.2.5). */
export const CODE_LENGTHS_BYTES = 286;
/** Four codes and seven bits have to fit into 64 bits. */
export const MAX_LITERAL_BITS = 14;
const MAX_BITS = 15;
const LAST_FILTER = 4;

/**
 * A frame whose rows above and below the mouth are compressed, and whose rows
 * across it wait for the mouth. The live part of its entry, without gaps:
 *
 * | bytes | meaning |
 * |---|---|
 * | band | see `band.ts`: the mouth's neighbours above, left and right |
 * | u32 x 2 | Adler-32 of all bytes but the mouth's, as its two sums |
 * | u8 x 286 | code lengths of the block that holds the rows across the mouth |
 * | u8 x h | filter type of each of these rows |
 * | u32 x (h + 1) | length in bits of the static run before each row and after the last |
 * | ... | the runs, each from a byte on, least significant bit first |
 */
export interface PreparedPng {
  readonly entry: PreparedEntry;
  readonly band: Band;
  /** Bytes of a row that depend on the mouth: its own, and the pixel to its right. */
  readonly rowBytes: number;
  readonly adler: readonly [number, number];
  readonly codeLengths: Uint8Array;
  readonly filters: Uint8Array;
  readonly runBits: Uint32Array;
  readonly runs: Uint8Array;
}

/** The picture that filters look at: the mouth, a pixel on either side, a row above. */
export function pngReach({ x, y, width, height }: Rectangle): Rectangle {
  return { x: x - 1, y: y - 1, width: width + 2, height: height + 1 };
}

export function pngBand(entry: Omit<PreparedEntry, "kind" | "head" | "live" | "tail">): Band {
  return bandOf(entry, entry.region, pngReach(entry.region), entry.softEdge);
}

/**
 * Checks the live part of an entry, so that no damage to it can lead a kernel astray.
 * @throws PreparedFrameError
 */
export function readPreparedPng(entry: PreparedEntry): PreparedPng {
  if (entry.kind !== "MPNG") throw new PreparedFrameError("it is not one for PNG");
  const { live, region, channels, width } = entry;
  const band = pngBand(entry);
  const rows = region.height;
  const adlerAt = bandBytes(band, channels);
  const lengthsAt = adlerAt + 8;
  const filtersAt = lengthsAt + CODE_LENGTHS_BYTES;
  const runBitsAt = filtersAt + rows;
  const runsAt = runBitsAt + 4 * (rows + 1);
  if (live.length < runsAt) throw new PreparedFrameError("its live part is cut short");
  const view = new DataView(live.buffer, live.byteOffset, live.byteLength);
  const codeLengths = live.subarray(lengthsAt, filtersAt);
  codeLengths.forEach((length, symbol) => {
    const most = symbol < 256 ? MAX_LITERAL_BITS : MAX_BITS;
    if (length > most || (symbol < 256 && length === 0)) {
      throw new PreparedFrameError("its code lengths are impossible");
    }
  });
  const filters = live.subarray(filtersAt, runBitsAt);
  if (filters.some((type) => type > LAST_FILTER)) {
    throw new PreparedFrameError("it names a filter that does not exist");
  }
  const runBits = Uint32Array.from({ length: rows + 1 }, (_, n) =>
    view.getUint32(runBitsAt + 4 * n, true),
  );
  const bytes = runBits.reduce((sum, bits) => sum + Math.ceil(bits / 8), 0);
  if (runsAt + bytes !== live.length) {
    throw new PreparedFrameError("its static runs do not add up to its length");
  }
  return {
    entry,
    band,
    rowBytes: (Math.min(width, region.x + region.width + 1) - region.x) * channels,
    adler: [view.getUint32(adlerAt, true), view.getUint32(adlerAt + 4, true)],
    codeLengths,
    filters,
    runBits,
    runs: live.subarray(runsAt),
  };
}
