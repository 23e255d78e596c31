import { type JpegTables, splitHuffmanTables } from "./jpeg-tables.ts";
import type { McuGrid } from "./mcu-grid.ts";

/** Markers (ITU-T T.81, table B.1). */
const SOI = 0xd8;
const APP0 = 0xe0;
const DQT = 0xdb;
const SOF0 = 0xc0;
const DHT = 0xc4;
const DRI = 0xdd;
const SOS = 0xda;
const RST0 = 0xd0;
export const END_OF_IMAGE = Uint8Array.of(0xff, 0xd9);

/** Everything before the first MCU of a baseline JFIF file. */
export function fileHeader(
  { width, height }: { readonly width: number; readonly height: number },
  { side, columns }: Pick<McuGrid, "side" | "columns">,
  { quantisation, huffman }: JpegTables,
): Uint8Array<ArrayBuffer> {
  const lumaSampling = side === 16 ? 0x22 : 0x11;
  const tables = splitHuffmanTables(huffman);
  return Uint8Array.from([
    ...[0xff, SOI],
    // "JFIF", version 1.01, square pixels, no thumbnail
    ...segment(APP0, [0x4a, 0x46, 0x49, 0x46, 0, 1, 1, 0, ...u16(1), ...u16(1), 0, 0]),
    ...segment(DQT, [0, ...quantisation.subarray(0, 64), 1, ...quantisation.subarray(64)]),
    ...segment(SOF0, [
      ...[8, ...u16(height), ...u16(width), 3],
      ...[1, lumaSampling, 0, 2, 0x11, 1, 3, 0x11, 1],
    ]),
    ...segment(
      DHT,
      tables.flatMap(({ identifier, table }) => [identifier, ...table]),
    ),
    ...segment(DRI, u16(columns)),
    ...segment(SOS, [3, 1, 0x00, 2, 0x11, 3, 0x11, 0, 63, 0]),
  ]);
}

/** What ends a row of MCUs: RSTm, which counts modulo 8 (ITU-T T.81, B.2.1); nothing after the last. */
export function restartMarker(
  row: number,
  { rows }: Pick<McuGrid, "rows">,
): Uint8Array<ArrayBuffer> {
  return row + 1 < rows ? Uint8Array.of(0xff, RST0 + (row & 7)) : new Uint8Array(0);
}

function segment(marker: number, content: readonly number[]): readonly number[] {
  return [0xff, marker, ...u16(content.length + 2), ...content];
}

function u16(value: number): readonly [number, number] {
  return [value >> 8, value & 0xff];
}
