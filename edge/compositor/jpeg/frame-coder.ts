import { type JpegKernels, setTables } from "./jpeg-kernels.ts";
import type { JpegTables } from "./jpeg-tables.ts";
import { ROW_RECORD_BYTES } from "./live-part.ts";
import { MAX_BLOCK_BITS, type McuGrid } from "./mcu-grid.ts";

/** 8-bit RGB [height, width, 3] */
export interface RgbPicture {
  readonly width: number;
  readonly height: number;
  readonly data: Uint8Array | Uint8ClampedArray;
}

/** Codes a picture row by row of its MCUs, so that its size does not decide on the memory. */
export class FrameCoder {
  readonly #kernels: JpegKernels;
  readonly #picture: RgbPicture;
  readonly #grid: McuGrid;
  readonly #stride: number;
  readonly #strip: number;
  readonly #record: number;
  readonly #words: number;
  readonly #out: number;

  /** Begins an operation of the kernels, which lasts as long as the coder is used. */
  constructor(kernels: JpegKernels, picture: RgbPicture, grid: McuGrid, tables: JpegTables) {
    this.#kernels = kernels;
    this.#picture = picture;
    this.#grid = grid;
    this.#stride = grid.columns * grid.side * 3;
    kernels.begin();
    this.#strip = kernels.reserve(this.#stride * grid.side);
    this.#record = kernels.reserve(ROW_RECORD_BYTES);
    // Each of the four runs may fill up a word.
    const rowBytes = Math.ceil((grid.columns * grid.blocksPerMcu * MAX_BLOCK_BITS) / 8) + 4 * 8;
    this.#words = kernels.reserve(rowBytes);
    this.#out = kernels.reserve(2 * rowBytes);
    setTables(kernels, tables, grid);
  }

  /** [4, 256] how often each symbol occurs in the whole picture, in the order of `JpegTables.huffman` */
  countSymbols(): Uint32Array {
    const { exports } = this.#kernels;
    exports.clearCounts();
    for (let row = 0; row < this.#grid.rows; row++) {
      this.#placeStrip(row);
      exports.restartPrediction();
      exports.countMcus(this.#strip, this.#stride, this.#grid.columns);
    }
    return new Uint32Array(exports.memory.buffer, exports.countsStart(), 4 * 256).slice();
  }

  /** A row as its part of the file, without a marker. */
  codeRow(row: number): Uint8Array<ArrayBuffer> {
    this.#placeStrip(row);
    const { exports } = this.#kernels;
    const { columns } = this.#grid;
    const end = exports.codeRow(this.#strip, this.#stride, columns, this.#words, this.#out);
    return this.#kernels.bytes(this.#out, end - this.#out).slice();
  }

  /** What a row that the mouth crosses has at its left and right: a `RowRecord` and its runs. */
  codeStaticRuns(row: number): { record: Uint8Array<ArrayBuffer>; runs: Uint8Array<ArrayBuffer> } {
    this.#placeStrip(row);
    const { columns, live } = this.#grid;
    const end = this.#kernels.exports.codeStaticRuns(
      this.#strip,
      this.#stride,
      columns,
      live.x,
      live.x + live.width,
      this.#record,
      this.#words,
    );
    return {
      record: this.#kernels.bytes(this.#record, ROW_RECORD_BYTES).slice(),
      runs: this.#kernels.bytes(this.#words, end - this.#words).slice(),
    };
  }

  #placeStrip(row: number): void {
    const { width, height, data } = this.#picture;
    const { side, columns } = this.#grid;
    const rows = Math.min(side, height - row * side);
    const strip = this.#kernels.bytes(this.#strip, this.#stride * side);
    for (let y = 0; y < rows; y++) {
      const start = (row * side + y) * width * 3;
      strip.set(data.subarray(start, start + width * 3), y * this.#stride);
    }
    this.#kernels.exports.extendEdges(this.#strip, columns * side, side, width, rows);
  }
}
