import { Mp4Error } from "./mp4-error.ts";

/** nal_unit_type (ITU-T H.264, 7.3.1): the low bits of a NAL unit's first byte. */
const TYPE_BITS = 0x1f;
/** Table 7-1. */
const [SLICE, IDR_SLICE, SEQUENCE_PARAMETERS, PICTURE_PARAMETERS] = [1, 5, 7, 8];
const LENGTH_BYTES = 4;
/** profile_idc of those whose record says more. */
const HIGH = [100, 110, 122, 144];
/** chroma_format_idc 1, 8 bits twice, no extensions of the sequence parameter set. */
const HIGH_FORMAT = [0xfc | 1, 0xf8, 0xf8, 0];

/** An access unit as files hold it: slices with their lengths, parameter sets beside them. */
export interface AvcSample {
  readonly data: Uint8Array<ArrayBuffer>;
  /** Null where there are none. Views of the unit's parts. */
  readonly sequenceParameters: Uint8Array | null;
  readonly pictureParameters: Uint8Array | null;
}

/**
 * Takes an access unit of the byte stream apart. Parameter sets go into the
 * file's header alone (`avc1`): `avc3`, with sets in the samples, is unknown to
 * QuickTime and older Firefox.
 * @throws Mp4Error `bad_picture`
 */
export function avcSample(parts: readonly Uint8Array[]): AvcSample {
  const slices: Uint8Array[] = [];
  let sequenceParameters: Uint8Array | null = null;
  let pictureParameters: Uint8Array | null = null;
  for (const part of parts) {
    const unit = withoutStartCode(part);
    const type = unit[0]! & TYPE_BITS;
    if (type === SLICE || type === IDR_SLICE) slices.push(unit);
    else if (type === SEQUENCE_PARAMETERS) sequenceParameters = unit;
    else if (type === PICTURE_PARAMETERS) pictureParameters = unit;
  }
  if (slices.length === 0) throw new Mp4Error("bad_picture", "an access unit without slices");
  const bytes = slices.reduce((sum, { length }) => sum + LENGTH_BYTES + length, 0);
  const data = new Uint8Array(bytes);
  const numbers = new DataView(data.buffer);
  let at = 0;
  for (const slice of slices) {
    numbers.setUint32(at, slice.length);
    data.set(slice, at + LENGTH_BYTES);
    at += LENGTH_BYTES + slice.length;
  }
  return { data, sequenceParameters, pictureParameters };
}

/**
 * AVCDecoderConfigurationRecord (ISO/IEC 14496-15, 5.3.3.1.2), of 4:2:0 with 8 bits:
 * all that comes here is that, and the High profiles want it said.
 */
export function avcConfiguration(
  sequenceParameters: Uint8Array,
  pictureParameters: Uint8Array,
): Uint8Array<ArrayBuffer> {
  const [sets, pictures] = [sequenceParameters.length, pictureParameters.length];
  // Profile, constraints and level are the three bytes behind the NAL unit's header.
  const [, profile, constraints, level] = sequenceParameters;
  return Uint8Array.of(
    ...[1, profile!, constraints!, level!],
    0xfc | (LENGTH_BYTES - 1),
    0xe0 | 1,
    ...[sets >> 8, sets & 255, ...sequenceParameters],
    1,
    ...[pictures >> 8, pictures & 255, ...pictureParameters],
    ...(HIGH.includes(profile!) ? HIGH_FORMAT : []),
  );
}

/** As in RFC 6381, of a sequence parameter set without start code. */
export function avcCodec(sequenceParameters: Uint8Array): string {
  const hex = [...sequenceParameters.subarray(1, 4)].map((b) => b.toString(16).padStart(2, "0"));
  return `avc1.${hex.join("").toUpperCase()}`;
}

function withoutStartCode(part: Uint8Array): Uint8Array {
  let zeros = 0;
  while (part[zeros] === 0) zeros++;
  if (zeros < 2 || part[zeros] !== 1 || part.length < zeros + 2) {
    throw new Mp4Error("bad_picture", "a NAL unit without its start code");
  }
  return part.subarray(zeros + 1);
}
