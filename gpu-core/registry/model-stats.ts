/** Counters of one model since the core started. */
export interface ModelStats {
  requests: number;
  failures: number;
  frames: number;
  unetMs: number;
  queueMs: number;
  loads: number;
  evictions: number;
  /** Unix time in milliseconds; 0 if never. */
  lastUsedMs: number;
}

/** Counters of all models that were ever used. */
export class StatsBook {
  readonly #stats = new Map<string, ModelStats>();

  of(id: string): ModelStats {
    let stats = this.#stats.get(id);
    if (!stats) {
      stats = {
        requests: 0,
        failures: 0,
        frames: 0,
        unetMs: 0,
        queueMs: 0,
        loads: 0,
        evictions: 0,
        lastUsedMs: 0,
      };
      this.#stats.set(id, stats);
    }
    return stats;
  }

  /** Null for a model that was never used. */
  find(id: string): ModelStats | null {
    return this.#stats.get(id) ?? null;
  }

  entries(): [string, ModelStats][] {
    return [...this.#stats].sort(([a], [b]) => (a < b ? -1 : 1));
  }
}
