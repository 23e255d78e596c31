/** Side of a reference crop in pixels; the model sees its inner 320x320. */
export const REFERENCE_SIZE = 328;

/** Bytes of a reference crop: 8-bit RGB. */
export const REFERENCE_BYTES = REFERENCE_SIZE * REFERENCE_SIZE * 3;
