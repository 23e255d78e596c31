import type { Rectangle } from "../../../avatar/rectangle.ts";
import type { StreamFormat } from "./parameter-sets.ts";
import type { SliceMap, SliceMode } from "./slice-map.ts";

/**
 * The slices of one picture, as RBSP without emulation prevention: their
 * frame_num and idr_pic_id are set when they go out. In the order of the
 * slices of the same part in the group's map.
 */
export interface CodedPicture {
  /** Of the background, what no mouth ever touches. */
  readonly fixed: readonly Uint8Array[];
  /** Of D, the background as it is when nobody speaks. */
  readonly idle: readonly Uint8Array[];
}

/** A position of the loop. */
export interface TrackFrame {
  /** Which frame of the avatar is shown. */
  readonly frame: number;
  /** The mouth, in samples of the picture. */
  readonly region: Rectangle;
  /** The picture: an IDR picture at the beginning of a group, otherwise a P picture. */
  readonly picture: CodedPicture;
  /** The same as an IDR picture in the middle of a group; null where there is none. */
  readonly keyPicture: CodedPicture | null;
  /** The source of D, nearly as it was: slices as those of the pictures, on their own. */
  readonly source: readonly Uint8Array[];
  /** Whether the source can be read without the one before. */
  readonly isSourceKey: boolean;
}

/** Frames from one IDR picture to the next. D is the same in all of them. */
export interface Group {
  readonly map: SliceMap;
  /** Number of frames. */
  readonly length: number;
  /** Of a group that is stored, to be touched only while it is loaded. */
  readonly frames: readonly TrackFrame[];
}

/** A background loop that is ready to speak, at one quality. */
export interface Track {
  readonly format: StreamFormat;
  readonly mode: SliceMode;
  /** Samples over which a mouth fades into the background. */
  readonly softEdge: number;
  /** Quantisers of the background, and those with which D begins. */
  readonly intraQp: number;
  readonly interQp: number;
  /** Played one after the other, then from the first again. */
  readonly groups: readonly Group[];
}

/** Frames of the loop. */
export function trackLength(track: Track): number {
  return track.groups.reduce((sum, group) => sum + group.length, 0);
}
