import type { RgbImage } from "../../../avatar/image/types.ts";
import { type KernelExports, Kernels } from "../../../avatar/wasm/kernels.ts";
import { module } from "../gen/h264.js";
import { type Picture, pictureOf } from "./picture.ts";

interface ColourExports extends KernelExports {
  placeRgb(layout: number): void;
}

/** Turns frames into pictures, in the colours that the stream announces. */
export class PictureConverter {
  readonly #kernels = new Kernels<ColourExports>(module);

  /**
   * @param image both sides even
   * @returns BT.709 of limited range, 4:2:0, as `LiveSession` makes it of mouths
   * @throws RangeError for odd sides
   */
  convert(image: RgbImage): Picture {
    return pictureOf(this.convertBytes(image), image.width, image.height);
  }

  /** The same as I420: the planes one after the other. @throws RangeError for odd sides */
  convertBytes({ width, height, data }: RgbImage): Uint8Array<ArrayBuffer> {
    if (width % 2 !== 0 || height % 2 !== 0) {
      throw new RangeError(`${width}x${height}: both sides of a 4:2:0 picture have to be even`);
    }
    const kernels = this.#kernels;
    kernels.begin();
    const pixels = kernels.place(data);
    const bytes = (width * height * 3) / 2;
    const planes = kernels.reserve(bytes);
    const luma = width * height;
    const layout = [
      pixels,
      width,
      height,
      0,
      0,
      planes,
      planes + luma,
      planes + luma * 1.25,
      width,
    ];
    kernels.exports.placeRgb(kernels.placeNumbers([...layout, 0, 0, 0, 0, 0]));
    return kernels.bytes(planes, bytes).slice();
  }
}
