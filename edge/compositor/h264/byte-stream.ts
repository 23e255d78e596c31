/**
 * The NAL units of a piece of the byte stream (ITU-T H.264, annex B), each with
 * its start code. Views of `bytes`; what is before the first one is left out.
 */
export function splitByteStream(bytes: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer>[] {
  const starts: number[] = [];
  for (let at = 0; at + 3 <= bytes.length; ) {
    const third = bytes[at + 2]!;
    if (third > 1) at += 3;
    else if (third === 1 && bytes[at] === 0 && bytes[at + 1] === 0) {
      // The zero_byte of the longer form belongs to what follows it.
      starts.push(at > 0 && bytes[at - 1] === 0 ? at - 1 : at);
      at += 3;
    } else at++;
  }
  return starts.map((start, n) => bytes.subarray(start, starts[n + 1] ?? bytes.length));
}

/** nal_unit_type (7.3.1) of a unit with its start code. */
export function nalType(unit: Uint8Array): number {
  return unit[unit.indexOf(1) + 1]! & 0x1f;
}
