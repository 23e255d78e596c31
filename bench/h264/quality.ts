import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type Picture, pictureOf, planesOf } from "../../edge/compositor/h264/picture.ts";
import { type Clip, readRaw } from "./clips.ts";

/** What a stream costs and how it looks. */
export interface Quality {
  readonly kilobitsPerSecond: number;
  /** Of luma, over all frames, in decibels. */
  readonly psnr: number;
}

/** Decodes a stream of a clip with ffmpeg and compares it with what it should show. */
export async function qualityOf(stream: Uint8Array, clip: Clip, folder: string): Promise<Quality> {
  const file = join(folder, "stream.h264");
  await writeFile(file, stream);
  const { width, height, order } = clip.background;
  let position = 0;
  let error = 0;
  for await (const bytes of readRaw(file, "yuv420p", (width * height * 3) / 2)) {
    error += lumaError(pictureOf(bytes, width, height), clip.compositeAt(position++));
  }
  if (position !== order.length) throw new Error(`${position} of ${order.length} frames decoded`);
  const mean = error / (width * height * order.length);
  return {
    kilobitsPerSecond: (stream.length * 8 * clip.framesPerSecond) / order.length / 1000,
    psnr: 10 * Math.log10(255 ** 2 / mean),
  };
}

function lumaError(a: Picture, b: Picture): number {
  const [first] = planesOf(a);
  const [second] = planesOf(b);
  let sum = 0;
  for (let i = 0; i < first!.data.length; i++) sum += (first!.data[i]! - second!.data[i]!) ** 2;
  return sum;
}

/**
 * The rate at which another coder has a quality, between the points that were
 * measured of it: rates go with the power of decibels.
 */
export function rateAt(psnr: number, points: readonly Quality[]): number {
  const sorted = points.toSorted((a, b) => a.psnr - b.psnr);
  let n = sorted.findIndex((point) => point.psnr >= psnr);
  if (n < 0) n = sorted.length - 1;
  const low = sorted[Math.max(0, n - 1)]!;
  const high = sorted[Math.max(1, n)]!;
  const share = (psnr - low.psnr) / (high.psnr - low.psnr);
  return low.kilobitsPerSecond * (high.kilobitsPerSecond / low.kilobitsPerSecond) ** share;
}
