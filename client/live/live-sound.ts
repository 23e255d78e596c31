import { PlayerError } from "../player-error.ts";
import { Resampler } from "./resampler.ts";
import { PLAYER_PROCESSOR, type PlayerOrder } from "./worklet/messages.ts";

export type SoundCodec = "opus" | "pcm";

/** Of Opus, and of the audio context, whatever the loudspeaker's is. */
export const SOUND_RATE = 48_000;
const PCM_RATE = 16_000;

/** The codecs that this browser plays, the best first. */
export async function playableCodecs(): Promise<SoundCodec[]> {
  if (typeof AudioDecoder === "undefined") return ["pcm"];
  const { supported } = await AudioDecoder.isConfigSupported(OPUS).catch(() => ({
    supported: false,
  }));
  return supported ? ["opus", "pcm"] : ["pcm"];
}

/** Decodes what is heard and hands it to the audio thread, which plays it in its time. */
export class LiveSound {
  readonly context: AudioContext;
  readonly #gain: GainNode;
  #player: AudioWorkletNode | null = null;
  #decoder: AudioDecoder | null = null;
  #resampler: Resampler | null = null;
  #volume = 1;
  #preSkipMs = 0;
  /** When what is in the decoder belongs. What comes out has times of its own, which know no pauses. */
  #timesMs: number[] = [];
  #loudEndMs = -Infinity;

  /** Make it while the browser counts what happens as the user's doing. */
  constructor() {
    this.context = new AudioContext({ sampleRate: SOUND_RATE, latencyHint: "interactive" });
    this.#gain = new GainNode(this.context);
    this.#gain.connect(this.context.destination);
  }

  /** Up to here there is something to be heard, on the session's clock. */
  get loudEndMs(): number {
    return this.#loudEndMs;
  }

  get volume(): number {
    return this.#volume;
  }

  set volume(volume: number) {
    this.#volume = volume;
    this.#gain.gain.setTargetAtTime(volume, this.context.currentTime, VOLUME_SECONDS);
  }

  /** @throws PlayerError `insecure_page`, `unreachable` */
  async open(): Promise<void> {
    await loadWorklets(this.context);
    this.#player = new AudioWorkletNode(this.context, PLAYER_PROCESSOR, {
      numberOfInputs: 0,
      outputChannelCount: [1],
    });
    this.#player.connect(this.#gain);
  }

  /** @param preSkip Samples of 48 kHz by which a decoder is behind. */
  use(codec: SoundCodec, preSkip: number): void {
    this.#closeDecoder();
    this.#preSkipMs = codec === "opus" ? (1000 * preSkip) / SOUND_RATE : 0;
    if (codec === "opus") this.#openDecoder();
    else this.#resampler = new Resampler(PCM_RATE, SOUND_RATE);
  }

  /** @param offsetMs Session time less the time of the audio context. */
  follow(offsetMs: number): void {
    const offset = Math.round((offsetMs * this.context.sampleRate) / 1000);
    this.#order({ type: "clock", offset });
  }

  receive(data: Uint8Array<ArrayBuffer>, timeMs: number): void {
    if (this.#resampler) {
      const samples = new Int16Array(data.slice().buffer);
      const sound = this.#resampler.process(Float32Array.from(samples, (each) => each / 32_768));
      this.#play(sound, timeMs);
    } else if (this.#decoder && this.#decoder.decodeQueueSize < MOST_PACKETS) {
      this.#timesMs.push(timeMs - this.#preSkipMs);
      this.#decoder.decode(new EncodedAudioChunk({ type: "key", timestamp: 1000 * timeMs, data }));
    }
  }

  /** Silence at once, whatever has come. */
  void(): void {
    this.#order({ type: "void" });
    this.#loudEndMs = -Infinity;
    if (!this.#decoder) return;
    this.#closeDecoder();
    this.#openDecoder();
  }

  async close(): Promise<void> {
    this.#closeDecoder();
    this.#player?.disconnect();
    if (this.context.state !== "closed") await this.context.close();
  }

  #openDecoder(): void {
    const decoder = new AudioDecoder({
      output: (data) => {
        const samples = new Float32Array(data.numberOfFrames);
        data.copyTo(samples, { planeIndex: 0, format: "f32-planar" });
        data.close();
        const timeMs = this.#decoder === decoder ? this.#timesMs.shift() : undefined;
        if (timeMs !== undefined) this.#play(samples, timeMs);
      },
      // A packet that cannot be decoded is 20 ms of silence; the next ones may be good.
      error: () => {
        if (this.#decoder === decoder) this.#openDecoder();
      },
    });
    decoder.configure(OPUS);
    this.#timesMs = [];
    this.#decoder = decoder;
  }

  #closeDecoder(): void {
    if (this.#decoder && this.#decoder.state !== "closed") this.#decoder.close();
    this.#decoder = null;
    this.#resampler = null;
  }

  #play(samples: Float32Array<ArrayBuffer>, timeMs: number): void {
    const start = Math.round((timeMs * this.context.sampleRate) / 1000);
    if (samples.some((sample) => Math.abs(sample) > SILENT)) {
      const endMs = timeMs + (1000 * samples.length) / SOUND_RATE;
      this.#loudEndMs = Math.max(this.#loudEndMs, endMs);
    }
    this.#order({ type: "sound", start, samples });
  }

  #order(order: PlayerOrder): void {
    this.#player?.port.postMessage(order, order.type === "sound" ? [order.samples.buffer] : []);
  }
}

/** @throws PlayerError `insecure_page`, `unreachable` */
export async function loadWorklets(context: AudioContext): Promise<void> {
  if (!context.audioWorklet) {
    throw new PlayerError(
      "insecure_page",
      "Live sessions work on pages by https and on localhost only.",
    );
  }
  try {
    await context.audioWorklet.addModule(new URL("mouthpiece-audio.js", import.meta.url));
  } catch (cause) {
    throw new PlayerError("unreachable", "The sound's part of the player cannot be loaded.", {
      cause,
    });
  }
}

const OPUS = { codec: "opus", sampleRate: SOUND_RATE, numberOfChannels: 1 } as const;
/** -40 dBFS: the noise of a good microphone's pauses is below. */
const SILENT = 0.01;
const VOLUME_SECONDS = 0.01;
/** Two seconds: what is further behind is not waited for. */
const MOST_PACKETS = 100;
