import type { SupervisionConfig } from "../config.ts";

/** A process that worked is started again at once, and one that keeps failing ever later. */
const RESTART_DELAY_MS = { afterWork: 100, first: 250, longest: 30_000 };

export type Restart = { readonly type: "restart" | "take-out"; readonly inMs: number };

/** Decides when the process of a device is started again after it ended. */
export class RestartPolicy {
  readonly #limits: Pick<SupervisionConfig, "max_restarts" | "restart_window_s">;
  /** Times of the ends within the window. */
  #ends: number[] = [];
  /** In a row, of processes that did no work. */
  #idleFailures = 0;

  constructor(limits: Pick<SupervisionConfig, "max_restarts" | "restart_window_s">) {
    this.#limits = limits;
  }

  /**
   * @param didWork whether it completed a command
   * @param othersServe whether another device is up, so that this one can be spared
   */
  ended(nowMs: number, didWork: boolean, othersServe: boolean): Restart {
    const windowMs = 1000 * this.#limits.restart_window_s;
    this.#ends = this.#ends.filter((atMs) => atMs > nowMs - windowMs);
    this.#ends.push(nowMs);
    this.#idleFailures = didWork ? 0 : this.#idleFailures + 1;
    if (this.#ends.length > this.#limits.max_restarts && othersServe) {
      this.#ends = [];
      return { type: "take-out", inMs: windowMs };
    }
    const { afterWork, first, longest } = RESTART_DELAY_MS;
    const backOffMs = Math.min(longest, first * 2 ** (this.#idleFailures - 1));
    return { type: "restart", inMs: didWork ? afterWork : backOffMs };
  }
}
