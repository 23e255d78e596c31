import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { encodeTrack } from "../../edge/compositor/h264/encode-track.ts";
import { openSession } from "../../edge/compositor/h264/live-session.ts";
import { MouthPlacer } from "../../edge/compositor/h264/mouth-placer.ts";
import { planesOf } from "../../edge/compositor/h264/picture.ts";
import { openEncoders } from "../../edge/runtime/webcodecs/open-encoders.ts";
import { loadWebCodecs } from "../../edge/runtime/webcodecs/webcodecs-module.ts";
import type { WholeFrameEncoders } from "../../edge/speak/whole-frame-encoder.ts";
import { round } from "../compare.ts";
import type { Tables } from "../rows.ts";
import { type Clip, readClips } from "./clips.ts";
import { qualityOf } from "./quality.ts";

/** As `VideoComposer` plays it, and as `WholeFrameComposer` may be told to. */
const TRACK = { mode: "band", intraQp: 24, interQp: 30 } as const;
const RATES = [null, 1000, 500];
const KEY_SECONDS = 2;

interface Played {
  readonly stream: Uint8Array;
  /** Of all threads, in milliseconds a frame. */
  readonly cpuMs: number;
  /** Of the thread that serves. */
  readonly ownMs: number;
  readonly waitMs: number;
}

/** Whole frames by @napi-rs/webcodecs, which has to be installed, against the splice. */
export async function benchWholeFrames(): Promise<Tables> {
  const encoders = await openEncoders(await loadWebCodecs());
  const folder = await mkdtemp(join(tmpdir(), "mouthpiece-bench-"));
  try {
    const tables: Record<string, Record<string, string | number>[]> = {};
    for (const clip of await readClips()) {
      const rows = [];
      rows.push(await toRow("spliced", await playSpliced(clip), clip, folder));
      for (const kilobits of RATES) {
        const name = `whole frames, ${kilobits === null ? "no limit" : `${kilobits} kbit/s`}`;
        const played = await playWhole(encoders, kilobits, clip);
        rows.push(await toRow(name, played, clip, folder));
      }
      tables[`whole frames, ${clip.name}`] = rows;
    }
    return tables;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function toRow(coder: string, played: Played, clip: Clip, folder: string) {
  const { kilobitsPerSecond, psnr } = await qualityOf(played.stream, clip, folder);
  return {
    coder,
    "kbit/s": Math.round(kilobitsPerSecond),
    "PSNR-Y": round(psnr, 2),
    "CPU ms a frame": round(played.cpuMs, 2),
    "of them in the event loop": round(played.ownMs, 2),
    "ms to the frame": round(played.waitMs, 2),
  };
}

async function playSpliced(clip: Clip): Promise<Played> {
  const groupFrames = clip.framesPerSecond * KEY_SECONDS;
  const { framesPerSecond } = clip;
  const track = await encodeTrack(clip.background, { ...TRACK, framesPerSecond, groupFrames });
  return play(clip, () => {
    const session = openSession(track);
    return async (_position, mouth) => session.nextFrame({ mouth }).parts;
  });
}

async function playWhole(
  encoders: WholeFrameEncoders,
  kilobitsPerSecond: number | null,
  clip: Clip,
): Promise<Played> {
  const { width, height, order, regionOf, read } = clip.background;
  const { framesPerSecond } = clip;
  const placer = new MouthPlacer();
  const backgrounds: Uint8Array[] = [];
  for (const frame of new Set(order)) {
    const planes = planesOf(await read(frame)).map(({ data }) => data);
    backgrounds[frame] = Buffer.concat(planes);
  }
  return play(clip, () => {
    const encoder = encoders.open({ width, height, framesPerSecond, kilobitsPerSecond });
    return async (position, mouth) => {
      const frame = order[position]!;
      const options = { width, height, region: regionOf(frame), softEdge: 0 };
      const isKey = position % (framesPerSecond * KEY_SECONDS) === 0;
      const picture = placer.place(backgrounds[frame]!, mouth, options);
      const { parts } = await encoder.encode(picture, isKey);
      if (position === order.length - 1) encoder.close();
      return parts;
    };
  });
}

type Compose = (position: number, mouth: Uint8Array) => Promise<readonly Uint8Array[]>;

/** Twice: the first time warms up. */
async function play(clip: Clip, open: () => Compose): Promise<Played> {
  const mouths = clip.background.order.map((_, position) => clip.mouthAt(position));
  const once = async () => {
    const compose = open();
    const parts: Uint8Array[] = [];
    const [cpu, own, started] = [process.cpuUsage(), process.threadCpuUsage(), performance.now()];
    for (const [n, mouth] of mouths.entries()) parts.push(...(await compose(n, mouth)));
    const each = (usage: NodeJS.CpuUsage) => (usage.user + usage.system) / 1000 / mouths.length;
    return {
      waitMs: (performance.now() - started) / mouths.length,
      cpuMs: each(process.cpuUsage(cpu)),
      ownMs: each(process.threadCpuUsage(own)),
      stream: Buffer.concat(parts),
    };
  };
  await once();
  return once();
}
