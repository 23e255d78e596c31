import { LRUCache } from "lru-cache";
import { AvatarError } from "../../avatar/avatar-error.ts";
import type { PublishedAvatar } from "../../avatar/catalogue.ts";
import type { ImageCodecs } from "../../avatar/image/codecs.ts";
import type { RgbaImage } from "../../avatar/image/types.ts";
import { frameFileName } from "../../avatar/manifest.ts";
import type { ObjectStore } from "../../avatar/object-store.ts";

interface Wanted {
  readonly avatar: PublishedAvatar;
  readonly index: number;
}

/** Decoded background frames, least recently used out first, bounded in bytes. */
export class BackgroundFrames {
  readonly #store: ObjectStore;
  readonly #frames: LRUCache<string, RgbaImage, Wanted>;

  /** @param maxBytes of decoded pixels, of all avatars together */
  constructor(store: ObjectStore, codecs: ImageCodecs, maxBytes: number) {
    this.#store = store;
    this.#frames = new LRUCache<string, RgbaImage, Wanted>({
      maxSize: maxBytes,
      sizeCalculation: (image) => image.data.length,
      fetchMethod: async (_key, _stale, { context }) => {
        const file = await this.file(context.avatar, context.index);
        const image = await codecs.decode(file);
        checkSize(image, context);
        return image;
      },
    });
  }

  /**
   * Frame `index`, decoded once however many ask. Shared: do not write to it.
   * @throws AvatarError
   */
  async get(avatar: PublishedAvatar, index: number): Promise<RgbaImage> {
    const key = `${avatar.prefix}${index}`;
    const image = await this.#frames.fetch(key, { context: { avatar, index } });
    if (image) return image;
    throw missing(avatar, index);
  }

  /** The file of frame `index` as it was published. @throws AvatarError */
  async file(avatar: PublishedAvatar, index: number): Promise<Uint8Array<ArrayBuffer>> {
    const { frames, frameCount } = avatar.manifest;
    if (index >= frameCount) {
      throw new AvatarError(
        "not_found",
        `${avatar.summary.id} has no frame ${index}: there are 0 to ${frameCount - 1}`,
      );
    }
    const file =
      frames &&
      (await this.#store.read(`${avatar.prefix}${frameFileName(index, frames.extension)}`));
    if (file) return file;
    throw missing(avatar, index);
  }

  /** Bytes of decoded pixels in memory. */
  get bytes(): number {
    return this.#frames.calculatedSize;
  }
}

function checkSize({ width, height }: RgbaImage, { avatar, index }: Wanted): void {
  const { manifest, summary } = avatar;
  if (width === manifest.width && height === manifest.height) return;
  throw new AvatarError(
    "invalid_avatar",
    `frame ${index} of ${summary.id} is ${width}x${height}, its manifest says ${manifest.width}x${manifest.height}: publish it again`,
  );
}

function missing(avatar: PublishedAvatar, index: number): AvatarError {
  return new AvatarError(
    "invalid_avatar",
    `frame ${index} of ${avatar.summary.id} is missing: publish it again`,
  );
}
