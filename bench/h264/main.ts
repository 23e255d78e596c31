import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { encodeTrack } from "../../edge/compositor/h264/encode-track.ts";
import { openSession } from "../../edge/compositor/h264/live-session.ts";
import type { SliceMode } from "../../edge/compositor/h264/slice-map.ts";
import type { Track } from "../../edge/compositor/h264/track.ts";
import { lineChart } from "../capacity/plot.ts";
import { median, round } from "../compare.ts";
import type { Rows, Tables } from "../rows.ts";
import { type Clip, readClips } from "./clips.ts";
import { type Quality, qualityOf, rateAt } from "./quality.ts";
import { codeWithX264 } from "./x264.ts";

/** Quantisers of IDR and of P pictures, from fine to coarse. */
const RENDITIONS = [
  [20, 26],
  [24, 30],
  [28, 34],
] as const;
const MIDDLE = 1;
const CRFS = { veryfast: [19, 23, 27, 31], ultrafast: [19, 23, 27, 31] } as const;
const KEY_SECONDS = 2;
const MODES: readonly SliceMode[] = ["band", "box"];

/** H.264 spliced, with a mouth that changes in every frame, against x264 on whole frames. */
export async function benchH264(plot: string | null): Promise<Tables> {
  const folder = await mkdtemp(join(tmpdir(), "mouthpiece-bench-"));
  try {
    const tables: Record<string, Rows> = {};
    for (const clip of await readClips()) {
      const found = await measureClip(clip, folder);
      tables[`h264, ${clip.name}`] = found.rows;
      tables[`h264 pack, ${clip.name}`] = found.pack;
      if (plot !== null) {
        await mkdir(plot, { recursive: true });
        const name = `h264-rate-${clip.name.replace(/\W+/g, "-")}.svg`;
        await writeFile(join(plot, name), chart(clip, found.curves));
      }
    }
    return tables;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

interface Curve {
  readonly name: string;
  readonly points: readonly Quality[];
}

async function measureClip(clip: Clip, folder: string) {
  const keyFrames = clip.framesPerSecond * KEY_SECONDS;
  const peers = new Map<string, Quality[]>();
  const rows: Record<string, string | number>[] = [];
  const pack: Record<string, string | number>[] = [];
  const peerRows: Record<string, string | number>[] = [];
  for (const preset of ["veryfast", "ultrafast"] as const) {
    const points: Quality[] = [];
    for (const crf of CRFS[preset]) {
      const { stream, msPerFrame } = await codeWithX264(clip, preset, crf, keyFrames, folder);
      const quality = await qualityOf(stream, clip, folder);
      points.push(quality);
      peerRows.push(toRow(`x264 ${preset}, CRF ${crf}`, quality, msPerFrame, points, null));
    }
    peers.set(preset, points);
  }
  const veryfast = peers.get("veryfast")!;
  const curves: Curve[] = [];
  for (const mode of MODES) {
    const points: Quality[] = [];
    for (const [n, [intraQp, interQp]] of RENDITIONS.entries()) {
      const started = performance.now();
      const track = await encodeTrack(clip.background, {
        framesPerSecond: clip.framesPerSecond,
        mode,
        intraQp,
        interQp,
        groupFrames: keyFrames,
      });
      const frames = clip.background.order.length;
      const publishMs = (performance.now() - started) / frames;
      const { stream, ms, maxMs } = speak(track, clip);
      const quality = await qualityOf(stream, clip, folder);
      points.push(quality);
      const name = `spliced, ${mode}, I${intraQp}/P${interQp}`;
      rows.push({ ...toRow(name, quality, ms, veryfast, maxMs) });
      if (n === MIDDLE) pack.push(packRow(track, clip, publishMs));
    }
    curves.push({ name: `spliced, ${mode}`, points });
  }
  for (const [preset, points] of peers) curves.push({ name: `x264 ${preset}`, points });
  return { rows: [...rows, ...peerRows], pack, curves };
}

function toRow(
  coder: string,
  { kilobitsPerSecond, psnr }: Quality,
  ms: number,
  veryfast: readonly Quality[],
  maxMs: number | null,
) {
  return {
    coder,
    "kbit/s": Math.round(kilobitsPerSecond),
    "PSNR-Y": round(psnr, 2),
    "rate / x264 veryfast":
      veryfast.length > 1 ? round(kilobitsPerSecond / rateAt(psnr, veryfast), 2) : "",
    "ms a frame": round(ms, 2),
    "slowest, ms": maxMs === null ? "" : round(maxMs, 2),
  };
}

/** Plays a track with a mouth in every frame; the first time warms up. */
function speak(track: Track, clip: Clip) {
  const count = clip.background.order.length;
  const mouths = Array.from({ length: count }, (_, position) => clip.mouthAt(position));
  const play = () => {
    const session = openSession(track);
    const times: number[] = [];
    const parts: Uint8Array[] = [];
    for (const mouth of mouths) {
      const started = performance.now();
      const unit = session.nextFrame({ mouth });
      times.push(performance.now() - started);
      parts.push(...unit.parts);
    }
    return { times, stream: Buffer.concat(parts) };
  };
  play();
  const { times, stream } = play();
  return { stream, ms: median(times), maxMs: Math.max(...times) };
}

function packRow(track: Track, clip: Clip, publishMs: number) {
  const frames = track.groups.flatMap((group) => group.frames);
  const seconds = frames.length / clip.framesPerSecond;
  const total = (slicesOf: (frame: (typeof frames)[number]) => readonly Uint8Array[]) =>
    frames.reduce(
      (sum, frame) => sum + slicesOf(frame).reduce((n, { length }) => n + length, 0),
      0,
    );
  const kilobytes = (bytes: number) => round(bytes / 1024 / seconds, 1);
  return {
    mode: track.mode,
    "static, KB/s": kilobytes(total(({ picture }) => picture.fixed)),
    "idle D, KB/s": kilobytes(total(({ picture }) => picture.idle)),
    "source of D, KB/s": kilobytes(total(({ source }) => source)),
    "key variants, KB/s": kilobytes(
      total(({ keyPicture }) => (keyPicture ? [...keyPicture.fixed, ...keyPicture.idle] : [])),
    ),
    "publish, frames/s": round(1000 / publishMs, 1),
  };
}

function chart(clip: Clip, curves: readonly Curve[]): string {
  return lineChart({
    title: `Quality against rate: ${clip.name}, a mouth in every frame`,
    note: `IDR every ${KEY_SECONDS} s, Constrained Baseline, x264 with zerolatency on whole frames.`,
    xLabel: "kbit/s",
    yLabel: "PSNR of luma above 30 dB",
    series: curves.map(({ name, points }) => ({
      name,
      points: points
        .toSorted((a, b) => a.kilobitsPerSecond - b.kilobitsPerSecond)
        .map(({ kilobitsPerSecond, psnr }) => [kilobitsPerSecond, psnr - 30] as const),
    })),
  });
}
