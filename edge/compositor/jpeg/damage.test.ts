import assert from "node:assert/strict";
import { test } from "node:test";
import { randomFrame, seededRandom } from "../../../test/support/composite.ts";
import { decodeEntry, ENTRY_HEADER_BYTES } from "../prepared-entry.ts";
import { PreparedFrameError } from "../prepared-frame-error.ts";
import { readPreparedJpeg } from "./jpeg-frame.ts";
import { type JpegPrepareOptions, JpegPreparer } from "./jpeg-preparer.ts";
import { JpegSplicer } from "./jpeg-splicer.ts";
import { RECORDS_START, ROW_RECORD_BYTES } from "./live-part.ts";

const splicer = new JpegSplicer();
const region = { x: 12, y: 9, width: 20, height: 18 };

function entryOf(options: JpegPrepareOptions): Uint8Array<ArrayBuffer> {
  const frame = randomFrame(seededRandom(11), { width: 70, height: 40, channels: 3 }, "smooth");
  return new JpegPreparer().prepare(frame, region, options);
}

/** Splices the loudest mouth that fits. @returns bytes, or null when the entry is refused */
function tryToSplice(bytes: Uint8Array<ArrayBuffer>): number | null {
  try {
    const prepared = readPreparedJpeg(decodeEntry(bytes));
    const { width, height } = prepared.entry.region;
    const mouth = Uint8Array.from({ length: width * height * 3 }, (_, i) => (i * 2654435761) >> 8);
    const parts = splicer.splice(prepared, mouth);
    assert.ok(parts[1]!.length <= prepared.maxLiveBytes);
    return parts.reduce((sum, part) => sum + part.length, 0);
  } catch (error) {
    assert.ok(error instanceof PreparedFrameError, String(error));
    return null;
  }
}

for (const subsampling of ["4:2:0", "4:4:4"] as const) {
  test(`a damaged entry is refused, or gives a damaged picture (${subsampling})`, () => {
    const random = seededRandom(5);
    const entry = entryOf({ quality: 60, subsampling, softEdge: 3 });
    const live = ENTRY_HEADER_BYTES + decodeEntry(entry).head.length;
    const intact = tryToSplice(entry);
    let refused = 0;
    for (let n = 0; n < 3000; n++) {
      const damaged = entry.slice(0, random(6) === 0 ? random(entry.length) : entry.length);
      for (let flips = 1 + random(4); flips > 0 && damaged.length > 0; flips--) {
        // The numbers, the tables and records, or anything.
        const places = [
          [0, ENTRY_HEADER_BYTES],
          [live, 700],
          [0, damaged.length],
        ] as const;
        const [start, length] = places[random(3)]!;
        const at = (start + random(length)) % damaged.length;
        damaged[at]! ^= 1 << random(8);
      }
      if (tryToSplice(damaged) === null) refused++;
    }
    assert.ok(refused > 1000 && refused < 3000, `${refused} were refused`);
    // And the kernels still work.
    assert.equal(tryToSplice(entry), intact);
  });
}

test("lengths that move between the runs of a row cannot be told, and do no harm", () => {
  const entry = entryOf({ quality: 60, subsampling: "4:4:4", softEdge: 0 });
  const records = ENTRY_HEADER_BYTES + decodeEntry(entry).head.length + RECORDS_START;
  const view = new DataView(entry.buffer);
  const lengthAt = (row: number, run: number) => records + row * ROW_RECORD_BYTES + 4 * run;
  for (const [row, run] of [
    [0, 0],
    [1, 3],
  ] as const) {
    const bits = view.getUint32(lengthAt(row, run), true);
    const moved = Math.floor(bits / 64) * 64;
    view.setUint32(lengthAt(row, run), bits - moved, true);
    view.setUint32(lengthAt(0, 1), view.getUint32(lengthAt(0, 1), true) + moved, true);
  }
  assert.ok(tryToSplice(entry) !== null);
});

test("a length of 2^32 bits does not add up", () => {
  const entry = entryOf({ quality: 60, subsampling: "4:2:0", softEdge: 0 });
  const records = ENTRY_HEADER_BYTES + decodeEntry(entry).head.length + RECORDS_START;
  new DataView(entry.buffer).setUint32(records, 0xffffffff, true);
  assert.equal(tryToSplice(entry), null);
});
