import type { PublishedAvatar } from "../../avatar/catalogue.ts";
import { backgroundIndex } from "../../avatar/playback.ts";
import type { IdleFrames } from "../background/idle-frames.ts";
import type { PreparedFrames } from "../background/prepared-frames.ts";
import type { Splicer } from "../compositor/splicer.ts";
import type { MouthRegion } from "../core/core-client.ts";
import { checkRegion } from "./check-region.ts";
import type { ComposedFrame, FrameComposer } from "./frame-composer.ts";
import type { ImageFormat } from "./image-format.ts";

export interface ImageComposerParts {
  readonly prepared: PreparedFrames;
  readonly idleFrames: IdleFrames;
  readonly splicer: Splicer;
  readonly now: () => number;
}

/** Two reads of a pack, or some time for frames that have to be prepared. */
const AHEAD_FRAMES = 12;

/** A file per frame, each on its own. */
export class ImageComposer implements FrameComposer {
  readonly #parts: ImageComposerParts;
  readonly #avatar: PublishedAvatar;
  readonly #format: ImageFormat;

  constructor(parts: ImageComposerParts, avatar: PublishedAvatar, format: ImageFormat) {
    this.#parts = parts;
    this.#avatar = avatar;
    this.#format = format;
  }

  startFor(position: number): Promise<number> {
    return Promise.resolve(position);
  }

  readAhead(position: number): void {
    const { frameCount } = this.#avatar.summary;
    const indices = Array.from({ length: AHEAD_FRAMES }, (_, n) =>
      backgroundIndex(position + n, frameCount),
    );
    this.#parts.prepared.readAhead(this.#avatar, indices, this.#format);
  }

  async prewarm(position: number, frames: number, signal: AbortSignal): Promise<void> {
    for (let n = position; n < position + frames; n++) {
      signal.throwIfAborted();
      this.readAhead(n);
      const index = backgroundIndex(n, this.#avatar.summary.frameCount);
      await this.#parts.prepared.get(this.#avatar, index, this.#format);
    }
  }

  async compose(position: number, mouth: MouthRegion | null): Promise<ComposedFrame> {
    const { prepared, idleFrames, splicer, now } = this.#parts;
    const index = backgroundIndex(position, this.#avatar.summary.frameCount);
    const started = now();
    if (!mouth) {
      const image = await idleFrames.get(this.#avatar, index, this.#format);
      const times = { backgroundMs: now() - started, spliceMs: 0 };
      return { parts: [image], isKeyFrame: true, times };
    }
    const frame = await prepared.get(this.#avatar, index, this.#format);
    checkRegion(frame.entry.region, mouth);
    const splicing = now();
    const parts = splicer.splice(frame, mouth.pixels);
    const times = { backgroundMs: splicing - started, spliceMs: now() - splicing };
    return { parts, isKeyFrame: true, times };
  }

  setKilobits(): void {
    // Images are as large as they are.
  }

  close(): void {
    // What it holds is everybody's.
  }
}
