/** nal_unit_type (ITU-T H.264, Table 7-1) behind nal_ref_idc: the first byte of a NAL unit. */
export const NAL_SLICE = 0x41;
export const NAL_IDR_SLICE = 0x65;
export const NAL_SEQUENCE_PARAMETERS = 0x67;
export const NAL_PICTURE_PARAMETERS = 0x68;

/** Of Annex B: zero_byte and start_code_prefix_one_3bytes. */
export const START_CODE_BYTES = 4;

/** Bytes that a NAL unit of the byte stream has at most. */
export function maxNalBytes(rbspBytes: number): number {
  return START_CODE_BYTES + 2 + Math.ceil(rbspBytes * 1.5);
}

/**
 * Writes a NAL unit of the byte stream (clauses 7.3.1 and B.1): a byte 3 goes
 * between two zeros and any byte up to 3, so that no start code appears within.
 * @param header its first byte
 * @returns where it ends
 */
export function putNalUnit(out: Uint8Array, at: number, header: number, rbsp: Uint8Array): number {
  out[at] = 0;
  out[at + 1] = 0;
  out[at + 2] = 0;
  out[at + 3] = 1;
  out[at + 4] = header;
  let to = at + 5;
  let from = 0;
  while (from < rbsp.length) {
    // Runs without a zero are copied whole; zeros are rare.
    let zero = rbsp.indexOf(0, from);
    if (zero < 0) zero = rbsp.length;
    out.set(rbsp.subarray(from, zero), to);
    to += zero - from;
    from = zero;
    for (let zeros = 0; from < rbsp.length; from++) {
      const byte = rbsp[from]!;
      if (zeros === 2 && byte <= 3) {
        out[to++] = 3;
        zeros = 0;
      }
      if (byte !== 0) break;
      out[to++] = 0;
      zeros++;
    }
    if (from < rbsp.length) out[to++] = rbsp[from++]!;
  }
  return to;
}

/** A NAL unit of the byte stream by itself. */
export function nalUnit(header: number, rbsp: Uint8Array): Uint8Array<ArrayBuffer> {
  const out = new Uint8Array(maxNalBytes(rbsp.length));
  return out.slice(0, putNalUnit(out, 0, header, rbsp));
}
