import {
  frameCount,
  framesDecidedBy,
  SAMPLE_RATE,
  SAMPLES_PER_FRAME,
  samplesForFrames,
  samplesForFramesWithin,
} from "../../avatar/speech-timing.ts";
import { SampleBuffer } from "../speak/sample-buffer.ts";
import type { SpeechWindow } from "../speak/speech-windows.ts";

/** So much that is not needed any more is kept before it is forgotten: two seconds. */
const FORGET_SAMPLES = 2 * SAMPLE_RATE;
/** Root mean square of 16-bit samples: -50 dBFS, above the noise of a good microphone's pauses. */
const SILENT_RMS = 104;
/** What is ahead of real time by more was not being spoken when it came. */
const REAL_TIME_MS = 250;

/** Speech from its first sample to its end, of which only what can still be needed is kept. */
export class SpeechSegment {
  /** Counts from 1 within the session. */
  readonly id: number;
  readonly #buffer = new SampleBuffer();
  #isEnded = false;
  #isDiscarded = false;
  readonly #beganMs: number;
  #lastPushMs: number;
  #isInRealTime = true;

  constructor(id: number, nowMs: number) {
    this.id = id;
    this.#beganMs = nowMs;
    this.#lastPushMs = nowMs;
  }

  /** Whether it comes as it is spoken: from a microphone, not from a synthesiser. */
  get isInRealTime(): boolean {
    return this.#isInRealTime;
  }

  get isEnded(): boolean {
    return this.#isEnded;
  }

  /** When something came last. */
  get lastPushMs(): number {
    return this.#lastPushMs;
  }

  /** Samples that have come. */
  get samples(): number {
    return this.#buffer.end;
  }

  /**
   * Frames whose mouths can be asked for now: those that what has come decides for
   * good, and all there will be once the segment has ended.
   */
  get mouthFrames(): number {
    return this.#isEnded ? frameCount(this.samples) : framesDecidedBy(this.samples);
  }

  /** Frames for which it lasts; null while that is not known. The sound may outlast the mouths. */
  get frames(): number | null {
    if (!this.#isEnded) return null;
    return Math.max(frameCount(this.samples), Math.ceil(this.samples / SAMPLES_PER_FRAME));
  }

  /** Whether it has failed: the rest of it goes nowhere. */
  get isDiscarded(): boolean {
    return this.#isDiscarded;
  }

  append(samples: Int16Array, nowMs: number): void {
    if (this.#isDiscarded) return;
    this.#buffer.append(samples);
    this.#lastPushMs = nowMs;
    if (this.samples / 16 - (nowMs - this.#beganMs) > REAL_TIME_MS) this.#isInRealTime = false;
  }

  end(): void {
    this.#isEnded = true;
  }

  /** Ends it, and takes nothing of what still comes. */
  discard(): void {
    this.#isEnded = true;
    this.#isDiscarded = true;
  }

  /** Samples from frame `frame` on that have come. */
  samplesFrom(frame: number): number {
    return Math.max(0, this.samples - frame * SAMPLES_PER_FRAME);
  }

  /** Speech that frames `[first, first + frames)` depend on; they are below `mouthFrames`. */
  window(first: number, frames: number): SpeechWindow {
    const total = this.#isEnded ? this.samples : null;
    const end = first + frames;
    const range =
      total === null ? samplesForFrames(first, end) : samplesForFramesWithin(first, end, total);
    const { start } = range;
    const samples = this.#buffer.slice(start, range.end);
    return { firstFrame: first, frames, start, utteranceSamples: total, samples };
  }

  /** Sound of a frame: 640 samples, fewer at the end. */
  sound(frame: number): Int16Array<ArrayBuffer> {
    const start = Math.min(frame * SAMPLES_PER_FRAME, this.samples);
    return this.#buffer.slice(start, Math.min(start + SAMPLES_PER_FRAME, this.samples));
  }

  /** Whether anything is heard in a frame. What has been forgotten, or is not there, is silent. */
  isLoud(frame: number): boolean {
    if (frame < 0 || frame * SAMPLES_PER_FRAME < this.#buffer.start) return false;
    const sound = this.sound(frame);
    let sum = 0;
    for (const sample of sound) sum += sample * sample;
    return sum > sound.length * SILENT_RMS ** 2;
  }

  /** Frames before this one will not be asked for again. */
  forgetBefore(frame: number): void {
    // What is kept moves each time.
    if (frame * SAMPLES_PER_FRAME - this.#buffer.start < FORGET_SAMPLES) return;
    // The last frames may look further back than these do: their window is moved.
    this.#buffer.forgetBefore(samplesForFramesWithin(frame, frame + 1, this.samples).start);
  }
}
