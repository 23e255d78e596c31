import { SAMPLE_RATE } from "../../avatar/speech-timing.ts";
import { AudioError } from "./audio-error.ts";
import { ByteQueue } from "./byte-queue.ts";
import { readL16Format } from "./l16.ts";
import { Resampler } from "./resampler.ts";
import { blockBytes, type SampleFormat, toMono } from "./sample-format.ts";
import { readWavHeader } from "./wav-header.ts";

/** Ten minutes. */
const DEFAULT_MAX_SAMPLES = 600 * SAMPLE_RATE;
/** Samples are converted in pieces of this many bytes. */
const PIECE_BYTES = 64 * 1024;

const WAV_TYPES = ["audio/wav", "audio/x-wav", "audio/wave", "audio/vnd.wave"];

export interface DecodeOptions {
  /** Longest utterance in samples at 16 kHz; default ten minutes. */
  readonly maxSamples?: number;
  /** Bytes of the whole body, where known: a file that was cut off is told at once. */
  readonly contentLength?: number;
}

/**
 * Speech as it comes over HTTP to 16-bit mono at 16 kHz, while it arrives.
 * 16-bit mono at 16 kHz passes unchanged.
 *
 * @param contentType `audio/wav` and its aliases, or `audio/l16;rate=N`
 * @throws AudioError
 */
export async function* decodeSpeech(
  body: AsyncIterable<Uint8Array>,
  contentType: string,
  options: DecodeOptions,
): AsyncGenerator<Int16Array> {
  const type = contentType.split(";")[0]?.trim().toLowerCase() ?? "";
  const isWav = WAV_TYPES.includes(type);
  if (!isWav && type !== "audio/l16") {
    throw new AudioError(
      "unsupported_type",
      `content type ${JSON.stringify(type.slice(0, 60))} is not supported: send audio/wav or audio/l16;rate=16000`,
    );
  }
  const queue = new ByteQueue(body);
  try {
    const { format, dataBytes } = isWav
      ? await readWavHeader(queue)
      : { format: readL16Format(contentType), dataBytes: null };
    checkLength(dataBytes, queue.position, options.contentLength);
    const { maxSamples = DEFAULT_MAX_SAMPLES } = options;
    // What says so in its header is refused before anything is done about it.
    const announced = ((dataBytes ?? 0) / blockBytes(format) / format.rate) * SAMPLE_RATE;
    if (announced > maxSamples + 1) throw tooLong(maxSamples);
    yield* decodeSamples(queue, format, dataBytes, maxSamples);
  } finally {
    await queue.close();
  }
}

async function* decodeSamples(
  queue: ByteQueue,
  format: SampleFormat,
  dataBytes: number | null,
  maxSamples: number,
): AsyncGenerator<Int16Array> {
  const resampler = format.rate === SAMPLE_RATE ? null : new Resampler(format.rate);
  let total = 0;
  const finish = (samples: Float64Array): Int16Array => {
    total += samples.length;
    if (total > maxSamples) throw tooLong(maxSamples);
    return toInt16(samples);
  };
  for await (const block of readBlocks(queue, blockBytes(format), dataBytes)) {
    const mono = toMono(block, format);
    const samples = finish(resampler ? resampler.push(mono) : mono);
    if (samples.length > 0) yield samples;
  }
  if (resampler) {
    const samples = finish(resampler.flush());
    if (samples.length > 0) yield samples;
  }
  if (total === 0)
    throw new AudioError("empty", "the audio has no samples: there is nothing to say");
}

/** Pieces of whole sample blocks, as they arrive. */
async function* readBlocks(
  queue: ByteQueue,
  size: number,
  dataBytes: number | null,
): AsyncGenerator<Uint8Array> {
  let left = dataBytes ?? Number.POSITIVE_INFINITY;
  let rest = new Uint8Array(0);
  while (left > 0) {
    const part = await queue.take(Math.min(PIECE_BYTES, left));
    if (!part) break;
    left -= part.length;
    const bytes = new Uint8Array(rest.length + part.length);
    bytes.set(rest);
    bytes.set(part, rest.length);
    const whole = bytes.length - (bytes.length % size);
    if (whole > 0) yield bytes.subarray(0, whole);
    rest = bytes.slice(whole);
  }
  if (rest.length > 0 || (dataBytes !== null && left > 0)) {
    const missing = dataBytes === null ? size - rest.length : Math.max(left, size - rest.length);
    throw cutOff(missing);
  }
}

function checkLength(dataBytes: number | null, position: number, length: number | undefined): void {
  if (dataBytes === null || length === undefined) return;
  const missing = position + dataBytes - length;
  if (missing > 0) throw cutOff(missing);
}

function cutOff(missing: number): AudioError {
  return new AudioError(
    "truncated",
    `the audio was cut off: ${missing} bytes are missing at its end, send it again`,
  );
}

function tooLong(maxSamples: number): AudioError {
  return new AudioError(
    "too_long",
    `the speech is longer than ${maxSamples / SAMPLE_RATE} seconds (limits.max_speech_s): send it in parts`,
  );
}

function toInt16(samples: Float64Array): Int16Array {
  const to = new Int16Array(samples.length);
  for (let n = 0; n < to.length; n++) {
    to[n] = Math.max(-32_768, Math.min(32_767, Math.round(samples[n]! * 32_768)));
  }
  return to;
}
