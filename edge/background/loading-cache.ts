import { LRUCache } from "lru-cache";
import type { Sharing } from "../parts.ts";

export interface LoadingCacheOptions<Value extends object, Wanted> {
  /** Of all values together. */
  readonly maxBytes: number;
  readonly sizeOf: (value: Value) => number;
  readonly load: (wanted: Wanted, key: string) => Promise<Value>;
  readonly sharing: Sharing;
  readonly onEvict?: () => void;
}

/** What happened since the start, and what is held now. */
export interface CacheStats {
  readonly hits: number;
  readonly misses: number;
  readonly evictions: number;
  readonly entries: number;
  readonly bytes: number;
}

/**
 * Values that are loaded when they are first asked for, once however many ask,
 * and kept within a budget, least recently used out first. What fails is not
 * remembered.
 */
export class LoadingCache<Value extends object, Wanted> {
  readonly #options: LoadingCacheOptions<Value, Wanted>;
  readonly #values: LRUCache<string, Value>;
  readonly #loads = new Map<string, Promise<Value>>();
  #hits = 0;
  #misses = 0;
  #evictions = 0;

  constructor(options: LoadingCacheOptions<Value, Wanted>) {
    this.#options = options;
    const { maxBytes, sizeOf, onEvict } = options;
    this.#values = new LRUCache<string, Value>({
      maxSize: maxBytes,
      sizeCalculation: (value) => Math.max(1, sizeOf(value)),
      dispose: (_value, _key, reason) => {
        if (reason !== "evict") return;
        this.#evictions++;
        onEvict?.();
      },
    });
  }

  get size(): number {
    return this.#values.size;
  }

  get bytes(): number {
    return this.#values.calculatedSize;
  }

  get stats(): CacheStats {
    const [hits, misses, evictions] = [this.#hits, this.#misses, this.#evictions];
    return { hits, misses, evictions, entries: this.size, bytes: this.bytes };
  }

  has(key: string): boolean {
    return this.#values.has(key);
  }

  /** Whether it is being loaded. */
  isLoading(key: string): boolean {
    return this.#loads.has(key);
  }

  /** @throws what `load` throws */
  get(key: string, wanted: Wanted): Promise<Value> {
    const value = this.#values.get(key);
    if (value) {
      this.#hits++;
      return Promise.resolve(value);
    }
    this.#misses++;
    const load = this.#loads.get(key);
    return load ? this.#join(load, key, wanted) : this.#start(key, wanted);
  }

  #start(key: string, wanted: Wanted): Promise<Value> {
    const { load, sharing } = this.#options;
    const started = load(wanted, key).then(
      (value) => {
        this.#forget(key, started);
        this.#values.set(key, value);
        return value;
      },
      (error: unknown) => {
        this.#forget(key, started);
        throw error;
      },
    );
    this.#loads.set(key, started);
    sharing.keepAlive(started.catch(() => {}));
    return started;
  }

  /** Waits for a load that somebody else began, which may end without a word with its request. */
  async #join(load: Promise<Value>, key: string, wanted: Wanted): Promise<Value> {
    const { patienceMs } = this.#options.sharing;
    if (!Number.isFinite(patienceMs)) return load;
    const late = Symbol("late");
    const timer = Promise.withResolvers<typeof late>();
    const id = setTimeout(() => timer.resolve(late), patienceMs);
    try {
      const first = await Promise.race([load, timer.promise]);
      if (first !== late) return first;
    } finally {
      clearTimeout(id);
    }
    this.#forget(key, load);
    return this.get(key, wanted);
  }

  #forget(key: string, load: Promise<Value>): void {
    if (this.#loads.get(key) === load) this.#loads.delete(key);
  }
}
