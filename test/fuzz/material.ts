import { createHash } from "node:crypto";
import { crc32 } from "../../avatar/image/crc32.ts";
import type { RgbaImage } from "../../avatar/image/types.ts";
import type { StoredPack } from "../../avatar/manifest.ts";
import { encodePackIndex } from "../../avatar/pack.ts";
import type { Rectangle } from "../../avatar/rectangle.ts";
import { type Delivery, prepareFrame } from "../../edge/compositor/delivery.ts";
import type { SeededRandom } from "./random.ts";

/** A valid pack, its entries, and what a manifest says of it. */
export interface Pack {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly entries: readonly Uint8Array<ArrayBuffer>[];
  readonly stored: StoredPack;
}

/** Frames and mouths of different shapes: in the middle, at borders, all of it, a pixel. */
const SHAPES: readonly (readonly [width: number, height: number, region: Rectangle])[] = [
  [64, 48, { x: 20, y: 16, width: 24, height: 20 }],
  [64, 48, { x: 0, y: 0, width: 17, height: 13 }],
  [37, 41, { x: 20, y: 21, width: 17, height: 20 }],
  [33, 29, { x: 0, y: 0, width: 33, height: 29 }],
  [40, 30, { x: 39, y: 11, width: 1, height: 1 }],
];

const DELIVERIES: readonly Delivery[] = [
  { format: "png", softEdge: 0, effort: "full" },
  { format: "png", softEdge: 5, effort: "fast" },
  { format: "jpeg", softEdge: 0, quality: 75, subsampling: "4:2:0" },
  { format: "jpeg", softEdge: 3, quality: 95, subsampling: "4:4:4" },
];

/** A pack per delivery and opacity, an entry per shape. */
export function buildPacks(random: SeededRandom): Pack[] {
  return DELIVERIES.flatMap((delivery) =>
    [255, 200].map((alpha) =>
      buildPack(
        SHAPES.map(([width, height, region]) =>
          prepareFrame(picture(width, height, alpha, random), region, delivery),
        ),
      ),
    ),
  );
}

export function buildPack(entries: readonly Uint8Array<ArrayBuffer>[]): Pack {
  const index = encodePackIndex(
    entries.map((entry) => ({ bytes: entry.length, crc32: crc32(entry) })),
    { kind: "fuzz" },
  );
  const bytes = new Uint8Array(Buffer.concat([index, ...entries]));
  return { bytes, entries, stored: describePack(bytes, index.length) };
}

/** What the manifest of whoever made the pack would say of it. */
export function describePack(bytes: Uint8Array, indexBytes: number): StoredPack {
  const sha256 = (part: Uint8Array) => createHash("sha256").update(part).digest("hex");
  return {
    file: "fuzz.pack",
    bytes: bytes.length,
    sha256: sha256(bytes),
    indexBytes,
    indexSha256: sha256(bytes.subarray(0, indexBytes)),
  };
}

/** Gradients with some noise, so that codes of every length occur. */
function picture(width: number, height: number, alpha: number, random: SeededRandom): RgbaImage {
  const data = new Uint8ClampedArray(4 * width * height);
  for (let i = 0; i < data.length; i += 4) {
    const x = (i / 4) % width;
    const y = Math.floor(i / 4 / width);
    const noise = random.below(4) === 0 ? random.below(256) : 0;
    data.set([4 * x + noise, 5 * y, x * y, alpha], i);
  }
  return { width, height, data };
}
