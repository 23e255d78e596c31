import type { Lane } from "../engine/lane.ts";

/** What placement needs to know of a worker. */
export interface LaneLoad {
  readonly lane: Lane;
  /** Models in its memory. */
  readonly models: number;
}

export type AssignmentStrategy = "round-robin" | "least-loaded";

/** Chooses the worker that a model is loaded on. */
export class Placer {
  readonly #strategy: AssignmentStrategy;
  #turn = 0;

  constructor(strategy: AssignmentStrategy) {
    this.#strategy = strategy;
  }

  /**
   * @param loads all workers
   * @param preferredGpu device to use while it is up
   * @returns null when no device is up
   */
  choose(loads: readonly LaneLoad[], preferredGpu: number | undefined): Lane | null {
    const up = loads.filter(({ lane }) => lane.device.state === "ready");
    const preferred = up.filter(({ lane }) => lane.device.options.index === preferredGpu);
    const candidates = preferred.length > 0 ? preferred : up;
    if (candidates.length === 0) return null;
    if (this.#strategy === "round-robin") {
      return candidates[this.#turn++ % candidates.length]!.lane;
    }
    const least = candidates.reduce((best, load) => (isLess(load, best) ? load : best));
    return least.lane;
  }
}

/** Fewer models first, because memory is what runs out; then the shorter queue. */
function isLess(a: LaneLoad, b: LaneLoad): boolean {
  return a.models !== b.models ? a.models < b.models : a.lane.queued < b.lane.queued;
}
