import type { Clock } from "../../avatar/clock.ts";
import type { Logger } from "../../avatar/logger.ts";
import type { InferenceDevice } from "../engine/inference-worker.ts";
import type { CoreObserver, EvictionReason } from "../observe/observer.ts";
import type { ModelVersion } from "../sources/model-source.ts";
import type { Residents } from "./admission.ts";
import type { EvictionPolicy } from "./eviction.ts";
import type { StatsBook } from "./model-stats.ts";
import { ModelEntry, type Replica } from "./replica.ts";

/** Use of a model for one request. Release it in `finally`. */
export interface ModelLease {
  readonly model: ModelVersion;
  readonly replica: Replica;
  /** Whether it had to be loaded for this request. */
  readonly isCold: boolean;
  release(): void;
}

export interface ResidentModelsOptions {
  readonly policy: EvictionPolicy;
  readonly stats: StatsBook;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly observer: CoreObserver;
}

/**
 * What is known of each model that is or was wanted, and the copies in memory:
 * who uses them, and how they leave. A copy in use leaves with its last lease.
 */
export class ResidentModels implements Residents {
  readonly #options: ResidentModelsOptions;
  readonly #entries = new Map<string, ModelEntry>();

  constructor(options: ResidentModelsOptions) {
    this.#options = options;
  }

  /** A snapshot: entries may go while it is read. */
  entries(): ModelEntry[] {
    return [...this.#entries.values()];
  }

  find(id: string): ModelEntry | undefined {
    return this.#entries.get(id);
  }

  /** The model's entry, an empty one if there was none: `tidy` it afterwards. */
  entry(id: string): ModelEntry {
    let entry = this.#entries.get(id);
    if (!entry) {
      entry = new ModelEntry(id);
      this.#entries.set(id, entry);
    }
    return entry;
  }

  /** Puts back an entry that was tidied away while its model was being loaded. */
  keep(entry: ModelEntry): void {
    this.#entries.set(entry.id, entry);
  }

  /** A name that somebody made up must not cost memory. */
  tidy(entry: ModelEntry): void {
    if (entry.isEmpty && this.#entries.get(entry.id) === entry) this.#entries.delete(entry.id);
  }

  replicas(): Replica[] {
    return this.entries().flatMap(({ replicas }) => replicas);
  }

  modelCount(): number {
    let count = 0;
    for (const { replicas, admitted } of this.#entries.values()) {
      if (replicas.length + admitted > 0) count++;
    }
    return count;
  }

  /** Takes a replica into use for one of the entry's requests, which ends with the lease. */
  lease(entry: ModelEntry, replica: Replica, isCold: boolean): ModelLease {
    const { policy, stats, clock } = this.#options;
    replica.leases++;
    replica.isUnused = false;
    entry.lastUsedMs = clock.now();
    policy.used(entry.id, entry.lastUsedMs);
    stats.of(entry.id).lastUsedMs = Date.now();
    let isReleased = false;
    return {
      model: replica.model,
      replica,
      isCold,
      release: () => {
        if (isReleased) return;
        isReleased = true;
        replica.leases--;
        entry.requests--;
        if (replica.isRetired && replica.leases === 0) this.#free(replica);
        this.tidy(entry);
      },
    };
  }

  evict(victim: Replica, reason: EvictionReason): void {
    const { stats, observer, logger } = this.#options;
    stats.of(victim.model.id).evictions++;
    observer.modelEvicted(reason);
    logger.info("model evicted", { model: victim.model.id, reason });
    this.retire(victim);
  }

  /** Evicts what nobody has used for `limitMs`. */
  evictIdle(limitMs: number, isPinned: (id: string) => boolean): void {
    const { clock, logger, observer } = this.#options;
    const now = clock.now();
    for (const entry of this.entries()) {
      if (isPinned(entry.id)) continue;
      for (const replica of [...entry.replicas]) {
        if (replica.leases > 0) continue;
        if (now - Math.max(entry.lastUsedMs, replica.createdMs) < limitMs) continue;
        logger.info("model idle", { model: entry.id });
        observer.modelEvicted("idle");
        this.retire(replica);
      }
    }
  }

  /** Takes a replica out of service; its memory is freed when nobody uses it any more. */
  retire(replica: Replica): void {
    if (replica.isRetired) return;
    replica.isRetired = true;
    const entry = this.#entries.get(replica.model.id);
    if (entry) {
      entry.replicas = entry.replicas.filter((other) => other !== replica);
      this.tidy(entry);
    }
    if (replica.leases === 0) this.#free(replica);
  }

  /** The device's process ended: everything in it is gone. */
  lose(device: InferenceDevice): void {
    for (const replica of this.replicas()) {
      if (replica.scheduler.worker.device !== device) continue;
      replica.isLost = true;
      this.retire(replica);
    }
  }

  #free(replica: Replica): void {
    replica.memory.release();
    replica.tensorMemory?.release();
    replica.model.release();
    replica.scheduler.close(replica.queue);
    if (replica.isLost) return;
    replica.scheduler.worker.unload(replica.name).catch((error: unknown) => {
      // The device ended meanwhile, and the memory with it.
      this.#options.logger.warn("unload failed", { model: replica.model.id, error: String(error) });
    });
  }
}
