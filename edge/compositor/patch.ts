import type { Rectangle } from "../../avatar/rectangle.ts";
import type { KernelExports, Kernels } from "../../avatar/wasm/kernels.ts";
import { type Band, softSides } from "./band.ts";
import type { PreparedEntry } from "./prepared-entry.ts";

/** The kernels of `assembly/patch.ts`. */
export interface PatchExports extends KernelExports {
  assemblePatch(layout: number): void;
}

/** The small picture in the kernels' memory that is coded: the mouth and what is around it. */
export interface Patch {
  /** Offset of its first byte. 8-bit [height, width, channels], rows without gaps. */
  readonly start: number;
  readonly width: number;
  readonly height: number;
}

/**
 * Puts the mouth into its band, blending it at its border if the avatar has a
 * soft edge. What lies outside the frame is 0.
 *
 * @param reach where the patch lies in frame coordinates; may leave the frame
 * @param bandStart the band's bytes in the kernels' memory
 * @param pixels the mouth, 8-bit RGB [region.height, region.width, 3]
 */
export function assemblePatch(
  kernels: Kernels<PatchExports>,
  entry: Pick<PreparedEntry, "width" | "height" | "channels" | "region" | "softEdge">,
  reach: Rectangle,
  band: Band,
  bandStart: number,
  pixels: Uint8Array,
): Patch {
  const { channels, region, softEdge } = entry;
  const { outer, inner } = band;
  const start = kernels.reserve(reach.width * reach.height * channels);
  const mouth = kernels.place(pixels);
  const sides = softSides(entry, region);
  const layout = kernels.placeNumbers([
    start,
    reach.width,
    reach.height,
    channels,
    bandStart,
    outer.x - reach.x,
    outer.y - reach.y,
    outer.width,
    outer.height,
    inner.x - reach.x,
    inner.y - reach.y,
    inner.width,
    inner.height,
    mouth,
    region.x - reach.x,
    region.y - reach.y,
    region.width,
    region.height,
    softEdge,
    Number(sides.left),
    Number(sides.top),
    Number(sides.right),
    Number(sides.bottom),
  ]);
  kernels.exports.assemblePatch(layout);
  return { start, width: reach.width, height: reach.height };
}
