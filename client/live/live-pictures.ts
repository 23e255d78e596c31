import { openVideoDecoder } from "../chunk-decoder.ts";
import { DecodeAhead } from "../decode-ahead.ts";
import { type CodedFrame, FrameBuffer } from "../frame-buffer.ts";
import type { PictureDecoder } from "../picture-decoder.ts";
import type { Picture } from "../stage-canvas.ts";
import { VideoDecodeAhead } from "../video-decode-ahead.ts";

export type LiveFormat = "h264" | "jpeg";

export interface LivePicturesOptions {
  readonly format: LiveFormat;
  /** Frames had to be thrown away: nothing can be shown before the next key frame. */
  readonly onGap: () => void;
  /** Video cannot be decoded. */
  readonly onError: (error: unknown) => void;
}

export interface LivePicture {
  readonly timeMs: number;
  readonly image: Picture;
}

/** What has come of a session's picture, and which of it is due. */
export class LivePictures {
  readonly #options: LivePicturesOptions;
  readonly #frames = new FrameBuffer<CodedFrame>({ maxFrames: 75, maxBytes: 24 * 1024 * 1024 });
  readonly #decoder: PictureDecoder<Picture>;
  #received = -1;
  #waitsForKeyFrame = true;
  #drawn = -1;
  #drawnFrames = 0;
  #skippedFrames = 0;

  constructor(options: LivePicturesOptions) {
    this.#options = options;
    this.#decoder = options.format === "h264" ? this.#videoDecoder() : this.#imageDecoder();
  }

  get counts(): { readonly drawn: number; readonly skipped: number } {
    return { drawn: this.#drawnFrames, skipped: this.#skippedFrames };
  }

  /** From a frame to its picture, in milliseconds. */
  get latencyMs(): number {
    return Math.min(this.#decoder.latencyMs, MOST_LATENCY_MS);
  }

  /**
   * Each frame depends on the one that came before it, whatever their times are:
   * an edge that is late leaves some out, and goes on so that they can be decoded.
   */
  add(frame: Omit<CodedFrame, "number">): void {
    if (!frame.isKeyFrame && (this.#waitsForKeyFrame || this.#frames.full)) {
      this.#waitsForKeyFrame = true;
      this.#options.onGap();
      return;
    }
    // Nobody has looked for seconds, and it begins anew here.
    if (this.#frames.full) this.#frames.restartAfter(this.#received, this.#frames.lastTimeMs);
    this.#waitsForKeyFrame = false;
    void this.#frames.push({ ...frame, number: ++this.#received });
  }

  /** Call it for each screen refresh. The picture is there until the next call; null: nothing new. */
  tick(timeMs: number): LivePicture | null {
    const near = this.#frames.upcoming(Math.max(0, timeMs - LATE_MS), NEAR_FRAMES);
    const open = near.filter(({ number }) => number > this.#drawn);
    this.#decoder.want(
      open.map(({ number }) => number),
      near.at(-1)?.number ?? -1,
    );
    const due = open.filter((frame) => frame.timeMs <= timeMs);
    const frame = due.findLast(({ number }) => this.#decoder.get(number) !== undefined);
    const needed = this.#frames.frame(this.#decoder.neededFrom ?? Infinity)?.timeMs ?? Infinity;
    this.#frames.dropBefore(Math.min(timeMs - LATE_MS, needed));
    if (!frame) return null;
    if (this.#drawn >= 0) this.#skippedFrames += frame.number - this.#drawn - 1;
    this.#drawn = frame.number;
    this.#drawnFrames++;
    return { timeMs: frame.timeMs, image: this.#decoder.get(frame.number)! };
  }

  close(): void {
    this.#decoder.clear();
    this.#frames.clear();
  }

  #videoDecoder(): PictureDecoder<Picture> {
    return new VideoDecodeAhead({
      frames: this.#frames,
      open: openVideoDecoder,
      now: () => performance.now(),
      onError: this.#options.onError,
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

/** A picture that is late by more is not worth drawing; less is better than none. */
const LATE_MS = 240;
/** Those that are late, and those that come next. */
const NEAR_FRAMES = 12;
/** A decoder that needs longer does not keep up, and waiting for it would not help. */
const MOST_LATENCY_MS = 300;
