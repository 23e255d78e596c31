import type { Rectangle } from "../../avatar/rectangle.ts";
import { type Background, softSides } from "../../edge/compositor/band.ts";

/**
 * The plain way to put a mouth into a frame, pixel by pixel: what splicing has
 * to equal.
 * @param mouth 8-bit RGB [region.height, region.width, 3]
 * @returns the frame's pixels, in its channels
 */
export function composite(
  background: Background,
  region: Rectangle,
  mouth: Uint8Array,
  softEdge: number,
): Uint8Array<ArrayBuffer> {
  const { width, channels, data } = background;
  const pixels = Uint8Array.from(data);
  const sides = softSides(background, region);
  for (let y = 0; y < region.height; y++) {
    for (let x = 0; x < region.width; x++) {
      const distances = [softEdge];
      if (sides.left) distances.push(x);
      if (sides.top) distances.push(y);
      if (sides.right) distances.push(region.width - 1 - x);
      if (sides.bottom) distances.push(region.height - 1 - y);
      const distance = Math.min(...distances);
      const weight = distance >= softEdge ? 256 : Math.floor(((2 * distance + 1) * 128) / softEdge);
      for (let channel = 0; channel < 3; channel++) {
        const at = ((region.y + y) * width + region.x + x) * channels + channel;
        const over = mouth[(y * region.width + x) * 3 + channel]!;
        pixels[at] = (data[at]! * (256 - weight) + over * weight + 128) >> 8;
      }
    }
  }
  return pixels;
}

/** Repeatable random numbers (mulberry32). @returns a function that gives integers in `[0, below)` */
export function seededRandom(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return Math.floor((((t ^ (t >>> 14)) >>> 0) / 2 ** 32) * below);
  };
}

export type Texture = "noise" | "flat" | "smooth";

/** A frame of random content. */
export function randomFrame(
  random: (below: number) => number,
  size: { width: number; height: number; channels: 3 | 4 },
  texture: Texture,
): Background {
  const { width, height, channels } = size;
  const data = new Uint8Array(width * height * channels);
  const base = [random(256), random(256), random(256), random(256)];
  const slope = [random(7) - 3, random(7) - 3];
  for (let i = 0; i < data.length; i++) {
    const pixel = Math.floor(i / channels);
    const wave = slope[0]! * (pixel % width) + slope[1]! * Math.floor(pixel / width);
    const value = base[i % channels]! + (texture === "smooth" ? wave + random(3) : 0);
    data[i] = texture === "noise" ? random(256) : value & 255;
  }
  return { width, height, channels, data };
}

/** A mouth at a random place: anywhere, at an edge, in a corner, one pixel, the whole frame. */
export function randomRegion(
  random: (below: number) => number,
  { width, height }: { width: number; height: number },
): Rectangle {
  const side = (length: number): [start: number, size: number] => {
    const size = 1 + random(length);
    const free = length - size;
    switch (random(5)) {
      case 0:
        return [0, size];
      case 1:
        return [free, size];
      case 2:
        return [0, length];
      case 3:
        return [random(length), 1];
      default:
        return [random(free + 1), size];
    }
  };
  const [x, w] = side(width);
  const [y, h] = side(height);
  return { x, y, width: w, height: h };
}
