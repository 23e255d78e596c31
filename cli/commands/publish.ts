import { availableParallelism } from "node:os";
import { resolve } from "node:path";
import { checkAvatarId } from "../../avatar/avatar-id.ts";
import { MAX_RENDITIONS, MAX_SOFT_EDGE } from "../../avatar/manifest.ts";
import type { VideoRequest } from "../../avatar/publish/video-encoder.ts";
import { checkTenantId } from "../../avatar/tenant-id.ts";
import { MAX_QP, MIN_QP } from "../../edge/compositor/h264/encode-track.ts";
import { CommandError } from "../command-error.ts";
import { formatBytes } from "../progress.ts";
import { type PublishSettings, publishFromFolder } from "../publish-from-folder.ts";
import { openTarget } from "../publish-target.ts";

export interface PublishOptions {
  readonly to: string;
  readonly root: string;
  readonly formats: string;
  readonly quality: string;
  readonly subsampling: string;
  readonly renditions: string;
  readonly videoMode: string;
  readonly softEdge?: string;
  /** False: `--no-tenant`. */
  readonly tenant?: string | false;
  readonly keepFrames?: boolean;
  readonly concurrency?: string;
  readonly endpoint?: string;
  readonly json?: boolean;
}

/** Small objects wait for the network more than they use it. */
const DEFAULT_PARALLEL_WRITES = 8;
const FORMATS = ["png", "jpeg", "h264"] as const;
/** Six seconds: a key picture costs as much as twenty others. */
const GROUP_FRAMES = 150;

/** `mouthpiece publish`: an imported avatar becomes a version that edges deliver from. */
export async function runPublish(id: string, options: PublishOptions): Promise<void> {
  checkAvatarId(id);
  const settings = parseOptions(options);
  const root = resolve(options.root);
  const target = openTarget(
    options.to,
    { option: "--to", endpoint: options.endpoint, parallel: settings.parallelWrites },
    process.env,
  );
  const startedMs = performance.now();
  const result = await publishFromFolder(id, root, target, settings);
  const seconds = (performance.now() - startedMs) / 1000;
  const { version, previousVersion, objects, bytes } = result;
  process.stdout.write(
    options.json
      ? `${JSON.stringify({ id, version, previousVersion, target: target.name, objects, bytes })}\n`
      : `avatar ${id}: version ${version} at ${target.name}\n` +
          `${objects.written} objects (${formatBytes(bytes.written)}) written, ` +
          `${objects.found} were there, ${seconds.toFixed(1)} s\n`,
  );
}

function parseOptions(options: PublishOptions): PublishSettings {
  const { subsampling, softEdge, concurrency, tenant } = options;
  if (typeof tenant === "string") checkTenantId(tenant);
  if (subsampling !== "4:2:0" && subsampling !== "4:4:4") {
    throw usage(`--subsampling ${subsampling}: use 4:2:0 or 4:4:4`);
  }
  const jpeg = { quality: parseNumber("--quality", options.quality, 1, 100), subsampling } as const;
  const wanted = options.formats.split(",").map((format) => format.trim());
  const unknown = wanted.find((format) => !FORMATS.some((known) => known === format));
  if (unknown !== undefined) {
    throw usage(`--formats ${options.formats}: use some of ${FORMATS.join(",")}`);
  }
  const parallel =
    concurrency === undefined ? null : parseNumber("--concurrency", concurrency, 1, 64);
  return {
    // Always in this order, so that the version does not depend on how it was typed.
    tracks: [
      ...(wanted.includes("png") ? [{ kind: "png", options: {} } as const] : []),
      ...(wanted.includes("jpeg") ? [{ kind: "jpeg", options: jpeg } as const] : []),
      { kind: "mouth", options: {} },
    ],
    jpeg,
    video: wanted.includes("h264") ? parseVideo(options) : null,
    softEdge:
      softEdge === undefined ? null : parseNumber("--soft-edge", softEdge, 0, MAX_SOFT_EDGE),
    tenant: tenant === false ? null : tenant,
    keepFrames: options.keepFrames ?? false,
    threads: parallel ?? availableParallelism(),
    parallelWrites: parallel ?? DEFAULT_PARALLEL_WRITES,
  };
}

function parseVideo({ renditions, videoMode }: PublishOptions): VideoRequest {
  if (videoMode !== "band" && videoMode !== "box") {
    throw usage(`--video-mode ${videoMode}: use band or box`);
  }
  const parsed = renditions.split(",").map((each) => {
    const [, intraQp, interQp] = /^\s*(\d\d)\/(\d\d)\s*$/.exec(each)?.map(Number) ?? [];
    const isKnown = [intraQp, interQp].every((qp = 0) => qp >= MIN_QP && qp <= MAX_QP);
    if (isKnown) return { intraQp: intraQp!, interQp: interQp! };
    throw usage(
      `--renditions ${renditions}: use pairs of quantisers from ${MIN_QP} to ${MAX_QP}, such as 22/27,26/32`,
    );
  });
  if (parsed.length > MAX_RENDITIONS) {
    throw usage(`--renditions ${renditions}: use ${MAX_RENDITIONS} at most`);
  }
  const isSorted = parsed.every(({ interQp }, n) => n === 0 || interQp > parsed[n - 1]!.interQp);
  if (!isSorted) throw usage(`--renditions ${renditions}: name the finest first, and none twice`);
  return { mode: videoMode, groupFrames: GROUP_FRAMES, renditions: parsed };
}

function parseNumber(option: string, value: string, low: number, high: number): number {
  const number = Number(value);
  if (/^[0-9]{1,4}$/.test(value) && number >= low && number <= high) return number;
  throw usage(`${option} ${value}: use a whole number from ${low} to ${high}`);
}

function usage(message: string): CommandError {
  return new CommandError(message, { isUsage: true });
}
