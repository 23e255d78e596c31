import { LRUCache } from "lru-cache";
import { AvatarError } from "../../avatar/avatar-error.ts";
import { checkAvatarId } from "../../avatar/avatar-id.ts";
import {
  listAvatarIds,
  noAvatar,
  type PublishedAvatar,
  readAvatar,
} from "../../avatar/catalogue.ts";
import type { Logger } from "../../avatar/logger.ts";
import type { AvatarSummary } from "../../avatar/manifest.ts";
import type { ObjectStore } from "../../avatar/object-store.ts";
import { type Caller, maySee } from "../access/caller.ts";
import { FREE_SHARING, type Sharing } from "../parts.ts";
import { Remembered, type RememberedOptions } from "./remembered.ts";

/** How long a publish may stay unseen. */
const FRESH_MS = 2000;
/** How long a slow store may hold up who asks for an avatar that is known. */
const WAIT_MS = 500;
const MAX_AVATARS = 5000;
/** Avatars that a list reads side by side. */
const PARALLEL = 16;
/** Avatars that one list reads at most: a Worker may ask its bucket a thousand times per request. */
const MAX_READ = 400;

export interface AvatarDirectoryOptions {
  readonly store: ObjectStore;
  readonly logger: Logger;
  /** Monotonic milliseconds. */
  readonly now: () => number;
  readonly sharing?: Sharing;
}

/** A page of the list. */
export interface AvatarList {
  readonly avatars: AvatarSummary[];
  /** Ask for what comes after it; null at the end. */
  readonly next: string | null;
}

/** The avatars of the store, remembered for a moment, and for longer while the store is down. */
export class AvatarDirectory {
  readonly #options: AvatarDirectoryOptions;
  readonly #avatars = new LRUCache<string, Remembered<PublishedAvatar>>({ max: MAX_AVATARS });
  readonly #ids: Remembered<string[]>;

  constructor(options: AvatarDirectoryOptions) {
    this.#options = options;
    this.#ids = new Remembered(() => listAvatarIds(options.store), this.#rules("the list"));
  }

  /** @throws AvatarError `not_found` also for one that `caller` may not know of */
  async get(id: string, caller: Caller): Promise<PublishedAvatar> {
    checkAvatarId(id);
    const avatar = await this.#get(id);
    if (maySee(caller, avatar)) return avatar;
    throw noAvatar(id);
  }

  /** The version that is current, for who holds an older one perhaps. @throws AvatarError */
  async currentVersion(id: string): Promise<string> {
    return (await this.#get(id)).summary.version;
  }

  async #get(id: string): Promise<PublishedAvatar> {
    const known = this.#avatars.get(id);
    if (known) return this.#read(id, known);
    const { store } = this.#options;
    const fresh = new Remembered(() => readAvatar(store, id), this.#rules(id));
    this.#avatars.set(id, fresh);
    return this.#read(id, fresh);
  }

  /**
   * Those that can be read and that `caller` may know of, by id. One that is
   * damaged is logged and does not hide the others. There may be fewer than
   * `limit` where many belong to others, and still more to come.
   * @param after the id before the first
   */
  async list(after: string, limit: number, caller: Caller): Promise<AvatarList> {
    const { avatarId } = caller;
    const all = avatarId === null ? await this.#ids.get() : [avatarId];
    const ids = all.filter((id) => id > after);
    const avatars: AvatarSummary[] = [];
    for (let first = 0; first < ids.length; first += PARALLEL) {
      if (first >= MAX_READ) return { avatars, next: ids[first - 1]! };
      const some = ids.slice(first, first + PARALLEL);
      for (const avatar of await Promise.all(some.map((id) => this.#readable(id)))) {
        if (!avatar || !maySee(caller, avatar)) continue;
        if (avatars.length === limit) return { avatars, next: avatars.at(-1)!.id };
        avatars.push(avatar.summary);
      }
    }
    return { avatars, next: null };
  }

  async #read(id: string, remembered: Remembered<PublishedAvatar>): Promise<PublishedAvatar> {
    try {
      return await remembered.get();
    } catch (error) {
      // Names that exist nowhere push nothing out.
      if (this.#avatars.peek(id) === remembered) this.#avatars.delete(id);
      throw error;
    }
  }

  async #readable(id: string): Promise<PublishedAvatar | null> {
    try {
      return await this.#get(id);
    } catch (error) {
      if (!(error instanceof AvatarError) || error.code === "store_unavailable") throw error;
      if (error.code !== "not_found") {
        this.#options.logger.warn("avatar left out", { avatar: id, error: error.message });
      }
      return null;
    }
  }

  #rules(what: string): RememberedOptions {
    const { now, logger, sharing = FREE_SHARING } = this.#options;
    return {
      now,
      sharing,
      freshMs: FRESH_MS,
      waitMs: WAIT_MS,
      isPassing: (error) =>
        error instanceof AvatarError &&
        // A pointer that arrives as garbage is no new version either.
        ["store_unavailable", "damaged", "invalid_avatar"].includes(error.code),
      onStale: (error) =>
        logger.warn("the store fails: what is known goes on", {
          avatar: what,
          error: String(error),
        }),
    };
  }
}
