import type { Rectangle } from "../../../avatar/rectangle.ts";
import { softSides } from "../band.ts";
import { AccessUnitWriter } from "./access-unit.ts";
import { backgroundPicture } from "./encode-track.ts";
import { FRAME_NUM_BITS } from "./parameter-sets.ts";
import { PartCoder } from "./part-coder.ts";
import type { Picture } from "./picture.ts";
import { RateControl, type RateTarget } from "./rate-control.ts";
import { patchSlice } from "./slice-header.ts";
import type { Slice } from "./slice-map.ts";
import type { CodedPicture, Group, Track, TrackFrame } from "./track.ts";

export interface SessionOptions {
  /** Position of the loop to begin near; the session begins at a key picture. Default 0. */
  readonly startAt?: number;
  /** Of D. Default: the track's own quantiser, whatever it costs. */
  readonly rate?: RateTarget;
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
const FRAME_NUMS = 2 ** FRAME_NUM_BITS;

/** Of D, what every viewer has: the published pictures, or what this session has coded. */
type Shown = "published" | "live";

/**
 * A stream of one viewer or of many who see the same: the published background
 * and, coded as they come, the mouths. Keeps two pictures of D and nothing else
 * of the past.
 */
export class LiveSession {
  readonly #track: Track;
  readonly #writer: AccessUnitWriter;
  readonly #rate: RateControl;
  /** By the size and place of D: groups mostly have the same. */
  readonly #coders = new Map<string, PartCoder>();
  #groupIndex = 0;
  #frameIndex = 0;
  #wantsKey = true;
  #frameNum = 0;
  #idrParity = 0;
  #shown: Shown = "published";
  #shownGroup = 0;

  /** @throws RangeError when the track is empty */
  constructor(track: Track, options: SessionOptions = {}) {
    if (track.groups.every(({ frames }) => frames.length === 0)) {
      throw new RangeError("a track without frames cannot be played");
    }
    this.#track = track;
    this.#writer = new AccessUnitWriter(track.format);
    const { framesPerSecond } = track.format;
    this.#rate = new RateControl(track.interQp, framesPerSecond, options.rate ?? DEFAULT_RATE);
    // Taken now, so that no frame has to wait for memory.
    for (const group of track.groups) this.#coderOf(group);
    this.#seek(options.startAt ?? 0);
  }

