import { backgroundIndex } from "../avatar/playback.ts";
import { DecodeAhead } from "./decode-ahead.ts";
import { FrameCache } from "./frame-cache.ts";

export interface IdleLoopOptions<Image> {
  readonly frameCount: number;
  readonly fps: number;
  /** Fetches the compressed background frame `index`. */
  readonly load: (index: number, signal: AbortSignal) => Promise<Blob>;
  readonly decode: (blob: Blob) => Promise<Image>;
  readonly release: (image: Image) => void;
  /** Milliseconds on a steady clock. */
  readonly now: () => number;
  /** A frame could not be had; the loop stands still and tries again. */
  readonly onError?: (error: unknown) => void;
}

/** A frame of the loop to be drawn. */
export interface IdleFrame<Image> {
  /** Playback position in frames; `backgroundIndex(position)` is the frame shown. */
  readonly position: number;
  readonly index: number;
  readonly image: Image;
}

/**
 * Walks the background loop at its frame rate. It never jumps: when a frame is
 * not there in time, or the page was hidden, the loop goes on from where it is.
 */
export class IdleLoop<Image> {
  readonly #options: IdleLoopOptions<Image>;
  readonly #periodMs: number;
  readonly #cache: FrameCache;
  readonly #decoder: DecodeAhead<Image>;
  #position = 0;
  /** The frame at `#position` has been handed out. */
  #shown = false;
  /** When the frame after `#position` is due. */
  #nextDueMs = 0;
  #lastPosition = Infinity;
  #retryAtMs = Infinity;
  #retryDelayMs = FIRST_RETRY_MS;

  constructor(options: IdleLoopOptions<Image>) {
    this.#options = options;
    this.#periodMs = 1000 / options.fps;
    this.#cache = new FrameCache({ load: options.load });
    this.#decoder = new DecodeAhead({
      decode: async (position) => options.decode(await this.#cache.get(this.#index(position))),
      release: options.release,
      now: options.now,
      onError: (error) => this.#failed(error),
    });
  }

  /** The position on the screen. */
  get position(): number {
    return this.#position;
  }

  /** Bytes of compressed frames and count of decoded ones that are held. */
  get memory(): { readonly bytes: number; readonly decoded: number } {
    return { bytes: this.#cache.bytes, decoded: this.#decoder.held };
  }

  /** When `position` will be reached at the present pace, in milliseconds. */
  dueMs(position: number): number {
    return this.#nextDueMs + (position - this.#position - 1) * this.#periodMs;
  }

  /** Goes no further than `position`, and waits there. */
  holdAt(position: number): void {
    this.#lastPosition = position;
  }

  /** Goes on after `position`, which is on the screen since `sinceMs`. */
  resumeAfter(position: number, sinceMs: number): void {
    this.#position = position;
    this.#shown = true;
    this.#lastPosition = Infinity;
    this.#nextDueMs = sinceMs + this.#periodMs;
  }

  /** Fetches and decodes nothing until the next `tick`, but has `position` near at hand. */
  rest(position: number): void {
    this.#decoder.clear();
    this.#cache.prefetch(this.#indices(position + 1, FETCH_AHEAD));
  }

  /** The frame that is due and not yet shown, or null. Call it for each screen refresh. */
  tick(nowMs: number): IdleFrame<Image> | null {
    if (nowMs >= this.#retryAtMs) {
      this.#retryAtMs = Infinity;
      this.#decoder.retry();
    }
    const first = this.#shown ? this.#position + 1 : this.#position;
    this.#decoder.want(Array.from({ length: DECODE_AHEAD }, (_, i) => first + i));
    this.#cache.prefetch(this.#indices(first, FETCH_AHEAD));
    if (!this.#shown) return this.#showFirst(nowMs);
    // Late by more than this is a pause, not a hiccup: do not run after it.
    if (nowMs - this.#nextDueMs > MAX_CATCH_UP_FRAMES * this.#periodMs) this.#nextDueMs = nowMs;
    let image: Image | undefined;
    while (nowMs >= this.#nextDueMs && this.#position < this.#lastPosition) {
      const next = this.#decoder.get(this.#position + 1);
      if (next === undefined) break;
      image = next;
      this.#position++;
      this.#nextDueMs += this.#periodMs;
    }
    return image === undefined ? null : this.#frame(image);
  }

  close(): void {
    this.#decoder.clear();
    this.#cache.close();
  }

  #showFirst(nowMs: number): IdleFrame<Image> | null {
    const image = this.#decoder.get(this.#position);
    if (image === undefined) return null;
    this.#shown = true;
    this.#nextDueMs = nowMs + this.#periodMs;
    return this.#frame(image);
  }

  #frame(image: Image): IdleFrame<Image> {
    this.#retryDelayMs = FIRST_RETRY_MS;
    return { position: this.#position, index: this.#index(this.#position), image };
  }

  #index(position: number): number {
    return backgroundIndex(position, this.#options.frameCount);
  }

  *#indices(position: number, count: number): Generator<number> {
    for (let i = 0; i < count; i++) yield this.#index(position + i);
  }

  #failed(error: unknown): void {
    if (this.#retryAtMs !== Infinity) return;
    this.#retryAtMs = this.#options.now() + this.#retryDelayMs;
    this.#retryDelayMs = Math.min(2 * this.#retryDelayMs, MAX_RETRY_MS);
    this.#options.onError?.(error);
  }
}

/** Decoded frames: a 1280x720 bitmap is 3.7 MB, so a handful. */
const DECODE_AHEAD = 5;
/** Compressed frames: half a second covers a slow answer. */
const FETCH_AHEAD = 13;
const MAX_CATCH_UP_FRAMES = 3;
const FIRST_RETRY_MS = 500;
const MAX_RETRY_MS = 8000;
