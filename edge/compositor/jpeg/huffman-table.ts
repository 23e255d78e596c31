/**
 * Huffman tables as a DHT segment has them (ITU-T T.81, B.2.4.2): 16 counts of
 * codes by length, then the symbols in the order of their codes.
 */
export type HuffmanTable = Uint8Array<ArrayBuffer>;

/** Categories of DC differences that 8-bit samples can have in a baseline file. */
export const DC_SYMBOLS: readonly number[] = Array.from({ length: 12 }, (_, size) => size);

/** End of block, 16 zeros, and each run of up to 15 zeros before each size of 1..10 bits. */
export const AC_SYMBOLS: readonly number[] = [
  0x00,
  0xf0,
  ...Array.from({ length: 160 }, (_, i) => (Math.trunc(i / 10) << 4) | ((i % 10) + 1)),
];

const MAX_CODE_BITS = 16;

/** Stands for the code of ones only, which JPEG reserves. */
const RESERVED = -1;

interface Node {
  readonly weight: number;
  /** A leaf's symbol, or the two nodes that were packed together. */
  readonly content: number | readonly [Node, Node];
}

/**
 * The best table for symbols of which any may come up, even those that did not.
 * @param counts how often each symbol occurs, by symbol
 * @param symbols that need a code
 */
export function huffmanTable(counts: Uint32Array, symbols: readonly number[]): HuffmanTable {
  const leaves: Node[] = symbols.map((content) => ({
    weight: Math.max(1, counts[content] ?? 0),
    content,
  }));
  // The most frequent one first; Array.sort is stable, so ties are no accident.
  leaves.sort((a, b) => b.weight - a.weight);
  const lengths = codeLengths([{ weight: 0, content: RESERVED }, ...leaves.toReversed()]);
  const table = new Uint8Array(MAX_CODE_BITS + symbols.length);
  const ordered = leaves.map(({ content }) => content as number);
  // Lengths rise as weights fall, so the order by weight is the order of codes.
  table.set(ordered, MAX_CODE_BITS);
  for (const symbol of ordered) table[lengths.get(symbol)! - 1]! += 1;
  return table;
}

/**
 * Lengths of an optimal prefix code of limited length: the package-merge
 * algorithm (Larmore and Hirschberg 1990).
 * @param leaves by rising weight
 */
function codeLengths(leaves: readonly Node[]): Map<number, number> {
  let nodes = leaves;
  for (let bits = 1; bits < MAX_CODE_BITS; bits++) {
    const packages: Node[] = [];
    for (let i = 0; i + 1 < nodes.length; i += 2) {
      const pair = [nodes[i]!, nodes[i + 1]!] as const;
      packages.push({ weight: pair[0].weight + pair[1].weight, content: pair });
    }
    nodes = merge(leaves, packages);
  }
  const lengths = new Map<number, number>();
  const count = ({ content }: Node): void => {
    if (typeof content === "number") lengths.set(content, (lengths.get(content) ?? 0) + 1);
    else content.forEach(count);
  };
  nodes.slice(0, 2 * leaves.length - 2).forEach(count);
  return lengths;
}

function merge(a: readonly Node[], b: readonly Node[]): Node[] {
  const merged: Node[] = [];
  let i = 0;
  let j = 0;
  while (i < a.length || j < b.length) {
    const takesA = j >= b.length || (i < a.length && a[i]!.weight <= b[j]!.weight);
    merged.push(takesA ? a[i++]! : b[j++]!);
  }
  return merged;
}

/** Whether a table gives each of the symbols one code, and no code begins another. */
export function isHuffmanTable(table: Uint8Array, symbols: readonly number[]): boolean {
  let left = 1 << MAX_CODE_BITS;
  let codes = 0;
  for (const [i, count] of table.subarray(0, MAX_CODE_BITS).entries()) {
    left -= count << (MAX_CODE_BITS - 1 - i);
    codes += count;
  }
  // A code of ones only has to be free.
  if (left < 1 || codes !== symbols.length) return false;
  const present = new Set(table.subarray(MAX_CODE_BITS));
  return symbols.every((symbol) => present.has(symbol));
}
