import { Kernels } from "../../../avatar/wasm/kernels.ts";
import { bandBytes } from "../band.ts";
import { module } from "../gen/png.js";
import { assemblePatch } from "../patch.ts";
import {
  CODE_LENGTHS_BYTES,
  MAX_LITERAL_BITS,
  type PngExports,
  type PreparedPng,
  pngReach,
} from "./png-frame.ts";

/** The chunk of the checksum and IEND. */
const END_BYTES = 28;
/** The chunk around the rows, the empty block behind them, and stores that reach beyond. */
const OVERHEAD_BYTES = 64;

/** Puts mouths into prepared PNG frames. */
export class PngSplicer {
  readonly #kernels = new Kernels<PngExports>(module);

  /**
   * The file as parts, in order. Head and tail are the prepared frame's own
   * bytes: do not write to them.
   * @param mouth 8-bit RGB [region.height, region.width, 3]
   * @throws RangeError when `mouth` is not as large as the frame's region
   */
  splice(prepared: PreparedPng, mouth: Uint8Array): readonly Uint8Array<ArrayBuffer>[] {
    const { entry, band, rowBytes, runBits, runs, adler } = prepared;
    const { region, channels, width, height, head, live, tail } = entry;
    if (mouth.length !== region.width * region.height * 3) {
      throw new RangeError(
        `a mouth of ${region.width}x${region.height} has ${region.width * region.height * 3} bytes, not ${mouth.length}`,
      );
    }
    const kernels = this.#kernels;
    kernels.begin();
    const bandStart = kernels.place(live.subarray(0, bandBytes(band, channels)));
    const reach = pngReach(region);
    const patch = assemblePatch(kernels, entry, reach, band, bandStart, mouth);
    const stride = 1 + width * channels;
    const firstLive = region.y * stride + 1 + region.x * channels;
    const capacity =
      OVERHEAD_BYTES +
      END_BYTES +
      runs.length +
      Math.ceil((region.height * rowBytes * MAX_LITERAL_BITS) / 8);
    const filters = kernels.place(prepared.filters);
    const codeLengths = kernels.place(prepared.codeLengths);
    const runsStart = kernels.place(runs);
    const runLengths = kernels.placeNumbers(runBits);
    const filtered = kernels.reserve(rowBytes + 32);
    const codes = kernels.reserve(4 * CODE_LENGTHS_BYTES);
    const out = kernels.reserve(capacity);
    const layout = kernels.placeNumbers([
      patch.start,
      patch.width * channels,
      channels,
      region.height,
      rowBytes,
      filters,
      codeLengths,
      runsStart,
      runLengths,
      filtered,
      codes,
      out,
      Number(region.y + region.height < height),
      adler[0],
      adler[1],
      height * stride - firstLive,
      stride,
    ]);
    const rowsBytes = kernels.exports.splicePng(layout);
    const bytes = kernels.bytes(out, rowsBytes + END_BYTES).slice();
    return [head, bytes.subarray(0, rowsBytes), tail, bytes.subarray(rowsBytes)];
  }
}
