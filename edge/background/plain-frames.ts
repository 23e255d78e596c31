import { bytesToHex } from "@noble/hashes/utils.js";
import { AvatarError } from "../../avatar/avatar-error.ts";
import type { PublishedAvatar } from "../../avatar/catalogue.ts";
import { DIGEST_BYTES, FRAME_DIGESTS_FILE, frameFileName } from "../../avatar/manifest.ts";
import type { ObjectStore, ReadOptions } from "../../avatar/object-store.ts";
import { FREE_SHARING, type Sharing } from "../parts.ts";
import { LoadingCache } from "./loading-cache.ts";

/** Of digests; those of 500 frames take 16 KB. */
const MAX_DIGEST_BYTES = 4 * 1024 * 1024;

/**
 * Files of background frames of avatars that have plain frames. None leaves
 * here whose SHA-256 is not the one that was published.
 */
export class PlainFrames {
  readonly #store: ObjectStore;
  readonly #digests: LoadingCache<Uint8Array<ArrayBuffer>, PublishedAvatar>;

  constructor(store: ObjectStore, sharing: Sharing = FREE_SHARING) {
    this.#store = store;
    this.#digests = new LoadingCache<Uint8Array<ArrayBuffer>, PublishedAvatar>({
      maxBytes: MAX_DIGEST_BYTES,
      sizeOf: (digests) => digests.length,
      sharing,
      load: (avatar) => this.#readDigests(avatar),
    });
  }

  /** The file of frame `index`. @throws AvatarError */
  async read(avatar: PublishedAvatar, index: number): Promise<Uint8Array<ArrayBuffer>> {
    const { manifest, prefix, summary } = avatar;
    if (!manifest.frames) throw missing(avatar, `frame ${index}`);
    const digests = await this.#digests.get(prefix, avatar);
    const wanted = digests.subarray(DIGEST_BYTES * index, DIGEST_BYTES * (index + 1));
    const name = frameFileName(index, manifest.frames.extension);
    return this.#readChecked(avatar, name, `frame ${index} of ${summary.id}`, (digest) =>
      digest.every((byte, n) => byte === wanted[n]),
    );
  }

  async #readDigests(avatar: PublishedAvatar): Promise<Uint8Array<ArrayBuffer>> {
    const { manifest, summary } = avatar;
    const what = `${FRAME_DIGESTS_FILE} of ${summary.id}`;
    return this.#readChecked(
      avatar,
      FRAME_DIGESTS_FILE,
      what,
      (digest) => bytesToHex(digest) === manifest.frames?.sha256,
    );
  }

  /** Reads once more, past the caches on the way, what is not what was published. */
  async #readChecked(
    avatar: PublishedAvatar,
    name: string,
    what: string,
    isRight: (digest: Uint8Array) => boolean,
  ): Promise<Uint8Array<ArrayBuffer>> {
    const attempts: readonly ReadOptions[] = [{}, { isRefresh: true }];
    for (const options of attempts) {
      const bytes = await this.#store.read(`${avatar.prefix}${name}`, options);
      if (!bytes) throw missing(avatar, name);
      if (isRight(new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)))) return bytes;
    }
    throw new AvatarError(
      "damaged",
      `${what} is not what was published: publish it again if that stays so`,
    );
  }
}

/** @throws AvatarError `not_found` */
export function checkFrameIndex({ manifest, summary }: PublishedAvatar, index: number): void {
  if (index < manifest.frameCount) return;
  throw new AvatarError(
    "not_found",
    `${summary.id} has no frame ${index}: there are 0 to ${manifest.frameCount - 1}`,
  );
}

function missing({ summary }: PublishedAvatar, what: string): AvatarError {
  return new AvatarError(
    "invalid_avatar",
    `${what} of ${summary.id} is missing: import or publish it again`,
  );
}
