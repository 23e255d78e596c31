import { parseArgs } from "node:util";
import { AvatarError } from "../../avatar/avatar-error.ts";
import { crc32 } from "../../avatar/image/crc32.ts";
import { PackReader } from "../../avatar/pack-reader.ts";
import { decodeGroupEntry, encodeGroupEntry } from "../../edge/compositor/h264/group-entry.ts";
import { openSession } from "../../edge/compositor/h264/live-session.ts";
import { PreparedFrameError } from "../../edge/compositor/prepared-frame-error.ts";
import { readPreparedFrame, Splicer } from "../../edge/compositor/splicer.ts";
import { randomTrack } from "../support/h264-streams.ts";
import { createMemoryStore } from "../support/memory-store.ts";
import { buildPack, buildPacks, describePack, type Pack } from "./material.ts";
import { mutate } from "./mutate.ts";
import { SeededRandom } from "./random.ts";

/**
 * Damages valid packs and prepared frames, and reads them as an edge does.
 * Reading either works or says AvatarError or PreparedFrameError; anything
 * else, a read of more than was announced, or a second without an answer, is a
 * failure, told with the seed that repeats it.
 *
 *     npm run fuzz -- [--seconds 60] [--seed N] [--count N]
 */
const KEY = "avatars/fuzz/pack";
const LONGEST_MS = 1000;
/** Beyond what the runtime and the kernels take. */
const MOST_GROWTH_BYTES = 256 * 1024 * 1024;

type Outcome = "read" | "refused";

/** One way to be damaged. */
const ATTACKS = {
  /** By the world: the manifest's hashes are those of the pack as it was. */
  async "changed bytes"(pack: Pack, random: SeededRandom) {
    const outcome = await readPack(mutate(pack.bytes, random), pack.stored, (entry, n) => {
      if (Buffer.compare(entry, pack.entries[n]!) !== 0) throw new Error(`entry ${n} is another`);
    });
    return outcome;
  },
  /** By someone who makes the hashes right: the structure of the index is tried. */
  async "forged index"(pack: Pack, random: SeededRandom) {
    const { indexBytes } = pack.stored;
    const index = mutate(pack.bytes.subarray(0, indexBytes), random);
    const bytes = new Uint8Array(Buffer.concat([index, pack.bytes.subarray(indexBytes)]));
    if (index.length >= 24) {
      new DataView(bytes.buffer).setUint32(20, crc32(bytes, 24, index.length), true);
    }
    return readPack(bytes, describePack(bytes, index.length), spliceEntry);
  },
  /** By someone who makes a pack of entries that are wrong in themselves. */
  async "forged entry"(pack: Pack, random: SeededRandom) {
    const forged = buildPack([mutate(random.pick(pack.entries), random)]);
    return readPack(forged.bytes, forged.stored, spliceEntry);
  },
  /** The same for video: a session plays what can be read, speaking and not. */
  async "forged video"(_pack: Pack, random: SeededRandom) {
    const { track, entries } = random.pick(videos);
    const n = random.below(entries.length);
    const { map, frames } = track.groups[n]!;
    const places = frames.map(({ frame, region }) => ({ frame, region }));
    try {
      const bytes = mutate(entries[n]!, random);
      const group = decodeGroupEntry(new Uint8Array(bytes), map, places);
      const session = openSession({ ...track, groups: [group] }, { maxCatchUpFrames: 30 });
      for (let shown = 0; shown < 2 * group.length; shown++) {
        const { region } = session.next;
        const mouth = new Uint8Array(3 * region.width * region.height).map((_, i) => i * 31);
        const isSpeaking = random.below(2) === 0;
        session.nextFrame({ mouth: isSpeaking ? mouth : null, keyFrame: random.below(4) === 0 });
      }
      return "read";
    } catch (error) {
      if (error instanceof PreparedFrameError) return "refused";
      throw error;
    }
  },
} satisfies Record<string, (pack: Pack, random: SeededRandom) => Promise<Outcome>>;

