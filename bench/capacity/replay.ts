import { LeastFrequentlyUsed } from "../../gpu-core/registry/eviction.ts";

/** One use of a model. */
export interface Use {
  readonly id: string;
  readonly atMs: number;
}

const HALF_LIFE_MS = 30 * 60_000;

/**
 * What a policy can reach: a plain cache of `room` models over the same uses,
 * in which nothing is ever in use and loads take no time.
 * @returns misses
 */
export function replay(trace: readonly Use[], room: number, policy: "lru" | "lfu"): number {
  const frequency = new LeastFrequentlyUsed(HALF_LIFE_MS);
  /** In the order of their last use. */
  const cached = new Map<string, true>();
  let misses = 0;
  for (const { id, atMs } of trace) {
    frequency.used(id, atMs);
    if (!cached.delete(id)) {
      misses++;
      if (cached.size === room) cached.delete(victimOf(cached, frequency, policy));
    }
    cached.set(id, true);
  }
  return misses;
}

function victimOf(
  cached: ReadonlyMap<string, true>,
  frequency: LeastFrequentlyUsed,
  policy: "lru" | "lfu",
): string {
  const [oldest] = cached.keys();
  if (policy === "lru") return oldest!;
  let victim = oldest!;
  let lowest = Number.POSITIVE_INFINITY;
  for (const id of cached.keys()) {
    const rank = frequency.rank(id);
    if (rank >= lowest) continue;
    victim = id;
    lowest = rank;
  }
  return victim;
}

/**
 * What nobody can beat: a cache that knows the future (Belady, 1966).
 * @returns misses
 */
export function belady(trace: readonly Use[], room: number): number {
  const nextUse = new Array<number>(trace.length);
  const seen = new Map<string, number>();
  for (let n = trace.length - 1; n >= 0; n--) {
    const { id } = trace[n]!;
    nextUse[n] = seen.get(id) ?? Number.POSITIVE_INFINITY;
    seen.set(id, n);
  }
  const cached = new Map<string, number>();
  let misses = 0;
  for (const [n, { id }] of trace.entries()) {
    if (!cached.has(id)) {
      misses++;
      if (cached.size === room) {
        let last = "";
        let lastUse = -1;
        for (const [other, use] of cached) {
          if (use <= lastUse) continue;
          last = other;
          lastUse = use;
        }
        cached.delete(last);
      }
    }
    cached.set(id, nextUse[n]!);
  }
  return misses;
}
