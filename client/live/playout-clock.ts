export interface PlayoutClockOptions {
  /** How far ahead of its time what arrives first is, in milliseconds. Default 100. */
  readonly targetMs?: number;
}

/** Leads of what arrived within a stretch of time. */
interface Window {
  readonly startMs: number;
  leastMs: number;
  mostMs: number;
}

/**
 * The place of a session's clock that is played now. It runs with a local clock
 * (the audio context's) at a distance that lets what arrives come in time: further
 * behind at once when something is late, nearer again in a pause, as far as what
 * arrives wavers little.
 *
 * Local times are of what is rendered now; it is heard a little later.
 */
export class PlayoutClock {
  readonly #targetMs: number;
  /** Session time = local time + this; null before the first arrival. */
  #offsetMs: number | null = null;
  /** The latest is the last one. */
  #windows: Window[] = [];
  /** By how much the latest that comes should be early: more after each that was late. */
  #marginMs = LEAST_MARGIN_MS;

  constructor(options: PlayoutClockOptions = {}) {
    this.#targetMs = options.targetMs ?? DEFAULT_TARGET_MS;
  }

  /** Session time less local time, in milliseconds; null before the first arrival. */
  get offsetMs(): number | null {
    return this.#offsetMs;
  }

  /** How far ahead of its time the latest of the present window came; null while none has. */
  get leadMs(): number | null {
    return this.#windows.at(-1)?.leastMs ?? null;
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
    const passMs = newMs - oldMs;
    this.#windows = this.#windows.map((each) => ({ ...each, startMs: each.startMs + passMs }));
  }

  /**
   * Something of session time `timestampMs` has arrived at `localMs`.
   * @param isPause Nothing is being heard: the clock may jump ahead.
   * @param mayBeLateMs By how much it may be late before the clock waits for it.
   * @returns Whether the clock has been moved.
   */
  arrived(timestampMs: number, localMs: number, isPause: boolean, mayBeLateMs = 0): boolean {
    if (this.#offsetMs === null) {
      this.#restart(timestampMs - this.#targetMs - localMs);
      return true;
    }
    const leadMs = timestampMs - this.at(localMs);
    if (leadMs < LEAST_LEAD_MS - mayBeLateMs) {
      this.#marginMs = Math.min(MOST_MARGIN_MS, 2 * this.#marginMs);
      // A whole target more would be a longer pause than needed.
      this.#restart(this.#offsetMs + leadMs - this.#targetMs / 2);
      return true;
    }
    if (leadMs > MOST_LEAD_MS) {
      this.#restart(this.#offsetMs + leadMs - this.#targetMs);
      return true;
    }
    this.#note(leadMs, localMs);
    const excessMs = isPause ? this.#excess() : 0;
    if (excessMs <= TOLERATED_MS) return false;
    this.#restart(this.#offsetMs + excessMs);
    return true;
  }

  #note(leadMs: number, localMs: number): void {
    const last = this.#windows.at(-1);
    if (last && localMs - last.startMs < WINDOW_MS) {
      last.leastMs = Math.min(last.leastMs, leadMs);
      last.mostMs = Math.max(last.mostMs, leadMs);
      return;
    }
    this.#windows.push({ startMs: localMs, leastMs: leadMs, mostMs: leadMs });
    if (this.#windows.length <= WINDOWS) return;
    this.#windows.shift();
    this.#marginMs = Math.max(LEAST_MARGIN_MS, this.#marginMs - MARGIN_DECAY_MS);
  }

  /** By how much what comes is earlier than need be; 0 while that is not known. */
  #excess(): number {
    if (this.#windows.length < WINDOWS) return 0;
    const leastMs = Math.min(...this.#windows.map((each) => each.leastMs));
    const mostMs = Math.max(...this.#windows.map((each) => each.mostMs));
    return leastMs - Math.max(this.#marginMs, (mostMs - leastMs) / 2);
  }

  #restart(offsetMs: number): void {
    this.#offsetMs = offsetMs;
    this.#windows = [];
  }
}

/** To begin with: frames come every 40 ms; the rest is for timers and networks. */
const DEFAULT_TARGET_MS = 100;
/** What comes later than this is rendered with holes. */
const LEAST_LEAD_MS = 5;
/** A page that was asleep finds what it missed, and has to go on with the present. */
const MOST_LEAD_MS = 1000;
const LEAST_MARGIN_MS = 30;
const MOST_MARGIN_MS = 150;
/** Taken back every second in which nothing was late. */
const MARGIN_DECAY_MS = 1;
/** Together long enough to have seen the worst that is usual. */
const WINDOW_MS = 1000;
const WINDOWS = 4;
/** Less is not worth a jump. */
const TOLERATED_MS = 20;
