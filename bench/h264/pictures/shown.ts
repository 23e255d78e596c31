import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { RgbImage } from "../../../avatar/image/types.ts";
import type { Rectangle } from "../../../avatar/rectangle.ts";
import type { AccessUnit } from "../../../edge/compositor/h264/live-session.ts";
import { type Picture, pictureOf } from "../../../edge/compositor/h264/picture.ts";
import { readRaw } from "../clips.ts";

/** What ffmpeg shows of access units. */
export async function decode(
  units: readonly AccessUnit[],
  width: number,
  height: number,
  folder: string,
): Promise<Picture[]> {
  const file = join(folder, "shown.h264");
  await writeFile(file, Buffer.concat(units.flatMap(({ parts }) => parts)));
  const pictures: Picture[] = [];
  for await (const bytes of readRaw(file, "yuv420p", (width * height * 3) / 2)) {
    pictures.push(pictureOf(bytes, width, height));
  }
  if (pictures.length !== units.length) {
    throw new Error(`${pictures.length} of ${units.length} pictures were decoded`);
  }
  return pictures;
}

/** A part of a picture in the colours of a screen: BT.709 of limited range, chroma repeated. */
export function toRgb(picture: Picture, part: Rectangle): RgbImage {
  const data = new Uint8Array(part.width * part.height * 3);
  let to = 0;
  for (let y = part.y; y < part.y + part.height; y++) {
    for (let x = part.x; x < part.x + part.width; x++) {
      const at = (y >> 1) * (picture.width >> 1) + (x >> 1);
      const luma = 1.16438 * (picture.y[y * picture.width + x]! - 16);
      const u = picture.u[at]! - 128;
      const v = picture.v[at]! - 128;
      data[to++] = byte(luma + 1.79274 * v);
      data[to++] = byte(luma - 0.21325 * u - 0.53291 * v);
      data[to++] = byte(luma + 2.1124 * u);
    }
  }
  return { width: part.width, height: part.height, data };
}

/** How much of luma two pictures differ, `gain` times, about grey. */
export function difference(a: Picture, b: Picture, part: Rectangle, gain: number): RgbImage {
  const data = new Uint8Array(part.width * part.height * 3);
  let to = 0;
  for (let y = part.y; y < part.y + part.height; y++) {
    for (let x = part.x; x < part.x + part.width; x++) {
      const at = y * a.width + x;
      const grey = byte(128 + gain * (a.y[at]! - b.y[at]!));
      data[to++] = grey;
      data[to++] = grey;
      data[to++] = grey;
    }
  }
  return { width: part.width, height: part.height, data };
}

function byte(value: number): number {
  return Math.max(0, Math.min(255, Math.round(value)));
}
