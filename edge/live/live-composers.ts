import type { MouthRegion } from "../core/core-client.ts";
import type { ComposedFrame, FrameComposer } from "../speak/frame-composer.ts";
import type { LiveFormat } from "./live-media.ts";

interface InUse {
  composer: FrameComposer | null;
  /** Whether it has made a frame: the next ones have to follow. */
  hasBegun: boolean;
  wantsKeyFrame: boolean;
  kilobits: number | null;
}

/** One composer per format that somebody watches: all who watch it see the same stream. */
export class LiveComposers {
  readonly #open: (format: LiveFormat) => Promise<FrameComposer>;
  readonly #inUse = new Map<LiveFormat, InUse>();

  constructor(open: (format: LiveFormat) => Promise<FrameComposer>) {
    this.#open = open;
  }

  /** Keeps composers of these formats and no others. */
  keep(formats: ReadonlySet<LiveFormat>): void {
    for (const [format, { composer }] of this.#inUse) {
      if (formats.has(format)) continue;
      this.#inUse.delete(format);
      composer?.close();
    }
    for (const format of formats) {
      if (this.#inUse.has(format)) continue;
      this.#inUse.set(format, {
        composer: null,
        hasBegun: false,
        wantsKeyFrame: true,
        kilobits: null,
      });
    }
  }

  requestKeyFrame(format: LiveFormat): void {
    const inUse = this.#inUse.get(format);
    if (inUse) inUse.wantsKeyFrame = true;
  }

  setKilobits(format: LiveFormat, kilobits: number | null): void {
    const inUse = this.#inUse.get(format);
    if (!inUse || inUse.kilobits === kilobits) return;
    inUse.kilobits = kilobits;
    inUse.composer?.setKilobits(kilobits);
  }

  /**
   * Where to begin near a position, so that a decoder can begin there, too.
   * What fails shows with the first frame.
   */
  async startFor(position: number): Promise<number> {
    let start = position;
    for (const [format, inUse] of this.#inUse) {
      try {
        const composer = await this.#composerOf(format, inUse, position);
        if (composer) start = Math.min(start, await composer.startFor(position));
      } catch {
        inUse.composer?.close();
        inUse.composer = null;
      }
    }
    return start;
  }

  /**
   * The frame at a position in each format. What fails is told, and its
   * composer replaced: what it has sent before is unknown.
   */
  async compose(
    position: number,
    mouth: MouthRegion | null,
    onError: (format: LiveFormat, error: unknown) => void,
  ): Promise<Map<LiveFormat, ComposedFrame>> {
    const frames = new Map<LiveFormat, ComposedFrame>();
    const compose = async (format: LiveFormat, inUse: InUse) => {
      try {
        const composer = await this.#composerOf(format, inUse, position);
        if (!composer) return;
        const { wantsKeyFrame: keyFrame } = inUse;
        composer.readAhead(position);
        // Beside another format that is shown already it begins where a decoder can.
        if (!inUse.hasBegun && (await composer.startFor(position)) !== position) return;
        const frame = await composer.compose(position, mouth, { keyFrame });
        inUse.hasBegun = true;
        if (frame.isKeyFrame) inUse.wantsKeyFrame = false;
        frames.set(format, frame);
      } catch (error) {
        inUse.composer?.close();
        inUse.composer = null;
        inUse.hasBegun = false;
        inUse.wantsKeyFrame = true;
        onError(format, error);
      }
    };
    await Promise.all([...this.#inUse].map(([format, inUse]) => compose(format, inUse)));
    return frames;
  }

  /** Null when nobody watches the format any more. */
  async #composerOf(
    format: LiveFormat,
    inUse: InUse,
    position: number,
  ): Promise<FrameComposer | null> {
    if (inUse.composer) return inUse.composer;
    const composer = await this.#open(format);
    if (this.#inUse.get(format) !== inUse) {
      composer.close();
      return null;
    }
    composer.readAhead(position);
    if (inUse.kilobits !== null) composer.setKilobits(inUse.kilobits);
    inUse.composer = composer;
    return composer;
  }
}
