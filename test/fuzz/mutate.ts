import type { SeededRandom } from "./random.ts";

/** Values at which lengths, counts and offsets go wrong. */
const EDGES = [0, 1, 2, 3, 255, 256, 8191, 8192, 8193, 65_535, 0x7fffffff, 0x80000000, 0xffffffff];
const MOST_MUTATIONS = 6;
const LONGEST_RUN = 64;

/** A damaged copy: a few things done to it that files and attackers do. */
export function mutate(source: Uint8Array, random: SeededRandom): Uint8Array<ArrayBuffer> {
  let bytes = new Uint8Array(source);
  for (let i = 1 + random.below(MOST_MUTATIONS); i > 0; i--) bytes = mutateOnce(bytes, random);
  return bytes;
}

function mutateOnce(bytes: Uint8Array<ArrayBuffer>, random: SeededRandom): Uint8Array<ArrayBuffer> {
  if (bytes.length === 0) return bytes;
  // Half of them near the start, where the structure is.
  const reach = random.below(2) === 0 ? Math.min(bytes.length, 128) : bytes.length;
  const at = random.below(reach);
  const run = Math.min(1 + random.below(LONGEST_RUN), bytes.length - at);
  const view = new DataView(bytes.buffer);
  const word = at & ~3;
  switch (random.below(9)) {
    case 0:
      bytes[at]! ^= 1 << random.below(8);
      return bytes;
    case 1:
      bytes[at] = random.below(256);
      return bytes;
    case 2:
      if (word + 4 <= bytes.length) view.setUint32(word, random.pick(EDGES), true);
      return bytes;
    case 3:
      // A little more or less than what is right.
      if (word + 4 <= bytes.length) {
        view.setUint32(word, view.getUint32(word, true) + random.below(9) - 4, true);
      }
      return bytes;
    case 4:
      return bytes.slice(0, at);
    case 5:
      return concat(bytes, new Uint8Array(run).fill(random.below(256)));
    case 6:
      return concat(bytes.subarray(0, at), bytes.subarray(at + run));
    case 7:
      return concat(bytes.subarray(0, at + run), bytes.subarray(at));
    default:
      bytes.copyWithin(at, random.below(bytes.length), bytes.length);
      return bytes;
  }
}

function concat(a: Uint8Array, b: Uint8Array): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(a.length + b.length);
  bytes.set(a);
  bytes.set(b, a.length);
  return bytes;
}
