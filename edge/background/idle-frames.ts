import type { PublishedAvatar } from "../../avatar/catalogue.ts";
import { joinBytes } from "../compositor/join-bytes.ts";
import type { Splicer } from "../compositor/splicer.ts";
import { FREE_SHARING, type Sharing } from "../parts.ts";
import type { ImageFormat } from "../speak/image-format.ts";
import type { FramePacks } from "./frame-packs.ts";
import { type FramePreparer, frameShape } from "./frame-preparer.ts";
import { LoadingCache } from "./loading-cache.ts";
import type { PlainFrames } from "./plain-frames.ts";
import type { PreparedFrames } from "./prepared-frames.ts";

export interface IdleFramesOptions {
  readonly plain: PlainFrames;
  readonly packs: FramePacks;
  readonly preparer: FramePreparer;
  readonly prepared: PreparedFrames;
  readonly splicer: Splicer;
  /** Of finished frames, of all avatars together. */
  readonly maxBytes: number;
  readonly sharing?: Sharing;
}

interface Wanted {
  readonly avatar: PublishedAvatar;
  readonly index: number;
  readonly format: ImageFormat;
}

/**
 * Background frames of silent avatars: the prepared frame with its own mouth,
 * so that a frame is coded alike whether its avatar speaks or not.
 */
export class IdleFrames {
  readonly #options: IdleFramesOptions;
  readonly #images: LoadingCache<Uint8Array<ArrayBuffer>, Wanted>;

  constructor(options: IdleFramesOptions) {
    this.#options = options;
    this.#images = new LoadingCache<Uint8Array<ArrayBuffer>, Wanted>({
      maxBytes: options.maxBytes,
      sizeOf: (image) => image.length,
      sharing: options.sharing ?? FREE_SHARING,
      load: async ({ avatar, index, format }) => {
        const frame = await options.prepared.get(avatar, index, format);
        const mouth = await this.#mouth(avatar, index);
        return joinBytes(options.splicer.splice(frame, mouth));
      },
    });
  }

  /** A PNG or JPEG file. @throws AvatarError, ImageError, PreparedFrameError */
  async get(
    avatar: PublishedAvatar,
    index: number,
    format: ImageFormat,
  ): Promise<Uint8Array<ArrayBuffer>> {
    const key = `${avatar.prefix}${index}.${format}`;
    return this.#images.get(key, { avatar, index, format });
  }

  async #mouth(avatar: PublishedAvatar, index: number): Promise<Uint8Array> {
    const { packs, preparer, plain } = this.#options;
    const shape = frameShape(avatar, index);
    const pack = await packs.open(avatar, "mouth");
    if (!pack) return preparer.cutMouth(await plain.read(avatar, index), shape);
    const { width, height } = shape.region;
    const whole = { width, height, region: { x: 0, y: 0, width, height } };
    return preparer.cutMouth(await pack.read(index), whole);
  }
}
