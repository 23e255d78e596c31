/** What an Emscripten module takes when it is instantiated. */
export interface EmscriptenOptions {
  readonly noInitialRun: boolean;
  readonly print: (line: string) => void;
  readonly printErr: (line: string) => void;
  readonly instantiateWasm: (
    imports: WebAssembly.Imports,
    ready: (instance: WebAssembly.Instance) => void,
  ) => WebAssembly.Exports;
}

interface Pixels {
  readonly width: number;
  readonly height: number;
  readonly data: Uint8ClampedArray<ArrayBuffer>;
}

export interface MozjpegOptions {
  readonly quality: number;
  readonly baseline: boolean;
  readonly arithmetic: boolean;
  readonly progressive: boolean;
  readonly optimize_coding: boolean;
  readonly smoothing: number;
  readonly color_space: number;
  readonly quant_table: number;
  readonly trellis_multipass: boolean;
  readonly trellis_opt_zero: boolean;
  readonly trellis_opt_table: boolean;
  readonly trellis_loops: number;
  readonly auto_subsample: boolean;
  readonly chroma_subsample: number;
  readonly separate_chroma_quality: boolean;
  readonly chroma_quality: number;
}

export interface JpegDecoder {
  decode(file: Uint8Array, preserveOrientation: boolean): Pixels | null;
}

export interface JpegEncoder {
  encode(
    data: Uint8ClampedArray,
    width: number,
    height: number,
    options: MozjpegOptions,
  ): Uint8Array<ArrayBuffer>;
}

export interface PngExports {
  __wbindgen_add_to_stack_pointer(delta: number): number;
}

export declare function createJpegDecoder(options: EmscriptenOptions): Promise<JpegDecoder>;
export declare function createJpegEncoder(options: EmscriptenOptions): Promise<JpegEncoder>;
export declare function initPng(module: WebAssembly.Module): Promise<PngExports>;
export declare function decodePng(file: Uint8Array): Pixels;
export declare function encodePng(
  data: Uint8Array,
  width: number,
  height: number,
  bitDepth: number,
): Uint8Array<ArrayBuffer>;
export declare const jpegDecoderModule: WebAssembly.Module;
export declare const jpegEncoderModule: WebAssembly.Module;
export declare const pngModule: WebAssembly.Module;
