import assert from "node:assert/strict";
import { test } from "node:test";
import { seededRandom } from "../../../test/support/composite.ts";
import { AC_SYMBOLS, DC_SYMBOLS, huffmanTable, isHuffmanTable } from "./huffman-table.ts";

/** Length of each symbol's code. */
function lengthsOf(table: Uint8Array): Map<number, number> {
  const lengths = new Map<number, number>();
  let at = 16;
  for (let length = 1; length <= 16; length++) {
    for (let n = table[length - 1]!; n > 0; n--) lengths.set(table[at++]!, length);
  }
  return lengths;
}

test("every symbol has a code, whatever was counted, and no code has ones only", () => {
  const random = seededRandom(1);
  for (let n = 0; n < 60; n++) {
    const symbols = n % 2 === 0 ? AC_SYMBOLS : DC_SYMBOLS;
    // From no counts at all to ones that would ask for codes of more than 16 bits
    const counts = Uint32Array.from({ length: 256 }, () => 2 ** random(n % 32) - 1);
    const table = huffmanTable(counts, symbols);
    assert.ok(isHuffmanTable(table, symbols));
    const used = table.subarray(0, 16).reduce((sum, count, i) => sum + count * 2 ** -(i + 1), 0);
    assert.ok(used < 1);
    const lengths = lengthsOf(table);
    assert.deepEqual(
      [...lengths.keys()].sort((a, b) => a - b),
      symbols.toSorted((a, b) => a - b),
    );
    for (const a of symbols) {
      for (const b of symbols) {
        if (counts[a]! > Math.max(1, counts[b]!)) assert.ok(lengths.get(a)! <= lengths.get(b)!);
      }
    }
  }
});

test("codes are as short as Huffman's where he needs no more than 16 bits", () => {
  const counts = new Uint32Array(256);
  for (const symbol of DC_SYMBOLS) counts[symbol] = 2 ** symbol;
  const lengths = lengthsOf(huffmanTable(counts, DC_SYMBOLS));
  // A code for each power of two; the rarest shares its length with the reserved one.
  for (const symbol of DC_SYMBOLS) assert.equal(lengths.get(symbol), 12 - symbol);
});

test("what is no table is told from one", () => {
  const table = huffmanTable(new Uint32Array(256), DC_SYMBOLS);
  const changed = (index: number, value: number) => {
    const copy = table.slice();
    copy[index] = value;
    return copy;
  };
  assert.ok(!isHuffmanTable(changed(0, 3), DC_SYMBOLS));
  assert.ok(!isHuffmanTable(changed(15, 200), DC_SYMBOLS));
  assert.ok(!isHuffmanTable(changed(16, 12), DC_SYMBOLS));
  assert.ok(!isHuffmanTable(changed(16, table[17]!), DC_SYMBOLS));
});
