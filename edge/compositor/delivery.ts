import { rgbaToRgb } from "../../avatar/image/crop.ts";
import type { RgbaImage } from "../../avatar/image/types.ts";
import type { Rectangle } from "../../avatar/rectangle.ts";
import type { Background } from "./band.ts";
import { type JpegPrepareOptions, JpegPreparer } from "./jpeg/jpeg-preparer.ts";
import { type PngPrepareOptions, PngPreparer } from "./png/png-preparer.ts";

/** The form in which a frame is prepared, and later goes out. */
export type Delivery =
  | ({ readonly format: "png" } & PngPrepareOptions)
  | ({ readonly format: "jpeg" } & JpegPrepareOptions);

/**
 * Prepares a frame: everything but its mouth is coded. The same picture,
 * region and delivery give the same bytes everywhere, so that it makes no
 * difference whether a frame comes from a pack or is prepared when first used.
 *
 * @param region of the mouth, within the frame
 * @returns an entry, see `prepared-entry.ts`
 */
export function prepareFrame(
  image: RgbaImage,
  region: Rectangle,
  delivery: Delivery,
): Uint8Array<ArrayBuffer> {
  // New ones each time: the tens of megabytes that they need are not kept.
  return delivery.format === "png"
    ? new PngPreparer().prepare(toBackground(image), region, delivery)
    : new JpegPreparer().prepare(opaque(image), region, delivery);
}

/** RGB, or RGBA where anything shines through. */
function toBackground(image: RgbaImage): Background {
  for (let at = 3; at < image.data.length; at += 4) {
    if (image.data[at] !== 255) return { ...image, channels: 4 };
  }
  return opaque(image);
}

function opaque(image: RgbaImage): Background {
  return { ...rgbaToRgb(image), channels: 3 };
}