  /** The position that `nextFrame` will show, and where its mouth belongs. */
  get next(): Pick<TrackFrame, "frame" | "region"> & { readonly position: number } {
    const { frame, region } = this.#here();
    return { frame, region, position: this.#position() };
  }

  /**
   * D as every viewer has it now; null while it is the published one.
   * @internal
   */
  reconstruction(): { readonly live: Rectangle; readonly picture: Picture } | null {
    if (this.#shown === "published") return null;
    const group = this.#track.groups[this.#shownGroup]!;
    return { live: group.map.live, picture: this.#coderOf(group).coder.reconstruction() };
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
   * The next picture.
   * @throws RangeError when the mouth is not as large as the position's region
   */
  nextFrame({ mouth, keyFrame = false }: FrameRequest): AccessUnit {
    const group = this.#track.groups[this.#groupIndex]!;
    const here = this.#here();
    const { frame, region } = here;
    if (mouth && mouth.length !== region.width * region.height * 3) {
      throw new RangeError(
        `${mouth.length} bytes are no RGB mouth of ${region.width}x${region.height}`,
      );
    }
    if (keyFrame) this.#wantsKey = true;
    const isFirst = this.#frameIndex === 0;
    const isKeyFrame = isFirst || (this.#wantsKey && here.keyPicture !== null);
    const picture = isFirst || !isKeyFrame ? here.picture : here.keyPicture!;
    if (isKeyFrame) {
      this.#wantsKey = false;
      this.#frameNum = 0;
      this.#idrParity ^= 1;
    }
    const position = this.#position();
    // Once something else than the published D was shown, its differences fit no more.
    const isPublished = mouth === null && (isKeyFrame || this.#shown === "published");
    this.#writer.begin(isKeyFrame);
    const qp = isPublished
      ? this.#putPublished(group, picture, isKeyFrame)
      : this.#putLive(group, here, picture, mouth, isKeyFrame);
    this.#shown = isPublished ? "published" : "live";
    this.#shownGroup = this.#groupIndex;
    this.#frameNum = (this.#frameNum + 1) % FRAME_NUMS;
    this.#advance();
    return { parts: this.#writer.finish(), isKeyFrame, position, frame, qp };
  }

  #putPublished(group: Group, picture: CodedPicture, isIdr: boolean): null {
    let fixed = 0;
    let idle = 0;
    for (const slice of group.map.slices) {
      this.#putStored(slice.isLive ? picture.idle[idle++]! : picture.fixed[fixed++]!, slice, isIdr);
    }
    return null;
  }

  #putLive(
    group: Group,
    here: TrackFrame,
    picture: CodedPicture,
    mouth: Uint8Array | null,
    isIdr: boolean,
  ): number {
    const live = this.#coderOf(group);
    live.coder.setSource(backgroundPicture(group, here), { x: 0, y: 0 });
    if (mouth) this.#placeMouth(live, group, here, mouth);
    live.coder.setHints(here.hints, mouth ? macroblocksOf(group, here) : null);
    const isIntra = isIdr || this.#shown === "published";
    const qp = this.#rate.choose(isIntra);
    const coded: Uint8Array[] = [];
    let bits = 0;
    live.code(
      {
        type: isIdr ? "IDR" : isIntra ? "P-intra" : "P",
        qp,
        effort: "live",
        frameNum: this.#frameNum,
        idrParity: this.#idrParity,
      },
      (rbsp) => {
        bits += rbsp.length * 8;
        coded.push(live.slices.length > 1 ? rbsp.slice() : rbsp);
      },
    );
    this.#rate.record(bits, isIntra);
    let fixed = 0;
    let own = 0;
    for (const slice of group.map.slices) {
      if (slice.isLive) this.#writer.put(coded[own++]!);
      else this.#putStored(picture.fixed[fixed++]!, slice, isIdr);
    }
    return qp;
  }

  #placeMouth(live: PartCoder, group: Group, here: TrackFrame, mouth: Uint8Array): void {
    const { region } = here;
    const { x, y } = group.map.live;
    const place = { ...region, x: region.x - x * 16, y: region.y - y * 16 };
    const { format, softEdge } = this.#track;
    live.coder.placeRgb(mouth, place, softEdge, softSides(format, region));
  }

  #putStored(rbsp: Uint8Array, slice: Slice, isIdr: boolean): void {
    // Stored slices are shared by all sessions; what differs is set just before they go out.
    patchSlice(rbsp, slice.first, isIdr, this.#frameNum, this.#idrParity);
    this.#writer.put(rbsp);
  }

  #coderOf(group: Group): PartCoder {
    const { x, y, width, height } = group.map.live;
    const key = `${x},${y},${width},${height}`;
    let coder = this.#coders.get(key);
    if (!coder) {
      coder = new PartCoder(group.map, "live");
      this.#coders.set(key, coder);
    }
    return coder;
  }

  #here(): TrackFrame {
    return this.#track.groups[this.#groupIndex]!.frames[this.#frameIndex]!;
  }

  #position(): number {
    let position = this.#frameIndex;
    for (const group of this.#track.groups.slice(0, this.#groupIndex)) {
      position += group.frames.length;
    }
    return position;
  }

  #advance(): void {
    const { groups } = this.#track;
    if (++this.#frameIndex < groups[this.#groupIndex]!.frames.length) return;
    this.#frameIndex = 0;
    this.#groupIndex = (this.#groupIndex + 1) % groups.length;
  }

  /** Goes to the last key picture that is not after a position. */
  #seek(position: number): void {
    let left = position;
    for (const [n, { frames }] of this.#track.groups.entries()) {
      if (left < frames.length) {
        this.#groupIndex = n;
        while (left > 0 && frames[left]!.keyPicture === null) left--;
        this.#frameIndex = left;
        return;
      }
      left -= frames.length;
    }
    throw new RangeError(`position ${position} is beyond the end of the loop`);
  }
}

/** Where the mouth is, among the macroblocks of D. */
function macroblocksOf({ map: { live } }: Group, { region }: TrackFrame): Rectangle {
  const x = Math.floor(region.x / 16);
  const y = Math.floor(region.y / 16);
  const width = Math.ceil((region.x + region.width) / 16) - x;
  const height = Math.ceil((region.y + region.height) / 16) - y;
  return { x: x - live.x, y: y - live.y, width, height };
}

/** Begins a session. */
export function openSession(track: Track, options: SessionOptions = {}): LiveSession {
  return new LiveSession(track, options);
}
