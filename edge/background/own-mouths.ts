import type { PublishedAvatar } from "../../avatar/catalogue.ts";
import { FREE_SHARING, type Sharing } from "../parts.ts";
import type { FramePacks } from "./frame-packs.ts";
import { type FramePreparer, frameShape } from "./frame-preparer.ts";
import { LoadingCache } from "./loading-cache.ts";
import type { PlainFrames } from "./plain-frames.ts";

/** Dozens of mouths: where speech begins and ends a few are wanted, by all who watch. */
const MAX_BYTES = 4 * 1024 * 1024;

export interface OwnMouthsOptions {
  readonly plain: PlainFrames;
  readonly packs: FramePacks;
  readonly preparer: FramePreparer;
  readonly sharing?: Sharing;
}

interface Wanted {
  readonly avatar: PublishedAvatar;
  readonly index: number;
}

/** The background's own pixels under its mouths, from the avatar's track or from its frames. */
export class OwnMouths {
  readonly #options: OwnMouthsOptions;
  readonly #mouths: LoadingCache<Uint8Array<ArrayBuffer>, Wanted>;

  constructor(options: OwnMouthsOptions) {
    this.#options = options;
    this.#mouths = new LoadingCache<Uint8Array<ArrayBuffer>, Wanted>({
      maxBytes: MAX_BYTES,
      sizeOf: (mouth) => mouth.length,
      sharing: options.sharing ?? FREE_SHARING,
      load: (wanted) => this.#load(wanted),
    });
  }

  /**
   * 8-bit RGB [region.height, region.width, 3]. Shared: do not write to it.
   * @throws AvatarError, ImageError
   */
  get(avatar: PublishedAvatar, index: number): Promise<Uint8Array<ArrayBuffer>> {
    return this.#mouths.get(`${avatar.prefix}${index}`, { avatar, index });
  }

  async #load({ avatar, index }: Wanted): Promise<Uint8Array<ArrayBuffer>> {
    const { packs, preparer, plain } = this.#options;
    const shape = frameShape(avatar, index);
    const pack = await packs.open(avatar, "mouth");
    if (!pack) return preparer.cutMouth(await plain.read(avatar, index), shape);
    const { width, height } = shape.region;
    const whole = { width, height, region: { x: 0, y: 0, width, height } };
    return preparer.cutMouth(await pack.read(index), whole);
  }
}
