/**
 * A picture in 4:2:0: 8-bit planes without gaps between their rows. Luma is
 * [height, width], each plane of chroma [height / 2, width / 2]; BT.709, of
 * limited range, where colours matter.
 */
export interface Picture {
  /** In luma samples; even, as `height`. */
  readonly width: number;
  readonly height: number;
  readonly y: Uint8Array;
  readonly u: Uint8Array;
  readonly v: Uint8Array;
}

/** The planes in the order luma, Cb, Cr, with their sizes. */
export function planesOf({ width, height, y, u, v }: Picture): readonly {
  readonly data: Uint8Array;
  readonly width: number;
  readonly height: number;
}[] {
  const chroma = { width: width / 2, height: height / 2 };
  return [
    { data: y, width, height },
    { data: u, ...chroma },
    { data: v, ...chroma },
  ];
}

/** Of I420 bytes: the planes one after the other. The picture shares them. */
export function pictureOf(bytes: Uint8Array, width: number, height: number): Picture {
  const luma = width * height;
  const chroma = luma / 4;
  return {
    width,
    height,
    y: bytes.subarray(0, luma),
    u: bytes.subarray(luma, luma + chroma),
    v: bytes.subarray(luma + chroma, luma + 2 * chroma),
  };
}
