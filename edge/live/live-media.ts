/** What a live session sends to whoever watches it, and what they may ask of it. */

/** How the frames of a live session are coded. */
export type LiveFormat = "h264" | "jpeg";

/** One picture of a live session. */
export interface LiveFrame {
  readonly format: LiveFormat;
  /**
   * H.264: the NAL units of one access unit, each with its start code (annex B).
   * JPEG: a file, in pieces. Shared with others: do not write to them.
   */
  readonly parts: readonly Uint8Array<ArrayBuffer>[];
  /** Whether a decoder can begin here; true for every JPEG frame. */
  readonly isKeyFrame: boolean;
  /** When it is to be shown, on the session's clock: a multiple of 40. */
  readonly timestampMs: number;
  /** Position of the background's loop, in frames. */
  readonly position: number;
  /** Of the speech segment whose mouth it shows; null while nobody speaks. */
  readonly segment: number | null;
}

/** A piece of what the avatar says. Nothing is sent while it is silent. */
export interface LiveSound {
  /** 16-bit mono, 16 kHz. */
  readonly samples: Int16Array;
  /** Of the first sample, on the session's clock. */
  readonly timestampMs: number;
  readonly segment: number;
}

/** What operators are told of a viewer. */
export interface ViewerReport {
  /** Such as `websocket`, `webrtc` or `recording`. */
  readonly transport: string;
  /** Frames that his network was too slow for. */
  readonly droppedFrames: number;
}

/**
 * Somebody who watches. No method may block or throw: what cannot be sent now
 * is dropped by the viewer, which then asks for a key frame.
 */
export interface LiveViewer {
  readonly format: LiveFormat;
  /** As it is now. */
  readonly report?: ViewerReport;
  frame(frame: LiveFrame): void;
  sound(sound: LiveSound): void;
  /** Everything of segments up to this one that has not been shown or heard yet is void. */
  interrupted(segment: number): void;
  ended(reason: string): void;
}

/** What a viewer may ask of its session. */
export interface ViewerControl {
  /** The next picture that can be a key frame becomes one. */
  requestKeyFrame(): void;
  /** What may be sent from now on, in kilobits per second of video; null: no bound. */
  setVideoKilobits(limit: number | null): void;
  leave(): void;
}
