import type { SpeechClock } from "./speech-player.ts";

/** The part of an AudioContext that tells the time. */
export type AudioTimeSource = Pick<
  AudioContext,
  "currentTime" | "outputLatency" | "baseLatency" | "getOutputTimestamp"
>;

/**
 * The time of the context, in seconds, of the sound that leaves the loudspeaker
 * at `nowMs` of the page's clock. `currentTime` alone runs ahead of it by the
 * output latency: 10 ms by wire, 200 ms over Bluetooth.
 */
export function audibleTime(context: AudioTimeSource, nowMs: number): number {
  const latency = context.outputLatency || context.baseLatency || 0;
  const estimate = context.currentTime - latency;
  const { contextTime = 0, performanceTime = 0 } = context.getOutputTimestamp();
  if (contextTime === 0 || performanceTime === 0) return estimate;
  const exact = contextTime + (nowMs - performanceTime) / 1000;
  // A suspended context keeps an old timestamp, and some browsers report a wrong one.
  if (Math.abs(exact - estimate) > MAX_DISAGREEMENT_SECONDS) return estimate;
  return Math.min(exact, context.currentTime);
}

/** Plays a decoded utterance and tells what of it is being heard. */
export class AudioClock implements SpeechClock {
  readonly durationMs: number;
  readonly #context: AudioContext;
  readonly #buffer: AudioBuffer;
  readonly #gain: GainNode;
  readonly #now: () => number;
  #source: AudioBufferSourceNode | null = null;
  /** Seconds into the sound where the source was, or will be, started. */
  #offset = 0;
  /** Time of the context at which it was started. */
  #startedAt = 0;
  /** Latest time told, so that it never runs backwards. */
  #lastMs = -Infinity;

  /** @param now Milliseconds on the page's clock (`performance.now`). */
  constructor(
    context: AudioContext,
    output: AudioNode,
    buffer: AudioBuffer,
    now: () => number = () => performance.now(),
  ) {
    this.#context = context;
    this.#buffer = buffer;
    this.#now = now;
    this.durationMs = buffer.duration * 1000;
    this.#gain = new GainNode(context);
    this.#gain.connect(output);
  }

  play(atMs: number): void {
    if (this.#source) return;
    const context = this.#context;
    const nowMs = this.#now();
    const aimed = audibleTime(context, nowMs) + (atMs - nowMs) / 1000;
    this.#startedAt = Math.max(aimed, context.currentTime + START_MARGIN_SECONDS);
    this.#gain.gain.cancelScheduledValues(0);
    this.#gain.gain.setValueAtTime(1, context.currentTime);
    this.#source = new AudioBufferSourceNode(context, { buffer: this.#buffer });
    this.#source.connect(this.#gain);
    this.#source.start(this.#startedAt, this.#offset);
  }

  pause(): void {
    if (!this.#source) return;
    const context = this.#context;
    // Up to here the sound is on its way to the loudspeaker and cannot be called back.
    const rendered = context.currentTime + FADE_SECONDS;
    this.#gain.gain.setTargetAtTime(0, context.currentTime, FADE_SECONDS / 4);
    this.#source.stop(rendered);
    this.#source = null;
    this.#offset += Math.max(0, rendered - this.#startedAt);
    this.#lastMs = this.#offset * 1000;
  }

  mediaTimeMs(nowMs: number): number {
    if (this.#source) {
      const heard = audibleTime(this.#context, nowMs) - this.#startedAt + this.#offset;
      this.#lastMs = Math.max(this.#lastMs, heard * 1000);
    }
    return this.#lastMs;
  }

  /** Stops and lets go of the audio graph. */
  close(): void {
    this.pause();
    const gain = this.#gain;
    setTimeout(() => gain.disconnect(), 1000 * FADE_SECONDS + 500);
  }
}

/** Scheduling a source for the present would cut its first samples off. */
const START_MARGIN_SECONDS = 0.01;
/** Long enough that stopping makes no click. */
const FADE_SECONDS = 0.008;
const MAX_DISAGREEMENT_SECONDS = 0.15;
