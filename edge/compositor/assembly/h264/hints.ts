// What the background's own coding decided about macroblocks of D, so that
// nothing has to be searched where no mouth is.
//
// A picture's hints are a kind per macroblock, u8, then the vectors of those
// that are inter and not skipped, int16 x and y for each of their partitions.
import {
  INTER_16X16,
  INTER_8X16,
  INTER_8X8,
  INTRA_4X4,
  mbHeight,
  mbWidth,
  recordOf,
  SKIP,
  VECTORS,
} from "./planes";

/** Nothing is known. */
export const NO_HINT: u8 = 0xff;
/** Marks a kind whose vectors are in the hints, but say nothing: a mouth is there. */
const COVERED: u8 = 0x80;

let kinds: usize = 0;
/** Of the next macroblock. */
let vectors: usize = 0;

/** @param at of a picture that begins; 0 for none */
export function setHints(at: usize): void {
  kinds = at;
  vectors = at + <usize>(mbWidth * mbHeight);
}

/** Partitions of a kind of macroblock. */
@inline
function partsOf(kind: u8): usize {
  if (kind == SKIP || kind >= INTRA_4X4) return 0;
  return kind == INTER_16X16 ? 1 : kind == INTER_8X8 ? 4 : 2;
}

/** Vectors of the macroblock that `nextHint` has told of. */
export let hintVectors: usize = 0;

/** The kind of a macroblock; they come in their order. */
export function nextHint(mb: i32): u8 {
  if (kinds == 0) return NO_HINT;
  const kind = load<u8>(kinds + mb);
  hintVectors = vectors;
  vectors += 4 * partsOf(kind & ~COVERED);
  return kind & COVERED ? NO_HINT : kind;
}

/** Writes the hints that the picture coded last gives. @returns bytes */
export function takeHints(out: usize): i32 {
  const count = mbWidth * mbHeight;
  let to = out + <usize>count;
  for (let mb = 0; mb < count; mb++) {
    const record = recordOf(mb);
    const kind = load<u8>(record);
    store<u8>(out + mb, kind);
    const parts = partsOf(kind);
    for (let part: usize = 0; part < parts; part++, to += 4) {
      // The first of the 4x4 blocks that the partition covers.
      const block = parts == 4 ? ((part & 2) << 2) + ((part & 1) << 1) : kind == INTER_8X16 ? 2 * part : 8 * part;
      store<i32>(to, load<i32>(record + 4 * block, VECTORS));
    }
  }
  return <i32>(to - out);
}

/** Bytes of the hints of a picture at most. */
export function maxHintBytes(width: i32, height: i32): i32 {
  return width * height * 17;
}
