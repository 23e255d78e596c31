import { LRUCache } from "lru-cache";
import type { PublishedAvatar } from "../../avatar/catalogue.ts";
import type { ImageCodecs } from "../../avatar/image/codecs.ts";
import type { ImageFormat } from "../speak/image-format.ts";
import type { BackgroundFrames } from "./background-frames.ts";

interface Wanted {
  readonly avatar: PublishedAvatar;
  readonly index: number;
  readonly format: ImageFormat;
}

/** Background frames of silent avatars, coded; bounded in bytes. */
export class IdleFrames {
  readonly #images: LRUCache<string, Uint8Array<ArrayBuffer>, Wanted>;

  /** @param maxBytes of coded frames, of all avatars together */
  constructor(
    backgrounds: BackgroundFrames,
    codecs: ImageCodecs,
    jpegQuality: number,
    maxBytes: number,
  ) {
    this.#images = new LRUCache<string, Uint8Array<ArrayBuffer>, Wanted>({
      maxSize: maxBytes,
      sizeCalculation: (image) => image.length,
      fetchMethod: async (_key, _stale, { context: { avatar, index, format } }) => {
        const published = avatar.manifest.frames?.extension === "jpg" ? "jpeg" : "png";
        // The published file, as it is, is the best there can be.
        if (published === format) return backgrounds.file(avatar, index);
        const shared = await backgrounds.get(avatar, index);
        // Codecs in threads take the pixels away.
        const image = { ...shared, data: shared.data.slice() };
        return format === "png"
          ? codecs.encodePng(image)
          : codecs.encodeJpeg(image, { quality: jpegQuality });
      },
    });
  }

  /** @throws AvatarError */
  async get(
    avatar: PublishedAvatar,
    index: number,
    format: ImageFormat,
  ): Promise<Uint8Array<ArrayBuffer>> {
    const key = `${avatar.prefix}${index}.${format}`;
    return this.#images.forceFetch(key, { context: { avatar, index, format } });
  }
}
