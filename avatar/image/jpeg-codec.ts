import { damaged } from "./image-header.ts";
import {
  createJpegDecoder,
  createJpegEncoder,
  type EmscriptenOptions,
  type JpegDecoder,
  type JpegEncoder,
  jpegDecoderModule,
  jpegEncoderModule,
  type MozjpegOptions,
} from "./jsquash.js";
import type { RgbaImage } from "./types.ts";

export interface JpegOptions {
  /** As libjpeg counts it, 1..100. */
  readonly quality: number;
  /** Colour at half resolution unless it is "4:4:4". Default "4:2:0". */
  readonly chroma?: "4:2:0" | "4:4:4";
}

/**
 * What makes this build of mozjpeg fast. Its trellis quantisation cannot be
 * switched off, and then coding with tables of the picture's own is faster
 * than with the standard ones (36 ms against 53 ms at 720p, quality 75):
 * those cost one more pass. `auto_subsample` would turn to 4:4:4 at quality 90.
 */
const FAST: Omit<MozjpegOptions, "quality" | "chroma_quality" | "chroma_subsample"> = {
  baseline: true,
  arithmetic: false,
  progressive: false,
  optimize_coding: true,
  smoothing: 0,
  color_space: 3,
  quant_table: 3,
  trellis_multipass: false,
  trellis_opt_zero: false,
  trellis_opt_table: false,
  trellis_loops: 1,
  auto_subsample: false,
  separate_chroma_quality: false,
};

/** Warnings of libjpeg after which part of the picture is made up. */
const MADE_UP = /premature end|bad huffman/i;

/** JPEG by mozjpeg. Each half is instantiated when first used, and anew after a failure. */
export class JpegCodec {
  #decoder: Promise<JpegDecoder> | null = null;
  #encoder: Promise<JpegEncoder> | null = null;
  #warnings: string[] = [];

  /**
   * Decodes a JPEG file as libjpeg-turbo does, EXIF orientation ignored.
   * @throws ImageError
   */
  async decode(file: Uint8Array): Promise<RgbaImage> {
    this.#decoder ??= createJpegDecoder(this.#moduleOptions(jpegDecoderModule));
    const decoder = await this.#decoder;
    this.#warnings = [];
    let image: RgbaImage | null;
    try {
      image = decoder.decode(file, false);
    } catch (cause) {
      // libjpeg leaves by exit(), and its memory behind.
      this.#decoder = null;
      throw damaged(this.#warnings.at(-1) ?? "libjpeg gave up", cause);
    }
    const warning = this.#warnings.find((line) => MADE_UP.test(line));
    if (!image || warning !== undefined) throw damaged(warning ?? "libjpeg gave up");
    const { width, height, data } = image;
    return { width, height, data };
  }

  /** @returns a baseline JPEG file; alpha is dropped */
  async encode(image: RgbaImage, options: JpegOptions): Promise<Uint8Array<ArrayBuffer>> {
    this.#encoder ??= createJpegEncoder(this.#moduleOptions(jpegEncoderModule));
    const encoder = await this.#encoder;
    const { width, height, data } = image;
    const quality = Math.min(Math.max(Math.round(options.quality), 1), 100);
    try {
      return encoder.encode(data, width, height, {
        ...FAST,
        quality,
        chroma_quality: quality,
        chroma_subsample: options.chroma === "4:4:4" ? 1 : 2,
      });
    } catch (cause) {
      this.#encoder = null;
      throw new Error(`mozjpeg could not encode a ${width}x${height} picture`, { cause });
    }
  }

  #moduleOptions(module: WebAssembly.Module): EmscriptenOptions {
    return {
      noInitialRun: true,
      print: () => {},
      printErr: (line) => this.#warnings.push(line),
      instantiateWasm: (imports, ready) => {
        const instance = new WebAssembly.Instance(module, imports);
        ready(instance);
        return instance.exports;
      },
    };
  }
}
