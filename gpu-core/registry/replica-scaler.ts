import type { WorkerScheduler } from "../scheduling/worker-scheduler.ts";
import type { ModelEntry, Replica } from "./replica.ts";

/** A model that takes more of its workers' time than this gets another one. */
const BUSY_SHARE = 0.7;
/** Waits beyond it are noticed by people: a frame is 40 ms, and several follow each other. */
const LONG_WAIT_MS = 60;
/** A worker that is this idle can take over from one whose models wait. */
const IDLE_WORKER = 0.5;
/** With one replica fewer the others would be busy no more than this. */
const RELAXED_SHARE = 0.4;
const RELAXED_WAIT_MS = 10;
/** Below it the wait was measured too long ago to mean anything. */
const HARDLY_USED = 0.03;
/** Loads cost a second of a worker: no more than one change in this time. */
const SETTLE_MS = { add: 2000, remove: 30_000 };

export type ScalingStep =
  | { readonly type: "add"; readonly entry: ModelEntry }
  | { readonly type: "remove"; readonly entry: ModelEntry; readonly replica: Replica };

/**
 * Which models need another replica, and which have one too many, by what they
 * were measured to need: their share of worker time and their wait for it.
 */
export function planReplicas(
  entries: Iterable<ModelEntry>,
  schedulers: readonly WorkerScheduler[],
  maxReplicas: number,
  nowMs: number,
): ScalingStep[] {
  const steps: ScalingStep[] = [];
  for (const entry of entries) {
    const { replicas } = entry;
    if (replicas.length === 0 || entry.isScaling || entry.loading) continue;
    const demand = replicas.reduce((sum, { queue }) => sum + queue.busy.perMs(nowMs), 0);
    const waitMs = Math.max(...replicas.map(({ queue }) => queue.waitMs));
    const sinceMs = nowMs - entry.scaledMs;
    if (replicas.length < maxReplicas && sinceMs >= SETTLE_MS.add) {
      const isBusy = demand > BUSY_SHARE * replicas.length;
      const isWaiting = waitMs > LONG_WAIT_MS && demand > HARDLY_USED;
      if ((isBusy || isWaiting) && hasIdleWorker(replicas, schedulers, isBusy)) {
        steps.push({ type: "add", entry });
        continue;
      }
    }
    if (replicas.length > 1 && sinceMs >= SETTLE_MS.remove) {
      const isQuiet = waitMs < RELAXED_WAIT_MS || demand < HARDLY_USED;
      const isRelaxed = isQuiet && demand < RELAXED_SHARE * (replicas.length - 1);
      if (isRelaxed) steps.push({ type: "remove", entry, replica: busiest(replicas) });
    }
  }
  return steps;
}

function hasIdleWorker(
  replicas: readonly Replica[],
  schedulers: readonly WorkerScheduler[],
  isBusy: boolean,
): boolean {
  const limit = isBusy ? BUSY_SHARE : IDLE_WORKER;
  return schedulers.some(
    (scheduler) =>
      scheduler.worker.device.state === "ready" &&
      scheduler.utilisation < limit &&
      replicas.every((replica) => replica.scheduler !== scheduler),
  );
}

/** The one whose worker has the most to do for others. */
function busiest(replicas: readonly Replica[]): Replica {
  return replicas.reduce((most, replica) =>
    replica.scheduler.utilisation > most.scheduler.utilisation ? replica : most,
  );
}
