import { type Band, bandBytes, bandOf } from "../band.ts";
import type { PreparedEntry } from "../prepared-entry.ts";
import { PreparedFrameError } from "../prepared-frame-error.ts";
import { areUsable } from "./jpeg-tables.ts";
import {
  HUFFMAN_START,
  type LivePart,
  QUANTISATION_START,
  RECORDS_START,
  ROW_RECORD_BYTES,
  runBytes,
} from "./live-part.ts";
import { MAX_BLOCK_BITS, MAX_DC_BITS, type McuGrid, mcuGrid } from "./mcu-grid.ts";

/** A frame that only waits for its mouth. Its parts are views of the entry. */
export interface PreparedJpeg extends LivePart {
  readonly entry: PreparedEntry;
  readonly grid: McuGrid;
  readonly surroundings: Band;
  /** Bits that a row can come to with its mouth. */
  readonly maxRowBits: number;
  /** Bytes that all rows can come to. */
  readonly maxLiveBytes: number;
}

/** DC coefficients of 8-bit samples; with them differences fit into the 11 bits of baseline. */
const MIN_DC = -1024;
const MAX_DC = 1023;

/**
 * Reads a prepared frame, and makes sure that the kernels can rely on it.
 * @throws PreparedFrameError
 */
export function readPreparedJpeg(entry: PreparedEntry): PreparedJpeg {
  const { live, region } = entry;
  if (entry.kind !== "MJPG") throw new PreparedFrameError("it is no JPEG frame");
  if (entry.channels !== 3) throw new PreparedFrameError("a JPEG frame has 3 channels");
  if (live.length < RECORDS_START) throw new PreparedFrameError("its live part is cut short");
  const view = new DataView(live.buffer, live.byteOffset, live.byteLength);
  const sampling = view.getUint32(0, true);
  if (sampling > 1) throw new PreparedFrameError("its subsampling is not known");
  const tables = {
    quantisation: live.subarray(QUANTISATION_START, HUFFMAN_START),
    huffman: live.subarray(HUFFMAN_START, RECORDS_START),
  };
  if (!areUsable(tables)) throw new PreparedFrameError("its tables are damaged");

  const grid = mcuGrid(entry, region, sampling === 1 ? "4:2:0" : "4:4:4");
  const runsStart = RECORDS_START + grid.live.height * ROW_RECORD_BYTES;
  if (live.length < runsStart) throw new PreparedFrameError("its live part is cut short");
  const { staticBytes, ...bounds } = readRecords(view, grid);
  const surroundings = bandOf(entry, region, grid.reach, entry.softEdge);
  const bandStart = runsStart + staticBytes;
  if (bandStart + bandBytes(surroundings, 3) !== live.length) {
    throw new PreparedFrameError("its rows do not add up to its live part");
  }
  return {
    entry,
    grid,
    surroundings,
    tables,
    records: live.subarray(RECORDS_START, runsStart),
    runs: live.subarray(runsStart, bandStart),
    band: live.subarray(bandStart),
    ...bounds,
  };
}

function readRecords(view: DataView, { live, blocksPerMcu, columns, rows }: McuGrid) {
  const hasAfter = live.x + live.width < columns;
  const mouthBits = live.width * blocksPerMcu * MAX_BLOCK_BITS + (hasAfter ? 3 * MAX_DC_BITS : 0);
  let staticBytes = 0;
  let maxRowBits = 0;
  let maxLiveBytes = 0;
  for (let row = 0; row < live.height; row++) {
    const at = RECORDS_START + row * ROW_RECORD_BYTES;
    let bits = mouthBits;
    for (let run = 0; run < 4; run++) {
      const length = view.getUint32(at + 4 * run, true);
      if (run > 0 && !hasAfter && length > 0) {
        throw new PreparedFrameError("a row goes on beyond the frame");
      }
      bits += length;
      staticBytes += runBytes(length);
    }
    for (let i = 0; i < 6; i++) {
      const dc = view.getInt16(at + 16 + 2 * i, true);
      if (dc < MIN_DC || dc > MAX_DC)
        throw new PreparedFrameError("a DC coefficient is impossible");
    }
    maxRowBits = Math.max(maxRowBits, bits);
    // Each byte may be 0xFF, which takes two, and a marker follows.
    maxLiveBytes += 2 * Math.ceil(bits / 8) + (live.y + row + 1 < rows ? 2 : 0);
  }
  return { staticBytes, maxRowBits, maxLiveBytes };
}