/** Tracks, and their groups as entries. */
const videos = await Promise.all(
  (["band", "box"] as const).map(async (mode, n) => {
    const { track } = await randomTrack(new SeededRandom(20 + n), 12, mode);
    return { track, entries: track.groups.map((group) => encodeGroupEntry(group, 1)) };
  }),
);

const splicer = new Splicer();

/** What an edge does with an entry: reads it and puts a mouth into it. */
function spliceEntry(bytes: Uint8Array<ArrayBuffer>): void {
  const frame = readPreparedFrame(bytes);
  const { width, height } = frame.entry.region;
  const mouth = new Uint8Array(3 * width * height).map((_, i) => i * 31);
  for (const part of splicer.splice(frame, mouth)) {
    if (part.length > 1024 * 1024 * 1024) throw new Error("a part of the file has no end");
  }
}

/** Reads all entries; refusals of single ones do not keep the others from being read. */
async function readPack(
  bytes: Uint8Array<ArrayBuffer>,
  stored: Pack["stored"],
  use: (entry: Uint8Array<ArrayBuffer>, n: number) => void,
): Promise<Outcome> {
  const store = createMemoryStore([[KEY, bytes]]);
  let outcome: Outcome = "read";
  const refusable = async (work: () => Promise<void>) => {
    try {
      await work();
    } catch (error) {
      const isRefusal = error instanceof AvatarError || error instanceof PreparedFrameError;
      if (!isRefusal) throw error;
      outcome = "refused";
    }
  };
  await refusable(async () => {
    const pack = await PackReader.open(store, KEY, stored);
    for (let n = 0; n < Math.min(pack.count, 16); n++) {
      await refusable(async () => use(await pack.read(n), n));
    }
    if (pack.count > 1) await refusable(async () => void (await pack.readSpan(0, pack.count - 1)));
  });
  for (const range of store.reads) {
    if (range && range.end - range.start <= stored.bytes) continue;
    throw new Error(`read ${range?.start} to ${range?.end} of a pack of ${stored.bytes} bytes`);
  }
  return outcome;
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      seconds: { type: "string", default: "60" },
      seed: { type: "string", default: String(Date.now() % 1_000_000_000) },
      count: { type: "string", default: "Infinity" },
    },
  });
  const [seconds, firstSeed, count] = [values.seconds, values.seed, values.count].map(Number);
  say(`fuzz packs: seed ${firstSeed}, ${seconds} s`);
  // The same for every seed, so that one seed is enough to repeat a failure.
  const packs = buildPacks(new SeededRandom(1));
  const names = Object.keys(ATTACKS) as (keyof typeof ATTACKS)[];
  const outcomes = new Map<string, number>();
  const startedMs = performance.now();
  const startBytes = process.memoryUsage().rss;
  let mostBytes = startBytes;
  let done = 0;
  for (; done < count! && performance.now() - startedMs < seconds! * 1000; done++) {
    const seed = firstSeed! + done;
    const random = new SeededRandom(seed);
    const name = random.pick(names);
    const begunMs = performance.now();
    try {
      const outcome = await ATTACKS[name](random.pick(packs), random);
      const tookMs = performance.now() - begunMs;
      if (tookMs > LONGEST_MS) throw new Error(`it took ${Math.round(tookMs)} ms`);
      const key = `${name}: ${outcome}`;
      outcomes.set(key, (outcomes.get(key) ?? 0) + 1);
      if (done % 256 === 0) mostBytes = Math.max(mostBytes, process.memoryUsage().rss);
      if (mostBytes - startBytes > MOST_GROWTH_BYTES) throw new Error("memory grows");
    } catch (error) {
      const why = error instanceof Error ? error.stack : String(error);
      say(`FAILED, ${name}; repeat it with --seed ${seed} --count 1\n${why}`);
      return 1;
    }
  }
  for (const [key, times] of [...outcomes].sort()) say(`  ${key} ${times}`);
  const grown = Math.round((mostBytes - startBytes) / 1024 / 1024);
  say(`${done} packs, no surprise; memory grew by ${grown} MB at most`);
  return 0;
}

process.exitCode = await main();
