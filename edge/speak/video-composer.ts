import type { StoredTrack } from "../background/video-tracks.ts";
import { type LiveSession, openSession } from "../compositor/h264/live-session.ts";
import type { PartPool } from "../compositor/h264/part-pool.ts";
import type { MouthRegion } from "../core/core-client.ts";
import { checkRegion } from "./check-region.ts";
import type { ComposedFrame, ComposeOptions, FrameComposer } from "./frame-composer.ts";

/** The next group is read when so many frames of the present one are left: two seconds. */
const AHEAD_FRAMES = 50;
/** Of a limit, what the background may take where it moves most. */
const BACKGROUND_SHARE = 0.6;
/** Of a limit, what mouths get in any case. */
const LEAST_MOUTH_SHARE = 0.25;
/** Quantisers of a mouth whose rate is limited. */
const MIN_QP = 18;
const MAX_QP = 45;

/** An access unit per frame, spliced from a published track. */
export class VideoComposer implements FrameComposer {
  readonly #renditions: readonly StoredTrack[];
  readonly #pool: PartPool;
  readonly #now: () => number;
  #session: LiveSession | null = null;
  /** That the stream shows, the one that its next key frame begins, and the one that it should. */
  #track: StoredTrack;
  #next: StoredTrack;
  #wanted: StoredTrack;
  #kilobits: number | null = null;

  /**
   * @param renditions of one avatar, the finest first; for this composer alone
   * @param pool for all composers
   */
  constructor(renditions: readonly StoredTrack[], pool: PartPool, now: () => number) {
    const [finest] = renditions;
    if (!finest) throw new TypeError("a video without renditions");
    this.#renditions = renditions;
    this.#pool = pool;
    this.#now = now;
    this.#track = finest;
    this.#next = finest;
    this.#wanted = finest;
  }

  async startFor(position: number): Promise<number> {
    const track = this.#wanted;
    const place = position % track.length;
    const n = track.groupAt(place);
    const { frames } = await track.load(n);
    let back = 0;
    const index = place - track.startOf(n);
    while (back < index && frames[index - back]!.keyPicture === null) back++;
    return position - back;
  }

  readAhead(position: number): void {
    const track = this.#track;
    const n = track.groupAt(position % track.length);
    track.loadAhead(n);
    const end = track.startOf(n) + track.groups[n]!.length;
    const isNear = end - (position % track.length) <= AHEAD_FRAMES;
    if (isNear && track.groups.length > 1) track.loadAhead((n + 1) % track.groups.length);
  }

  async prewarm(position: number, frames: number): Promise<void> {
    const track = this.#wanted;
    const groups = [position, position + frames - 1].map((at) => track.groupAt(at % track.length));
    for (const n of new Set(groups)) await track.load(n);
  }

  async compose(
    position: number,
    mouth: MouthRegion | null,
    { keyFrame = false }: ComposeOptions = {},
  ): Promise<ComposedFrame> {
    const started = this.#now();
    const session = await this.#prepare(position);
    const { next } = session;
    if (next.position !== position % this.#track.length) {
      throw new RangeError(`position ${position} does not follow: ${next.position} is next`);
    }
    if (mouth) checkRegion(next.region, mouth);
    const splicing = this.#now();
    const unit = session.nextFrame({ mouth: mouth?.pixels ?? null, keyFrame });
    if (unit.isKeyFrame) this.#track = this.#next;
    const times = { backgroundMs: splicing - started, spliceMs: this.#now() - splicing };
    return { parts: unit.parts, isKeyFrame: unit.isKeyFrame, times };
  }

  setKilobits(limit: number | null): void {
    this.#kilobits = limit;
    const fits = (track: StoredTrack) =>
      limit === null || track.peakKilobits <= BACKGROUND_SHARE * limit;
    this.#wanted = this.#renditions.find(fits) ?? this.#renditions.at(-1)!;
    this.#session?.setRate(this.#mouthRate());
  }

  close(): void {
    this.#session?.close();
    this.#session = null;
  }

  /** What the next frame needs is there then. */
  async #prepare(position: number): Promise<LiveSession> {
    const place = position % this.#track.length;
    const n = this.#track.groupAt(place);
    const wanted = this.#wanted;
    // The other may take over here.
    await Promise.all([this.#track.load(n), this.#next.load(n), wanted.load(n)]);
    if (!this.#session) {
      this.#track = wanted;
      this.#next = wanted;
      const rate = this.#mouthRate();
      this.#session = openSession(wanted, { startAt: place, rate, pool: this.#pool });
    } else if (this.#next !== wanted) {
      this.#next = wanted;
      this.#session.setTrack(wanted);
    }
    return this.#session;
  }

  #mouthRate() {
    const limit = this.#kilobits;
    if (limit === null) return { kilobitsPerSecond: null, minQp: 10, maxQp: MAX_QP };
    const rest = limit - this.#wanted.peakKilobits;
    const kilobitsPerSecond = Math.max(rest, LEAST_MOUTH_SHARE * limit);
    return { kilobitsPerSecond, minQp: MIN_QP, maxQp: MAX_QP };
  }
}
