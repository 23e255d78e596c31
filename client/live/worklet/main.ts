import { Resampler } from "../resampler.ts";
import { MICROPHONE_PROCESSOR, PLAYER_PROCESSOR, type PlayerOrder } from "./messages.ts";
import { SoundRing } from "./sound-ring.ts";

/** Of the audio thread: this file is a bundle of its own, `mouthpiece-audio.js`. */

/** Sound that is ahead of its time by more than this does not fit. */
const RING_SECONDS = 4;
/** Short enough to be at once, long enough that it does not click. */
const FADE_SECONDS = 0.008;
const SPEECH_RATE = 16_000;
/** 20 ms. */
const PIECE_SAMPLES = 320;

/** Plays each sample when the session's clock, which is the audio context's, comes to it. */
class Player extends AudioWorkletProcessor {
  readonly #ring = new SoundRing(RING_SECONDS * sampleRate);
  #offset: number | null = null;

  constructor() {
    super();
    this.port.onmessage = ({ data }: MessageEvent<PlayerOrder>) => this.#obey(data);
  }

  process(_: Float32Array[][], [output]: Float32Array[][]): boolean {
    const [first, ...others] = output ?? [];
    if (!first || this.#offset === null) return true;
    const position = currentFrame + this.#offset;
    if (position !== this.#ring.position) this.#ring.moveTo(position);
    this.#ring.read(first);
    for (const other of others) other.set(first);
    return true;
  }

  #obey(order: PlayerOrder): void {
    if (order.type === "sound") this.#ring.write(order.start, order.samples);
    else if (order.type === "void") this.#ring.fade(Math.round(FADE_SECONDS * sampleRate));
    else {
      this.#offset = order.offset;
      this.#ring.moveTo(currentFrame + order.offset);
    }
  }
}

/** Brings what a microphone hears to the rate of speech, and posts it in pieces. */
class Microphone extends AudioWorkletProcessor {
  readonly #resampler = new Resampler(sampleRate, SPEECH_RATE);
  #piece = new Int16Array(PIECE_SAMPLES);
  #filled = 0;

  process([input]: Float32Array[][]): boolean {
    const [first] = input ?? [];
    // Several channels have been mixed to one. None: the track has ended or is muted.
    if (!first) return true;
    for (const sample of this.#resampler.process(first)) {
      const value = Math.round(32_768 * sample);
      this.#piece[this.#filled++] = Math.max(-32_768, Math.min(32_767, value));
      if (this.#filled < PIECE_SAMPLES) continue;
      this.port.postMessage(this.#piece, [this.#piece.buffer]);
      this.#piece = new Int16Array(PIECE_SAMPLES);
      this.#filled = 0;
    }
    return true;
  }
}

registerProcessor(PLAYER_PROCESSOR, Player);
registerProcessor(MICROPHONE_PROCESSOR, Microphone);
