import { MAX_SOFT_EDGE } from "../prepared-entry.ts";

export type JpegSubsampling = "4:2:0" | "4:4:4";

export interface JpegPrepareOptions {
  /** 1..100, with the quantisation tables of libjpeg. */
  readonly quality: number;
  /** "4:2:0" averages chroma over 2x2 pixels, "4:4:4" keeps it. */
  readonly subsampling: JpegSubsampling;
  /** Pixels over which the mouth is blended into the background at its border; 0 for none. */
  readonly softEdge: number;
}

/** @throws RangeError */
export function checkJpegOptions({ quality, subsampling, softEdge }: JpegPrepareOptions): void {
  if (!Number.isInteger(quality) || quality < 1 || quality > 100) {
    throw new RangeError(`a JPEG quality of ${quality} is none of 1..100`);
  }
  if (subsampling !== "4:2:0" && subsampling !== "4:4:4") {
    throw new RangeError(`the subsampling ${subsampling} is neither 4:2:0 nor 4:4:4`);
  }
  if (!Number.isInteger(softEdge) || softEdge < 0 || softEdge > MAX_SOFT_EDGE) {
    throw new RangeError(`a soft edge of ${softEdge} pixels is none of 0..${MAX_SOFT_EDGE}`);
  }
}
