// The codecs of @jsquash below its convenience functions, which keep one
// instance for good: after a damaged picture ours must be replaced.
// A source phase import gives the compiled module, as Workers demand; it works
// in Node 24, Deno and workerd, but only from a .js file: TypeScript does not
// parse it.
import createJpegDecoder from "@jsquash/jpeg/codec/dec/mozjpeg_dec.js";
import source jpegDecoderModule from "@jsquash/jpeg/codec/dec/mozjpeg_dec.wasm";
import createJpegEncoder from "@jsquash/jpeg/codec/enc/mozjpeg_enc.js";
import source jpegEncoderModule from "@jsquash/jpeg/codec/enc/mozjpeg_enc.wasm";
import initPng, {
  decode as decodePng,
  encode as encodePng,
} from "@jsquash/png/codec/pkg/squoosh_png.js";
import source pngModule from "@jsquash/png/codec/pkg/squoosh_png_bg.wasm";

export {
  createJpegDecoder,
  createJpegEncoder,
  decodePng,
  encodePng,
  initPng,
  jpegDecoderModule,
  jpegEncoderModule,
  pngModule,
};
