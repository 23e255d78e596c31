/** Orders models by how much the next minutes will miss them. */
export interface EvictionPolicy {
  /** A request used the model. */
  used(id: string, nowMs: number): void;
  /** The model with the lowest rank leaves first. */
  rank(id: string): number;
  /** The model does not exist any more. */
  forget(id: string): void;
}

export type EvictionPolicyName = "lru" | "lfu";

/** A use counts half after this time: yesterday's star has to leave today. */
const HALF_LIFE_MS = 30 * 60_000;

export function createEvictionPolicy(name: EvictionPolicyName): EvictionPolicy {
  return name === "lru" ? new LeastRecentlyUsed() : new LeastFrequentlyUsed(HALF_LIFE_MS);
}

class LeastRecentlyUsed implements EvictionPolicy {
  readonly #order = new Map<string, number>();
  #last = 0;

  used(id: string): void {
    this.#order.set(id, ++this.#last);
  }

  rank(id: string): number {
    return this.#order.get(id) ?? 0;
  }

  forget(id: string): void {
    this.#order.delete(id);
  }
}

/**
 * LFU with ageing: each use weighs 2^(-age / half-life). Kept as the logarithm
 * of the sum of 2^(time / half-life), which orders models the same at any
 * time, so nothing has to be updated when time passes. Models that left keep
 * their rank: frequency is a fact about the model and not about our memory.
 */
export class LeastFrequentlyUsed implements EvictionPolicy {
  readonly #halfLifeMs: number;
  readonly #ranks = new Map<string, number>();

  constructor(halfLifeMs: number) {
    this.#halfLifeMs = halfLifeMs;
  }

  used(id: string, nowMs: number): void {
    const now = nowMs / this.#halfLifeMs;
    const before = this.#ranks.get(id);
    this.#ranks.set(id, before === undefined ? now : addLog2(before, now));
  }

  rank(id: string): number {
    return this.#ranks.get(id) ?? Number.NEGATIVE_INFINITY;
  }

  forget(id: string): void {
    this.#ranks.delete(id);
  }
}

/** log2(2^a + 2^b) without overflow. */
function addLog2(a: number, b: number): number {
  const high = Math.max(a, b);
  return high + Math.log2(1 + 2 ** (Math.min(a, b) - high));
}
