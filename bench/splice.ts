import sharp from "sharp";
import { createImageCodecs } from "../avatar/image/codecs.ts";
import { type Delivery, prepareFrame } from "../edge/compositor/delivery.ts";
import { readPreparedFrame, Splicer } from "../edge/compositor/splicer.ts";
import { type Candidate, compare, type Measured, round } from "./compare.ts";
import { type Material, readMaterials, scaled, toRgba, withMouthSize } from "./material.ts";
import type { Rows } from "./rows.ts";

const codecs = createImageCodecs();
const splicer = new Splicer();
const SIZES = [
  [1280, 720],
  [1920, 1080],
  [3840, 2160],
] as const;
const MOUTHS = [100, 200, 300, 400];

type SharpOptions = Parameters<ReturnType<typeof sharp>["png"]>[0];

/** PNG: a spliced frame against whole frames by sharp (libpng, libspng) and @jsquash/png. */
export async function benchPng(): Promise<Rows> {
  sharp.concurrency(1);
  const delivery: Delivery = { format: "png", softEdge: 0 };
  const peers = (material: Material): Candidate[] => [
    sharpPng(material, "sharp level 0 (stored)", { compressionLevel: 0 }),
    sharpPng(material, "sharp level 1", { compressionLevel: 1 }),
    sharpPng(material, "sharp level 6, adaptive", { compressionLevel: 6, adaptiveFiltering: true }),
    {
      name: "@jsquash/png",
      run: async () => (await codecs.encodePng(toRgba(material.composited))).length,
    },
  ];
  return measureAll(delivery, peers, "sharp level 1");
}

/** JPEG: the same against sharp (libjpeg-turbo) and @jsquash/jpeg, at the same quality. */
export async function benchJpeg(): Promise<Rows> {
  sharp.concurrency(1);
  const delivery: Delivery = { format: "jpeg", softEdge: 0, quality: 75, subsampling: "4:2:0" };
  const peers = (material: Material): Candidate[] => [
    sharpJpeg(material, "sharp", { optimiseCoding: false }),
    sharpJpeg(material, "sharp, optimised codes", { optimiseCoding: true }),
    {
      name: "@jsquash/jpeg",
      run: async () =>
        (await codecs.encodeJpeg(toRgba(material.composited), { quality: 75 })).length,
    },
  ];
  return measureAll(delivery, peers, "sharp");
}

async function measureAll(
  delivery: Delivery,
  peers: (material: Material) => Candidate[],
  against: string,
): Promise<Rows> {
  const materials = await readMaterials();
  const rows: Record<string, string | number>[] = [];
  for (const material of materials) {
    const measured = await compare([...ours(material, delivery), ...peers(material)]);
    rows.push(...toRows(material.name, measured));
  }
  const [material] = materials;
  for (const [width, height] of SIZES) {
    const sized = await scaled(material!, width, height);
    const peer = peers(sized).filter(({ name }) => name === against);
    rows.push(...toRows(sized.name, await compare([...ours(sized, delivery), ...peer])));
  }
  for (const size of MOUTHS) {
    const sized = await withMouthSize(material!, size);
    rows.push(...toRows(sized.name, await compare(ours(sized, delivery))));
  }
  return rows;
}

function ours(material: Material, delivery: Delivery): Candidate[] {
  const started = performance.now();
  const entry = prepareFrame(toRgba(material.background), material.region, delivery);
  const prepareMs = Math.round(performance.now() - started);
  console.log(`${material.name}: prepared in ${prepareMs} ms, once`);
  // Prepared with its own mouth; the one that is spliced is another frame's.
  const frame = readPreparedFrame(entry);
  const parts = splicer.splice(frame, material.mouth);
  const bytes = parts.reduce((sum, part) => sum + part.length, 0);
  const target = new Uint8Array(bytes);
  return [
    { name: "spliced", run: () => sizeOf(splicer.splice(frame, material.mouth)) },
    {
      name: "floor: copying its bytes once",
      run: () => {
        let at = 0;
        for (const part of parts) {
          target.set(part, at);
          at += part.length;
        }
        return at;
      },
    },
  ];
}

function sizeOf(parts: readonly Uint8Array[]): number {
  return parts.reduce((sum, part) => sum + part.length, 0);
}

function toRows(what: string, measured: readonly Measured[]) {
  const [spliced] = measured;
  return measured.map(({ name, ms, bytes }) => ({
    what,
    coder: name,
    "ms a frame": round(ms),
    bytes,
    "time / spliced": round(ms / spliced!.ms, 2),
    "bytes / spliced": round(bytes / spliced!.bytes, 3),
  }));
}

function sharpInput({ composited }: Material) {
  const { width, height, data } = composited;
  return sharp(data, { raw: { width, height, channels: 3 } });
}

function sharpPng(material: Material, name: string, options: SharpOptions): Candidate {
  return { name, run: async () => (await sharpInput(material).png(options).toBuffer()).length };
}

function sharpJpeg(
  material: Material,
  name: string,
  options: { optimiseCoding: boolean },
): Candidate {
  const all = { quality: 75, chromaSubsampling: "4:2:0", mozjpeg: false, ...options };
  return { name, run: async () => (await sharpInput(material).jpeg(all).toBuffer()).length };
}
