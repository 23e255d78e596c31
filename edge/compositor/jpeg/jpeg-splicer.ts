import { assemblePatch } from "../patch.ts";
import type { PreparedJpeg } from "./jpeg-frame.ts";
import { createJpegKernels, setTables } from "./jpeg-kernels.ts";

/** Puts mouths into prepared frames, at the price of the mouth. */
export class JpegSplicer {
  readonly #kernels = createJpegKernels();

  /**
   * @param mouth 8-bit RGB [region.height, region.width, 3]
   * @returns a JPEG file in three parts; the first and the last are views of the entry
   * @throws RangeError when the mouth has another size
   */
  splice(prepared: PreparedJpeg, mouth: Uint8Array): readonly Uint8Array<ArrayBuffer>[] {
    const { entry, grid, tables, surroundings } = prepared;
    const { width, height } = entry.region;
    if (mouth.length !== width * height * 3) {
      throw new RangeError(`${mouth.length} bytes are no RGB mouth of ${width}x${height}`);
    }
    const kernels = this.#kernels;
    kernels.begin();
    setTables(kernels, tables, grid);
    const records = kernels.place(prepared.records);
    const runs = kernels.place(prepared.runs);
    const band = kernels.place(prepared.band);
    const patch = assemblePatch(kernels, entry, grid.reach, surroundings, band, mouth);
    const { outer } = surroundings;
    const { exports } = kernels;
    exports.extendEdges(patch.start, patch.width, patch.height, outer.width, outer.height);

    const words = kernels.reserve(Math.ceil(prepared.maxRowBits / 8));
    const out = kernels.reserve(prepared.maxLiveBytes);
    const { live, rows, columns } = grid;
    const layout = kernels.placeNumbers([
      patch.start,
      live.width,
      live.height,
      Number(live.x + live.width < columns),
      live.y,
      rows,
      records,
      runs,
      words,
      out,
    ]);
    const bytes = exports.spliceJpeg(layout);
    return [entry.head, kernels.bytes(out, bytes).slice(), entry.tail];
  }
}
