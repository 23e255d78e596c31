import type { Rectangle } from "../../avatar/rectangle.ts";

/**
 * The background pixels around a mouth that its coding depends on: those in
 * `outer` but not in `inner`. A filter looks at neighbours, a JPEG block
 * reaches beyond the mouth, a soft edge shows what is under it.
 *
 * As bytes: the rows of `outer`, 8 bits per channel, without the pixels of `inner`.
 */
export interface Band {
  /** Within the frame. */
  readonly outer: Rectangle;
  /** Within `outer`; of width and height 0 where the whole background is needed. */
  readonly inner: Rectangle;
}

export interface Background {
  readonly width: number;
  readonly height: number;
  /** 3 (RGB) or 4 (RGBA). */
  readonly channels: 3 | 4;
  /** 8-bit [height, width, channels] */
  readonly data: Uint8Array | Uint8ClampedArray;
}

/**
 * The band of a mouth at `region`.
 * @param reach what the coding touches; is cut to the frame
 * @param softEdge pixels
 */
export function bandOf(
  frame: { readonly width: number; readonly height: number; readonly channels: 3 | 4 },
  region: Rectangle,
  reach: Rectangle,
  softEdge: number,
): Band {
  const x = Math.max(0, reach.x);
  const y = Math.max(0, reach.y);
  const outer = {
    x,
    y,
    width: Math.min(frame.width, reach.x + reach.width) - x,
    height: Math.min(frame.height, reach.y + reach.height) - y,
  };
  const sides = softSides(frame, region);
  const left = region.x + (sides.left ? softEdge : 0);
  const top = region.y + (sides.top ? softEdge : 0);
  const width = region.x + region.width - (sides.right ? softEdge : 0) - left;
  const height = region.y + region.height - (sides.bottom ? softEdge : 0) - top;
  // The mouth brings colours; the alpha under it is the background's.
  const isEmpty = frame.channels === 4 || width <= 0 || height <= 0;
  const inner = isEmpty ? { x, y, width: 0, height: 0 } : { x: left, y: top, width, height };
  return { outer, inner };
}

/** Where a mouth ends at the border of the frame there is nothing to blend into. */
export function softSides(
  frame: { readonly width: number; readonly height: number },
  region: Rectangle,
) {
  return {
    left: region.x > 0,
    top: region.y > 0,
    right: region.x + region.width < frame.width,
    bottom: region.y + region.height < frame.height,
  };
}

export function bandBytes({ outer, inner }: Band, channels: number): number {
  return (outer.width * outer.height - inner.width * inner.height) * channels;
}

/** Takes the band's pixels out of the background. */
export function cutBand(background: Background, { outer, inner }: Band): Uint8Array<ArrayBuffer> {
  const { width, channels, data } = background;
  const bytes = new Uint8Array(bandBytes({ outer, inner }, channels));
  let at = 0;
  const take = (x: number, y: number, count: number) => {
    const start = (y * width + x) * channels;
    bytes.set(data.subarray(start, start + count * channels), at);
    at += count * channels;
  };
  for (let y = outer.y; y < outer.y + outer.height; y++) {
    if (y < inner.y || y >= inner.y + inner.height) {
      take(outer.x, y, outer.width);
      continue;
    }
    take(outer.x, y, inner.x - outer.x);
    const right = inner.x + inner.width;
    take(right, y, outer.x + outer.width - right);
  }
  return bytes;
}
