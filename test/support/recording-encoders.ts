import {
  type EncodedFrame,
  type EncoderFormat,
  VideoEncoderError,
  type WholeFrameEncoder,
  type WholeFrameEncoders,
} from "../../edge/speak/whole-frame-encoder.ts";

/** An encoder that keeps what it was given: its access units are bytes of no meaning. */
export class RecordingEncoder implements WholeFrameEncoder {
  readonly format: EncoderFormat;
  readonly pictures: Uint8Array[] = [];
  readonly keyFrames: boolean[] = [];
  isClosed = false;
  /** What the next picture meets. */
  failure: VideoEncoderError | null = null;

  constructor(format: EncoderFormat) {
    this.format = format;
  }

  async encode(picture: Uint8Array<ArrayBuffer>, keyFrame: boolean): Promise<EncodedFrame> {
    if (this.isClosed) throw new VideoEncoderError("closed", "an encoder was used on");
    this.pictures.push(picture.slice());
    this.keyFrames.push(keyFrame);
    if (this.failure) throw this.failure;
    return { parts: [Uint8Array.of(0, 0, 1, keyFrame ? 0x65 : 0x41, 1)], isKeyFrame: keyFrame };
  }

  close(): void {
    this.isClosed = true;
  }
}

export class RecordingEncoders implements WholeFrameEncoders {
  readonly opened: RecordingEncoder[] = [];

  open(format: EncoderFormat): RecordingEncoder {
    const encoder = new RecordingEncoder(format);
    this.opened.push(encoder);
    return encoder;
  }
}
