import { LRUCache } from "lru-cache";
import type { PublishedAvatar } from "../../avatar/catalogue.ts";
import { findTrack, type TrackKind } from "../../avatar/manifest.ts";
import type { ObjectStore } from "../../avatar/object-store.ts";
import { PackReader } from "../../avatar/pack-reader.ts";

interface Wanted {
  readonly avatar: PublishedAvatar;
  readonly kind: TrackKind;
}

/** Of pack indexes; one of 500 frames takes 9 KB. */
const MAX_INDEX_BYTES = 32 * 1024 * 1024;

/** The indexes of packs, read once each while they are in use. */
export class FramePacks {
  readonly #packs: LRUCache<string, PackReader, Wanted>;

  constructor(store: ObjectStore) {
    this.#packs = new LRUCache<string, PackReader, Wanted>({
      maxSize: MAX_INDEX_BYTES,
      sizeCalculation: (pack) => pack.memoryBytes,
      // Who waits gets it, even if others have pushed it out by then.
      ignoreFetchAbort: true,
      fetchMethod: async (_key, _stale, { context: { avatar, kind } }) => {
        const { manifest, prefix } = avatar;
        const track = findTrack(manifest, kind);
        if (!track) throw new TypeError(`there is no ${kind} track`);
        const entries = manifest.frameCount;
        return PackReader.open(store, `${prefix}${track.file}`, track, { entries });
      },
    });
  }

  /**
   * The avatar's pack of that kind; null when it was published without one.
   * @throws AvatarError
   */
  async open(avatar: PublishedAvatar, kind: TrackKind): Promise<PackReader | null> {
    if (!findTrack(avatar.manifest, kind)) return null;
    return this.#packs.forceFetch(`${avatar.prefix}${kind}`, { context: { avatar, kind } });
  }
}
