import type { FrameTrackKind } from "../manifest.ts";
import type { Rectangle } from "../rectangle.ts";

/** A frame on its way into the tracks. */
export interface PlainFrame {
  readonly index: number;
  /** A PNG or JPEG file. */
  readonly file: Uint8Array<ArrayBuffer>;
  /** Of its mouth, within the frame. */
  readonly region: Rectangle;
}

/** Turns frames into entries of tracks. The same frame gives the same bytes everywhere. */
export interface TrackPreparer {
  /** Changes when the same frame would give other bytes: what was made before is not used then. */
  readonly version: string;
  /** Frames that can be prepared at the same time. */
  readonly parallel: number;
  /**
   * One entry per kind, in the order of `kinds`.
   * @throws AvatarError `invalid_avatar` when the frame cannot be read
   */
  prepare(frame: PlainFrame, kinds: readonly FrameTrackKind[]): Promise<Uint8Array<ArrayBuffer>[]>;
}
