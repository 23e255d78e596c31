import { damaged } from "./image-header.ts";
import { decodePng, encodePng, initPng, type PngExports, pngModule } from "./jsquash.js";
import type { RgbaImage } from "./types.ts";

/** PNG by the png crate. All codecs of a thread share one instance: the library has no other way. */
export class PngCodec {
  #exports: Promise<PngExports> | null = null;

  /**
   * Decodes any PNG file to 8 bits; the caller has checked its header.
   * @throws ImageError
   */
  async decode(file: Uint8Array): Promise<RgbaImage> {
    const exports = await this.#load();
    const stack = exports.__wbindgen_add_to_stack_pointer(0);
    try {
      const { width, height, data } = decodePng(file);
      return { width, height, data };
    } catch (cause) {
      // A throw out of Rust leaves its stack where it was; after some hundred
      // of them even good pictures would fail.
      const now = exports.__wbindgen_add_to_stack_pointer(0);
      exports.__wbindgen_add_to_stack_pointer(stack - now);
      throw damaged("its pixels cannot be decoded", cause);
    }
  }

  /** @returns a PNG file, RGBA 8 bits */
  async encode(image: RgbaImage): Promise<Uint8Array<ArrayBuffer>> {
    await this.#load();
    const { width, height, data } = image;
    const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    return encodePng(bytes, width, height, 8);
  }

  #load(): Promise<PngExports> {
    this.#exports ??= initPng(pngModule);
    return this.#exports;
  }
}
