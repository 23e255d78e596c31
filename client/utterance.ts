import { AudioClock } from "./audio-clock.ts";
import type { EdgeApi } from "./edge-api.ts";
import { FrameBuffer } from "./frame-buffer.ts";
import { isAbort, PlayerError } from "./player-error.ts";
import { SpeechPlayer } from "./speech-player.ts";

export interface UtteranceOptions {
  readonly api: EdgeApi;
  readonly avatarId: string;
  readonly fps: number;
  readonly context: AudioContext;
  readonly output: AudioNode;
  /** The speech as it is played, and as it is sent. */
  readonly sound: AudioBuffer;
  readonly wav: Blob;
  /** Playback position of its first frame. */
  readonly startPosition: number;
}

/** One request to speak: its stream, its sound and its player, which end together. */
export class Utterance {
  readonly player: SpeechPlayer<ImageBitmap>;
  readonly clock: AudioClock;
  readonly startPosition: number;
  readonly requestedMs = performance.now();
  #firstFrameMs: number | null = null;
  readonly #frames = new FrameBuffer();
  readonly #abort = new AbortController();

  constructor(options: UtteranceOptions) {
    this.startPosition = options.startPosition;
    this.clock = new AudioClock(options.context, options.output, options.sound);
    this.player = new SpeechPlayer({
      clock: this.clock,
      frames: this.#frames,
      fps: options.fps,
      decode: (blob) => createImageBitmap(blob),
      release: (image) => image.close(),
      now: () => performance.now(),
    });
    void this.#receive(options);
  }

  /** When the first frame came, on the page's clock; null before. */
  get firstFrameMs(): number | null {
    return this.#firstFrameMs;
  }

  /** Ends the request and the sound at once. */
  close(): void {
    this.#abort.abort();
    this.player.close();
    this.clock.close();
  }

  async #receive({ api, avatarId, wav, startPosition }: UtteranceOptions): Promise<void> {
    const { signal } = this.#abort;
    try {
      for await (const frame of await api.speak(avatarId, wav, startPosition, signal)) {
        this.#firstFrameMs ??= performance.now();
        await this.#frames.push(frame);
        if (signal.aborted) return;
      }
      const empty = new PlayerError("broken_stream", "The server sent no frames. Try again.");
      this.#frames.end(this.#frames.received === 0 ? empty : null);
    } catch (error) {
      this.#frames.end(isAbort(error) ? null : error);
    }
  }
}
