import type { Clock } from "../../../avatar/clock.ts";
import type { LiveSound } from "../live-media.ts";
import type { MediaClock } from "./media-clock.ts";

/** What is coded at a time. */
export const SPEECH_FRAME_MS = 20;
const SAMPLES_PER_MS = 16;
const FRAME_SAMPLES = SPEECH_FRAME_MS * SAMPLES_PER_MS;

/** Timers come a little late, and are not waited for when so little is missing. */
const EARLY_MS = 2;
/** What follows sound is taken for its continuation so long. */
const PATIENCE_MS = 20;
/** Silence behind the last word: what a receiver makes up when packets end is then silence, not the word's end again. */
const TAIL_FRAMES = 3;
/** Sound that comes ahead of its time waits here, up to a minute. */
const MAX_FRAMES = 3000;
/** Rounding of time stamps is no gap. */
const TOLERANCE_MS = 1;

export interface SpeechQueueOptions {
  readonly clock: Clock;
  readonly mediaClock: MediaClock;
  /**
   * Takes 20 ms, 320 samples of 16 kHz.
   * @param isFirst after silence
   */
  readonly send: (samples: Int16Array, timestampMs: number, isFirst: boolean) => void;
}

interface SpeechFrame {
  readonly samples: Int16Array;
  readonly timestampMs: number;
  readonly segment: number;
}

/** Cuts what is said into frames of 20 ms and lets each go when its time comes. In silence nothing goes. */
export class SpeechQueue {
  readonly #options: SpeechQueueOptions;
  #frames: SpeechFrame[] = [];
  /** The frame that is not full yet. */
  #open: { samples: Int16Array; filled: number; timestampMs: number; segment: number } | null =
    null;
  /** Where what was put in ends, on the session's clock. */
  #endMs = Number.NEGATIVE_INFINITY;
  /** Where what was sent ends. */
  #sentEndMs = Number.NEGATIVE_INFINITY;
  #isSpeaking = false;
  #lastSegment = 0;
  #tailFrames = 0;
  #cancel: (() => void) | null = null;
  #dropped = 0;

  constructor(options: SpeechQueueOptions) {
    this.#options = options;
  }

  /** Frames that found no place. */
  get dropped(): number {
    return this.#dropped;
  }

  push({ samples, timestampMs, segment }: LiveSound): void {
    let from = 0;
    let startMs = timestampMs;
    if (Math.abs(startMs - this.#endMs) <= TOLERANCE_MS) startMs = this.#endMs;
    else if (startMs < this.#endMs) {
      // It overlaps what has gone already, such as the tail of silence.
      from = Math.round((this.#endMs - startMs) * SAMPLES_PER_MS);
      startMs = this.#endMs;
    } else this.#close();
    if (from >= samples.length) return;
    this.#tailFrames = 0;
    this.#lastSegment = segment;
    this.#fill(samples.subarray(from), startMs, segment);
    this.#endMs = startMs + (samples.length - from) / SAMPLES_PER_MS;
    this.#schedule();
  }

  /** Drops what belongs to segments up to this one. */
  drop(segment: number): void {
    if (this.#open && this.#open.segment <= segment) this.#open = null;
    this.#frames = this.#frames.filter((frame) => frame.segment > segment);
    if (this.#frames.length === 0 && !this.#open) this.#endMs = this.#sentEndMs;
    this.#schedule();
  }

  stop(): void {
    this.#cancel?.();
    this.#cancel = null;
    this.#frames = [];
    this.#open = null;
  }

  #fill(samples: Int16Array, startMs: number, segment: number): void {
    for (let from = 0; from < samples.length; ) {
      const timestampMs = startMs + from / SAMPLES_PER_MS;
      this.#open ??= { samples: new Int16Array(FRAME_SAMPLES), filled: 0, timestampMs, segment };
      const open = this.#open;
      const piece = samples.subarray(from, from + FRAME_SAMPLES - open.filled);
      open.samples.set(piece, open.filled);
      open.filled += piece.length;
      open.segment = segment;
      from += piece.length;
      if (open.filled === FRAME_SAMPLES) this.#close();
    }
  }

  /** Completes the open frame; what it lacks is silence. */
  #close(): void {
    if (!this.#open) return;
    this.#append(this.#open);
    this.#open = null;
  }

  #append(frame: SpeechFrame): void {
    if (this.#frames.length < MAX_FRAMES) this.#frames.push(frame);
    else this.#dropped++;
  }

  #schedule(): void {
    this.#cancel?.();
    this.#cancel = null;
    const { clock, mediaClock } = this.#options;
    this.#sendDue(mediaClock.now());
    const next = this.#frames[0];
    if (!next && !this.#open && !this.#isSpeaking) return;
    const dueMs = next ? next.timestampMs - EARLY_MS : this.#endMs + PATIENCE_MS;
    this.#cancel = clock.after(dueMs - mediaClock.now(), () => {
      if (this.#frames.length === 0) this.#end();
      this.#schedule();
    });
  }

  #sendDue(now: number): void {
    let first = this.#frames[0];
    while (first && first.timestampMs - EARLY_MS <= now) {
      this.#frames.shift();
      this.#options.send(first.samples, first.timestampMs, !this.#isSpeaking);
      this.#isSpeaking = true;
      this.#sentEndMs = first.timestampMs + SPEECH_FRAME_MS;
      first = this.#frames[0];
    }
  }

  /** Nothing followed: the word is over. */
  #end(): void {
    if (this.#open) {
      this.#endMs = this.#open.timestampMs + SPEECH_FRAME_MS;
      this.#close();
    } else if (this.#tailFrames < TAIL_FRAMES) {
      this.#tailFrames++;
      const samples = new Int16Array(FRAME_SAMPLES);
      this.#append({ samples, timestampMs: this.#endMs, segment: this.#lastSegment });
      this.#endMs += SPEECH_FRAME_MS;
    } else {
      this.#isSpeaking = false;
    }
  }
}
