import type { WorkerScheduler } from "../scheduling/worker-scheduler.ts";

/** What placement knows of a worker. */
export interface WorkerLoad {
  readonly scheduler: WorkerScheduler;
  /** Models in its memory. */
  readonly models: number;
}

export type AssignmentStrategy = "round-robin" | "least-loaded";

/** Utilisation is compared in steps of this: a percent more or less is noise. */
const UTILISATION_STEP = 0.1;

/** Chooses the worker that a model is loaded on. */
export class Placer {
  readonly #strategy: AssignmentStrategy;
  #turn = 0;

  constructor(strategy: AssignmentStrategy) {
    this.#strategy = strategy;
  }

  /**
   * @param loads workers that may take the model
   * @param preferredGpu device to use if one of its workers is among them
   */
  choose(loads: readonly WorkerLoad[], preferredGpu: number | undefined): WorkerScheduler | null {
    const preferred = loads.filter(
      ({ scheduler }) => scheduler.worker.device.index === preferredGpu,
    );
    const candidates = preferred.length > 0 ? preferred : loads;
    if (candidates.length === 0) return null;
    if (this.#strategy === "round-robin") {
      return candidates[this.#turn++ % candidates.length]!.scheduler;
    }
    return candidates.reduce((best, load) => (isLess(load, best) ? load : best)).scheduler;
  }
}

/** The worker that was less busy lately; among equals the one with fewer loads, models, requests. */
function isLess(a: WorkerLoad, b: WorkerLoad): boolean {
  const [x, y] = [order(a), order(b)];
  const at = x.findIndex((value, i) => value !== y[i]);
  return at >= 0 && x[at]! < y[at]!;
}

function order({ scheduler, models }: WorkerLoad): number[] {
  const step = Math.floor(scheduler.utilisation / UTILISATION_STEP);
  return [step, scheduler.loading, models, scheduler.requests];
}
