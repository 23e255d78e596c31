import { AudioError } from "./audio-error.ts";

/** How samples lie in the bytes. */
export interface SampleFormat {
  readonly encoding: "int" | "float";
  /** 8, 16, 24 or 32; 32 or 64 for float. */
  readonly bits: number;
  readonly channels: number;
  /** Hz */
  readonly rate: number;
  readonly isLittleEndian: boolean;
}

const RATES = { lowest: 8000, highest: 96_000 };
const MAX_CHANNELS = 32;

/** @throws AudioError for a format that cannot be read */
export function checkSampleFormat(format: SampleFormat): SampleFormat {
  const { rate, channels, encoding, bits } = format;
  if (!Number.isInteger(rate) || rate < RATES.lowest || rate > RATES.highest) {
    throw new AudioError(
      "bad_rate",
      `a sample rate of ${rate} Hz cannot be used: send ${RATES.lowest} to ${RATES.highest} Hz, best 16000`,
    );
  }
  if (!Number.isInteger(channels) || channels < 1 || channels > MAX_CHANNELS) {
    throw new AudioError("bad_header", `${channels} channels cannot be mixed: send mono or stereo`);
  }
  const known = encoding === "int" ? [8, 16, 24, 32] : [32, 64];
  if (known.includes(bits)) return format;
  throw new AudioError(
    "unsupported_encoding",
    `${bits}-bit ${encoding} samples are not supported: send PCM of 8, 16, 24 or 32 bits, or 32-bit float`,
  );
}

export function blockBytes({ channels, bits }: SampleFormat): number {
  return (channels * bits) / 8;
}

/**
 * Whole sample blocks to mono.
 * @returns float64, -1..1; 16-bit values divided by 32768 exactly
 * @throws AudioError `not_finite`
 */
export function toMono(bytes: Uint8Array, format: SampleFormat): Float64Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const { channels, bits } = format;
  const step = bits / 8;
  const read = sampleReader(view, format);
  const mono = new Float64Array(Math.floor(bytes.length / (channels * step)));
  let offset = 0;
  for (let n = 0; n < mono.length; n++) {
    let sum = 0;
    for (let channel = 0; channel < channels; channel++, offset += step) sum += read(offset);
    mono[n] = sum / channels;
    if (!Number.isFinite(mono[n])) {
      throw new AudioError(
        "not_finite",
        `sample ${n} of a block is not a number: the audio is damaged, export it again`,
      );
    }
  }
  return mono;
}

function sampleReader(view: DataView, format: SampleFormat): (offset: number) => number {
  const { encoding, bits, isLittleEndian } = format;
  if (encoding === "float") {
    return bits === 32
      ? (offset) => view.getFloat32(offset, isLittleEndian)
      : (offset) => view.getFloat64(offset, isLittleEndian);
  }
  switch (bits) {
    case 8:
      // The one unsigned format of WAV.
      return (offset) => (view.getUint8(offset) - 128) / 128;
    case 16:
      return (offset) => view.getInt16(offset, isLittleEndian) / 32_768;
    case 24:
      return (offset) =>
        ((view.getInt8(offset + 2) << 16) | view.getUint16(offset, true)) / 8_388_608;
    default:
      return (offset) => view.getInt32(offset, isLittleEndian) / 2_147_483_648;
  }
}
