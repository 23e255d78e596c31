import type { PublishedAvatar } from "../../avatar/catalogue.ts";
import { mouthRegion } from "../../avatar/manifest.ts";
import { backgroundIndex } from "../../avatar/playback.ts";
import type { BackgroundPictures } from "../background/background-pictures.ts";
import type { MouthPlacer } from "../compositor/h264/mouth-placer.ts";
import type { MouthRegion } from "../core/core-client.ts";
import { checkRegion } from "./check-region.ts";
import type { ComposedFrame, ComposeOptions, FrameComposer } from "./frame-composer.ts";
import type { WholeFrameEncoder, WholeFrameEncoders } from "./whole-frame-encoder.ts";

export interface WholeFrameComposerParts {
  readonly pictures: BackgroundPictures;
  readonly placer: MouthPlacer;
  readonly encoders: WholeFrameEncoders;
  readonly now: () => number;
}

/** As many as `ImageComposer` has: preparing them takes about as long. */
const AHEAD_FRAMES = 12;
/** A new rate takes a new encoder, which begins with a key frame: not more often than each second. */
const LEAST_FRAMES_PER_RATE = 25;
/** Nor for a rate that is so near to the present one. */
const NEAR = 0.1;

/**
 * An access unit per frame of an avatar that has no video track: the frame with
 * its mouth, encoded as a whole. It costs what encoding a picture costs, at
 * every frame; a published track costs its mouth alone.
 */
export class WholeFrameComposer implements FrameComposer {
  readonly #parts: WholeFrameComposerParts;
  readonly #avatar: PublishedAvatar;
  /** Null before the first frame, and after one that failed. */
  #encoder: WholeFrameEncoder | null = null;
  /** Frames that it has encoded. */
  #encoded = 0;
  #encoderKilobits: number | null = null;
  #kilobits: number | null = null;
  #isClosed = false;

  /** @param avatar both of whose sides are even */
  constructor(parts: WholeFrameComposerParts, avatar: PublishedAvatar) {
    this.#parts = parts;
    this.#avatar = avatar;
  }

  startFor(position: number): Promise<number> {
    return Promise.resolve(position);
  }

  readAhead(position: number): void {
    const indices = Array.from({ length: AHEAD_FRAMES }, (_, n) => this.#index(position + n));
    this.#parts.pictures.readAhead(this.#avatar, indices);
  }

  async prewarm(position: number, frames: number, signal: AbortSignal): Promise<void> {
    for (let n = position; n < position + frames; n++) {
      signal.throwIfAborted();
      this.readAhead(n);
      await this.#parts.pictures.get(this.#avatar, this.#index(n));
    }
  }

  /** @throws VideoEncoderError beside what the interface says; the next frame begins anew then */
  async compose(
    position: number,
    mouth: MouthRegion | null,
    { keyFrame = false }: ComposeOptions = {},
  ): Promise<ComposedFrame> {
    const { pictures, now } = this.#parts;
    const index = this.#index(position);
    const started = now();
    const background = await pictures.get(this.#avatar, index);
    if (this.#isClosed) throw new TypeError("a frame of a stream that has ended");
    const splicing = now();
    const encoder = this.#prepare(keyFrame);
    try {
      const picture = mouth ? this.#place(background, index, mouth) : background;
      const { parts, isKeyFrame } = await encoder.encode(picture, keyFrame || this.#encoded === 0);
      this.#encoded++;
      const times = { backgroundMs: splicing - started, spliceMs: now() - splicing };
      return { parts, isKeyFrame, times };
    } catch (error) {
      this.#drop();
      throw error;
    }
  }

  /** From the next frame on that may have another encoder: a second later at most. */
  setKilobits(limit: number | null): void {
    this.#kilobits = limit;
  }

  close(): void {
    this.#isClosed = true;
    this.#drop();
  }

  #index(position: number): number {
    return backgroundIndex(position, this.#avatar.summary.frameCount);
  }

  /** The placer's memory: to be encoded before anything else is placed. */
  #place(background: Uint8Array, index: number, mouth: MouthRegion): Uint8Array<ArrayBuffer> {
    const { manifest } = this.#avatar;
    const { width, height, softEdge = 0 } = manifest;
    const region = mouthRegion(manifest, index);
    checkRegion(region, mouth);
    return this.#parts.placer.place(background, mouth.pixels, { width, height, region, softEdge });
  }

  /** The encoder for the next frame. */
  #prepare(keyFrame: boolean): WholeFrameEncoder {
    const isDue = keyFrame || this.#encoded >= LEAST_FRAMES_PER_RATE;
    if (isDue && !isNear(this.#encoderKilobits, this.#kilobits)) this.#drop();
    if (this.#encoder) return this.#encoder;
    const { width, height, fps } = this.#avatar.manifest;
    const kilobitsPerSecond = this.#kilobits;
    const format = { width, height, framesPerSecond: fps, kilobitsPerSecond };
    this.#encoder = this.#parts.encoders.open(format);
    this.#encoderKilobits = kilobitsPerSecond;
    this.#encoded = 0;
    return this.#encoder;
  }

  #drop(): void {
    this.#encoder?.close();
    this.#encoder = null;
  }
}

function isNear(a: number | null, b: number | null): boolean {
  return a === b || (a !== null && b !== null && Math.abs(b - a) <= NEAR * a);
}
