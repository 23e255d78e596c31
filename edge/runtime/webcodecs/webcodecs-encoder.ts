import { nalType, splitByteStream } from "../../compositor/h264/byte-stream.ts";
import { declareColours } from "../../compositor/h264/declare-colours.ts";
import { codecString } from "../../compositor/h264/parameter-sets.ts";
import {
  type EncodedFrame,
  type EncoderFormat,
  VideoEncoderError,
  type WholeFrameEncoder,
} from "../../speak/whole-frame-encoder.ts";
import type { MinorCollector } from "./minor-collector.ts";
import type { WebCodecs, WebCodecsChunk, WebCodecsEncoder } from "./webcodecs-module.ts";

export interface WebCodecsEncoderOptions {
  readonly webcodecs: WebCodecs;
  readonly format: EncoderFormat;
  readonly collector: MinorCollector;
  /** Longest wait for an access unit, in milliseconds. */
  readonly limitMs: number;
}

interface Pending extends PromiseWithResolvers<EncodedFrame> {
  /** Microseconds. */
  readonly timestamp: number;
}

/** nal_unit_type: parameter sets of the sequence and of pictures. */
const [SEQUENCE_PARAMETERS, PICTURE_PARAMETERS] = [7, 8];
const [SLICE, IDR_SLICE] = [1, 5];
/** Of the level; the encoder takes the one it needs. */
const LEVEL_KILOBITS = 1000;
/** Fewer are of no use, and x264 refuses some of them. */
const LEAST_KILOBITS = 32;
const COLOUR_SPACE = {
  primaries: "bt709",
  transfer: "bt709",
  matrix: "bt709",
  fullRange: false,
} as const;

/** x264, by @napi-rs/webcodecs. Its traps are told where they are stepped around. */
export class WebCodecsFrameEncoder implements WholeFrameEncoder {
  readonly #options: WebCodecsEncoderOptions;
  readonly #encoder: WebCodecsEncoder;
  readonly #frameUs: number;
  #pending: Pending | null = null;
  #frames = 0;
  /** What broke it, for those who ask on. */
  #failure: VideoEncoderError | null = null;

  /** @throws VideoEncoderError `failed` */
  constructor(options: WebCodecsEncoderOptions) {
    this.#options = options;
    const { webcodecs, format } = options;
    this.#frameUs = 1e6 / format.framesPerSecond;
    try {
      this.#encoder = new webcodecs.VideoEncoder({
        output: (chunk) => this.#take(chunk),
        error: (cause) => this.#fail("failed", `the video encoder broke: ${cause.message}`, cause),
      });
      this.#encoder.configure(configOf(format));
    } catch (cause) {
      const { width, height } = format;
      const message = `the video encoder cannot do ${width}x${height}: ${String(cause)}`;
      throw new VideoEncoderError("failed", message, { cause });
    }
  }

  async encode(picture: Uint8Array<ArrayBuffer>, keyFrame: boolean): Promise<EncodedFrame> {
    if (this.#failure) throw this.#failure;
    if (this.#pending) throw new TypeError("a picture before the one before it is encoded");
    const { limitMs, collector } = this.#options;
    const pending = { ...Promise.withResolvers<EncodedFrame>(), timestamp: this.#nextTimestamp() };
    this.#pending = pending;
    // It also keeps the process alive: the encoder's own threads do not.
    const timer = setTimeout(() => {
      const message = `the video encoder gave no frame for ${limitMs} ms: the edge has too much to do`;
      this.#fail("timeout", message);
    }, limitMs);
    try {
      this.#begin(picture, pending.timestamp, keyFrame);
      return await pending.promise;
    } finally {
      clearTimeout(timer);
      collector.count(picture.length);
    }
  }

  close(): void {
    this.#fail("closed", "the video encoder was closed");
  }

  #begin(picture: Uint8Array, timestamp: number, keyFrame: boolean): void {
    const { webcodecs, format } = this.#options;
    const { width: codedWidth, height: codedHeight } = format;
    const duration = this.#frameUs;
    const size = { format: "I420", codedWidth, codedHeight, timestamp, duration } as const;
    try {
      // Copies the picture. RGB would be converted as BT.601.
      const frame = new webcodecs.VideoFrame(picture, { ...size, colorSpace: COLOUR_SPACE });
      try {
        this.#encoder.encode(frame, { keyFrame });
      } finally {
        frame.close();
      }
    } catch (cause) {
      this.#fail("failed", `the video encoder took no frame: ${String(cause)}`, cause);
    }
  }

  #nextTimestamp(): number {
    return Math.round(this.#frames++ * this.#frameUs);
  }

  #take(chunk: WebCodecsChunk): void {
    const pending = this.#pending;
    // One that comes too late: its caller has been told.
    if (!pending || this.#failure) return;
    try {
      if (chunk.timestamp !== pending.timestamp) {
        throw new Error(`frame ${chunk.timestamp} us where ${pending.timestamp} us was due`);
      }
      const frame = toFrame(chunk);
      this.#pending = null;
      pending.resolve(frame);
    } catch (cause) {
      this.#fail("failed", `the video encoder gave no access unit: ${String(cause)}`, cause);
    }
  }

  /** The first failure is the one. */
  #fail(code: VideoEncoderError["code"], message: string, cause?: unknown): void {
    if (this.#failure) return;
    const failure = new VideoEncoderError(code, message, { cause });
    this.#failure = failure;
    this.#pending?.reject(failure);
    this.#pending = null;
    if (this.#encoder.state !== "closed") this.#encoder.close();
  }
}

function configOf({ width, height, framesPerSecond, kilobitsPerSecond }: EncoderFormat) {
  const size = { width, height, framesPerSecond, maxKilobitsPerSecond: LEVEL_KILOBITS };
  const bitrate = 1000 * Math.max(LEAST_KILOBITS, Math.round(kilobitsPerSecond ?? 0));
  return {
    // Baseline is what is asked for, High what comes: the stream's own sets tell.
    codec: codecString(size),
    width,
    height,
    framerate: framesPerSecond,
    // Without a limit x264's usual quality, crf 23.
    ...(kilobitsPerSecond === null
      ? ({ bitrateMode: "quantizer" } as const)
      : ({ bitrateMode: "constant", bitrate } as const)),
    // "realtime" would put a key frame every ten; x264 holds nothing back this way either.
    latencyMode: "quality",
    hardwareAcceleration: "prefer-software",
    avc: { format: "annexb" },
  } as const;
}

/** @throws Error when it is no access unit, or a key frame without its sets */
function toFrame(chunk: WebCodecsChunk): EncodedFrame {
  const bytes = new Uint8Array(chunk.byteLength);
  chunk.copyTo(bytes);
  const isKeyFrame = chunk.type === "key";
  const wanted = isKeyFrame ? [SEQUENCE_PARAMETERS, PICTURE_PARAMETERS, IDR_SLICE] : [SLICE];
  // What x264 says of itself is left out.
  const parts = splitByteStream(bytes).filter((unit) =>
    [SLICE, IDR_SLICE, SEQUENCE_PARAMETERS, PICTURE_PARAMETERS].includes(nalType(unit)),
  );
  const types = parts.map(nalType);
  if (!wanted.every((type) => types.includes(type))) {
    throw new Error(`NAL units ${types.join(",")} where ${wanted.join(",")} are due`);
  }
  return {
    parts: parts.map((unit) =>
      nalType(unit) === SEQUENCE_PARAMETERS ? declareColours(unit) : unit,
    ),
    isKeyFrame,
  };
}
