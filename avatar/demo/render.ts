import type { Rectangle } from "../rectangle.ts";
import { demoFrame } from "./character.ts";
import { backdropSvg } from "./character-backdrop.ts";
import { type Raster, rasterise } from "./render-resvg.js";

/** A drawn background frame. */
export interface RenderedDemoFrame {
  readonly width: number;
  readonly height: number;
  readonly rectangle: Rectangle;
  /** RGBA, 8 bit, opaque. */
  readonly pixels: Uint8Array;
  /** The same as a PNG file, coded when it is asked for. */
  readonly png: Uint8Array;
}

/**
 * Draws frames of the demo avatar. The room behind the character is out of
 * focus, and blurring it costs more than all the rest: it is drawn once here.
 */
export class DemoRenderer {
  readonly #backdrop: string;

  constructor() {
    this.#backdrop = dataUri(rasterise(backdropSvg()));
  }

  /**
   * @param index 0 .. DEMO_FRAME_COUNT - 1
   * @throws RangeError for any other
   */
  render(index: number): RenderedDemoFrame {
    const { svg, rectangle } = demoFrame(index, this.#backdrop);
    const raster = rasterise(svg);
    return {
      width: raster.width,
      height: raster.height,
      rectangle,
      pixels: raster.pixels,
      get png() {
        return raster.asPng();
      },
    };
  }
}

/** One frame; for several, keep a `DemoRenderer`. */
export function renderDemoFrame(index: number): RenderedDemoFrame {
  return new DemoRenderer().render(index);
}

function dataUri(raster: Raster): string {
  const png = raster.asPng();
  let binary = "";
  for (let i = 0; i < png.length; i += 0x8000) {
    binary += String.fromCharCode(...png.subarray(i, i + 0x8000));
  }
  return `data:image/png;base64,${btoa(binary)}`;
}
