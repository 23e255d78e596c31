import type { Clock } from "../../avatar/clock.ts";
import { SAMPLE_RATE } from "../../avatar/speech-timing.ts";
import { LiveError } from "./live-error.ts";
import { SpeechSegment } from "./speech-segment.ts";
import type { SpeechTrack } from "./speech-track.ts";

/** Short answers in a row, each a segment of its own. */
const MAX_SEGMENTS = 64;

export interface SpeechIntakeOptions {
  readonly track: SpeechTrack;
  readonly clock: Clock;
  /** That may wait to be heard. */
  readonly maxSamples: number;
}

/** Takes speech in, in any pieces, cuts it into segments and keeps what waits within bounds. */
export class SpeechIntake {
  readonly #options: SpeechIntakeOptions;
  #open: SpeechSegment | null = null;
  #segments = 0;
  #epoch = 0;

  constructor(options: SpeechIntakeOptions) {
    this.#options = options;
  }

  get epoch(): number {
    return this.#epoch;
  }

  /** Samples that are taken now. */
  get roomSamples(): number {
    const { track, maxSamples } = this.#options;
    return Math.max(0, maxSamples - track.waitingSamples);
  }

  /** @returns the segment @throws LiveError `old_epoch`, `too_much_speech` */
  push(samples: Int16Array, epoch: number): number {
    const { track, clock, maxSamples } = this.#options;
    if (epoch !== this.#epoch) {
      throw new LiveError("old_epoch", `speech of epoch ${epoch}: it is ${this.#epoch} now`);
    }
    const isOpen = this.#open !== null && (!this.#open.isEnded || this.#open.isDiscarded);
    if (samples.length > this.roomSamples || (!isOpen && track.segments >= MAX_SEGMENTS)) {
      // What comes after a hole would be another sentence: the segment ends here.
      this.#close();
      throw new LiveError(
        "too_much_speech",
        `${Math.round(maxSamples / SAMPLE_RATE)} s of speech, or ${MAX_SEGMENTS} segments, wait to be heard (live.max_speech_ahead_s): send no more than speech_window allows`,
      );
    }
    // One that starved has ended by itself; of one that failed the rest has no place.
    if (!this.#open || (this.#open.isEnded && !this.#open.isDiscarded)) {
      this.#open = new SpeechSegment(++this.#segments, clock.now());
      track.add(this.#open);
    }
    this.#open.append(samples, clock.now());
    return this.#open.id;
  }

  /** Ends the segment that is open, if it is of this epoch. */
  end(epoch: number): void {
    if (epoch === this.#epoch) this.#close();
  }

  /** Begins another epoch. @returns the last segment of the old one; 0 where there was none */
  interrupt(): number {
    this.#close();
    this.#epoch++;
    return this.#segments;
  }

  #close(): void {
    this.#open?.end();
    this.#open = null;
  }
}
