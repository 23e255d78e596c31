import type { Clock } from "../../../avatar/clock.ts";

export interface BudgetOptions {
  readonly clock: Clock;
  /** Of calls that may have an extra one. */
  readonly share: number;
  /** Extra calls per second that are always allowed: a share of few calls is none. */
  readonly leastPerS: number;
}

/** Seconds of savings; more would let a storm through after a quiet hour. */
const SAVED_S = 10;

/** Bounds extra calls (retries, hedges) to a share of the calls: a fleet in trouble gets no storm. */
export class Budget {
  readonly #options: BudgetOptions;
  #tokens: number;
  #refilledAtMs: number;

  constructor(options: BudgetOptions) {
    this.#options = options;
    this.#tokens = options.leastPerS * SAVED_S;
    this.#refilledAtMs = options.clock.now();
  }

  /** A call was made. */
  earn(): void {
    this.#refill();
    this.#tokens += this.#options.share;
  }

  /** @returns whether one more may be made */
  spend(): boolean {
    this.#refill();
    if (this.#tokens < 1) return false;
    this.#tokens--;
    return true;
  }

  #refill(): void {
    const { clock, leastPerS } = this.#options;
    const nowMs = clock.now();
    const earned = ((nowMs - this.#refilledAtMs) / 1000) * leastPerS;
    this.#refilledAtMs = nowMs;
    // What calls have earned on top is kept, but not increased by time.
    const most = Math.max(this.#tokens, leastPerS * SAVED_S);
    this.#tokens = Math.min(this.#tokens + earned, most, 100 * SAVED_S);
  }
}
