import type { PublishedAvatar } from "../../avatar/catalogue.ts";
import { findTrack } from "../../avatar/manifest.ts";
import { FREE_SHARING, type Sharing } from "../parts.ts";
import { type FramePreparer, frameShape } from "./frame-preparer.ts";
import type { IdleFrames } from "./idle-frames.ts";
import { type CacheStats, LoadingCache } from "./loading-cache.ts";
import { checkFrameIndex, type PlainFrames } from "./plain-frames.ts";

export interface BackgroundPicturesOptions {
  readonly plain: PlainFrames;
  /** For avatars that have no plain frames. */
  readonly idleFrames: IdleFrames;
  readonly preparer: FramePreparer;
  /** Of pictures of all avatars together; one of 720p has 1.4 MB. */
  readonly maxBytes: number;
  readonly sharing?: Sharing;
}

interface Wanted {
  readonly avatar: PublishedAvatar;
  readonly index: number;
}

/**
 * Background frames as an encoder of whole frames takes them: I420, BT.709 of
 * limited range, least recently used out first, bounded in bytes. They come
 * from the plain frames, or from idle frames, which show the same: of PNG every
 * pixel, of JPEG as far as that was published.
 */
export class BackgroundPictures {
  readonly #options: BackgroundPicturesOptions;
  readonly #pictures: LoadingCache<Uint8Array<ArrayBuffer>, Wanted>;
  #made = 0;

  constructor(options: BackgroundPicturesOptions) {
    this.#options = options;
    this.#pictures = new LoadingCache<Uint8Array<ArrayBuffer>, Wanted>({
      maxBytes: options.maxBytes,
      sizeOf: (picture) => picture.length,
      sharing: options.sharing ?? FREE_SHARING,
      load: async ({ avatar, index }) => {
        this.#made++;
        return options.preparer.toPicture(
          await this.#file(avatar, index),
          frameShape(avatar, index),
        );
      },
    });
  }

  get cacheStats(): CacheStats {
    return this.#pictures.stats;
  }

  /** Pictures that had to be made since the start, and bytes of those that are held. */
  get stats(): { readonly made: number; readonly bytes: number } {
    return { made: this.#made, bytes: this.#pictures.bytes };
  }

  /**
   * Frame `index`, read once however many ask. Shared: do not write to it.
   * @throws AvatarError, ImageError, PreparedFrameError
   */
  async get(avatar: PublishedAvatar, index: number): Promise<Uint8Array<ArrayBuffer>> {
    checkFrameIndex(avatar, index);
    return this.#pictures.get(keyOf(avatar, index), { avatar, index });
  }

  /**
   * Starts on the first of the frames that are not there yet, as many as are
   * prepared at the same time. What fails shows when the frame is needed.
   */
  readAhead(avatar: PublishedAvatar, indices: readonly number[]): void {
    const missing = new Set(indices.filter((index) => !this.#pictures.has(keyOf(avatar, index))));
    for (const index of [...missing].slice(0, this.#options.preparer.parallel)) {
      this.get(avatar, index).catch(() => {});
    }
  }

  async #file(avatar: PublishedAvatar, index: number): Promise<Uint8Array<ArrayBuffer>> {
    const { plain, idleFrames } = this.#options;
    if (avatar.manifest.frames) return plain.read(avatar, index);
    const format = findTrack(avatar.manifest, "png") ? "png" : "jpeg";
    return idleFrames.get(avatar, index, format);
  }
}

function keyOf({ prefix }: PublishedAvatar, index: number): string {
  return `${prefix}${index}`;
}
