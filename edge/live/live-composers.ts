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
    for (const format of this.#inUse.keys()) {
      if (!formats.has(format)) this.#inUse.delete(format);
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
        inUse.composer ??= await this.#begin(format, inUse, position);
        start = Math.min(start, await inUse.composer.startFor(position));
      } catch {
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
        inUse.composer ??= await this.#begin(format, inUse, position);
        const { composer, wantsKeyFrame: keyFrame } = inUse;
        composer.readAhead(position);
        // Beside another format that is shown already it begins where a decoder can.
        if (!inUse.hasBegun && (await composer.startFor(position)) !== position) return;
        const frame = await composer.compose(position, mouth, { keyFrame });
        inUse.hasBegun = true;
        if (frame.isKeyFrame) inUse.wantsKeyFrame = false;
        frames.set(format, frame);
      } catch (error) {
        inUse.composer = null;
        inUse.hasBegun = false;
        inUse.wantsKeyFrame = true;
        onError(format, error);
      }
    };
    await Promise.all([...this.#inUse].map(([format, inUse]) => compose(format, inUse)));
    return frames;
  }

  async #begin(format: LiveFormat, { kilobits }: InUse, position: number): Promise<FrameComposer> {
    const composer = await this.#open(format);
    composer.readAhead(position);
    if (kilobits !== null) composer.setKilobits(kilobits);
    return composer;
  }
}
