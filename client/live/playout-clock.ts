export interface PlayoutClockOptions {
  /** How far ahead of its time sound and pictures should arrive, in milliseconds. Default 100. */
  readonly targetMs?: number;
}

/**
 * The place of a session's clock that is played now. It runs with a local clock
 * (the audio context's) at a distance that lets what arrives come in time: further
 * behind at once when something is late, nearer again in a pause.
 *
 * Local times are of what is rendered now; it is heard a little later.
 */
export class PlayoutClock {
  readonly #targetMs: number;
  /** Session time = local time + this; null before the first arrival. */
  #offsetMs: number | null = null;
  #windowStartMs = 0;
  #leastLeadMs = Infinity;

  constructor(options: PlayoutClockOptions = {}) {
    this.#targetMs = options.targetMs ?? DEFAULT_TARGET_MS;
  }

  /** Session time less local time, in milliseconds; null before the first arrival. */
  get offsetMs(): number | null {
    return this.#offsetMs;
  }

  /** How far ahead of its time the latest of the present window came; null while none has. */
  get leadMs(): number | null {
    return Number.isFinite(this.#leastLeadMs) ? this.#leastLeadMs : null;
  }

  /** The session's time at a local time, -Infinity before the first arrival. */
  at(localMs: number): number {
    return this.#offsetMs === null ? -Infinity : localMs + this.#offsetMs;
  }

  /** Begins anew with the next arrival: another session, or another connection. */
  reset(): void {
    this.#offsetMs = null;
  }

  /** The local clock has been replaced by another, which shows `newMs` where the old one shows `oldMs`. */
  rebase(oldMs: number, newMs: number): void {
    if (this.#offsetMs !== null) this.#offsetMs += oldMs - newMs;
    this.#windowStartMs += newMs - oldMs;
  }

  /**
   * Something of session time `timestampMs` has arrived at `localMs`.
   * @param isPause Nothing is being heard: the clock may jump ahead.
   * @param mayBeLateMs By how much it may be late before the clock waits for it.
   * @returns Whether the clock has been moved.
   */
  arrived(timestampMs: number, localMs: number, isPause: boolean, mayBeLateMs = 0): boolean {
    if (this.#offsetMs === null) {
      this.#move(timestampMs - this.#targetMs - localMs, localMs);
      return true;
    }
    const leadMs = timestampMs - this.at(localMs);
    this.#leastLeadMs = Math.min(this.#leastLeadMs, leadMs);
    if (leadMs < LEAST_LEAD_MS - mayBeLateMs) {
      // A whole target more would be a longer pause than needed.
      this.#move(this.#offsetMs + leadMs - this.#targetMs / 2, localMs);
      return true;
    }
    if (leadMs > MOST_LEAD_MS) {
      this.#move(this.#offsetMs + leadMs - this.#targetMs, localMs);
      return true;
    }
    if (localMs - this.#windowStartMs < WINDOW_MS) return false;
    const excessMs = this.#leastLeadMs - this.#targetMs;
    if (excessMs > TOLERATED_MS && !isPause) return false;
    this.#move(this.#offsetMs + (excessMs > TOLERATED_MS ? excessMs : 0), localMs);
    return excessMs > TOLERATED_MS;
  }

  #move(offsetMs: number, localMs: number): void {
    this.#offsetMs = offsetMs;
    this.#windowStartMs = localMs;
    this.#leastLeadMs = Infinity;
  }
}

/** Frames come every 40 ms; the rest is for timers and networks. */
const DEFAULT_TARGET_MS = 100;
/** What comes later than this is rendered with holes. */
const LEAST_LEAD_MS = 5;
/** A page that was asleep finds what it missed, and has to go on with the present. */
const MOST_LEAD_MS = 1000;
/** Long enough to have seen the worst that is usual. */
const WINDOW_MS = 10_000;
/** Less is not worth a jump. */
const TOLERATED_MS = 60;
