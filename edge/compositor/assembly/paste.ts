// Puts an RGB region into an RGBA frame. Pointers are offsets into the
// module's memory; the caller has checked that the region lies in the frame.

/** Reserves `size` bytes of memory, 16-byte aligned, for the life of the instance. */
export function alloc(size: usize): usize {
  return heap.alloc(size);
}

/**
 * Writes the region (8-bit RGB, `width` x `height`) into the frame (8-bit
 * RGBA, `frameWidth` pixels per row) at `x`, `y`. Alpha becomes 255.
 */
export function paste(
  frame: usize,
  frameWidth: i32,
  region: usize,
  x: i32,
  y: i32,
  width: i32,
  height: i32,
): void {
  for (let row = 0; row < height; row++) {
    let to = frame + ((<usize>(y + row) * frameWidth + x) << 2);
    let from = region + <usize>row * width * 3;
    const end = from + <usize>width * 3;
    // Four pixels at a time while a 16-byte load stays inside the region's row.
    while (from + 16 <= end) {
      const rgb = v128.load(from);
      const spread = v128.swizzle(
        rgb,
        i8x16(0, 1, 2, 16, 3, 4, 5, 16, 6, 7, 8, 16, 9, 10, 11, 16),
      );
      v128.store(to, v128.or(spread, i32x4.splat(0xff000000)));
      from += 12;
      to += 16;
    }
    while (from < end) {
      store<u32>(
        to,
        <u32>load<u8>(from) |
          (<u32>load<u8>(from, 1) << 8) |
          (<u32>load<u8>(from, 2) << 16) |
          0xff000000,
      );
      from += 3;
      to += 4;
    }
  }
}
