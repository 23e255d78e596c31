import { type PreparedJpeg, readPreparedJpeg } from "./jpeg/jpeg-frame.ts";
import { JpegSplicer } from "./jpeg/jpeg-splicer.ts";
import { type PreparedPng, readPreparedPng } from "./png/png-frame.ts";
import { PngSplicer } from "./png/png-splicer.ts";
import { decodeEntry, type PreparedEntry } from "./prepared-entry.ts";

/** A frame that waits for its mouth. Its bytes are shared: do not write to them. */
export type PreparedFrame =
  | { readonly format: "png"; readonly entry: PreparedEntry; readonly png: PreparedPng }
  | { readonly format: "jpeg"; readonly entry: PreparedEntry; readonly jpeg: PreparedJpeg };

/**
 * Reads an entry without copying or decoding it.
 * @throws PreparedFrameError when it is damaged
 */
export function readPreparedFrame(bytes: Uint8Array<ArrayBuffer>): PreparedFrame {
  const entry = decodeEntry(bytes);
  return entry.kind === "MPNG"
    ? { format: "png", entry, png: readPreparedPng(entry) }
    : { format: "jpeg", entry, jpeg: readPreparedJpeg(entry) };
}

/** Puts mouths into prepared frames: the run-time half of the compositor. */
export class Splicer {
  readonly #png = new PngSplicer();
  readonly #jpeg = new JpegSplicer();

  /**
   * A complete file, as parts in order. Some are the prepared frame's own
   * bytes, which go out without being copied: do not write to them.
   *
   * @param mouth 8-bit RGB [region.height, region.width, 3]
   * @throws RangeError when `mouth` is not as large as the frame's region
   */
  splice(frame: PreparedFrame, mouth: Uint8Array): readonly Uint8Array<ArrayBuffer>[] {
    return frame.format === "png"
      ? this.#png.splice(frame.png, mouth)
      : this.#jpeg.splice(frame.jpeg, mouth);
  }
}
