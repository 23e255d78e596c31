import { BitReader, rbspOf } from "./bit-reader.ts";
import { BitWriter } from "./bit-writer.ts";
import { NAL_SEQUENCE_PARAMETERS, nalUnit } from "./nal-unit.ts";

/** Profiles whose parameter sets speak of chroma (7.3.2.1.1). */
const WITH_CHROMA = [100, 110, 122, 244, 44, 83, 86, 118, 128];
const EXTENDED_ASPECT = 255;

/**
 * A sequence parameter set that says of its colours what ours say: BT.709 of
 * limited range. Where an encoder leaves that out, decoders guess, and guess
 * BT.601 for small pictures.
 * @param unit NAL unit of the byte stream, with its start code
 * @throws RangeError when it is cut off, or has scaling lists, which are not understood here
 */
export function declareColours(unit: Uint8Array): Uint8Array<ArrayBuffer> {
  const rbsp = rbspOf(unit);
  const reader = new BitReader(rbsp);
  const hasUsability = skipToUsability(reader);
  const writer = new BitWriter();
  const source = new BitReader(rbsp);
  // vui_parameters_present_flag, the last one read, is true from now on.
  copy(source, writer, reader.position - 1);
  writer.flag(true);
  if (!hasUsability) {
    writer.flag(false); // aspect_ratio_info_present_flag
    writer.flag(false); // overscan_info_present_flag
    putColours(writer);
    writer.put(0, 6); // chroma location, timing, HRD twice, pic_struct, restriction: nothing
    return nalUnit(NAL_SEQUENCE_PARAMETERS, writer.end());
  }
  source.take(1);
  skipAspect(reader);
  copy(source, writer, reader.position);
  putColours(writer);
  skipColours(reader);
  source.take(reader.position - source.position);
  copy(source, writer, endOf(rbsp));
  return nalUnit(NAL_SEQUENCE_PARAMETERS, writer.end());
}

/** Up to behind vui_parameters_present_flag, whose value it is. */
function skipToUsability(reader: BitReader): boolean {
  const profile = reader.take(8);
  reader.take(16); // constraint sets and level
  reader.ue(); // seq_parameter_set_id
  if (WITH_CHROMA.includes(profile)) skipChroma(reader);
  reader.ue(); // log2_max_frame_num_minus4
  const order = reader.ue(); // pic_order_cnt_type
  if (order === 0) reader.ue();
  else if (order === 1) throw new RangeError("pic_order_cnt_type 1 is not understood here");
  reader.ue(); // max_num_ref_frames
  reader.take(1);
  reader.ue(); // pic_width_in_mbs_minus1
  reader.ue(); // pic_height_in_map_units_minus1
  if (reader.take(1) === 0) reader.take(1); // frame_mbs_only_flag
  reader.take(1); // direct_8x8_inference_flag
  if (reader.take(1) === 1) for (let side = 0; side < 4; side++) reader.ue();
  return reader.take(1) === 1;
}

function skipChroma(reader: BitReader): void {
  if (reader.ue() === 3) reader.take(1); // chroma_format_idc
  reader.ue(); // bit_depth_luma_minus8
  reader.ue(); // bit_depth_chroma_minus8
  reader.take(1);
  if (reader.take(1) === 1) throw new RangeError("scaling lists are not understood here");
}

/** Aspect ratio and overscan (E.1.1). */
function skipAspect(reader: BitReader): void {
  if (reader.take(1) === 1 && reader.take(8) === EXTENDED_ASPECT) reader.take(32);
  if (reader.take(1) === 1) reader.take(1);
}

function skipColours(reader: BitReader): void {
  if (reader.take(1) === 0) return;
  reader.take(4);
  if (reader.take(1) === 1) reader.take(24);
}

/** video_signal_type_present_flag and what follows it, as in our own streams. */
export function putColours(bits: BitWriter): void {
  bits.flag(true); // video_signal_type_present_flag
  bits.put(5, 3); // video_format: unspecified
  bits.flag(false); // video_full_range_flag
  bits.flag(true); // colour_description_present_flag
  bits.put(1, 8); // colour_primaries: BT.709
  bits.put(1, 8); // transfer_characteristics: BT.709
  bits.put(1, 8); // matrix_coefficients: BT.709
}

function copy(from: BitReader, to: BitWriter, end: number): void {
  while (from.position < end) to.put(from.take(1), 1);
}

/** Position of rbsp_stop_one_bit: the last bit that is 1. */
function endOf(rbsp: Uint8Array): number {
  let last = rbsp.length - 1;
  while (rbsp[last] === 0) last--;
  const byte = rbsp[last] ?? 0;
  return 8 * last + 7 - (31 - Math.clz32(byte & -byte));
}
