import {
  type ModelInfo,
  ModelState,
  type ModelStats,
} from "../../proto/gen/mouthpiece/inference/v1/inference_pb.js";
import { askCore, type CoreOptions } from "../core-connection.ts";
import { formatBytes } from "../progress.ts";
import { formatTable, printResult } from "../table.ts";

/** A big model on a cold disk, and its warm-up. */
const LOAD_TIMEOUT_S = 60;

/** `mouthpiece models list` */
export async function runModelsList(options: CoreOptions & { loaded?: boolean }): Promise<void> {
  const { models } = await askCore(options, (core) =>
    core.listModels({ loadedOnly: options.loaded ?? false }),
  );
  printResult(options.json, models.map(toModel), modelTable(models));
}

/** `mouthpiece models load` */
export async function runModelsLoad(
  id: string,
  options: CoreOptions & { force?: boolean },
): Promise<void> {
  const { model, loadTimeMs } = await askCore(
    options,
    (core) => core.loadModel({ modelId: id, forceReload: options.force ?? false }),
    LOAD_TIMEOUT_S,
  );
  const models = model ? [model] : [];
  const told =
    loadTimeMs > 0
      ? `loaded in ${Math.round(loadTimeMs)} ms\n`
      : "it was in memory: --force loads it again\n";
  const result = { model: models.map(toModel)[0] ?? null, loadMs: loadTimeMs };
  printResult(options.json, result, modelTable(models) + told);
}

/** `mouthpiece models unload` */
export async function runModelsUnload(id: string, options: CoreOptions): Promise<void> {
  const { wasLoaded } = await askCore(options, (core) => core.unloadModel({ modelId: id }));
  const told = wasLoaded ? `${id} is unloaded\n` : `${id} was not in memory\n`;
  printResult(options.json, { id, wasLoaded }, told);
}

/** `mouthpiece models stats` */
export async function runModelsStats(id: string | undefined, options: CoreOptions): Promise<void> {
  const { stats } = await askCore(options, (core) => core.getModelStats({ modelId: id ?? "" }));
  printResult(options.json, stats.map(toStats), statsTable(stats));
}

function toModel(model: ModelInfo) {
  return {
    id: model.modelId,
    state: stateName(model),
    version: model.version,
    placements: model.placements.map(({ gpuId, workerId }) => ({
      device: gpuId,
      worker: workerId,
    })),
    memoryBytes: Number(model.memoryBytes),
    error: model.error,
  };
}

function modelTable(models: readonly ModelInfo[]): string {
  if (models.length === 0) return "no models\n";
  const rows = models.map((model) => [
    model.modelId,
    stateName(model),
    model.placements.map(({ gpuId, workerId }) => `${gpuId}:${workerId}`).join(" "),
    model.memoryBytes > 0n ? formatBytes(Number(model.memoryBytes)) : "",
    model.version.slice(0, 12),
    // The table is one line a model; --json has all of it.
    model.error.split("\n")[0] ?? "",
  ]);
  return formatTable(["id", "state", "device:worker", "memory", "version", "error"], rows);
}

function stateName({ state }: ModelInfo): string {
  return (ModelState[state] ?? String(state)).toLowerCase();
}

function toStats(stats: ModelStats) {
  return {
    id: stats.modelId,
    requests: Number(stats.requests),
    failures: Number(stats.failures),
    frames: Number(stats.frames),
    unetMs: stats.unetMs,
    queueMs: stats.queueMs,
    loads: Number(stats.loads),
    evictions: Number(stats.evictions),
    lastUsedMs: Number(stats.lastUsedMs),
  };
}

function statsTable(all: readonly ModelStats[]): string {
  if (all.length === 0) return "not used since the core started\n";
  const rows = all
    .map(toStats)
    .map((stats) => [
      stats.id,
      stats.requests,
      stats.failures,
      stats.frames,
      stats.frames > 0 ? (stats.unetMs / stats.frames).toFixed(2) : "",
      stats.loads,
      stats.evictions,
      stats.lastUsedMs > 0 ? new Date(stats.lastUsedMs).toISOString() : "never",
    ]);
  const counts = ["requests", "failures", "frames", "U-Net ms/frame", "loads", "evictions"];
  return formatTable(["id", ...counts, "last used"], rows);
}
