import { AvatarError } from "../../avatar/avatar-error.ts";
import type { PublishedAvatar } from "../../avatar/catalogue.ts";
import type { ImageCodecs } from "../../avatar/image/codecs.ts";
import { cropRgb, rgbaToRgb } from "../../avatar/image/crop.ts";
import type { RgbaImage } from "../../avatar/image/types.ts";
import { mouthRegion } from "../../avatar/manifest.ts";
import type { Rectangle } from "../../avatar/rectangle.ts";
import { type Delivery, prepareFrame } from "../compositor/delivery.ts";
import { PictureConverter } from "../compositor/h264/rgb-to-picture.ts";

/** What the manifest says of a frame whose file is given. */
export interface FrameShape {
  readonly width: number;
  readonly height: number;
  /** Of the mouth, within the frame. */
  readonly region: Rectangle;
}

/** Turns files into what splicing needs. On Node in threads: it takes 20 to 800 ms a frame. */
export interface FramePreparer {
  /** Frames that can be prepared at the same time. */
  readonly parallel: number;
  /**
   * @param file a PNG or JPEG file
   * @returns an entry, see `compositor/prepared-entry.ts`
   * @throws ImageError when it cannot be read, AvatarError when it is not of this shape
   */
  prepare(
    file: Uint8Array,
    shape: FrameShape,
    delivery: Delivery,
  ): Promise<Uint8Array<ArrayBuffer>>;
  /**
   * The pixels of the region, 8-bit RGB [height, width, 3].
   * @throws ImageError, AvatarError
   */
  cutMouth(file: Uint8Array, shape: FrameShape): Promise<Uint8Array<ArrayBuffer>>;
  /**
   * The whole frame in I420, BT.709 of limited range [width * height * 3 / 2].
   * @throws ImageError, AvatarError; RangeError for odd sides
   */
  toPicture(file: Uint8Array, shape: FrameShape): Promise<Uint8Array<ArrayBuffer>>;
}

/** Prepares where it is called. */
export function createFramePreparer(codecs: Pick<ImageCodecs, "decode">): FramePreparer {
  const decode = async (file: Uint8Array, shape: FrameShape): Promise<RgbaImage> => {
    const image = await codecs.decode(file);
    if (image.width === shape.width && image.height === shape.height) return image;
    throw new AvatarError(
      "invalid_avatar",
      `a frame is ${image.width}x${image.height} where ${shape.width}x${shape.height} is due: publish the avatar again`,
    );
  };
  return {
    parallel: 1,
    prepare: async (file, shape, delivery) =>
      prepareFrame(await decode(file, shape), shape.region, delivery),
    async cutMouth(file, shape) {
      const image = rgbaToRgb(await decode(file, shape));
      return new Uint8Array(cropRgb(image, shape.region).data);
    },
    toPicture: async (file, shape) =>
      // A new one each time, as in `prepareFrame`.
      new PictureConverter().convertBytes(rgbaToRgb(await decode(file, shape))),
  };
}

export function frameShape({ manifest }: PublishedAvatar, index: number): FrameShape {
  const { width, height } = manifest;
  return { width, height, region: mouthRegion(manifest, index) };
}
