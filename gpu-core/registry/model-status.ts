import type { ModelControl } from "./model-control.ts";
import { type ModelEntry, memoryOf } from "./replica.ts";

export type ModelState = "unloaded" | "loading" | "ready" | "failed";

/** A model as `ListModels` tells it. */
export interface ModelStatus {
  readonly id: string;
  readonly state: ModelState;
  readonly version: string;
  /** Whether a request for it is served, with a load if need be. */
  readonly isServed: boolean;
  readonly placements: readonly { readonly device: number; readonly worker: number }[];
  readonly memoryBytes: number;
  readonly error: string;
}

/**
 * @param entry what the registry knows of it; undefined for nothing
 * @param control whether a request may load it
 */
export function statusOf(
  id: string,
  entry: ModelEntry | undefined,
  control: Pick<ModelControl, "permits">,
): ModelStatus {
  const replicas = entry?.replicas ?? [];
  const isFailed = entry?.failure?.code === "unavailable";
  const idle = entry?.loading ? "loading" : isFailed ? "failed" : "unloaded";
  const state = replicas.length > 0 ? "ready" : idle;
  return {
    id,
    state,
    isServed: state === "ready" || (state !== "failed" && control.permits(id)),
    version: replicas[0]?.model.version ?? "",
    placements: replicas.map(({ scheduler }) => ({
      device: scheduler.worker.device.index,
      worker: scheduler.worker.index,
    })),
    memoryBytes: replicas.reduce((sum, replica) => sum + memoryOf(replica).deviceBytes, 0),
    error: entry?.failure?.reason ?? "",
  };
}
