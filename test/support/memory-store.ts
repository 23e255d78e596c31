import type { ByteRange, ObjectStore } from "../../avatar/object-store.ts";

/** Objects in memory, and what was asked of them. */
export interface MemoryStore extends ObjectStore {
  readonly objects: Map<string, Uint8Array>;
  /** Every range that was read; null for a whole object. */
  readonly reads: (ByteRange | null)[];
}

export function createMemoryStore(objects: Iterable<[string, Uint8Array]> = []): MemoryStore {
  const byKey = new Map(objects);
  const reads: (ByteRange | null)[] = [];
  return {
    objects: byKey,
    reads,
    async read(key, { range } = {}) {
      reads.push(range ?? null);
      const object = byKey.get(key);
      return object ? new Uint8Array(object.slice(range?.start, range?.end)) : null;
    },
    async list(prefix) {
      const below = [...byKey.keys()].filter((key) => key.startsWith(prefix));
      return [...new Set(below.map((key) => key.slice(prefix.length).split("/")[0]!))].sort();
    },
  };
}
