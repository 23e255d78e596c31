import type { CoreError, FailureReason } from "../core-error.ts";
import type { ModelMemory } from "../engine/messages.ts";
import type { ModelQueue } from "../scheduling/model-queue.ts";
import type { WorkerScheduler } from "../scheduling/worker-scheduler.ts";
import type { ModelVersion } from "../sources/model-source.ts";
import type { LoadSize, Reservation } from "./memory-ledger.ts";

/** One copy of a model in the memory of one worker. */
export interface Replica {
  readonly model: ModelVersion;
  /** Its name on the worker: id and a number, so that two versions can overlap. */
  readonly name: string;
  readonly scheduler: WorkerScheduler;
  readonly queue: ModelQueue;
  readonly memory: Reservation;
  /** Of the session that its first run on tensors makes; null where the load made that already. */
  readonly tensorSize: LoadSize | null;
  /** Null until then. */
  tensorMemory: Reservation | null;
  readonly createdMs: number;
  /** Requests that use it now; it is never evicted while there are any. */
  leases: number;
  /** Until it served its first request it stays a moment: somebody asked for it. */
  isUnused: boolean;
  /** Takes no new requests; freed with the last lease. */
  isRetired: boolean;
  /** Its process ended, and its memory with it. */
  isLost: boolean;
}

/** All that a replica takes. */
export function memoryOf({ memory, tensorMemory }: Replica): ModelMemory {
  return {
    hostBytes: memory.memory.hostBytes + (tensorMemory?.memory.hostBytes ?? 0),
    deviceBytes: memory.memory.deviceBytes + (tensorMemory?.memory.deviceBytes ?? 0),
  };
}

/** Why a model could not be loaded, and when it is tried again. */
export interface LoadFailure {
  /** `resource_exhausted` when there was no memory or disk for it, which is not its fault. */
  readonly code: "unavailable" | "resource_exhausted";
  readonly cause: FailureReason;
  readonly reason: string;
  /** In a row. */
  readonly attempts: number;
  readonly retryAtMs: number;
}

/** A load that is under way. */
export interface ModelLoad {
  /** The version that it was asked for with; empty for the current one. */
  readonly version: string;
  readonly done: Promise<Replica>;
  /** Unloaded meanwhile, and nobody has asked for it since. */
  isUnwanted: boolean;
}

/** Resolves with the load, however it ends. */
export async function ended({ done }: ModelLoad): Promise<void> {
  await done.catch(() => {});
}

/** What the registry knows of one model that is or was wanted. */
export class ModelEntry {
  readonly id: string;
  replicas: Replica[] = [];
  loading: ModelLoad | null = null;
  /** A request waits for `loading`. */
  isWaitedFor = false;
  /** Loads that have their worker and their memory. */
  admitted = 0;
  failure: LoadFailure | null = null;
  /** Requests that wait for it or use it. */
  requests = 0;
  lastUsedMs = Number.NEGATIVE_INFINITY;
  /** A replica is being added. */
  isScaling = false;
  /** When the number of replicas last changed. */
  scaledMs = Number.NEGATIVE_INFINITY;

  constructor(id: string) {
    this.id = id;
  }

  /** Nothing is lost when it is forgotten. */
  get isEmpty(): boolean {
    return (
      this.replicas.length + this.admitted === 0 &&
      !this.loading &&
      !this.isScaling &&
      !this.failure &&
      this.requests === 0
    );
  }
}

const BACK_OFF_MS = { first: 1000, longest: 60_000 };

/** The failure after `before`: each waits twice as long as the one before. */
export function nextFailure(
  before: LoadFailure | null,
  { code, reason, message }: CoreError,
  nowMs: number,
): LoadFailure {
  const attempts = (before?.attempts ?? 0) + 1;
  const waitMs = Math.min(BACK_OFF_MS.longest, BACK_OFF_MS.first * 2 ** (attempts - 1));
  const isFull = code === "resource_exhausted";
  return {
    code: isFull ? code : "unavailable",
    cause: (isFull && reason) || "load_failed",
    reason: message,
    attempts,
    retryAtMs: nowMs + waitMs,
  };
}

/** Of the copies that can serve the version the one whose worker has the least to do. */
export function pickReplica({ replicas }: ModelEntry, version: string): Replica | null {
  let best: Replica | null = null;
  for (const replica of replicas) {
    if (version !== "" && replica.model.version !== version) continue;
    if (!best || isFreer(replica.scheduler, best.scheduler)) best = replica;
  }
  return best;
}

function isFreer(a: WorkerScheduler, b: WorkerScheduler): boolean {
  return a.requests !== b.requests ? a.requests < b.requests : a.utilisation < b.utilisation;
}
