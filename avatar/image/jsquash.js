// A source phase import works in Node 24, Deno and workerd, but only from a
// .js file: TypeScript does not parse it.

import createJpegDecoder from "@jsquash/jpeg/codec/dec/mozjpeg_dec.js";
import source jpegDecoder from "@jsquash/jpeg/codec/dec/mozjpeg_dec.wasm";
import createJpegEncoder from "@jsquash/jpeg/codec/enc/mozjpeg_enc.js";
import source jpegEncoder from "@jsquash/jpeg/codec/enc/mozjpeg_enc.wasm";
import initPng, { decode, encode } from "@jsquash/png/codec/pkg/squoosh_png.js";
import source png from "@jsquash/png/codec/pkg/squoosh_png_bg.wasm";

export {
  createJpegDecoder,
  createJpegEncoder,
  decode,
  encode,
  initPng,
  jpegDecoder,
  jpegEncoder,
  png,
};
