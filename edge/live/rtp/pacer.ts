import type { Clock } from "../../../avatar/clock.ts";

/** Something that has packets to send when the pacer says so. */
export interface PacedSource {
  /** Sends its next packet. @returns how many bytes that took; 0 when it has none */
  sendNext(): number;
}

export interface PacerOptions {
  readonly clock: Clock;
  /** The first one that has a packet sends it. */
  readonly sources: readonly PacedSource[];
  /** Kilobits per second. */
  readonly rate: number;
}

/** Timers come late; what was missed meanwhile may be sent at once, up to so much. */
const MAX_BURST_MS = 10;
/** Sooner than this no timer comes back. */
const MIN_WAIT_MS = 1;

/** A leaky bucket: a key frame goes out over some time, not as a burst that fills the queues on its way. */
export class Pacer {
  readonly #clock: Clock;
  readonly #sources: readonly PacedSource[];
  #bytesPerMs: number;
  /** Bytes that may be sent now; below zero what was sent ahead. */
  #budget = 0;
  #filledAtMs: number;
  #cancel: (() => void) | null = null;
  #isStopped = false;

  constructor({ clock, sources, rate }: PacerOptions) {
    this.#clock = clock;
    this.#sources = sources;
    this.#bytesPerMs = rate / 8;
    this.#filledAtMs = clock.now() - MAX_BURST_MS;
  }

  /** Kilobits per second. */
  setRate(rate: number): void {
    this.#fill();
    this.#bytesPerMs = rate / 8;
  }

  /** What is sent past the pacer, because it cannot wait, makes the others wait. */
  debit(bytes: number): void {
    this.#fill();
    this.#budget -= bytes;
  }

  /** A source has something again. */
  wake(): void {
    if (this.#cancel === null && !this.#isStopped) this.#run();
  }

  stop(): void {
    this.#isStopped = true;
    this.#cancel?.();
    this.#cancel = null;
  }

  #run(): void {
    this.#cancel = null;
    this.#fill();
    while (this.#budget > 0) {
      const bytes = this.#sendOne();
      if (bytes === 0) return;
      this.#budget -= bytes;
    }
    const waitMs = Math.max(MIN_WAIT_MS, (1 - this.#budget) / this.#bytesPerMs);
    this.#cancel = this.#clock.after(waitMs, () => this.#run());
  }

  #sendOne(): number {
    for (const source of this.#sources) {
      const bytes = source.sendNext();
      if (bytes > 0) return bytes;
    }
    return 0;
  }

  #fill(): void {
    const nowMs = this.#clock.now();
    const most = MAX_BURST_MS * this.#bytesPerMs;
    const filled = this.#budget + (nowMs - this.#filledAtMs) * this.#bytesPerMs;
    this.#budget = Math.min(most, filled);
    this.#filledAtMs = nowMs;
  }
}
