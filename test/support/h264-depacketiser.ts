import assert from "node:assert/strict";

/** Puts RTP payloads of H.264 together again (RFC 6184), and refuses what a strict receiver would. */
export function depacketise(payloads: readonly Uint8Array[]): Uint8Array[] {
  const nals: Uint8Array[] = [];
  let open: number[] | null = null;
  for (const payload of payloads) {
    const type = payload[0]! & 0x1f;
    if (type === 28) {
      const header = (payload[0]! & 0xe0) | (payload[1]! & 0x1f);
      const isStart = (payload[1]! & 0x80) !== 0;
      const isEnd = (payload[1]! & 0x40) !== 0;
      assert.ok(!(isStart && isEnd), "a NAL unit in one fragment");
      assert.equal(payload[1]! & 0x20, 0, "the reserved bit is set");
      assert.equal(open === null, isStart, "a fragment is out of place");
      open ??= [header];
      assert.equal(open[0], header);
      assert.ok(payload.length > 2, "an empty fragment");
      open.push(...payload.subarray(2));
      if (!isEnd) continue;
      nals.push(Uint8Array.from(open));
      open = null;
      continue;
    }
    assert.equal(open, null, "a NAL unit has no end");
    if (type !== 24) {
      assert.ok(type >= 1 && type <= 23, `a payload of type ${type}`);
      nals.push(payload);
      continue;
    }
    const units: Uint8Array[] = [];
    for (let at = 1; at < payload.length; ) {
      const size = payload[at]! * 256 + payload[at + 1]!;
      assert.ok(size > 0 && at + 2 + size <= payload.length, "a size beyond the packet");
      units.push(payload.subarray(at + 2, at + 2 + size));
      at += 2 + size;
    }
    assert.ok(units.length >= 2 && units.length <= 9, `${units.length} NAL units together`);
    const importance = Math.max(...units.map((nal) => nal[0]! & 0x60));
    assert.equal(payload[0]! & 0x60, importance);
    nals.push(...units);
  }
  assert.equal(open, null, "a NAL unit has no end");
  return nals;
}
