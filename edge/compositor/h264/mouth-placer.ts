import type { Rectangle } from "../../../avatar/rectangle.ts";
import { type KernelExports, Kernels } from "../../../avatar/wasm/kernels.ts";
import { softSides } from "../band.ts";
import { module } from "../gen/h264.js";

interface ColourExports extends KernelExports {
  placeRgb(layout: number): void;
}

export interface PlaceOptions {
  readonly width: number;
  readonly height: number;
  /** Of the mouth, within the frame. */
  readonly region: Rectangle;
  /** Pixels. */
  readonly softEdge: number;
}

/** Puts mouths into whole pictures, as `LiveSession` puts them into its part of them. */
export class MouthPlacer {
  readonly #kernels = new Kernels<ColourExports>(module);

  /**
   * @param background I420, BT.709 of limited range [width * height * 3 / 2]; stays as it is
   * @param mouth 8-bit RGB [region.height, region.width, 3]
   * @returns the same with the mouth; the next call writes over it
   * @throws RangeError when either is not of the size that `options` tell
   */
  place(background: Uint8Array, mouth: Uint8Array, options: PlaceOptions): Uint8Array<ArrayBuffer> {
    const { width, height, region, softEdge } = options;
    const luma = width * height;
    const bytes = luma * 1.5;
    if (background.length !== bytes || mouth.length !== 3 * region.width * region.height) {
      throw new RangeError("a picture or its mouth is not of its size");
    }
    const kernels = this.#kernels;
    kernels.begin();
    const planes = kernels.place(background);
    const pixels = kernels.place(mouth);
    const sides = softSides({ width, height }, region);
    const layout = kernels.placeNumbers([
      pixels,
      region.width,
      region.height,
      region.x,
      region.y,
      planes,
      planes + luma,
      planes + luma * 1.25,
      width,
      softEdge,
      Number(sides.left),
      Number(sides.top),
      Number(sides.right),
      Number(sides.bottom),
    ]);
    kernels.exports.placeRgb(layout);
    return kernels.bytes(planes, bytes);
  }
}
