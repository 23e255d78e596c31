/** A picture that resvg drew. Both getters copy: ask once. */
export interface Raster {
  readonly width: number;
  readonly height: number;
  /** RGBA, 8 bit. */
  readonly pixels: Uint8Array;
  asPng(): Uint8Array;
}

/** Draws an SVG document at its own size. Throws an Error when it cannot be read. */
export declare function rasterise(svg: string): Raster;
