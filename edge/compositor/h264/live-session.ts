import type { Rectangle } from "../../../avatar/rectangle.ts";
import { AccessUnitWriter } from "./access-unit.ts";
import type { LivePart } from "./live-part.ts";
import { FRAME_NUM_BITS } from "./parameter-sets.ts";
import { PartPool, placeOf } from "./part-pool.ts";
import type { Picture } from "./picture.ts";
import { isSameLoop, Playhead } from "./playhead.ts";
import { RateControl, type RateTarget } from "./rate-control.ts";
import { patchSlice } from "./slice-header.ts";
import type { Slice } from "./slice-map.ts";
import type { CodedPicture, Group, Track, TrackFrame } from "./track.ts";

export interface SessionOptions {
  /** Position of the loop to begin near; the session begins at a key picture. Default 0. */
  readonly startAt?: number;
  /** Of D. Default: the track's own quantiser, whatever it costs. */
  readonly rate?: RateTarget;
  /**
   * When speech begins, published pictures since the last key picture are read
   * back, up to so many, so that D goes on from them: about 0.3 ms each for a band of 720p.
   * Beyond that, D begins intra, which costs a few KB once. Default 30.
   */
  readonly maxCatchUpFrames?: number;
  /** Where coders of D come from and go to. Default: one of its own. */
  readonly pool?: PartPool;
}

export interface FrameRequest {
  /** 8-bit RGB [region.height, region.width, 3] for the position's region; null when nobody speaks. */
  readonly mouth: Uint8Array | null;
  /** Asks for a key picture, which comes with the next position that has one. */
  readonly keyFrame?: boolean;
}

/** One picture, ready to go out. */
export interface AccessUnit {
  /**
   * NAL units of the byte stream (ITU-T H.264, annex B), each with its start
   * code: together the access unit. They are views of one piece of memory,
   * which is the caller's.
   */
  readonly parts: readonly Uint8Array<ArrayBuffer>[];
  /** Whether a decoder can begin here. */
  readonly isKeyFrame: boolean;
  /** Position of the loop that is shown, and the avatar's frame there. */
  readonly position: number;
  readonly frame: number;
  /** Quantiser of D where it was coded now; null where it is the published one. */
  readonly qp: number | null;
}

const DEFAULT_RATE: RateTarget = { kilobitsPerSecond: null, minQp: 10, maxQp: 45 };
const DEFAULT_CATCH_UP_FRAMES = 30;
/** Where D moves from group to group: that of the last one, and of the one before. */
const MAX_PARTS = 2;
const FRAME_NUMS = 2 ** FRAME_NUM_BITS;

/** Of D, what every viewer has: the published pictures, or what this session has coded. */
type Shown = "published" | "live";

/**
 * A stream of one viewer or of many who see the same: the published background
 * and, coded as they come, the mouths. Keeps the last picture of D and nothing
 * else of the past.
 */
export class LiveSession {
  readonly #playhead: Playhead;
  readonly #rate: RateControl;
  readonly #maxCatchUpFrames: number;
  /** Coders of D, by its size and place; none while nobody speaks. */
  readonly #parts = new Map<string, { readonly group: Group; readonly part: LivePart }>();
  readonly #pool: PartPool;
  #writer: AccessUnitWriter;
  /** The rendition that takes over at the next key picture. */
  #nextTrack: Track | null = null;
  #wantsKey = true;
  #frameNum = 0;
  #idrParity = 0;
  #shown: Shown = "published";
  #shownGroup: Group;
  /** Of the last key picture, within its group. */
  #keyIndex = 0;

  /** @throws RangeError when `startAt` is beyond the end of the loop */
  constructor(track: Track, options: SessionOptions = {}) {
    this.#playhead = new Playhead(track, options.startAt ?? 0);
    this.#writer = new AccessUnitWriter(track.format);
    const { framesPerSecond } = track.format;
    this.#rate = new RateControl(track.interQp, framesPerSecond, options.rate ?? DEFAULT_RATE);
    this.#maxCatchUpFrames = options.maxCatchUpFrames ?? DEFAULT_CATCH_UP_FRAMES;
    this.#shownGroup = this.#playhead.group;
    this.#pool = options.pool ?? new PartPool();
  }

  /** The position that `nextFrame` will show, and where its mouth belongs. */
  get next(): Pick<TrackFrame, "frame" | "region"> & { readonly position: number } {
    const { position, frame } = this.#playhead;
    return { frame: frame.frame, region: frame.region, position };
  }

