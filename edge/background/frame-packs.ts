import type { PublishedAvatar } from "../../avatar/catalogue.ts";
import { findTrack, type TrackKind } from "../../avatar/manifest.ts";
import type { ObjectStore } from "../../avatar/object-store.ts";
import { PackReader } from "../../avatar/pack-reader.ts";
import { FREE_SHARING, type Sharing } from "../parts.ts";
import { LoadingCache } from "./loading-cache.ts";

interface Wanted {
  readonly avatar: PublishedAvatar;
  readonly kind: TrackKind;
}

/** Of pack indexes; one of 500 frames takes 9 KB. */
const MAX_INDEX_BYTES = 32 * 1024 * 1024;

/** The indexes of packs, read once each while they are in use. */
export class FramePacks {
  readonly #packs: LoadingCache<PackReader, Wanted>;

  constructor(store: ObjectStore, sharing: Sharing = FREE_SHARING) {
    this.#packs = new LoadingCache<PackReader, Wanted>({
      maxBytes: MAX_INDEX_BYTES,
      sizeOf: (pack) => pack.memoryBytes,
      sharing,
      load: ({ avatar: { manifest, prefix }, kind }) => {
        const track = findTrack(manifest, kind);
        if (!track) throw new TypeError(`there is no ${kind} track`);
        // Of video, an entry is a group of frames.
        const entries = kind === "h264" ? {} : { entries: manifest.frameCount };
        return PackReader.open(store, `${prefix}${track.file}`, track, entries);
      },
    });
  }

  /**
   * The avatar's pack of that kind; null when it was published without one.
   * @throws AvatarError
   */
  async open(avatar: PublishedAvatar, kind: TrackKind): Promise<PackReader | null> {
    if (!findTrack(avatar.manifest, kind)) return null;
    return this.#packs.get(`${avatar.prefix}${kind}`, { avatar, kind });
  }
}
