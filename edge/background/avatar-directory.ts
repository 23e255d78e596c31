import { LRUCache } from "lru-cache";
import { AvatarError } from "../../avatar/avatar-error.ts";
import { checkAvatarId } from "../../avatar/avatar-id.ts";
import { listAvatarIds, type PublishedAvatar, readAvatar } from "../../avatar/catalogue.ts";
import type { Logger } from "../../avatar/logger.ts";
import type { AvatarSummary } from "../../avatar/manifest.ts";
import type { ObjectStore } from "../../avatar/object-store.ts";
import { FREE_SHARING, type Sharing } from "../parts.ts";
import { Remembered, type RememberedOptions } from "./remembered.ts";

/** How long a publish may stay unseen. */
const FRESH_MS = 2000;
/** How long a slow store may hold up who asks for an avatar that is known. */
const WAIT_MS = 500;
const MAX_AVATARS = 5000;
/** Avatars that a list reads side by side. */
const PARALLEL = 16;

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

  /** @throws AvatarError */
  async get(id: string): Promise<PublishedAvatar> {
    checkAvatarId(id);
    const known = this.#avatars.get(id);
    if (known) return this.#read(id, known);
    const { store } = this.#options;
    const fresh = new Remembered(() => readAvatar(store, id), this.#rules(id));
    this.#avatars.set(id, fresh);
    return this.#read(id, fresh);
  }

  /**
   * Those that can be read, by id. One that is damaged is logged and does not hide the others.
   * @param after the id before the first
   * @param wants which of them count; all if left out
   */
  async list(
    after: string,
    limit: number,
    wants: (avatar: PublishedAvatar) => boolean = () => true,
  ): Promise<AvatarList> {
    const avatars: AvatarSummary[] = [];
    const ids = (await this.#ids.get()).filter((id) => id > after);
    for (let first = 0; first < ids.length; first += PARALLEL) {
      const some = ids.slice(first, first + PARALLEL);
      for (const avatar of await Promise.all(some.map((id) => this.#readable(id)))) {
        if (!avatar || !wants(avatar)) continue;
        const { summary } = avatar;
        if (avatars.length === limit) return { avatars, next: avatars.at(-1)!.id };
        avatars.push(summary);
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
      return await this.get(id);
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
