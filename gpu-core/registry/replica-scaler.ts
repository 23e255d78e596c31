import type { WorkerScheduler } from "../scheduling/worker-scheduler.ts";
import type { Admission } from "./admission.ts";
import type { ModelLoader } from "./model-loader.ts";
import type { RegistryOptions } from "./registry.ts";
import type { ModelEntry, Replica } from "./replica.ts";
import type { ResidentModels } from "./resident-models.ts";

/** A model that takes more of its workers' time than this gets another one. */
const BUSY_SHARE = 0.7;
/**
 * Mean wait for the worker from which another replica helps. Where memory is
 * free it costs nothing but the load; where others would have to leave for it
 * people must already notice: a frame is 40 ms, and several follow each other.
 */
const LONG_WAIT_MS = { roomy: 8, full: 60 };
/** The other worker has to be less busy by so much. */
const WORTHWHILE = 0.15;
/** With one replica fewer the others would be busy no more than this. */
const RELAXED_SHARE = 0.4;
const RELAXED_WAIT_MS = 5;
/** Below it the wait was measured too long ago to mean anything. */
const HARDLY_USED = 0.03;
/** Loads cost a second of a worker: no more than one change of a model in this time. */
const SETTLE_MS = { add: 2000, remove: 300_000 };

/** Adds and removes copies of models by what they are measured to need. */
export class ReplicaScaler {
  readonly #options: RegistryOptions;
  readonly #residents: ResidentModels;
  readonly #admission: Admission;
  readonly #loader: ModelLoader;

  constructor(
    options: RegistryOptions,
    residents: ResidentModels,
    admission: Admission,
    loader: ModelLoader,
  ) {
    this.#options = options;
    this.#residents = residents;
    this.#admission = admission;
    this.#loader = loader;
  }

  /** Call it about once a second. */
  scale(): void {
    const { config, schedulers, clock } = this.#options;
    const max = Math.min(config.capacity.max_replicas, schedulers.length);
    const hasRoom = (scheduler: WorkerScheduler) => this.#admission.hasRoom(scheduler);
    const entries = this.#residents.entries();
    for (const step of planReplicas(entries, schedulers, max, clock.now(), hasRoom)) {
      step.entry.scaledMs = clock.now();
      if (step.type === "add") void this.#add(step.entry, step.target);
      else this.#remove(step.entry, step.replica);
    }
  }

  #remove(entry: ModelEntry, replica: Replica): void {
    const { logger, observer } = this.#options;
    logger.info("replica removed", { model: entry.id });
    observer.modelEvicted("replica");
    this.#residents.retire(replica);
  }

  async #add(entry: ModelEntry, target: WorkerScheduler): Promise<void> {
    const { schedulers, logger } = this.#options;
    entry.isScaling = true;
    const except = schedulers.filter((scheduler) => scheduler !== target);
    const version = entry.replicas[0]?.model.version ?? "";
    try {
      const replica = await this.#loader.load(entry, version, "batch", except);
      // The model was unloaded or replaced while its replica was on the way.
      const isStale = entry.replicas.some((other) => other.model.version !== version);
      if (isStale || entry.replicas.length === 1) this.#residents.retire(replica);
    } catch (error) {
      logger.debug("replica not added", { model: entry.id, error: String(error) });
    } finally {
      entry.isScaling = false;
      this.#residents.tidy(entry);
    }
  }
}

type ScalingStep =
  | { readonly type: "add"; readonly entry: ModelEntry; readonly target: WorkerScheduler }
  | { readonly type: "remove"; readonly entry: ModelEntry; readonly replica: Replica };

/**
 * Which models need another replica, and which have one too many, by what they
 * were measured to need: their share of worker time and their wait for it.
 */
function planReplicas(
  entries: Iterable<ModelEntry>,
  schedulers: readonly WorkerScheduler[],
  maxReplicas: number,
  nowMs: number,
  hasRoom: (scheduler: WorkerScheduler) => boolean,
): ScalingStep[] {
  const steps: ScalingStep[] = [];
  /** Each takes one new replica at a time. */
  const free = new Set(
    schedulers.filter(({ worker, loading }) => worker.device.state === "ready" && loading === 0),
  );
  for (const entry of entries) {
    const { replicas } = entry;
    if (replicas.length === 0 || entry.isScaling || entry.loading) continue;
    const demand = replicas.reduce((sum, { queue }) => sum + queue.busy.perMs(nowMs), 0);
    const waitMs = Math.max(...replicas.map(({ queue }) => queue.waitMs));
    const sinceMs = nowMs - entry.scaledMs;
    if (replicas.length < maxReplicas && sinceMs >= SETTLE_MS.add && demand > HARDLY_USED) {
      const target = leastBusy([...free].filter((scheduler) => isOther(scheduler, replicas)));
      const least = Math.min(...replicas.map(({ scheduler }) => scheduler.utilisation));
      const limitMs = target && hasRoom(target) ? LONG_WAIT_MS.roomy : LONG_WAIT_MS.full;
      const isNeeded = demand > BUSY_SHARE * replicas.length || waitMs > limitMs;
      if (target && isNeeded && target.utilisation + WORTHWHILE < least) {
        free.delete(target);
        steps.push({ type: "add", entry, target });
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

function isOther(scheduler: WorkerScheduler, replicas: readonly Replica[]): boolean {
  return replicas.every((replica) => replica.scheduler !== scheduler);
}

function leastBusy(schedulers: readonly WorkerScheduler[]): WorkerScheduler | null {
  return schedulers.reduce<WorkerScheduler | null>(
    (least, scheduler) => (least && least.utilisation <= scheduler.utilisation ? least : scheduler),
    null,
  );
}

/** The one whose worker has the most to do for others. */
function busiest(replicas: readonly Replica[]): Replica {
  return replicas.reduce((most, replica) =>
    replica.scheduler.utilisation > most.scheduler.utilisation ? replica : most,
  );
}
