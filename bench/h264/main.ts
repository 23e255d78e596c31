import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { encodeTrack } from "../../edge/compositor/h264/encode-track.ts";
import type { SliceMode } from "../../edge/compositor/h264/slice-map.ts";
import type { Track } from "../../edge/compositor/h264/track.ts";
import { round } from "../compare.ts";
import { lineChart } from "../line-chart.ts";
import type { Rows, Tables } from "../rows.ts";
import { type Clip, hasFilm, readClips } from "./clips.ts";
import { measureFrameSizes } from "./frame-size.ts";
import { type Quality, qualityOf, rateAt } from "./quality.ts";
import { mouthsOf, play } from "./speaking.ts";
import { codeWithX264 } from "./x264.ts";

/** Quantisers of IDR and of P pictures, from fine to coarse. */
const RENDITIONS = [
  [20, 26],
  [24, 30],
  [28, 34],
  [32, 38],
] as const;
const MIDDLE = 1;
const CRFS = { veryfast: [19, 23, 27, 31, 35], ultrafast: [23, 27, 31, 35, 39] } as const;
/** Axes of PSNR begin and end at multiples of so many decibels. */
const PSNR_STEP = 4;
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
      await draw(plot, `h264-rate-${clip.name.replace(/\W+/g, "-")}`, chart(clip, found.curves));
    }
    if (hasFilm()) {
      const found = await measureFrameSizes(folder);
      tables["h264 against the size of the frame"] = found.rows;
      await draw(plot, "h264-frame-size", found.chart);
    }
    return tables;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function draw(folder: string | null, name: string, svg: string): Promise<void> {
  if (folder === null) return;
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, `${name}.svg`), svg);
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
  const mouths = mouthsOf(clip);
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
      play(track, mouths); // Warms up.
      const { stream, cpuMs, slowestMs } = play(track, mouths);
      const quality = await qualityOf(stream, clip, folder);
      points.push(quality);
      const name = `spliced, ${mode}, I${intraQp}/P${interQp}`;
      rows.push(toRow(name, quality, cpuMs, veryfast, slowestMs));
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
    "CPU ms a frame": round(ms, 2),
    "slowest, ms": maxMs === null ? "" : round(maxMs, 2),
  };
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

function chart({ name }: Pick<Clip, "name">, curves: readonly Curve[]): string {
  const psnrs = curves.flatMap(({ points }) => points.map(({ psnr }) => psnr));
  return lineChart({
    title: `Quality against rate: ${name}, a mouth in every frame`,
    note: `IDR every ${KEY_SECONDS} s, Constrained Baseline, x264 with zerolatency on whole frames.`,
    xLabel: "kbit/s, logarithmic",
    xScale: "log",
    yLabel: "PSNR of luma, dB",
    bottom: PSNR_STEP * Math.floor(Math.min(...psnrs) / PSNR_STEP),
    top: PSNR_STEP * Math.ceil(Math.max(...psnrs) / PSNR_STEP),
    isDotted: true,
    series: curves.map(({ name, points }) => ({
      name,
      points: points
        .toSorted((a, b) => a.kilobitsPerSecond - b.kilobitsPerSecond)
        .map(({ kilobitsPerSecond, psnr }) => [kilobitsPerSecond, psnr] as const),
    })),
  });
}
