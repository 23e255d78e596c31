/** What to encode, and how. */
export interface EncoderFormat {
  readonly width: number;
  readonly height: number;
  readonly framesPerSecond: number;
  /** null: as many as a steady quality takes. */
  readonly kilobitsPerSecond: number | null;
}

/** An access unit. */
export interface EncodedFrame {
  /** Its NAL units (ITU-T H.264, annex B), each with its start code; parameter sets with every key frame. */
  readonly parts: readonly Uint8Array<ArrayBuffer>[];
  readonly isKeyFrame: boolean;
}

/**
 * Encodes the pictures of one stream, in the order in which they are shown and
 * without holding any back: no picture waits for one that comes after it.
 */
export interface WholeFrameEncoder {
  /**
   * One after the other. The first is a key frame.
   * @param picture I420, BT.709 of limited range; read before the call returns its promise
   * @throws VideoEncoderError, also when the encoder takes too long
   */
  encode(picture: Uint8Array<ArrayBuffer>, keyFrame: boolean): Promise<EncodedFrame>;
  /** Gives back what it holds. What is being encoded ends with an error. */
  close(): void;
}

/** Where a runtime has encoders. */
export interface WholeFrameEncoders {
  /** @throws VideoEncoderError `failed` when there is none of this format */
  open(format: EncoderFormat): WholeFrameEncoder;
}

/** What went wrong in an encoder. Closed: callers map each to their protocol. */
export type VideoEncoderErrorCode =
  /** It gave no access unit in time: the machine has too much to do, or it hangs. */
  | "timeout"
  /** It broke, or what it gave is not what was asked for. */
  | "failed"
  /** It was closed while it had something to do. */
  | "closed";

/** An encoder that cannot go on; another one may. */
export class VideoEncoderError extends Error {
  override readonly name = "VideoEncoderError";
  readonly code: VideoEncoderErrorCode;

  constructor(code: VideoEncoderErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.code = code;
  }
}
