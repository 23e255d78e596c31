import type { ComposedFrame } from "../speak/frame-composer.ts";
import { LiveError } from "./live-error.ts";
import type { LiveFormat, LiveFrame, LiveSound, LiveViewer, ViewerReport } from "./live-media.ts";

/** One person watches a session as a rule; somebody may look over his shoulder. */
export const MAX_VIEWERS = 4;
const RETRY_S = 5;

/** Those who watch a session, and what each of them can take. */
export class LiveAudience {
  /** With their bounds on video, in kilobits per second. */
  readonly #viewers = new Map<LiveViewer, number | null>();

  get size(): number {
    return this.#viewers.size;
  }

  get formats(): ReadonlySet<LiveFormat> {
    return new Set([...this.#viewers.keys()].map(({ format }) => format));
  }

  /** Of each, for operators. */
  get reports(): readonly { readonly format: LiveFormat; readonly report: ViewerReport | null }[] {
    return [...this.#viewers.keys()].map(({ format, report = null }) => ({ format, report }));
  }

  has(viewer: LiveViewer): boolean {
    return this.#viewers.has(viewer);
  }

  /** @throws LiveError `too_many` */
  add(viewer: LiveViewer): void {
    if (this.size >= MAX_VIEWERS) {
      throw new LiveError("too_many", `${MAX_VIEWERS} watch this session already`, RETRY_S);
    }
    this.#viewers.set(viewer, null);
  }

  remove(viewer: LiveViewer): void {
    this.#viewers.delete(viewer);
  }

  limit(viewer: LiveViewer, kilobits: number | null): void {
    if (this.has(viewer)) this.#viewers.set(viewer, kilobits);
  }

  /** Those who watch the same format see one stream, at the rate of the slowest; null: no bound. */
  kilobitsOf(format: LiveFormat): number | null {
    let least: number | null = null;
    for (const [viewer, limit] of this.#viewers) {
      if (viewer.format !== format || limit === null) continue;
      least = Math.min(limit, least ?? limit);
    }
    return least;
  }

  sound(sound: LiveSound): void {
    for (const viewer of this.#viewers.keys()) viewer.sound(sound);
  }

  /** Shows each the frame of his format, if there is one. @returns whether anybody saw one */
  show(
    frames: ReadonlyMap<LiveFormat, ComposedFrame>,
    moment: Pick<LiveFrame, "timestampMs" | "position" | "segment">,
  ): boolean {
    let isShown = false;
    for (const viewer of this.#viewers.keys()) {
      const { format } = viewer;
      const frame = frames.get(format);
      if (!frame) continue;
      isShown = true;
      viewer.frame({ format, parts: frame.parts, isKeyFrame: frame.isKeyFrame, ...moment });
    }
    return isShown;
  }

  interrupted(segment: number): void {
    for (const viewer of this.#viewers.keys()) viewer.interrupted(segment);
  }

  /** Nobody watches any more. */
  ended(reason: string): void {
    const viewers = [...this.#viewers.keys()];
    this.#viewers.clear();
    for (const viewer of viewers) viewer.ended(reason);
  }
}
