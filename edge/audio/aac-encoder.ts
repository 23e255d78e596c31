import { SAMPLE_RATE } from "../../avatar/speech-timing.ts";
import { CodecError } from "./codecs/codec-error.ts";
import { CodecInstance, within } from "./codecs/codec-instance.ts";
import { SharedLibrary } from "./codecs/shared-library.ts";
import { library } from "./gen/aac.js";

/** Samples of an access unit of AAC-LC: 64 ms at 16 kHz. */
export const AAC_FRAME_SAMPLES = 1024;
/**
 * Samples that a decoder puts out before the first one of the input: the first
 * access unit only fills the overlap of the second (libavcodec: `initial_padding`).
 */
export const AAC_PRIMING_SAMPLES = 1024;

export interface AacEncoderOptions {
  /** Bits per second. Default 48,000; 16,000 to 64,000: it makes no use of more. */
  readonly bitrate?: number;
}

/** Speech to raw access units of AAC-LC (ISO/IEC 14496-3): mono, 16 kHz. Not for two calls at a time. */
export interface AacEncoder {
  /** The AudioSpecificConfig (14496-3, 1.6.2.1): what `esds` boxes and WebCodecs hold as description. */
  readonly config: Uint8Array<ArrayBuffer>;
  /**
   * @param samples `AAC_FRAME_SAMPLES` of 16-bit mono at 16 kHz
   * @returns the access units that are done; the coder keeps one or two back
   * @throws CodecError
   */
  encode(samples: Int16Array): Uint8Array<ArrayBuffer>[];
  /** What it kept back. It encodes no more after this. @throws CodecError */
  finish(): Uint8Array<ArrayBuffer>[];
  /** Gives its memory back. May be called again. */
  free(): void;
}

/** Transparent for speech of this band, and small beside the picture. */
const DEFAULT_BITRATE = 48_000;
const FLOAT_BYTES = 4;

const libavcodec = new SharedLibrary(library);

/** @throws CodecError */
export function createAacEncoder(options: AacEncoderOptions = {}): AacEncoder {
  return new Encoder(within(options.bitrate ?? DEFAULT_BITRATE, 16_000, 64_000));
}

class Encoder implements AacEncoder {
  readonly config: Uint8Array<ArrayBuffer>;
  readonly #codec = new CodecInstance(libavcodec, "close_encoder");
  readonly #input: number;
  /** Samples before the next frame. */
  #position = 0;

  constructor(bitrate: number) {
    try {
      this.#codec.create("init_encoder", 1, SAMPLE_RATE, bitrate);
      const frame = this.#codec.call("get_encoder_frame_size");
      if (frame !== AAC_FRAME_SAMPLES) {
        throw new CodecError("library_failed", `frames of ${frame} samples`);
      }
      const at = this.#codec.call("get_encoder_extradata");
      this.config = this.#codec.bytes(at, this.#codec.call("get_encoder_extradata_size")).slice();
      this.#input = this.#codec.call("get_encode_input_ptr", FLOAT_BYTES * AAC_FRAME_SAMPLES);
    } catch (error) {
      this.free();
      throw error;
    }
  }

  encode(samples: Int16Array): Uint8Array<ArrayBuffer>[] {
    if (samples.length !== AAC_FRAME_SAMPLES) {
      const message = `a frame takes ${AAC_FRAME_SAMPLES} samples, not ${samples.length}`;
      throw new CodecError("bad_input", message);
    }
    const { buffer, byteOffset } = this.#codec.bytes(this.#input, FLOAT_BYTES * AAC_FRAME_SAMPLES);
    const input = new Float32Array(buffer, byteOffset, AAC_FRAME_SAMPLES);
    for (let n = 0; n < AAC_FRAME_SAMPLES; n++) input[n] = samples[n]! / 32_768;
    this.#codec.call("send_frame", BigInt(this.#position));
    this.#position += AAC_FRAME_SAMPLES;
    return this.#receive();
  }

  finish(): Uint8Array<ArrayBuffer>[] {
    this.#codec.call("flush_encoder_start");
    return this.#receive();
  }

  free(): void {
    this.#codec.free();
  }

  #receive(): Uint8Array<ArrayBuffer>[] {
    const units: Uint8Array<ArrayBuffer>[] = [];
    for (let bytes = this.#codec.call("receive_packet"); bytes > 0; ) {
      units.push(this.#codec.bytes(this.#codec.call("get_encoded_data"), bytes).slice());
      bytes = this.#codec.call("receive_packet");
    }
    return units;
  }
}
