import { readImageHeader } from "./image-header.ts";
import { JpegCodec, type JpegOptions } from "./jpeg-codec.ts";
import { PngCodec } from "./png-codec.ts";
import type { RgbaImage } from "./types.ts";

/** Whole-picture coding: PNG and JPEG files to pixels and back, in every runtime. */
export interface ImageCodecs {
  /** @throws ImageError when it is neither PNG nor JPEG, too large or damaged */
  decode(file: Uint8Array): Promise<RgbaImage>;
  /** @throws RangeError when size and data disagree */
  encodePng(image: RgbaImage): Promise<Uint8Array<ArrayBuffer>>;
  /** Alpha is dropped. @throws RangeError when size and data disagree */
  encodeJpeg(image: RgbaImage, options: JpegOptions): Promise<Uint8Array<ArrayBuffer>>;
}

/** The codecs of @jsquash; nothing is instantiated before it is needed. */
export function createImageCodecs(): ImageCodecs {
  provideImageData();
  const png = new PngCodec();
  const jpeg = new JpegCodec();
  return {
    // async, so that a wrong header rejects like everything else
    async decode(file) {
      const { format } = readImageHeader(file);
      return format === "png" ? png.decode(file) : jpeg.decode(file);
    },
    async encodePng(image) {
      checkSize(image);
      return png.encode(image);
    },
    async encodeJpeg(image, options) {
      checkSize(image);
      return jpeg.encode(image, options);
    },
  };
}

/** With a wrong size the PNG encoder traps, and the JPEG encoder reads beyond the picture. */
function checkSize({ width, height, data }: RgbaImage): void {
  if (width > 0 && height > 0 && data.length === width * height * 4) return;
  throw new RangeError(`${data.length} bytes are no RGBA picture of ${width}x${height}`);
}

/** The decoders construct their result with the platform's class; servers have none. */
class PlainImageData {
  readonly data: Uint8ClampedArray;
  readonly width: number;
  readonly height: number;

  constructor(data: Uint8ClampedArray, width: number, height: number) {
    this.data = data;
    this.width = width;
    this.height = height;
  }
}

function provideImageData(): void {
  if ("ImageData" in globalThis) return;
  Object.defineProperty(globalThis, "ImageData", { value: PlainImageData, configurable: true });
}
