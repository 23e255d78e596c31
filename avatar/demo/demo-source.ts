import { rgbaToRgb } from "../image/crop.ts";
import type { AvatarSource } from "../writer.ts";
import { buildDemoEncoder } from "./encoder.ts";
import { DEMO_FRAME_COUNT } from "./motion.ts";
import { DemoRenderer } from "./render.ts";
import { buildDemoUnet } from "./unet.ts";

export const DEMO_ID = "demo";

/** The demo avatar, drawn and built as it is read: a dataset like any other. */
export function readDemoSource(): AvatarSource {
  return {
    id: DEMO_ID,
    title: "Mira",
    tenant: null,
    frameCount: DEMO_FRAME_COUNT,
    extension: "png",
    async *frames() {
      const renderer = new DemoRenderer();
      for (let n = 0; n < DEMO_FRAME_COUNT; n++) {
        const { width, height, pixels, png, rectangle } = renderer.render(n);
        const image = rgbaToRgb({ width, height, data: new Uint8ClampedArray(pixels) });
        yield { file: png, image, rectangle };
      }
    },
    model: buildDemoUnet(),
    audioEncoder: buildDemoEncoder(),
  };
}
