import type { Rectangle } from "../rectangle.ts";
import type { RgbaImage, RgbImage } from "./types.ts";

/** The part of an image under `rectangle`, which must lie within it. */
export function cropRgb(image: RgbImage, { x, y, width, height }: Rectangle): RgbImage {
  if (x < 0 || y < 0 || x + width > image.width || y + height > image.height) {
    throw new RangeError(`a crop at ${x},${y} of ${width}x${height} leaves the image`);
  }
  const data = new Uint8Array(width * height * 3);
  for (let row = 0; row < height; row++) {
    const from = 3 * ((y + row) * image.width + x);
    data.set(image.data.subarray(from, from + 3 * width), 3 * width * row);
  }
  return { width, height, data };
}

/** Drops alpha. */
export function rgbaToRgb({ width, height, data }: RgbaImage): RgbImage {
  const rgb = new Uint8Array(width * height * 3);
  for (let from = 0, to = 0; from < data.length; from += 4, to += 3) {
    rgb[to] = data[from]!;
    rgb[to + 1] = data[from + 1]!;
    rgb[to + 2] = data[from + 2]!;
  }
  return { width, height, data: rgb };
}
