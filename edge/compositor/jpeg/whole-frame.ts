import { joinBytes } from "../join-bytes.ts";
import { FrameCoder, type RgbPicture } from "./frame-coder.ts";
import { END_OF_IMAGE, fileHeader, restartMarker } from "./jpeg-file.ts";
import type { JpegKernels } from "./jpeg-kernels.ts";
import type { JpegTables } from "./jpeg-tables.ts";
import type { McuGrid } from "./mcu-grid.ts";

/** A picture as a file, every MCU of it coded now: what a splice has to equal, byte for byte. */
export function codeWholeFrame(
  kernels: JpegKernels,
  picture: RgbPicture,
  grid: McuGrid,
  tables: JpegTables,
): Uint8Array<ArrayBuffer> {
  const coder = new FrameCoder(kernels, picture, grid, tables);
  const parts = [fileHeader(picture, grid, tables)];
  for (let row = 0; row < grid.rows; row++) {
    parts.push(coder.codeRow(row), restartMarker(row, grid));
  }
  parts.push(END_OF_IMAGE);
  return joinBytes(parts);
}
