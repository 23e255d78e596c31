import type { Clock } from "../../../avatar/clock.ts";

/** A key frame costs as much as a second of others: nobody may ask for more of them. */
const MIN_INTERVAL_MS = 500;

/** Passes requests for key frames on, but not faster than they help. What comes too soon is not forgotten. */
export class KeyFrameRequests {
  readonly #clock: Clock;
  readonly #request: () => void;
  #latestMs = Number.NEGATIVE_INFINITY;
  #cancel: (() => void) | null = null;
  #passed = 0;

  constructor(clock: Clock, request: () => void) {
    this.#clock = clock;
    this.#request = request;
  }

  /** Requests that were passed on. */
  get passed(): number {
    return this.#passed;
  }

  request(): void {
    if (this.#cancel !== null) return;
    const waitMs = this.#latestMs + MIN_INTERVAL_MS - this.#clock.now();
    if (waitMs <= 0) this.#pass();
    else this.#cancel = this.#clock.after(waitMs, () => this.#pass());
  }

  /** A key frame came: whoever waited for one has it. */
  answered(): void {
    this.stop();
  }

  stop(): void {
    this.#cancel?.();
    this.#cancel = null;
  }

  #pass(): void {
    this.#cancel = null;
    this.#latestMs = this.#clock.now();
    this.#passed++;
    this.#request();
  }
}
