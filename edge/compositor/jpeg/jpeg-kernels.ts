import { type KernelExports, Kernels } from "../../../avatar/wasm/kernels.ts";
import { module } from "../gen/jpeg.js";
import type { PatchExports } from "../patch.ts";
import type { JpegTables } from "./jpeg-tables.ts";
import type { McuGrid } from "./mcu-grid.ts";

/** The kernels of `assembly/jpeg.ts`. */
export interface JpegExports extends KernelExports, PatchExports {
  setTables(quantisation: number, huffman: number, isAveraged: number): void;
  extendEdges(
    pixels: number,
    width: number,
    height: number,
    insideWidth: number,
    insideHeight: number,
  ): void;
  clearCounts(): void;
  countsStart(): number;
  restartPrediction(): void;
  countMcus(pixels: number, stride: number, mcus: number): void;
  codeRow(pixels: number, stride: number, mcus: number, words: number, out: number): number;
  codeStaticRuns(
    pixels: number,
    stride: number,
    mcus: number,
    liveStart: number,
    liveEnd: number,
    record: number,
    out: number,
  ): number;
  spliceJpeg(layout: number): number;
}

export type JpegKernels = Kernels<JpegExports>;

export function createJpegKernels(): JpegKernels {
  return new Kernels<JpegExports>(module);
}

/** Tables hold until the next call; they take room of the present operation. */
export function setTables(
  kernels: JpegKernels,
  { quantisation, huffman }: JpegTables,
  { subsampling }: Pick<McuGrid, "subsampling">,
): void {
  const at = kernels.place(quantisation);
  kernels.exports.setTables(at, kernels.place(huffman), Number(subsampling === "4:2:0"));
}
