import { AudioError } from "./audio-error.ts";
import type { ByteQueue } from "./byte-queue.ts";
import { blockBytes, checkSampleFormat, type SampleFormat } from "./sample-format.ts";

const FORMAT_PCM = 1;
const FORMAT_FLOAT = 3;
const FORMAT_EXTENSIBLE = 0xfffe;
/** Bytes of a `fmt ` chunk that matter: WAVEFORMATEXTENSIBLE. */
const FMT_BYTES = 40;
/** Bytes before the samples; beyond it this is not speech. */
const MAX_PREAMBLE_BYTES = 1024 * 1024;
/** Sizes that programs write when they do not know the length yet. */
const UNKNOWN_SIZES = [0xffffffff, 0x7ffff000, 0xffffff00, 0xffffffda];

export interface WavHeader {
  readonly format: SampleFormat;
  /** Bytes of samples; null when the file is as long as it is. */
  readonly dataBytes: number | null;
}

/** Other files that people send, by their first bytes. */
const OTHERS: readonly [string, (text: string) => boolean][] = [
  ["an MP3 file", (text) => text.startsWith("ID3") || /^\u00ff[\u00e0-\u00ff]/.test(text)],
  ["an Ogg file", (text) => text.startsWith("OggS")],
  ["a FLAC file", (text) => text.startsWith("fLaC")],
  ["an MP4 or M4A file", (text) => text.slice(4, 8) === "ftyp"],
  ["a WebM file", (text) => text.startsWith("\u001a\u0045\u00df\u00a3")],
];

/**
 * Reads a RIFF/WAVE file up to its samples; chunks may come in any order as
 * long as `fmt ` is before `data`, which is what the format demands.
 * @throws AudioError
 */
export async function readWavHeader(bytes: ByteQueue): Promise<WavHeader> {
  const riff = await bytes.read(12);
  checkRiff(riff);
  let format: SampleFormat | null = null;
  while (bytes.position < MAX_PREAMBLE_BYTES) {
    const head = await bytes.read(8);
    if (head.length === 0 && format) {
      throw new AudioError("empty", "the WAV file has no data chunk: it holds no sound");
    }
    if (head.length < 8) throw truncated("within its header");
    const id = latin1(head.subarray(0, 4));
    const size = new DataView(head.buffer).getUint32(4, true);
    if (id === "data") {
      if (!format) throw new AudioError("bad_header", "the data chunk comes before the fmt chunk");
      const isUnknown = UNKNOWN_SIZES.includes(size) || (size === 0 && isStreamed(riff));
      return { format, dataBytes: isUnknown ? null : size };
    }
    // Chunks are padded to even sizes.
    const padded = size + (size % 2);
    if (id === "fmt ") {
      const taken = Math.min(size, FMT_BYTES);
      format = readFormat(await bytes.read(taken), size);
      if (!(await bytes.skip(padded - taken))) throw truncated("within its fmt chunk");
    } else if (padded > MAX_PREAMBLE_BYTES || !(await bytes.skip(padded))) {
      throw truncated(`within its ${JSON.stringify(id)} chunk`);
    }
  }
  throw new AudioError("not_wav", "no samples within the first megabyte: send a plain WAV file");
}

function checkRiff(riff: Uint8Array): void {
  if (riff.length === 0) throw new AudioError("empty", "the body is empty: send a WAV file");
  const text = latin1(riff);
  const isWav = /^(RIFF|RF64)/.test(text) && text.slice(8, 12) === "WAVE";
  if (isWav) return;
  const other = OTHERS.find(([, matches]) => matches(text))?.[0] ?? "not a WAV file";
  if ("RIFF".startsWith(text.slice(0, 4)) && riff.length < 12) throw truncated("within its header");
  throw new AudioError("not_wav", `this is ${other}: send WAV (audio/wav) or raw audio/l16;rate=N`);
}

/** A size of 0 in the RIFF header too: the writer could not go back to fill it in. */
function isStreamed(riff: Uint8Array): boolean {
  const size = new DataView(riff.buffer).getUint32(4, true);
  return size === 0 || UNKNOWN_SIZES.includes(size);
}

function readFormat(bytes: Uint8Array, size: number): SampleFormat {
  if (bytes.length < 16 || bytes.length < Math.min(size, FMT_BYTES)) {
    throw truncated("within its fmt chunk");
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let tag = view.getUint16(0, true);
  if (tag === FORMAT_EXTENSIBLE) {
    if (bytes.length < FMT_BYTES) throw new AudioError("bad_header", "the fmt chunk is too short");
    // The first two bytes of the sub-format's GUID are a plain format tag.
    tag = view.getUint16(24, true);
  }
  if (tag !== FORMAT_PCM && tag !== FORMAT_FLOAT) {
    throw new AudioError(
      "unsupported_encoding",
      `WAV format ${tag} is compressed or unknown: send PCM or float`,
    );
  }
  const format = checkSampleFormat({
    encoding: tag === FORMAT_FLOAT ? "float" : "int",
    channels: view.getUint16(2, true),
    rate: view.getUint32(4, true),
    bits: view.getUint16(14, true),
    isLittleEndian: true,
  });
  const align = view.getUint16(12, true);
  if (align === blockBytes(format)) return format;
  throw new AudioError(
    "bad_header",
    `the fmt chunk says ${align} bytes per block, ${format.channels} channels of ${format.bits} bits need ${blockBytes(format)}`,
  );
}

function truncated(where: string): AudioError {
  return new AudioError("truncated", `the WAV file ends ${where}: it was cut off, send it again`);
}

function latin1(bytes: Uint8Array): string {
  return String.fromCharCode(...bytes);
}
