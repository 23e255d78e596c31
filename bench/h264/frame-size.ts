import { encodeTrack } from "../../edge/compositor/h264/encode-track.ts";
import { median, round } from "../compare.ts";
import { lineChart } from "../line-chart.ts";
import type { Rows } from "../rows.ts";
import { readFilm } from "./clips.ts";
import { qualityOf } from "./quality.ts";
import { mouthsOf, play } from "./speaking.ts";
import { codeWithX264 } from "./x264.ts";

const HEIGHTS = [320, 480, 720, 974, 1080, 1440] as const;
/** Two seconds, one group of pictures. */
const FRAMES = 60;
const ROUNDS = 5;
/** At these, all coders show the film at about the same PSNR. */
const QPS = { intraQp: 24, interQp: 30 };
const CRFS = { ultrafast: 24, veryfast: 25 } as const;
const PRESETS = ["ultrafast", "veryfast"] as const;

interface Coder {
  readonly name: string;
  /** Codes the clip once. */
  readonly run: () => Promise<{ readonly stream: Uint8Array; readonly cpuMs: number }>;
}

/**
 * What a frame costs at run time against its size: the film, scaled with its
 * mouth. In every round each coder has its turn, so that all of them have the
 * same machine; the median of rounds counts.
 */
export async function measureFrameSizes(folder: string): Promise<{ rows: Rows; chart: string }> {
  const rows: Record<string, string | number>[] = [];
  const curves = new Map<string, [x: number, y: number][]>();
  for (const height of HEIGHTS) {
    const clip = await readFilm(height, FRAMES);
    const { width } = clip.background;
    const mouths = mouthsOf(clip);
    const silence = mouths.map(() => null);
    const settings = { framesPerSecond: clip.framesPerSecond, groupFrames: FRAMES, ...QPS };
    const band = await encodeTrack(clip.background, { ...settings, mode: "band" });
    const box = await encodeTrack(clip.background, { ...settings, mode: "box" });
    const coders: Coder[] = [
      { name: "spliced, band", run: async () => play(band, mouths) },
      { name: "spliced, box", run: async () => play(box, mouths) },
      { name: "spliced, silence", run: async () => play(band, silence) },
      ...PRESETS.map((preset) => ({
        name: `x264 ${preset}`,
        run: async () => {
          const coded = await codeWithX264(clip, preset, CRFS[preset], FRAMES, folder);
          return { stream: coded.stream, cpuMs: coded.msPerFrame };
        },
      })),
    ];
    const times = coders.map((): number[] => []);
    const streams: Uint8Array[] = [];
    // The first round warms up.
    for (let n = 0; n <= ROUNDS; n++) {
      for (const [i, { run }] of coders.entries()) {
        const { stream, cpuMs } = await run();
        streams[i] = stream;
        if (n > 0) times[i]!.push(cpuMs);
      }
    }
    const row: Record<string, string | number> = { frame: `${width}x${height}` };
    for (const [i, { name }] of coders.entries()) {
      const ms = median(times[i]!);
      row[`${name}, ms`] = round(ms, name === "spliced, silence" ? 3 : 2);
      if (!curves.has(name)) curves.set(name, []);
      curves.get(name)!.push([(width * height) / 1e6, ms]);
      if (name === "spliced, silence") continue;
      row[`${name}, dB`] = round((await qualityOf(streams[i]!, clip, folder)).psnr, 1);
    }
    rows.push(row);
  }
  const chart = lineChart({
    title: "CPU of a frame against its size: a film, scaled, a mouth in every frame",
    note: `Medians of ${ROUNDS} rounds in turns; one thread; about equal PSNR; x264 with its assembly.`,
    xLabel: "megapixels of a frame",
    yLabel: "ms of CPU a frame",
    isDotted: true,
    series: [...curves].map(([name, points]) => ({ name, points })),
  });
  return { rows, chart };
}
