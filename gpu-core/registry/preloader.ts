import type { Clock } from "../../avatar/clock.ts";
import type { Logger } from "../../avatar/logger.ts";
import type { LoadFailure } from "./replica.ts";

export interface PreloaderOptions {
  /** Whether the model is still to be preloaded. */
  readonly isWanted: (id: string) => boolean;
  readonly load: (id: string) => Promise<unknown>;
  /** Why the model's last load failed, as long as none has succeeded since. */
  readonly failureOf: (id: string) => LoadFailure | null;
  /** Models that are loaded at the same time. */
  readonly atOnce: number;
  readonly clock: Clock;
  readonly logger: Logger;
}

/**
 * Loads models that nobody asks for yet: one per worker at a time, since a load
 * that somebody waits for must not queue up behind a thousand. One that fails
 * is tried again with back-off.
 */
export class Preloader {
  readonly #options: PreloaderOptions;
  /** Those that failed and wait for their next attempt. */
  readonly #retries = new Set<string>();

  constructor(options: PreloaderOptions) {
    this.#options = options;
  }

  /** Resolves when each is loaded or has failed. Does not reject. */
  async run(ids: readonly string[]): Promise<void> {
    const left = [...ids];
    const next = async () => {
      for (let id = left.shift(); id !== undefined; id = left.shift()) await this.#runOne(id);
    };
    await Promise.all(Array.from({ length: this.#options.atOnce }, next));
  }

  async #runOne(id: string): Promise<void> {
    const { isWanted, load, failureOf, clock, logger } = this.#options;
    if (!isWanted(id)) return;
    // A device that has come back is no reason to hurry: perhaps this load had ended it.
    const isTooSoon = (failureOf(id)?.retryAtMs ?? 0) > clock.now();
    if (isTooSoon) return this.#againLater(id);
    try {
      await load(id);
    } catch (error) {
      // One broken model must not keep the others from being served.
      logger.error("preload failed", { model: id, error: String(error) });
      this.#againLater(id);
    }
  }

  #againLater(id: string): void {
    const { failureOf, clock } = this.#options;
    const failure = failureOf(id);
    if (!failure || this.#retries.has(id)) return;
    this.#retries.add(id);
    clock.after(failure.retryAtMs - clock.now(), () => {
      this.#retries.delete(id);
      void this.#runOne(id);
    });
  }
}
