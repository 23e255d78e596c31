import type { MouthRegion } from "../core/core-client.ts";

/** A frame that is ready to go out. */
export interface ComposedFrame {
  /** A file or an access unit, in parts. Shared with other frames: do not write to them. */
  readonly parts: readonly Uint8Array<ArrayBuffer>[];
  /** Whether a decoder can begin here. */
  readonly isKeyFrame: boolean;
  /** What it cost, in milliseconds. */
  readonly times: ComposeTimes;
}

export interface ComposeTimes {
  /** Waiting for what was prepared of the background. */
  readonly backgroundMs: number;
  /** Putting the mouth in. */
  readonly spliceMs: number;
}

export interface ComposeOptions {
  /** Asks for a key frame, here or at the next position that can have one. */
  readonly keyFrame?: boolean;
}

/**
 * Makes the frames of one stream, one position of the background's loop after
 * the other. Used by one caller at a time.
 */
export interface FrameComposer {
  /**
   * Where a stream has to begin that is to show a position: the last one, not
   * after it, at which a decoder can begin. Images can begin anywhere.
   * @throws AvatarError, PreparedFrameError
   */
  startFor(position: number): Promise<number>;
  /**
   * Ends when what so many frames from a position on need is in memory.
   * @throws AvatarError, ImageError, PreparedFrameError
   */
  prewarm(position: number, frames: number, signal: AbortSignal): Promise<void>;
  /** Begins on what the frames from a position on need. */
  readAhead(position: number): void;
  /**
   * The frame at a position, which follows the one before.
   * @param mouth null when nobody speaks
   * @throws AvatarError, ImageError, PreparedFrameError; CoreCallError when the mouth belongs elsewhere
   */
  compose(
    position: number,
    mouth: MouthRegion | null,
    options?: ComposeOptions,
  ): Promise<ComposedFrame>;
  /** Bits for the mouth, in kilobits per second; null: as many as it takes. Images have no choice. */
  setKilobits(limit: number | null): void;
  /** Gives back what the stream holds. Nothing is composed after it; may be called again. */
  close(): void;
}
