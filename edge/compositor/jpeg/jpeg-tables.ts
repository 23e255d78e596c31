import { AC_SYMBOLS, DC_SYMBOLS, huffmanTable, isHuffmanTable } from "./huffman-table.ts";
import { QUANTISATION_BYTES } from "./quantisation.ts";

/** The tables of one frame, as its file and its kernels have them. */
export interface JpegTables {
  /** 2 x 64 steps in the order of coding: luma, chroma. */
  readonly quantisation: Uint8Array<ArrayBuffer>;
  /** DC and AC of luma, DC and AC of chroma, one after the other. */
  readonly huffman: Uint8Array<ArrayBuffer>;
}

/** Bytes of a DC and of an AC table in the order of `JpegTables.huffman`. */
const TABLES = [DC_SYMBOLS, AC_SYMBOLS, DC_SYMBOLS, AC_SYMBOLS];
/** `Tc` and `Th` of a DHT segment: class and destination of each table. */
const IDENTIFIERS = [0x00, 0x10, 0x01, 0x11];
export const HUFFMAN_BYTES = TABLES.reduce((bytes, symbols) => bytes + 16 + symbols.length, 0);

/** @param counts [4, 256] how often each symbol occurs, in the order of `JpegTables.huffman` */
export function huffmanTables(counts: Uint32Array): Uint8Array<ArrayBuffer> {
  const tables = new Uint8Array(HUFFMAN_BYTES);
  let at = 0;
  for (const [i, symbols] of TABLES.entries()) {
    const table = huffmanTable(counts.subarray(256 * i, 256 * (i + 1)), symbols);
    tables.set(table, at);
    at += table.length;
  }
  return tables;
}

/** The tables one by one, each with its identifier in a DHT segment. */
export function splitHuffmanTables(huffman: Uint8Array<ArrayBuffer>) {
  let at = 0;
  return TABLES.map((symbols, i) => {
    const table = huffman.subarray(at, at + 16 + symbols.length);
    at += table.length;
    return { identifier: IDENTIFIERS[i]!, symbols, table };
  });
}

/** Whether the kernels can work with them: every quotient finite, every symbol with a code. */
export function areUsable({ quantisation, huffman }: JpegTables): boolean {
  return (
    quantisation.length === QUANTISATION_BYTES &&
    huffman.length === HUFFMAN_BYTES &&
    quantisation.every((step) => step > 0) &&
    splitHuffmanTables(huffman).every(({ table, symbols }) => isHuffmanTable(table, symbols))
  );
}
