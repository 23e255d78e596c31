// resvg below its own types, which lean on Node's. It is a native module: the
// demo avatar is drawn where Node runs, and nowhere else.
import { Resvg } from "@resvg/resvg-js";

const OPTIONS = { font: { loadSystemFonts: false }, logLevel: "error" };

export function rasterise(svg) {
  return new Resvg(svg, OPTIONS).render();
}
