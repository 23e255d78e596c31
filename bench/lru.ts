import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import type { PublishedAvatar } from "../avatar/catalogue.ts";
import { readDemoSource } from "../avatar/demo/demo-source.ts";
import { createImageCodecs } from "../avatar/image/codecs.ts";
import { createFolderStore } from "../avatar/runtime/folder-store.ts";
import { FramePacks } from "../edge/background/frame-packs.ts";
import { createFramePreparer } from "../edge/background/frame-preparer.ts";
import { PlainFrames } from "../edge/background/plain-frames.ts";
import { PreparedFrames } from "../edge/background/prepared-frames.ts";
import { type Delivery, prepareFrame } from "../edge/compositor/delivery.ts";
import { Splicer } from "../edge/compositor/splicer.ts";
import { MemoryStore, storeAvatar } from "../test/support/packed-avatar.ts";
import { median, round } from "./compare.ts";
import type { Rows } from "./rows.ts";

const FRAMES = 500;
/** So many are drawn and prepared; the others repeat them, each with bytes of its own in the pack. */
const DISTINCT = 20;
const MEGABYTE = 1024 * 1024;
const JPEG = { quality: 85, subsampling: "4:2:0" } as const;
const COLD_ROUNDS = 5;

/**
 * The cache of prepared frames, with 500 frames of 720p in a pack on disk:
 * what a frame costs that is not there yet, beyond reading its bytes; what one
 * costs that is; and how much memory they take.
 */
export async function benchLru(): Promise<Rows> {
  const root = await mkdtemp(join(tmpdir(), "mouthpiece-bench-"));
  try {
    const rows: Rows[number][] = [];
    for (const format of ["png", "jpeg"] as const) {
      const avatar = await writePack(root, format);
      rows.push(await measure(root, avatar, format));
    }
    return rows;
  } finally {
    await rm(root, { recursive: true, force: true });
  }
}

async function writePack(root: string, format: "png" | "jpeg"): Promise<PublishedAvatar> {
  const delivery: Delivery =
    format === "png" ? { format, softEdge: 0 } : { format, softEdge: 0, ...JPEG };
  const codecs = createImageCodecs();
  const entries: Uint8Array[] = [];
  const regions = [];
  for await (const { file, rectangle } of readDemoSource().frames()) {
    entries.push(prepareFrame(await codecs.decode(file), rectangle, delivery));
    regions.push(rectangle);
    if (entries.length === DISTINCT) break;
  }
  const store = new MemoryStore();
  const repeat = <T>(list: readonly T[]) =>
    Array.from({ length: FRAMES }, (_, n) => list[n % DISTINCT]!);
  const avatar = storeAvatar(store, {
    id: `bench-${format}`,
    width: 1280,
    height: 720,
    regions: repeat(regions),
    packs: { [format]: repeat(entries) },
  });
  for (const [key, bytes] of store.objects) {
    await mkdir(dirname(join(root, key)), { recursive: true });
    await writeFile(join(root, key), bytes);
  }
  return avatar;
}

async function measure(root: string, avatar: PublishedAvatar, format: "png" | "jpeg") {
  const store = createFolderStore(root);
  const packs = new FramePacks(store);
  const plain = new PlainFrames(store);
  const preparer = createFramePreparer(createImageCodecs());
  const maxBytes = 4096 * MEGABYTE;
  const fresh = () => new PreparedFrames({ plain, packs, preparer, jpeg: JPEG, maxBytes });
  const pack = (await packs.open(avatar, format))!;
  const splicer = new Splicer();
  const key = `${avatar.prefix}${format}.pack`;

  // Cold, beside the bare read of the same bytes.
  const reads: number[] = [];
  const colds: number[] = [];
  for (let n = 0; n < 40 * COLD_ROUNDS; n++) {
    const index = (n * 7) % FRAMES;
    const start = pack.spanBytes(0, index) - pack.entryBytes(index);
    let started = performance.now();
    await store.read(key, { range: { start, end: start + pack.entryBytes(index) } });
    reads.push(performance.now() - started);
    started = performance.now();
    const frame = await fresh().get(avatar, index, format);
    const { width, height } = frame.entry.region;
    splicer.splice(frame, new Uint8Array(width * height * 3));
    colds.push(performance.now() - started);
  }

  const frames = fresh();
  const before = memoryBytes();
  for (let n = 0; n < FRAMES; n++) await frames.get(avatar, n, format);
  const held = memoryBytes() - before;
  const started = performance.now();
  const hits = 200_000;
  for (let n = 0; n < hits; n++) await frames.get(avatar, (n * 13) % FRAMES, format);
  const hitUs = ((performance.now() - started) * 1000) / hits;
  const { bytes } = frames.stats;
  return {
    format,
    frames: FRAMES,
    "read alone, ms": round(median(reads)),
    "cold frame with its first splice, ms": round(median(colds)),
    "beyond the read, ms": round(median(colds) - median(reads)),
    "hit, us": round(hitUs, 2),
    "compressed, MB": round(bytes / MEGABYTE, 1),
    "memory, MB": round(held / MEGABYTE, 1),
    "memory / compressed": round(held / bytes, 3),
  };
}

/** Memory in use, rubbish collected. */
function memoryBytes(): number {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as () => void;
  collect();
  collect();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}
