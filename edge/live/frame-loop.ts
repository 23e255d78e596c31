import type { Clock } from "../../avatar/clock.ts";
import { FRAMES_PER_SECOND } from "../../avatar/speech-timing.ts";

export const FRAME_MS = 1000 / FRAMES_PER_SECOND;
/**
 * A pause of the process so short is caught up with, or the sound would have a
 * hole; of a longer one the frames are skipped, never sent in a burst.
 */
const CATCH_UP_FRAMES = 3;
/** A loop that has made nothing for so long has died with the request that ran it, as in Workers. */
const STALLED_MS = 3000;

export interface FrameLoopOptions {
  readonly clock: Clock;
  /** What the clock said when the session began. */
  readonly originMs: number;
  /** Makes the frame of a moment: a multiple of 40 ms since the origin. Does not throw. */
  readonly onFrame: (timestampMs: number) => Promise<void>;
}

/**
 * 25 times a second, counted in frames from the origin, so that hours change
 * nothing. A frame that takes longer delays the next, up to a bound.
 */
export class FrameLoop {
  readonly #options: FrameLoopOptions;
  /** Of the round that is under way; another one ends it. */
  #round = 0;
  #isRunning = false;
  #frame = 0;
  #skipped = 0;
  #madeMs = 0;
  #wake: () => void = () => {};

  constructor(options: FrameLoopOptions) {
    this.#options = options;
  }

  /** Whether frames are made: not, when it was stopped or has died. */
  get isRunning(): boolean {
    const { clock } = this.#options;
    return this.#isRunning && clock.now() - this.#madeMs < STALLED_MS;
  }

  /** Number of the last frame that was made or skipped. */
  get frame(): number {
    return this.#frame;
  }

  /** Frames that came too late and were not made, while it ran. */
  get skipped(): number {
    return this.#skipped;
  }

  /** Frames of the clock that have begun since the origin. */
  get now(): number {
    const { clock, originMs } = this.#options;
    return Math.floor((clock.now() - originMs) / FRAME_MS);
  }

  /** Until the next frame is due. */
  get nextInMs(): number {
    const { clock, originMs } = this.#options;
    return Math.max(0, originMs + (this.#frame + 1) * FRAME_MS - clock.now());
  }

  start(): void {
    if (this.isRunning) return;
    this.#isRunning = true;
    this.#madeMs = this.#options.clock.now();
    this.#frame = Math.max(this.#frame, this.now);
    void this.#run(++this.#round);
  }

  /** The frame under way is the last one. */
  stop(): void {
    this.#isRunning = false;
    this.#round++;
    this.#wake();
  }

  async #run(round: number): Promise<void> {
    const { originMs, onFrame } = this.#options;
    while (round === this.#round) {
      let next = this.#frame + 1;
      await this.#until(originMs + next * FRAME_MS);
      if (round !== this.#round) return;
      const late = this.now - next;
      if (late >= CATCH_UP_FRAMES) {
        this.#skipped += late;
        next += late;
      }
      this.#frame = next;
      this.#madeMs = this.#options.clock.now();
      await onFrame(next * FRAME_MS);
    }
  }

  async #until(atMs: number): Promise<void> {
    const { clock } = this.#options;
    const { promise, resolve } = Promise.withResolvers<void>();
    const cancel = clock.after(Math.max(0, atMs - clock.now()), resolve);
    this.#wake = resolve;
    await promise;
    cancel();
  }
}
