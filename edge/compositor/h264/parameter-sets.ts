import { BitWriter } from "./bit-writer.ts";
import { putColours } from "./declare-colours.ts";
import { chooseLevel, type Level } from "./levels.ts";

/** What a stream's parameter sets say. */
export interface StreamFormat {
  /** In samples; need not be a multiple of 16, but even: 4:2:0 is cropped by pairs. */
  readonly width: number;
  readonly height: number;
  readonly framesPerSecond: number;
  /** The rate that the level must allow. */
  readonly maxKilobitsPerSecond: number;
}

/** profile_idc 66 with constraint_set0 and 1: Constrained Baseline (A.2.1.1). */
const PROFILE_IDC = 66;
const CONSTRAINT_SETS = 0xc0;
/** Bits of frame_num: as few as there may be, as every slice has them, and boxes have many slices. */
export const FRAME_NUM_BITS = 4;
/** pic_init_qp of the picture parameter set: slices of this quantiser say so in one bit. */
export const INITIAL_QP = 30;

export function macroblockSize({ width, height }: Pick<StreamFormat, "width" | "height">): {
  readonly columns: number;
  readonly rows: number;
} {
  return { columns: Math.ceil(width / 16), rows: Math.ceil(height / 16) };
}

export function levelOf(format: StreamFormat): Level {
  const { columns, rows } = macroblockSize(format);
  return chooseLevel(columns, rows, format.framesPerSecond, format.maxKilobitsPerSecond);
}

/** As in RFC 6381, `avc1.42C01F`. */
export function codecString(format: StreamFormat): string {
  const bytes = [PROFILE_IDC, CONSTRAINT_SETS, levelOf(format).idc];
  const hex = bytes.map((byte) => byte.toString(16).padStart(2, "0")).join("");
  return `avc1.${hex.toUpperCase()}`;
}

/**
 * seq_parameter_set_data (ITU-T H.264, 7.3.2.1.1), as RBSP.
 * @throws RangeError for sizes that are odd or that no level allows
 */
export function sequenceParameterSet(format: StreamFormat): Uint8Array<ArrayBuffer> {
  const { width, height } = format;
  if (width % 2 !== 0 || height % 2 !== 0) {
    throw new RangeError(`${width}x${height}: both sides of a 4:2:0 picture have to be even`);
  }
  const { columns, rows } = macroblockSize(format);
  const bits = new BitWriter();
  bits.put(PROFILE_IDC, 8);
  bits.put(CONSTRAINT_SETS, 8);
  bits.put(levelOf(format).idc, 8);
  bits.ue(0); // seq_parameter_set_id
  bits.ue(FRAME_NUM_BITS - 4); // log2_max_frame_num_minus4
  bits.ue(2); // pic_order_cnt_type: output in the order of decoding
  bits.ue(1); // max_num_ref_frames
  bits.flag(false); // gaps_in_frame_num_value_allowed_flag
  bits.ue(columns - 1); // pic_width_in_mbs_minus1
  bits.ue(rows - 1); // pic_height_in_map_units_minus1
  bits.flag(true); // frame_mbs_only_flag
  bits.flag(true); // direct_8x8_inference_flag
  const cropRight = (columns * 16 - width) / 2;
  const cropBottom = (rows * 16 - height) / 2;
  const isCropped = cropRight > 0 || cropBottom > 0;
  bits.flag(isCropped); // frame_cropping_flag
  if (isCropped) {
    bits.ue(0);
    bits.ue(cropRight);
    bits.ue(0);
    bits.ue(cropBottom);
  }
  bits.flag(true); // vui_parameters_present_flag
  putUsability(bits);
  return bits.end();
}

/** vui_parameters (E.1.1): colours, and that no picture waits for another. */
function putUsability(bits: BitWriter): void {
  bits.flag(false); // aspect_ratio_info_present_flag
  bits.flag(false); // overscan_info_present_flag
  putColours(bits);
  bits.flag(false); // chroma_loc_info_present_flag
  bits.flag(false); // timing_info_present_flag: the container keeps time
  bits.flag(false); // nal_hrd_parameters_present_flag
  bits.flag(false); // vcl_hrd_parameters_present_flag
  bits.flag(false); // pic_struct_present_flag
  bits.flag(true); // bitstream_restriction_flag
  bits.flag(true); // motion_vectors_over_pic_boundaries_flag
  bits.ue(0); // max_bytes_per_pic_denom: no limit
  bits.ue(0); // max_bits_per_mb_denom: no limit
  bits.ue(8); // log2_max_mv_length_horizontal: 64 samples
  bits.ue(8); // log2_max_mv_length_vertical
  bits.ue(0); // max_num_reorder_frames
  bits.ue(1); // max_dec_frame_buffering
}

/** pic_parameter_set_rbsp (7.3.2.2). */
export function pictureParameterSet(): Uint8Array<ArrayBuffer> {
  const bits = new BitWriter();
  bits.ue(0); // pic_parameter_set_id
  bits.ue(0); // seq_parameter_set_id
  bits.flag(false); // entropy_coding_mode_flag: CAVLC
  bits.flag(false); // bottom_field_pic_order_in_frame_present_flag
  bits.ue(0); // num_slice_groups_minus1
  bits.ue(0); // num_ref_idx_l0_default_active_minus1
  bits.ue(0); // num_ref_idx_l1_default_active_minus1
  bits.flag(false); // weighted_pred_flag
  bits.put(0, 2); // weighted_bipred_idc
  bits.se(INITIAL_QP - 26); // pic_init_qp_minus26
  bits.se(0); // pic_init_qs_minus26
  bits.se(0); // chroma_qp_index_offset
  bits.flag(true); // deblocking_filter_control_present_flag
  bits.flag(false); // constrained_intra_pred_flag
  bits.flag(false); // redundant_pic_cnt_present_flag
  return bits.end();
}
