import { REFERENCE_SIZE } from "../../avatar/reference.ts";

/** Side of the model's picture in pixels. */
export const MODEL_SIZE = 320;
const PLANE = MODEL_SIZE * MODEL_SIZE;
/** Bytes of the model's picture: 8-bit RGB. */
export const PIXEL_BYTES = 3 * PLANE;
/** Pixels of the reference crop outside the model's picture, on each side. */
export const REFERENCE_MARGIN = (REFERENCE_SIZE - MODEL_SIZE) / 2;
/** The masked rectangle, first and last pixel, as SyncTalk_2D draws it. */
const MASK = { left: 5, top: 5, right: 314, bottom: 309 };

/** 8-bit to 0..1, rounded to float32 as NumPy rounds it. */
const UNIT = Float32Array.from({ length: 256 }, (_, value) => value / 255);

/**
 * Fills the U-Net's visual input from a reference crop.
 * @param reference 8-bit RGB [328,328,3]
 * @param tensor float32 [6,320,320] BGR 0..1: the crop, and the crop with the mouth masked
 */
export function fillVisualTensor(reference: Uint8Array, tensor: Float32Array): void {
  for (let row = 0; row < MODEL_SIZE; row++) {
    let from = 3 * ((row + REFERENCE_MARGIN) * REFERENCE_SIZE + REFERENCE_MARGIN);
    let to = row * MODEL_SIZE;
    for (const end = to + MODEL_SIZE; to < end; to++, from += 3) {
      tensor[to] = UNIT[reference[from + 2]!]!;
      tensor[to + PLANE] = UNIT[reference[from + 1]!]!;
      tensor[to + 2 * PLANE] = UNIT[reference[from]!]!;
    }
  }
  tensor.copyWithin(3 * PLANE, 0, 3 * PLANE);
  for (let plane = 3; plane < 6; plane++) {
    for (let row = MASK.top; row <= MASK.bottom; row++) {
      const start = plane * PLANE + row * MODEL_SIZE;
      tensor.fill(0, start + MASK.left, start + MASK.right + 1);
    }
  }
}

/**
 * The U-Net's output as pixels: x 255, truncated.
 * @param output float32 [3,320,320] BGR 0..1
 * @param pixels 8-bit RGB [320,320,3]
 */
export function outputPixels(output: Float32Array, pixels: Uint8Array): void {
  for (let from = 0, to = 0; from < PLANE; from++, to += 3) {
    pixels[to + 2] = toByte(output[from]!);
    pixels[to + 1] = toByte(output[from + PLANE]!);
    pixels[to] = toByte(output[from + 2 * PLANE]!);
  }
}

/**
 * Writes the model's picture into a reference crop, whose margin stays.
 * @param pixels 8-bit RGB [320,320,3]
 * @param reference 8-bit RGB [328,328,3]
 */
export function pastePixels(pixels: Uint8Array, reference: Uint8Array): void {
  const row = 3 * MODEL_SIZE;
  for (let y = 0; y < MODEL_SIZE; y++) {
    const to = 3 * ((y + REFERENCE_MARGIN) * REFERENCE_SIZE + REFERENCE_MARGIN);
    reference.set(pixels.subarray(y * row, (y + 1) * row), to);
  }
}

/** NaN becomes 0: a model that fails must not fail as noise. */
function toByte(value: number): number {
  const scaled = Math.fround(value * 255);
  return scaled >= 255 ? 255 : scaled > 0 ? Math.trunc(scaled) : 0;
}
