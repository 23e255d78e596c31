import type { CoreErrorCode, FailureReason } from "../core-error.ts";
import type { BatchTimes } from "../engine/messages.ts";
import type { Priority } from "../scheduling/work.ts";

/** An RPC that has ended. */
export interface RequestEnd {
  /** Name of the method, such as `InferSpeech`. */
  readonly method: string;
  /** `ok`, or the Connect code as the wire spells it, such as `resource_exhausted`. */
  readonly code: string;
  /** `code`, or what the core knows beyond it; one of few. */
  readonly reason: string;
  readonly durationMs: number;
}

/** A batch that a worker has run. */
export interface BatchEnd {
  /** Index of the device. */
  readonly device: number;
  /** Index of the worker within the device. */
  readonly worker: number;
  readonly priority: Priority;
  readonly frames: number;
  /** Waiting for the worker. */
  readonly queueMs: number;
  /** Null when the worker did not tell. */
  readonly times: BatchTimes | null;
}

/** An attempt to bring a model into memory that has ended: how long it took, or why it failed, in one of few words. */
export type ModelLoadEnd =
  | { readonly ms: number; readonly failure: null }
  | { readonly failure: FailureReason | CoreErrorCode };

/**
 * Why a model left memory without anybody having asked for it: too many
 * models, too little memory, nobody used it, or a replica that is not needed
 * any more.
 */
export type EvictionReason = "capacity" | "memory" | "idle" | "replica";

/** Is told what happens in the core. Called on the hot path: it returns at once and never throws. */
export interface CoreObserver {
  requestEnded(end: RequestEnd): void;
  batchEnded(end: BatchEnd): void;
  modelLoaded(end: ModelLoadEnd): void;
  /** A request asked for a model. @param isHit whether it was in memory */
  modelLookedUp(isHit: boolean): void;
  modelEvicted(reason: EvictionReason): void;
  /** A request whose device ended goes on elsewhere. */
  requestRetried(): void;
}

/** Looks away. */
export const noObserver: CoreObserver = {
  requestEnded() {},
  batchEnded() {},
  modelLoaded() {},
  modelLookedUp() {},
  modelEvicted() {},
  requestRetried() {},
};

export const DEVICE_STATES = ["starting", "ready", "down", "failed"] as const;

/** A device as it is now. */
export interface DeviceSnapshot {
  readonly index: number;
  readonly state: (typeof DEVICE_STATES)[number];
  /** Copies of models in its memory. */
  readonly models: number;
  /** What admission measured for them. */
  readonly memoryBytes: number;
  readonly memoryBudgetBytes: number;
  /** Of its process; 0 where the system does not tell. */
  readonly residentBytes: number;
  /** Times its process was started again. */
  readonly restarts: number;
}

/** The core as it is now: what is asked for at each scrape. */
export interface CoreSnapshot {
  readonly isUp: boolean;
  readonly maxModels: number;
  /** Copies beyond the first one of each model. */
  readonly replicas: number;
  readonly hostMemoryBytes: number;
  readonly hostMemoryBudgetBytes: number;
  readonly waitingRequests: number;
  readonly runningRequests: number;
  /** Those that wait for their model to be loaded; not among the waiting ones. */
  readonly loadingRequests: number;
  readonly devices: readonly DeviceSnapshot[];
  /** Spans since the start; null when nothing is traced. */
  readonly spans: {
    readonly exported: number;
    readonly failed: number;
    readonly dropped: number;
  } | null;
}
