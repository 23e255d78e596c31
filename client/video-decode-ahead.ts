import type { ChunkDecoder, ChunkDecoderEvents, DecodedPicture } from "./chunk-decoder.ts";
import type { CodedFrame, FrameBuffer } from "./frame-buffer.ts";
import { h264Codec } from "./h264-codec.ts";
import type { PictureDecoder } from "./picture-decoder.ts";

export interface VideoDecodeAheadOptions<Picture> {
  readonly frames: Pick<FrameBuffer<CodedFrame>, "from" | "ended">;
  readonly open: (events: ChunkDecoderEvents<Picture>) => ChunkDecoder;
  /** Milliseconds on a steady clock. */
  readonly now: () => number;
  /** It cannot go on; called once. Nothing will come of it any more. */
  readonly onError: (error: unknown) => void;
}

/**
 * Decodes video: each frame needs the one before it, back to a key frame. So all
 * frames go to the decoder in their order, what is late too, and a picture that
 * nobody wants is closed as soon as it comes out. A key frame makes what lies
 * before it needless.
 */
export class VideoDecodeAhead<Picture extends DecodedPicture> implements PictureDecoder<Picture> {
  readonly #options: VideoDecodeAheadOptions<Picture>;
  readonly #pictures = new Map<number, Picture>();
  /** What the decoder has been given, by timestamp. */
  readonly #pending = new Map<number, { readonly number: number; readonly sinceMs: number }>();
  #decoder: ChunkDecoder | null = null;
  #codec: string | null = null;
  #wanted: ReadonlySet<number> = new Set();
  #firstWanted = 0;
  #newest = -1;
  /** The last frame that the decoder has been given. */
  #given = -Infinity;
  /** How long nothing has come out while the page was awake, as far as `want` has seen. */
  #waitedMs = 0;
  #lastLookMs = -Infinity;
  #latencyMs = 0;
  #isFlushed = false;
  #isOver = false;

  constructor(options: VideoDecodeAheadOptions<Picture>) {
    this.#options = options;
  }

  get latencyMs(): number {
    return this.#latencyMs;
  }

  get neededFrom(): number {
    return this.#isOver ? Infinity : (this.#next()?.number ?? Infinity);
  }

  want(keys: readonly number[], newest: number): void {
    if (this.#isOver) return;
    this.#wanted = new Set(keys);
    this.#newest = newest;
    this.#firstWanted = keys[0] ?? newest;
    for (const [number, picture] of this.#pictures) {
      if (this.#wanted.has(number)) continue;
      this.#pictures.delete(number);
      picture.close();
    }
    this.#watch();
    if (this.#waitedMs > ANSWER_LIMIT_MS) {
      this.#fail(new Error(`the video decoder has not answered for ${ANSWER_LIMIT_MS} ms`));
    } else {
      this.#pump();
    }
  }

  get(key: number): Picture | undefined {
    return this.#pictures.get(key);
  }

  hasFailed(key: number): boolean {
    // Passed over, or come when nobody wanted it.
    return key <= this.#given && !this.isCommitted(key);
  }

  isCommitted(key: number): boolean {
    if (this.#pictures.has(key)) return true;
    for (const { number } of this.#pending.values()) if (number === key) return true;
    return false;
  }

  clear(): void {
    this.#isOver = true;
    this.#pending.clear();
    for (const picture of this.#pictures.values()) picture.close();
    this.#pictures.clear();
    try {
      this.#decoder?.close();
    } catch {
      // An error has closed it.
    }
    this.#decoder = null;
  }

  #watch(): void {
    const nowMs = this.#options.now();
    // A page that was asleep has not been waiting.
    const sinceMs = Math.min(nowMs - this.#lastLookMs, LONGEST_LOOK_MS);
    this.#lastLookMs = nowMs;
    this.#waitedMs = this.#pending.size > 0 ? this.#waitedMs + sinceMs : 0;
  }

  /** The frame to decode now, if it is here. */
  #next(): CodedFrame | undefined {
    const frames = this.#options.frames.from(this.#given + 1);
    const [first] = frames;
    const key = frames.findLast(
      ({ number, isKeyFrame }) => isKeyFrame && number <= this.#firstWanted,
    );
    if (!first || key) return key;
    const follows = first.number === this.#given + 1;
    const isFarBehind = this.#firstWanted - first.number > MOST_BEHIND_FRAMES;
    if (follows && !isFarBehind) return first;
    return frames.find(({ isKeyFrame }) => isKeyFrame) ?? (follows ? first : undefined);
  }

  #pump(): void {
    while (!this.#isOver && this.#pending.size + this.#pictures.size < MOST_PICTURES) {
      const frame = this.#next();
      if (!frame || frame.number > this.#newest) break;
      try {
        this.#give(frame);
      } catch (error) {
        this.#fail(error);
      }
    }
    const { frames } = this.#options;
    if (this.#isOver || this.#isFlushed || !frames.ended) return;
    if (this.#pending.size === 0 || frames.from(this.#given + 1).length > 0) return;
    // A decoder may hold its last pictures back until it knows that they are the last.
    this.#isFlushed = true;
    this.#decoder?.flush().catch(() => {});
  }

  #give(frame: CodedFrame): void {
    const decoder = frame.isKeyFrame ? this.#configured(frame.data) : this.#decoder;
    if (!decoder) throw new Error(`the video begins with frame ${frame.number}, no key frame`);
    const nowMs = this.#options.now();
    const timestamp = Math.round(frame.timeMs * 1000);
    this.#pending.set(timestamp, { number: frame.number, sinceMs: nowMs });
    this.#given = frame.number;
    decoder.decode({ type: frame.isKeyFrame ? "key" : "delta", timestamp, data: frame.data });
  }

  #configured(data: Uint8Array): ChunkDecoder {
    const codec = h264Codec(data);
    if (!codec) throw new Error("a key frame without a sequence parameter set");
    this.#decoder ??= this.#options.open({
      output: (picture) => this.#came(picture),
      error: (error) => this.#fail(error),
    });
    if (codec !== this.#codec) this.#decoder.configure({ codec, optimizeForLatency: true });
    this.#codec = codec;
    return this.#decoder;
  }

  #came(picture: Picture): void {
    const pending = this.#pending.get(picture.timestamp);
    if (!pending) {
      picture.close();
      return;
    }
    const { number, sinceMs } = pending;
    this.#pending.delete(picture.timestamp);
    this.#waitedMs = 0;
    this.#latencyMs += (this.#options.now() - sinceMs - this.#latencyMs) * LATENCY_WEIGHT;
    if (this.#wanted.has(number)) this.#pictures.set(number, picture);
    else picture.close();
    this.#pump();
  }

  #fail(error: unknown): void {
    if (this.#isOver) return;
    this.clear();
    this.#options.onError(error);
  }
}

/** Decoded, or on their way: a decoder has room for few, and they are megabytes each. */
const MOST_PICTURES = 6;
/** Further behind than this, what is left of the group is given up. */
const MOST_BEHIND_FRAMES = 25;
const ANSWER_LIMIT_MS = 3000;
const LONGEST_LOOK_MS = 250;
const LATENCY_WEIGHT = 0.2;
