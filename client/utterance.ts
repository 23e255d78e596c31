import { AudioClock } from "./audio-clock.ts";
import { openVideoDecoder } from "./chunk-decoder.ts";
import { DecodeAhead } from "./decode-ahead.ts";
import type { EdgeApi, SpeechFormat } from "./edge-api.ts";
import { FrameBuffer } from "./frame-buffer.ts";
import type { PictureDecoder } from "./picture-decoder.ts";
import { isAbort, PlayerError } from "./player-error.ts";
import { cutSpeech } from "./speech-cut.ts";
import { SpeechPlayer } from "./speech-player.ts";
import type { Picture } from "./stage-canvas.ts";
import { VideoDecodeAhead } from "./video-decode-ahead.ts";

export interface UtteranceOptions {
  readonly api: EdgeApi;
  readonly avatarId: string;
  readonly fps: number;
  readonly context: AudioContext;
  readonly output: AudioNode;
  /** The speech as it is played, and as it is sent: 16-bit mono of 16 kHz. */
  readonly sound: AudioBuffer;
  readonly wav: Blob;
  /** Playback position of its first frame. */
  readonly startPosition: number;
  readonly format: SpeechFormat;
  /** Video cannot be had or decoded: this utterance goes on with images. */
  readonly onVideoError: (error: unknown) => void;
}

/** One request to speak: its stream, its sound and its player, which end together. */
export class Utterance {
  readonly player: SpeechPlayer<Picture>;
  readonly clock: AudioClock;
  readonly startPosition: number;
  readonly requestedMs = performance.now();
  readonly #options: UtteranceOptions;
  readonly #frames = new FrameBuffer();
  #format: SpeechFormat;
  #request = new AbortController();
  #firstFrameMs: number | null = null;
  #receivedFrames = 0;
  #receivedBytes = 0;

  constructor(options: UtteranceOptions) {
    this.#options = options;
    this.#format = options.format;
    this.startPosition = options.startPosition;
    this.clock = new AudioClock(options.context, options.output, options.sound);
    this.player = new SpeechPlayer({
      clock: this.clock,
      frames: this.#frames,
      fps: options.fps,
      decoder: this.#format === "h264" ? this.#videoDecoder() : this.#imageDecoder(),
    });
    void this.#receive();
  }

  /** How its frames are coded. */
  get format(): SpeechFormat {
    return this.#format;
  }

  /** When the first frame came, on the page's clock; null before. */
  get firstFrameMs(): number | null {
    return this.#firstFrameMs;
  }

  /** Of the frames so far, at the pace at which they are shown. */
  get bitsPerSecond(): number {
    if (this.#receivedFrames === 0) return 0;
    return (8 * this.#receivedBytes * this.#options.fps) / this.#receivedFrames;
  }

  /** Ends the request and the sound at once. */
  close(): void {
    this.#request.abort();
    this.player.close();
    this.clock.close();
  }

  /** @param after Frames up to this one have been shown; the request leaves most of them out. */
  async #receive(after = -1): Promise<void> {
    const { api, avatarId, wav, startPosition, fps } = this.#options;
    const { signal } = this.#request;
    try {
      const { speech, firstFrame } = await cutSpeech(wav, after, fps);
      const start = startPosition + firstFrame;
      const format = this.#format;
      for await (const frame of await api.speak(avatarId, speech, { start, format, signal })) {
        const number = frame.number + firstFrame;
        if (number <= after && number >= 0) continue;
        this.#count(number, frame.data.length);
        const timeMs = frame.timeMs + (1000 * firstFrame) / fps;
        await this.#frames.push({ ...frame, number, timeMs });
        if (signal.aborted) return;
      }
      const empty = new PlayerError("broken_stream", "The server sent no frames. Try again.");
      this.#frames.end(this.#frames.received === 0 ? empty : null);
    } catch (error) {
      if (signal.aborted) return;
      // It may have been published anew, without video.
      const isRefused = error instanceof PlayerError && error.status === 400;
      if (isRefused && this.#format === "h264") this.#goOnWithImages(error);
      else this.#frames.end(isAbort(error) ? null : error);
    }
  }

  #count(number: number, bytes: number): void {
    if (number < 0) return;
    this.#firstFrameMs ??= performance.now();
    this.#receivedFrames++;
    this.#receivedBytes += bytes;
  }

  /** Asks for the rest anew. The sound waits for it where it is. */
  #goOnWithImages(error: unknown): void {
    if (this.player.phase === "over") return;
    this.#request.abort();
    this.#request = new AbortController();
    this.#format = "jpeg";
    this.#receivedFrames = 0;
    this.#receivedBytes = 0;
    const { drawn } = this.player;
    this.#frames.restartAfter(drawn, drawn < 0 ? -Infinity : (1000 * drawn) / this.#options.fps);
    this.player.decodeWith(this.#imageDecoder());
    this.#options.onVideoError(error);
    void this.#receive(drawn);
  }

  #videoDecoder(): PictureDecoder<Picture> {
    return new VideoDecodeAhead({
      frames: this.#frames,
      open: openVideoDecoder,
      now: () => performance.now(),
      onError: (error) => this.#goOnWithImages(error),
    });
  }

  #imageDecoder(): PictureDecoder<Picture> {
    return new DecodeAhead({
      decode: async (number) => {
        const frame = this.#frames.frame(number);
        if (!frame) throw new Error(`frame ${number} has been dropped`);
        return createImageBitmap(new Blob([frame.data], { type: "image/jpeg" }));
      },
      release: (image: Picture) => image.close(),
      now: () => performance.now(),
    });
  }
}
