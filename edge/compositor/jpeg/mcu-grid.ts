import type { Rectangle } from "../../../avatar/rectangle.ts";
import type { JpegSubsampling } from "./jpeg-options.ts";

/** How a frame and its mouth lie on the grid of MCUs. */
export interface McuGrid {
  readonly subsampling: JpegSubsampling;
  /** Pixels of an MCU's side. */
  readonly side: 8 | 16;
  readonly blocksPerMcu: 3 | 6;
  /** MCUs per row of the frame, which is a restart interval. */
  readonly columns: number;
  readonly rows: number;
  /** The MCUs that the mouth touches, in MCUs. */
  readonly live: Rectangle;
  /** The same in pixels; may leave the frame at the right and at the bottom. */
  readonly reach: Rectangle;
}

/**
 * A code has 16 bits at most. 11 more follow it for a DC difference, 10 for each of
 * 63 AC coefficients; a symbol that stands for zeros takes the place of at least
 * one coefficient and is shorter.
 */
export const MAX_BLOCK_BITS = 16 + 11 + 63 * (16 + 10);
export const MAX_DC_BITS = 16 + 11;

/** @param region within the frame */
export function mcuGrid(
  frame: { readonly width: number; readonly height: number },
  region: Rectangle,
  subsampling: JpegSubsampling,
): McuGrid {
  const side = subsampling === "4:2:0" ? 16 : 8;
  const x = Math.floor(region.x / side);
  const y = Math.floor(region.y / side);
  const live = {
    x,
    y,
    width: Math.ceil((region.x + region.width) / side) - x,
    height: Math.ceil((region.y + region.height) / side) - y,
  };
  return {
    subsampling,
    side,
    blocksPerMcu: side === 16 ? 6 : 3,
    columns: Math.ceil(frame.width / side),
    rows: Math.ceil(frame.height / side),
    live,
    reach: { x: x * side, y: y * side, width: live.width * side, height: live.height * side },
  };
}
