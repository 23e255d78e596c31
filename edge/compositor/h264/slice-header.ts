import { BitWriter } from "./bit-writer.ts";
import { FRAME_NUM_BITS, INITIAL_QP } from "./parameter-sets.ts";

/** What differs from slice to slice. */
export interface SliceHeader {
  /** first_mb_in_slice */
  readonly firstMacroblock: number;
  /** Whether the picture is an IDR picture: all of its slices are I slices then. */
  readonly isIdr: boolean;
  /** Modulo 2^`FRAME_NUM_BITS`. */
  readonly frameNum: number;
  /** Of an IDR picture: 0 or 1, which become idr_pic_id 1 and 2, as these have equally many bits. */
  readonly idrParity: number;
  /** SliceQPY */
  readonly qp: number;
  /** Whether the deblocking filter runs within slices. */
  readonly isDeblocked: boolean;
}

/** slice_header (ITU-T H.264, 7.3.3). */
export function sliceHeader(header: SliceHeader): BitWriter {
  const bits = new BitWriter();
  bits.ue(header.firstMacroblock);
  // slice_type: I or P. To say that it is that of the whole picture (7 or 5) takes 4 bits more.
  bits.ue(header.isIdr ? 2 : 0);
  bits.ue(0); // pic_parameter_set_id
  bits.put(header.frameNum, FRAME_NUM_BITS);
  if (header.isIdr) {
    bits.ue(1 + header.idrParity); // idr_pic_id
    bits.flag(false); // no_output_of_prior_pics_flag
    bits.flag(false); // long_term_reference_flag
  } else {
    bits.flag(false); // num_ref_idx_active_override_flag
    bits.flag(false); // ref_pic_list_modification_flag_l0
    bits.flag(false); // adaptive_ref_pic_marking_mode_flag
  }
  bits.se(header.qp - INITIAL_QP); // slice_qp_delta
  bits.ue(header.isDeblocked ? 2 : 1); // disable_deblocking_filter_idc
  if (header.isDeblocked) {
    bits.se(0); // slice_alpha_c0_offset_div2
    bits.se(0); // slice_beta_offset_div2
  }
  return bits;
}

/**
 * Says which picture a finished slice belongs to: sets frame_num and, of an
 * IDR picture, idr_pic_id where `sliceHeader` has put them.
 * @param rbsp is changed
 */
export function patchSlice(
  rbsp: Uint8Array,
  firstMacroblock: number,
  isIdr: boolean,
  frameNum: number,
  idrParity: number,
): void {
  const first = 2 * (31 - Math.clz32(firstMacroblock + 1)) + 1;
  // slice_type has 3 bits as I and 1 as P; pic_parameter_set_id has one.
  const at = first + (isIdr ? 3 : 1) + 1;
  setBits(rbsp, at, FRAME_NUM_BITS, frameNum);
  if (isIdr) setBits(rbsp, at + FRAME_NUM_BITS, 3, 2 + idrParity);
}

function setBits(bytes: Uint8Array, at: number, count: number, value: number): void {
  for (let bit = 0; bit < count; bit++) {
    const place = at + bit;
    const mark = 0x80 >> (place & 7);
    if ((value >>> (count - 1 - bit)) & 1) bytes[place >> 3]! |= mark;
    else bytes[place >> 3]! &= ~mark;
  }
}
