import type { PublishedAvatar } from "../../avatar/catalogue.ts";
import { joinBytes } from "../compositor/join-bytes.ts";
import type { Splicer } from "../compositor/splicer.ts";
import { FREE_SHARING, type Sharing } from "../parts.ts";
import type { ImageFormat } from "../speak/image-format.ts";
import { type CacheStats, LoadingCache } from "./loading-cache.ts";
import type { OwnMouths } from "./own-mouths.ts";
import type { PreparedFrames } from "./prepared-frames.ts";

export interface IdleFramesOptions {
  readonly mouths: OwnMouths;
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
  readonly #images: LoadingCache<Uint8Array<ArrayBuffer>, Wanted>;

  constructor(options: IdleFramesOptions) {
    this.#images = new LoadingCache<Uint8Array<ArrayBuffer>, Wanted>({
      maxBytes: options.maxBytes,
      sizeOf: (image) => image.length,
      sharing: options.sharing ?? FREE_SHARING,
      load: async ({ avatar, index, format }) => {
        const frame = await options.prepared.get(avatar, index, format);
        const mouth = await options.mouths.get(avatar, index);
        return joinBytes(options.splicer.splice(frame, mouth));
      },
    });
  }

  get stats(): CacheStats {
    return this.#images.stats;
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
}
