import { SAMPLE_RATE } from "../../avatar/speech-timing.ts";
import { CodecError } from "./codecs/codec-error.ts";
import { CodecInstance, within } from "./codecs/codec-instance.ts";
import { SharedLibrary } from "./codecs/shared-library.ts";
import { library } from "./gen/opus.js";

/** Samples of a packet: 20 ms at 16 kHz. */
export const OPUS_FRAME_SAMPLES = 320;
/** What a packet advances RTP time stamps and `dOps` times by: they count at 48 kHz (RFC 7587, 4.1). */
export const OPUS_FRAME_TICKS = 960;

export interface OpusEncoderOptions {
  /** Bits per second, on average. Default 28,000; 6,000 to 128,000. libopus: OPUS_SET_BITRATE. */
  readonly bitrate?: number;
  /**
   * Whether a packet holds a coarse copy of the one before, so that a receiver
   * can conceal one that was lost. Default true; of no use in files and over
   * TCP. libopus: OPUS_SET_INBAND_FEC.
   */
  readonly fec?: boolean;
  /** Share of packets expected to be lost, in percent; FEC takes its bits by it. Default 10; 0 to 100. */
  readonly packetLossPercent?: number;
  /** Effort, 0 to 10. Default 5: above it speech of this band hardly gains. libopus: OPUS_SET_COMPLEXITY. */
  readonly complexity?: number;
}

/** Speech to Opus packets (RFC 6716): mono, 16 kHz in, wideband, VoIP mode. Not for two calls at a time. */
export interface OpusEncoder {
  /**
   * Samples at 16 kHz that a decoder puts out before the first one of the
   * input: what is decoded is late by these.
   */
  readonly lookaheadSamples: number;
  /** The same at 48 kHz: the pre-skip of RFC 7845 and of the `dOps` box. */
  readonly preSkip: number;
  /**
   * @param samples `OPUS_FRAME_SAMPLES` of 16-bit mono at 16 kHz
   * @returns a packet of its own memory, up to 1,275 bytes
   * @throws CodecError
   */
  encode(samples: Int16Array): Uint8Array<ArrayBuffer>;
  /** Follows the network, from the next packet on. @throws CodecError */
  setBitrate(bitrate: number): void;
  /** Gives its memory back. May be called again. */
  free(): void;
}

// include/opus_defines.h
const APPLICATION_VOIP = 2048;
const SET_BITRATE = 4002;
const SET_COMPLEXITY = 4010;
const SET_INBAND_FEC = 4012;
const SET_PACKET_LOSS_PERCENT = 4014;
const SET_SIGNAL = 4024;
const SIGNAL_VOICE = 3001;

/** Speech at 16 kHz is transparent to most ears here, FEC included. */
const DEFAULT_BITRATE = 28_000;
const DEFAULT_PACKET_LOSS_PERCENT = 10;
const DEFAULT_COMPLEXITY = 5;
/** RFC 6716, 3.4: no frame is longer. One byte before it says what is in the packet. */
const MAX_PACKET_BYTES = 1276;

const libopus = new SharedLibrary(library);

/** @throws CodecError */
export function createOpusEncoder(options: OpusEncoderOptions = {}): OpusEncoder {
  return new Encoder({
    bitrate: options.bitrate ?? DEFAULT_BITRATE,
    fec: options.fec ?? true,
    packetLossPercent: within(options.packetLossPercent ?? DEFAULT_PACKET_LOSS_PERCENT, 0, 100),
    complexity: within(options.complexity ?? DEFAULT_COMPLEXITY, 0, 10),
  });
}

class Encoder implements OpusEncoder {
  readonly lookaheadSamples: number;
  readonly preSkip: number;
  readonly #codec = new CodecInstance(libopus, "oc_destroy_encoder");
  readonly #input: number;
  readonly #output: number;

  constructor(options: Required<OpusEncoderOptions>) {
    try {
      this.#input = this.#codec.allocate(2 * OPUS_FRAME_SAMPLES);
      this.#output = this.#codec.allocate(MAX_PACKET_BYTES);
      // It writes an error code, which the output has room for.
      this.#codec.create("oc_create_encoder", SAMPLE_RATE, 1, APPLICATION_VOIP, this.#output);
      this.setBitrate(options.bitrate);
      this.#set(SET_SIGNAL, SIGNAL_VOICE);
      this.#set(SET_COMPLEXITY, options.complexity);
      this.#set(SET_INBAND_FEC, options.fec ? 1 : 0);
      this.#set(SET_PACKET_LOSS_PERCENT, options.packetLossPercent);
      this.lookaheadSamples = this.#codec.call("oc_encoder_ctl_get_lookahead");
      this.preSkip = (this.lookaheadSamples * OPUS_FRAME_TICKS) / OPUS_FRAME_SAMPLES;
    } catch (error) {
      this.free();
      throw error;
    }
  }

  encode(samples: Int16Array): Uint8Array<ArrayBuffer> {
    if (samples.length !== OPUS_FRAME_SAMPLES) {
      const message = `a packet takes ${OPUS_FRAME_SAMPLES} samples, not ${samples.length}`;
      throw new CodecError("bad_input", message);
    }
    const { buffer, byteOffset, byteLength } = samples;
    const [input, output] = [this.#input, this.#output];
    this.#codec.bytes(input, byteLength).set(new Uint8Array(buffer, byteOffset, byteLength));
    const bytes = this.#codec.call(
      "oc_encode",
      input,
      OPUS_FRAME_SAMPLES,
      output,
      MAX_PACKET_BYTES,
    );
    return this.#codec.bytes(output, bytes).slice();
  }

  setBitrate(bitrate: number): void {
    this.#set(SET_BITRATE, within(bitrate, 6_000, 128_000));
  }

  free(): void {
    this.#codec.free();
  }

  #set(setting: number, value: number): void {
    this.#codec.call("oc_encoder_ctl", setting, value);
  }
}
