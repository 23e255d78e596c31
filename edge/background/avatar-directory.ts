import { LRUCache } from "lru-cache";
import { AvatarError } from "../../avatar/avatar-error.ts";
import { checkAvatarId } from "../../avatar/avatar-id.ts";
import { listAvatarIds, type PublishedAvatar, readAvatar } from "../../avatar/catalogue.ts";
import type { Logger } from "../../avatar/logger.ts";
import type { AvatarSummary } from "../../avatar/manifest.ts";
import type { ObjectStore } from "../../avatar/object-store.ts";

/** How long a publish may stay unseen. */
const FRESH_MS = 2000;
const MAX_AVATARS = 5000;

/** The avatars of the store, remembered for a moment. */
export class AvatarDirectory {
  readonly #store: ObjectStore;
  readonly #logger: Logger;
  readonly #avatars: LRUCache<string, PublishedAvatar>;

  constructor(store: ObjectStore, logger: Logger) {
    this.#store = store;
    this.#logger = logger;
    this.#avatars = new LRUCache({
      max: MAX_AVATARS,
      ttl: FRESH_MS,
      // Who waits gets it, even if others have pushed it out by then.
      ignoreFetchAbort: true,
      fetchMethod: (id) => readAvatar(store, id),
    });
  }

  /** @throws AvatarError */
  async get(id: string): Promise<PublishedAvatar> {
    const avatar = await this.#avatars.fetch(checkAvatarId(id));
    if (avatar) return avatar;
    throw new AvatarError("not_found", `there is no avatar ${id}: GET /v1/avatars lists them`);
  }

  /** All avatars that can be read. One that is damaged is logged and does not hide the others. */
  async list(): Promise<AvatarSummary[]> {
    const summaries: AvatarSummary[] = [];
    for (const id of await listAvatarIds(this.#store)) {
      try {
        summaries.push((await this.get(id)).summary);
      } catch (error) {
        if (!(error instanceof AvatarError)) throw error;
        if (error.code === "store_unavailable") throw error;
        if (error.code === "invalid_avatar") {
          this.#logger.warn("avatar left out", { avatar: id, error: error.message });
        }
      }
    }
    return summaries;
  }
}
