import { SAMPLE_RATE } from "../../avatar/speech-timing.ts";
import { CodecError } from "./codecs/codec-error.ts";
import type { LibraryInstance } from "./codecs/emscripten.ts";
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
  readonly #library: LibraryInstance;
  /** The encoder's state; 0 when freed. */
  #state: number;
  #input: number;
  #output: number;

  constructor(options: Required<OpusEncoderOptions>) {
    this.#library = libopus.get();
    [this.#state, this.#input, this.#output] = [0, 0, 0];
    try {
      this.#input = this.#guard(() => this.#library.allocate(2 * OPUS_FRAME_SAMPLES));
      this.#output = this.#guard(() => this.#library.allocate(MAX_PACKET_BYTES));
      // The output is large enough for the error code that creating it writes.
      this.#state = this.#call("oc_create_encoder", SAMPLE_RATE, 1, APPLICATION_VOIP, this.#output);
      if (this.#state === 0) throw new CodecError("library_failed", "no memory for an encoder");
      this.setBitrate(options.bitrate);
      this.#set(SET_SIGNAL, SIGNAL_VOICE);
      this.#set(SET_COMPLEXITY, options.complexity);
      this.#set(SET_INBAND_FEC, options.fec ? 1 : 0);
      this.#set(SET_PACKET_LOSS_PERCENT, options.packetLossPercent);
      this.lookaheadSamples = this.#call("oc_encoder_ctl_get_lookahead", this.#state);
      this.preSkip = (this.lookaheadSamples * OPUS_FRAME_TICKS) / OPUS_FRAME_SAMPLES;
    } catch (error) {
      this.free();
      throw error;
    }
  }

  encode(samples: Int16Array): Uint8Array<ArrayBuffer> {
    this.#assertLive();
    if (samples.length !== OPUS_FRAME_SAMPLES) {
      const message = `a packet takes ${OPUS_FRAME_SAMPLES} samples, not ${samples.length}`;
      throw new CodecError("bad_input", message);
    }
    const { buffer, byteOffset, byteLength } = samples;
    this.#library
      .bytes(this.#input, byteLength)
      .set(new Uint8Array(buffer, byteOffset, byteLength));
    const length = this.#call(
      "oc_encode",
      this.#state,
      this.#input,
      OPUS_FRAME_SAMPLES,
      this.#output,
      MAX_PACKET_BYTES,
    );
    return this.#library.bytes(this.#output, length).slice();
  }

  setBitrate(bitrate: number): void {
    this.#assertLive();
    this.#set(SET_BITRATE, within(bitrate, 6_000, 128_000));
  }

  free(): void {
    const state = this.#state;
    this.#state = 0;
    if (state !== 0) this.#library.call("oc_destroy_encoder", state);
    for (const at of [this.#input, this.#output]) if (at !== 0) this.#library.free(at);
    [this.#input, this.#output] = [0, 0];
  }

  #assertLive(): void {
    if (this.#state === 0) throw new CodecError("freed", "this encoder was freed");
  }

  #set(setting: number, value: number): void {
    this.#call("oc_encoder_ctl", this.#state, setting, value);
  }

  /** @throws CodecError when libopus answers with one of its error codes, which are below 0 */
  #call(name: string, ...args: number[]): number {
    const result = this.#guard(() => this.#library.call(name, ...args));
    if (result < 0) throw new CodecError("library_failed", `${name} answers ${result}`);
    return result;
  }

  #guard(run: () => number): number {
    try {
      return run();
    } catch (cause) {
      // Its heap may be damaged, and freeing would touch it again.
      libopus.discard(this.#library);
      [this.#state, this.#input, this.#output] = [0, 0, 0];
      throw new CodecError("library_failed", "libopus stopped", { cause });
    }
  }
}

function within(value: number, least: number, most: number): number {
  if (Number.isInteger(value) && value >= least && value <= most) return value;
  throw new CodecError("bad_input", `${value} is no integer from ${least} to ${most}`);
}
