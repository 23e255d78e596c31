import type { Rectangle } from "../../../avatar/rectangle.ts";
import { type Background, bandOf, cutBand } from "../band.ts";
import { joinBytes } from "../join-bytes.ts";
import { encodeEntry } from "../prepared-entry.ts";
import { FrameCoder, type RgbPicture } from "./frame-coder.ts";
import { END_OF_IMAGE, fileHeader, restartMarker } from "./jpeg-file.ts";
import { createJpegKernels } from "./jpeg-kernels.ts";
import { checkJpegOptions, type JpegPrepareOptions } from "./jpeg-options.ts";
import { HUFFMAN_BYTES, huffmanTables, type JpegTables } from "./jpeg-tables.ts";
import { encodeLivePart } from "./live-part.ts";
import { type McuGrid, mcuGrid } from "./mcu-grid.ts";
import { quantisationTables } from "./quantisation.ts";

export type { JpegPrepareOptions } from "./jpeg-options.ts";

/** Codes once what does not depend on the mouth. */
export class JpegPreparer {
  readonly #kernels = createJpegKernels();

  /**
   * @param background with alpha, which JPEG does not have, it loses it
   * @param region where the mouth goes, within the background
   * @returns a prepared frame (`../prepared-entry.ts`)
   * @throws RangeError for impossible options
   */
  prepare(
    background: Background,
    region: Rectangle,
    options: JpegPrepareOptions,
  ): Uint8Array<ArrayBuffer> {
    checkJpegOptions(options);
    const { softEdge } = options;
    const { width, height } = background;
    const picture = { width, height, channels: 3, data: dropAlpha(background) } as const;
    const grid = mcuGrid(picture, region, options.subsampling);
    const tables = this.#fitTables(picture, grid, options.quality);
    const coder = new FrameCoder(this.#kernels, picture, grid, tables);

    const head = [fileHeader(picture, grid, tables)];
    const records: Uint8Array<ArrayBuffer>[] = [];
    const runs: Uint8Array<ArrayBuffer>[] = [];
    const tail: Uint8Array<ArrayBuffer>[] = [];
    for (let row = 0; row < grid.rows; row++) {
      const isAbove = row < grid.live.y;
      if (!isAbove && row < grid.live.y + grid.live.height) {
        const coded = coder.codeStaticRuns(row);
        records.push(coded.record);
        runs.push(coded.runs);
        continue;
      }
      (isAbove ? head : tail).push(coder.codeRow(row), restartMarker(row, grid));
    }
    tail.push(END_OF_IMAGE);

    const band = cutBand(picture, bandOf(picture, region, grid.reach, softEdge));
    return encodeEntry({
      kind: "MJPG",
      width,
      height,
      channels: 3,
      region,
      softEdge,
      head: joinBytes(head),
      live: encodeLivePart(grid, {
        tables,
        records: joinBytes(records),
        runs: joinBytes(runs),
        band,
      }),
      tail: joinBytes(tail),
    });
  }

  /**
   * Huffman tables are fitted to the frame as it was recorded. To this frame alone:
   * prepared on demand it has the same bytes as in a published pack.
   */
  #fitTables(picture: RgbPicture, grid: McuGrid, quality: number): JpegTables {
    const quantisation = quantisationTables(quality);
    // No code is needed for counting.
    const huffman = new Uint8Array(HUFFMAN_BYTES);
    const coder = new FrameCoder(this.#kernels, picture, grid, { quantisation, huffman });
    return { quantisation, huffman: huffmanTables(coder.countSymbols()) };
  }
}

function dropAlpha({ width, height, channels, data }: Background): RgbPicture["data"] {
  if (channels === 3) return data;
  const rgb = new Uint8Array(width * height * 3);
  for (let from = 0, to = 0; to < rgb.length; from += 4, to += 3) {
    rgb[to] = data[from]!;
    rgb[to + 1] = data[from + 1]!;
    rgb[to + 2] = data[from + 2]!;
  }
  return rgb;
}
