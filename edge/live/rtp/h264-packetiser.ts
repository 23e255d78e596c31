/** Bytes of a payload. With the headers of RTP, SRTP, UDP and IPv6 it stays under 1280, the least MTU of IPv6. */
export const MAX_PAYLOAD_BYTES = 1200;

/** NAL units in one aggregation packet: older receivers drop packets with 10 and more. */
const MAX_AGGREGATED = 9;

/** nal_unit_type of RFC 6184, table 3. */
const STAP_A = 24;
const FU_A = 28;

const FU_HEADER_BYTES = 2;
const STAP_HEADER_BYTES = 1;
const STAP_SIZE_BYTES = 2;

/**
 * The RTP payloads of one access unit in packetization mode 1 (RFC 6184): NAL
 * units by themselves, small ones together (STAP-A, 5.7.1), large ones in
 * fragments (FU-A, 5.8). The last payload's packet carries the marker bit.
 * @param parts NAL units of the byte stream, each with its start code
 * @throws RangeError when a part has no start code or nothing behind it
 */
export function packetiseAccessUnit(
  parts: readonly Uint8Array[],
  maxPayloadBytes = MAX_PAYLOAD_BYTES,
): Uint8Array[] {
  const payloads: Uint8Array[] = [];
  let group: Uint8Array[] = [];
  let groupBytes = STAP_HEADER_BYTES;
  const endGroup = () => {
    if (group.length > 0) payloads.push(group.length === 1 ? group[0]! : aggregate(group));
    group = [];
    groupBytes = STAP_HEADER_BYTES;
  };
  for (const part of parts) {
    const nal = withoutStartCode(part);
    if (nal.length > maxPayloadBytes) {
      endGroup();
      payloads.push(...fragment(nal, maxPayloadBytes));
      continue;
    }
    const bytes = STAP_SIZE_BYTES + nal.length;
    if (groupBytes + bytes > maxPayloadBytes || group.length === MAX_AGGREGATED) endGroup();
    group.push(nal);
    groupBytes += bytes;
  }
  endGroup();
  return payloads;
}

/** Removes start_code_prefix_one_3bytes, and the zeros before it (ITU-T H.264, B.1). */
function withoutStartCode(part: Uint8Array): Uint8Array {
  const one = part.indexOf(1);
  const isPrefix = (one === 2 || one === 3) && part.subarray(0, one).every((byte) => byte === 0);
  if (!isPrefix || part.length === one + 1) {
    throw new RangeError("a part of an access unit is no NAL unit with a start code");
  }
  return part.subarray(one + 1);
}

/** Its F bit is set if any unit's is, its NRI is the highest (RFC 6184, 5.7). */
function aggregate(nals: readonly Uint8Array[]): Uint8Array {
  const bytes = nals.reduce((sum, { length }) => sum + STAP_SIZE_BYTES + length, STAP_HEADER_BYTES);
  const payload = new Uint8Array(bytes);
  let forbidden = 0;
  let importance = 0;
  let at = STAP_HEADER_BYTES;
  for (const nal of nals) {
    forbidden |= nal[0]! & 0x80;
    importance = Math.max(importance, nal[0]! & 0x60);
    payload[at] = nal.length >> 8;
    payload[at + 1] = nal.length & 0xff;
    payload.set(nal, at + STAP_SIZE_BYTES);
    at += STAP_SIZE_BYTES + nal.length;
  }
  payload[0] = forbidden | importance | STAP_A;
  return payload;
}

/** Fragments of about the same size: a full one and a crumb would cost the same two packets. */
function fragment(nal: Uint8Array, maxPayloadBytes: number): Uint8Array[] {
  const header = nal[0]!;
  const body = nal.subarray(1);
  const count = Math.ceil(body.length / (maxPayloadBytes - FU_HEADER_BYTES));
  const size = Math.ceil(body.length / count);
  const payloads: Uint8Array[] = [];
  for (let from = 0; from < body.length; from += size) {
    const piece = body.subarray(from, from + size);
    const payload = new Uint8Array(FU_HEADER_BYTES + piece.length);
    const start = from === 0 ? 0x80 : 0;
    const end = from + size >= body.length ? 0x40 : 0;
    payload[0] = (header & 0xe0) | FU_A;
    payload[1] = start | end | (header & 0x1f);
    payload.set(piece, FU_HEADER_BYTES);
    payloads.push(payload);
  }
  return payloads;
}