  /**
   * D as every viewer has it now; null while it is the published one.
   * @internal
   */
  reconstruction(): { readonly live: Rectangle; readonly picture: Picture } | null {
    if (this.#shown === "published") return null;
    const group = this.#shownGroup;
    return { live: group.map.live, picture: this.#partOf(group).reconstruction() };
  }

  /** Moves D's rate, from the next frame on. */
  setRate(target: RateTarget): void {
    this.#rate.setTarget(target);
  }

  /** Moves D's quantiser, from the next frame on. */
  setQp(qp: number): void {
    this.#rate.setQp(qp);
  }

  /**
   * Moves to another rendition of the same loop, with the next key picture.
   * @throws RangeError when it is one of another loop
   */
  setTrack(track: Track): void {
    if (!isSameLoop(track, this.#playhead.track)) {
      throw new RangeError("a session can only move between renditions of one background");
    }
    this.#nextTrack = track;
  }

  /**
   * The next picture.
   * @throws RangeError when the mouth is not as large as the position's region
   * @throws PreparedFrameError when the track is damaged
   */
  nextFrame({ mouth, keyFrame = false }: FrameRequest): AccessUnit {
    const playhead = this.#playhead;
    if (keyFrame) this.#wantsKey = true;
    const isFirst = playhead.index === 0;
    const next = this.#nextTrack;
    if (next && (isFirst || playhead.frameOf(next).keyPicture !== null)) {
      this.#changeTrack(next);
      this.#wantsKey = true;
    }
    const isKeyFrame = isFirst || (this.#wantsKey && playhead.frame.keyPicture !== null);
    const { position, group, frame: here } = playhead;
    const { frame, region } = here;
    if (mouth && mouth.length !== region.width * region.height * 3) {
      throw new RangeError(
        `${mouth.length} bytes are no RGB mouth of ${region.width}x${region.height}`,
      );
    }
    if (isKeyFrame) {
      this.#wantsKey = false;
      this.#frameNum = 0;
      this.#idrParity ^= 1;
      this.#keyIndex = playhead.index;
    }
    const picture = isFirst || !isKeyFrame ? here.picture : here.keyPicture!;
    // Once something else than the published D was shown, its differences fit no more.
    const isPublished = mouth === null && (isKeyFrame || this.#shown === "published");
    // From here on nobody needs what has been coded.
    if (isPublished && isKeyFrame) this.close();
    let qp: number | null = null;
    let live: readonly Uint8Array[] = picture.idle;
    if (!isPublished) {
      const isGoingOn = !isKeyFrame && this.#isKnown(group);
      qp = this.#rate.choose(!isGoingOn);
      live = this.#partOf(group).code({
        track: playhead.track,
        group,
        index: playhead.index,
        mouth,
        type: isKeyFrame ? "IDR" : isGoingOn ? "P" : "P-intra",
        qp,
        frameNum: this.#frameNum,
        idrParity: this.#idrParity,
      });
      this.#rate.record(8 * live.reduce((sum, { length }) => sum + length, 0), !isGoingOn);
    }
    const parts = this.#put(group, picture, live, isPublished, isKeyFrame);
    this.#shown = isPublished ? "published" : "live";
    this.#shownGroup = group;
    this.#frameNum = (this.#frameNum + 1) % FRAME_NUMS;
    playhead.advance();
    return { parts, isKeyFrame, position, frame, qp };
  }

  /** Whether D as its viewers have it is known, or can be found out. */
  #isKnown(group: Group): boolean {
    if (this.#shown === "live") return true;
    const { index } = this.#playhead;
    if (index - this.#keyIndex > this.#maxCatchUpFrames) return false;
    return this.#partOf(group).followPublished(group, this.#keyIndex, index);
  }

  /** Puts the picture's slices together. */
  #put(
    { map }: Group,
    { fixed }: CodedPicture,
    live: readonly Uint8Array[],
    isPublished: boolean,
    isIdr: boolean,
  ): readonly Uint8Array<ArrayBuffer>[] {
    this.#writer.begin(isIdr);
    let nextFixed = 0;
    let nextLive = 0;
    for (const slice of map.slices) {
      const rbsp = slice.isLive ? live[nextLive++]! : fixed[nextFixed++]!;
      if (isPublished || !slice.isLive) this.#patch(rbsp, slice, isIdr);
      this.#writer.put(rbsp);
    }
    return this.#writer.finish();
  }

  /** Stored slices are shared by all sessions: what differs is set just before they go out. */
  #patch(rbsp: Uint8Array, { first }: Slice, isIdr: boolean): void {
    patchSlice(rbsp, first, isIdr, this.#frameNum, this.#idrParity);
  }

  #changeTrack(track: Track): void {
    this.#nextTrack = null;
    this.#playhead.setTrack(track);
    this.#writer = new AccessUnitWriter(track.format);
    this.#rate.setQp(track.interQp);
  }

  #partOf(group: Group): LivePart {
    const place = placeOf(group);
    const known = this.#parts.get(place);
    if (known) return known.part;
    const part = this.#pool.take(group);
    this.#parts.set(place, { group, part });
    // Where D moves from group to group.
    for (const [other, used] of this.#parts) {
      if (this.#parts.size <= MAX_PARTS) break;
      this.#parts.delete(other);
      this.#pool.give(used.group, used.part);
    }
    return part;
  }

  /** Ends the session: its memory is the pool's. */
  close(): void {
    for (const { group, part } of this.#parts.values()) this.#pool.give(group, part);
    this.#parts.clear();
    this.#shown = "published";
  }
}

/** Begins a session. */
export function openSession(track: Track, options: SessionOptions = {}): LiveSession {
  return new LiveSession(track, options);
}
