import { audibleTime } from "../audio-clock.ts";

/**
 * The clock of the audio hardware, which sound and pictures follow. While it
 * stands (no click yet, a phone call), it is the page's.
 */
export class LocalClock {
  readonly #onChange: (oldMs: number, newMs: number) => void;
  #context: AudioContext | null = null;
  #isAudio = false;

  /** @param onChange The other clock is told from now on; it shows `newMs` where this one showed `oldMs`. */
  constructor(onChange: (oldMs: number, newMs: number) => void) {
    this.#onChange = onChange;
  }

  /** What is rendered now, in milliseconds. */
  get renderedMs(): number {
    this.#look();
    return this.#read();
  }

  /** What leaves the loudspeaker now. */
  get heardMs(): number {
    this.#look();
    const nowMs = performance.now();
    return this.#isAudio && this.#context ? 1000 * audibleTime(this.#context, nowMs) : nowMs;
  }

  /** @param context Null: there is none any more. */
  follow(context: AudioContext | null): void {
    this.#look();
    const oldMs = this.#read();
    this.#context = context;
    this.#isAudio = context?.state === "running";
    this.#onChange(oldMs, this.#read());
  }

  #look(): void {
    const isAudio = this.#context?.state === "running";
    if (isAudio === this.#isAudio) return;
    const oldMs = this.#read();
    this.#isAudio = isAudio;
    this.#onChange(oldMs, this.#read());
  }

  #read(): number {
    return this.#isAudio && this.#context ? 1000 * this.#context.currentTime : performance.now();
  }
}
