import type { PublishedAvatar } from "../../avatar/catalogue.ts";
import { readAvatar } from "../../avatar/catalogue.ts";
import { findTrack, type TrackKind } from "../../avatar/manifest.ts";
import type { ObjectStore } from "../../avatar/object-store.ts";
import { PackReader } from "../../avatar/pack-reader.ts";
import { FRAMES_PER_SECOND } from "../../avatar/speech-timing.ts";
import { placesOf, planLoop } from "../../edge/background/video-loop.ts";
import { decodeGroupEntry, errorOf } from "../../edge/compositor/h264/group-entry.ts";
import { codecString } from "../../edge/compositor/h264/parameter-sets.ts";
import type { TrackFrame } from "../../edge/compositor/h264/track.ts";
import { formatBytes } from "../progress.ts";
import { openTarget } from "../publish-target.ts";
import { formatTable, printResult } from "../table.ts";

export interface InspectOptions {
  readonly root: string;
  readonly endpoint?: string;
  readonly json?: boolean;
}

/** What a rendition of the video costs, and how it looks. */
interface RenditionReport {
  readonly intraQp: number;
  readonly interQp: number;
  readonly codec: string;
  /** Of the idle loop: what viewers are sent while nobody speaks. */
  readonly kilobitsPerSecond: number;
  /** Of luma, the idle loop against the frames that it was made from, in decibels. */
  readonly psnr: number;
  /** In the pack, in bits per second of the loop, by what they are for. */
  readonly bitsPerSecond: Record<Part, number>;
}

const PARTS = ["background", "idle mouth", "source", "key pictures"] as const;
type Part = (typeof PARTS)[number];

const SLICES: Record<Part, (frame: TrackFrame) => readonly Uint8Array[]> = {
  background: ({ picture }) => picture.fixed,
  "idle mouth": ({ picture }) => picture.idle,
  source: ({ source }) => source,
  "key pictures": ({ keyPicture }) => (keyPicture ? [...keyPicture.fixed, ...keyPicture.idle] : []),
};

const KINDS: readonly TrackKind[] = ["png", "jpeg", "mouth", "h264"];
/** Objects that are read at the same time. */
const PARALLEL = 4;

/** `mouthpiece inspect`: what a published avatar is made of. */
export async function runInspect(id: string, options: InspectOptions): Promise<void> {
  const { root, endpoint, json } = options;
  const { store } = openTarget(
    root,
    { option: "--root", endpoint, parallel: PARALLEL },
    process.env,
  );
  const avatar = await readAvatar(store, id);
  const { manifest, summary } = avatar;
  const tracks = KINDS.flatMap((kind) => {
    const track = findTrack(manifest, kind);
    return track ? [{ kind, bytes: track.bytes }] : [];
  });
  const video = await inspectVideo(store, avatar);
  const report = { ...summary, tenant: avatar.tenant, tracks, video };
  const { width, height, frameCount, version } = summary;
  const head =
    `${id}: ${summary.title}, ${width}x${height}, ${frameCount} frames, version ${version}\n\n` +
    formatTable(
      ["track", "size", "per frame"],
      tracks.map(({ kind, bytes }) => [kind, formatBytes(bytes), formatBytes(bytes / frameCount)]),
    );
  printResult(json, report, video ? `${head}\n${videoTable(video)}` : head);
}

interface VideoReport {
  readonly mode: "band" | "box";
  readonly groups: number;
  readonly renditions: readonly RenditionReport[];
}

async function inspectVideo(
  store: ObjectStore,
  { manifest, prefix }: PublishedAvatar,
): Promise<VideoReport | null> {
  const track = findTrack(manifest, "h264");
  if (!track) return null;
  const { mode } = track.options;
  const plan = planLoop(manifest, track.options);
  const entries = plan.length * track.options.renditions.length;
  const pack = await PackReader.open(store, `${prefix}${track.file}`, track, { entries });
  const { width, height } = manifest;
  const renditions: RenditionReport[] = [];
  for (const [r, rendition] of track.options.renditions.entries()) {
    const { intraQp, interQp, maxKilobitsPerSecond } = rendition;
    const bits = { background: 0, "idle mouth": 0, source: 0, "key pictures": 0 };
    let error = 0;
    for (const [n, { start, end, map }] of plan.entries()) {
      const bytes = await pack.read(r * plan.length + n);
      const { frames } = decodeGroupEntry(bytes, map, placesOf(manifest, start, end));
      error += errorOf(bytes) * (end - start);
      for (const frame of frames) {
        for (const part of PARTS) {
          bits[part] += SLICES[part](frame).reduce((sum, { length }) => sum + 8 * length, 0);
        }
      }
    }
    const positions = plan.at(-1)!.end;
    const perSecond = (count: number) => Math.round((count * FRAMES_PER_SECOND) / positions);
    const format = { width, height, framesPerSecond: FRAMES_PER_SECOND, maxKilobitsPerSecond };
    renditions.push({
      intraQp,
      interQp,
      codec: codecString(format),
      kilobitsPerSecond: Math.round(perSecond(bits.background + bits["idle mouth"]) / 1000),
      psnr: Number((10 * Math.log10(255 ** 2 / (error / positions))).toFixed(2)),
      bitsPerSecond: {
        background: perSecond(bits.background),
        "idle mouth": perSecond(bits["idle mouth"]),
        source: perSecond(bits.source),
        "key pictures": perSecond(bits["key pictures"]),
      },
    });
  }
  return { mode, groups: plan.length, renditions };
}

function videoTable({ mode, groups, renditions }: VideoReport): string {
  const kilobits = (bits: number) => Math.round(bits / 1000);
  const table = formatTable(
    ["rendition", "codec", "kbit/s", "PSNR, dB", ...PARTS.map((part) => `${part}, kbit/s`)],
    renditions.map(({ intraQp, interQp, codec, kilobitsPerSecond, psnr, bitsPerSecond }) => [
      `${intraQp}/${interQp}`,
      codec,
      kilobitsPerSecond,
      psnr,
      ...PARTS.map((part) => kilobits(bitsPerSecond[part])),
    ]),
  );
  const unit = groups === 1 ? "group" : "groups";
  return (
    `H.264 in ${mode} mode, ${groups} ${unit}; kbit/s and PSNR are those of the silent avatar,\n` +
    `the parts what the pack holds per second of its loop\n\n${table}`
  );
}
