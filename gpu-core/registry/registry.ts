import type { Clock } from "../../avatar/clock.ts";
import type { Logger } from "../../avatar/logger.ts";
import type { CoreConfig, ModelConfig } from "../config.ts";
import { CoreError, toErrorData } from "../core-error.ts";
import type { InferenceDevice } from "../engine/inference-worker.ts";
import type { CoreObserver, EvictionReason } from "../observe/observer.ts";
import type { Priority } from "../scheduling/work.ts";
import type { WorkerScheduler } from "../scheduling/worker-scheduler.ts";
import type { ModelSource, ModelVersion } from "../sources/model-source.ts";
import { Admission } from "./admission.ts";
import { createEvictionPolicy, type EvictionPolicy } from "./eviction.ts";
import { ModelControl } from "./model-control.ts";
import { ModelLoader } from "./model-loader.ts";
import { StatsBook } from "./model-stats.ts";
import { type ModelStatus, statusOf } from "./model-status.ts";
import { Preloader } from "./preloader.ts";
import { ended, ModelEntry, pickReplica, type Replica } from "./replica.ts";
import { planReplicas } from "./replica-scaler.ts";
import { untilLimit, type WaitLimits } from "./wait.ts";

const IDLE_CHECK_MS = 30_000;
const SCALING_CHECK_MS = 1000;
/** Others may evict a model between its load and our use of it; more often means that memory is far too small. */
const MAX_ACQUIRE_ROUNDS = 8;

/** Use of a model for one request. Release it in `finally`. */
export interface ModelLease {
  readonly model: ModelVersion;
  readonly replica: Replica;
  /** Whether it had to be loaded for this request. */
  readonly isCold: boolean;
  release(): void;
}

export interface RegistryOptions {
  readonly config: CoreConfig;
  readonly devices: readonly InferenceDevice[];
  readonly schedulers: readonly WorkerScheduler[];
  readonly source: ModelSource;
  readonly logger: Logger;
  readonly clock: Clock;
  readonly observer: CoreObserver;
  /** Size of a model's file in bytes, for the first guess of what it takes. */
  readonly fileBytes?: (path: string) => Promise<number>;
}

/**
 * Which model is where. Loads on demand, one load per model however many ask;
 * evicts by LRU or LFU, never a model in use; adds replicas of hot models.
 */
export class Registry {
  readonly stats = new StatsBook();
  readonly #options: RegistryOptions;
  readonly #clock: Clock;
  readonly #policy: EvictionPolicy;
  readonly #admission: Admission;
  readonly #loader: ModelLoader;
  readonly #entries = new Map<string, ModelEntry>();
  readonly #preloader: Preloader;
  readonly #control: ModelControl;
  #models: Readonly<Record<string, ModelConfig>>;
  #cancelTimers: (() => void)[] = [];
  #isClosed = false;
  #awaitingLoads = 0;

  constructor(options: RegistryOptions) {
    const { config, devices, schedulers, clock } = options;
    this.#options = options;
    this.#clock = clock;
    this.#models = config.models;
    this.#policy = createEvictionPolicy(config.capacity.eviction_policy);
    const residents = {
      replicas: () => this.#replicas(),
      modelCount: () => this.#modelsInMemory(),
      evict: (victim: Replica, reason: EvictionReason) => this.#evict(victim, reason),
    };
    const now = () => clock.now();
    this.#admission = new Admission(config, schedulers, residents, this.#policy, now);
    const settingsOf = (id: string) => this.#models[id];
    this.#control = new ModelControl(config.model_control, settingsOf, options.source);
    this.#loader = new ModelLoader(options, this.#admission, settingsOf, (entry) => {
      // An entry that was tidied away meanwhile comes back.
      this.#entries.set(entry.id, entry);
      this.stats.of(entry.id).loads++;
    });
    this.#preloader = new Preloader({
      isWanted: (id) => !this.#isClosed && this.#models[id]?.preload === true,
      load: (id) => this.load(id, false, "batch"),
      failureOf: (id) => this.#entries.get(id)?.failure ?? null,
      atOnce: schedulers.length,
      clock,
      logger: options.logger,
    });
    for (const device of devices) {
      device.onStateChange(() => {
        if (device.state !== "ready") this.#lose(device);
        // What is preloaded follows the devices that are up.
        if (devices.some(({ state }) => state === "ready")) void this.preload();
      });
    }
    this.#every(IDLE_CHECK_MS, () => this.#evictIdle());
    this.#every(SCALING_CHECK_MS, () => this.#scale());
  }

  /** Models in memory. */
  get loadedCount(): number {
    return [...this.#entries.values()].filter(({ replicas }) => replicas.length > 0).length;
  }

  /** Copies of models on a device, and their measured memory. */
  usage(device: number): { replicas: number; memoryBytes: number } {
    const replicas = this.#replicas().filter(
      ({ scheduler }) => scheduler.worker.device.index === device,
    );
    return { replicas: replicas.length, memoryBytes: this.#admission.ledger.deviceBytes(device) };
  }

  /** Copies beyond the first one of each model. */
  get spareCopies(): number {
    return this.#replicas().length - this.loadedCount;
  }

  /** Requests that wait for a model to be loaded. */
  get awaitingLoads(): number {
    return this.#awaitingLoads;
  }

  /** Memory of the host that all models take, in bytes. */
  get hostMemoryBytes(): number {
    return this.#admission.ledger.hostBytes;
  }

  /**
   * The model, loaded if need be.
   * @param version the version that the caller needs; empty for the current one
   * @throws CoreError `not_found`, `failed_precondition` (also for one that requests
   * may not load, see ModelControl), `resource_exhausted`,
   * `unavailable` (it cannot be loaded, or no device is up), `cancelled`, `deadline_exceeded`
   */
  async acquire(id: string, version: string, limits: WaitLimits): Promise<ModelLease> {
    const entry = this.#entry(id);
    this.#checkQueue(entry);
    entry.requests++;
    try {
      const found = pickReplica(entry, version);
      this.#options.observer.modelLookedUp(found !== null);
      if (found) return this.#lease(entry, found, false);
      for (let loads = 0; loads < MAX_ACQUIRE_ROUNDS; ) {
        const replica = pickReplica(entry, version);
        if (replica) return this.#lease(entry, replica, true);
        if (!this.#control.permits(id)) await this.#control.refuse(id);
        this.#checkFailure(entry);
        if (entry.loading && entry.loading.version !== version) {
          entry.isWaitedFor = true;
          await this.#awaitLoad(ended(entry.loading), limits);
          continue;
        }
        loads++;
        try {
          await this.#awaitLoad(this.#load(entry, version, "live"), limits);
        } catch (error) {
          // That this model cannot be loaded is said the same way to the first who asks and to the next.
          this.#checkFailure(entry);
          throw error;
        }
      }
      throw new CoreError(
        "resource_exhausted",
        `${id} was evicted ${MAX_ACQUIRE_ROUNDS} times before it could be used: raise capacity.max_models or capacity.max_memory_gb`,
        { retryAfterMs: 1000, reason: "models_in_use" },
      );
    } catch (error) {
      entry.requests--;
      this.#tidy(entry);
      throw error;
    }
  }

  /** Call it before a run on tensors, which may take memory of its own. @throws CoreError `resource_exhausted` */
  admitTensors({ replica }: ModelLease): void {
    this.#admission.admitTensors(replica);
  }

  /** Brings a model into memory; with `force` a new copy replaces the one that serves. */
  async load(
    id: string,
    force: boolean,
    priority: Priority = "live",
  ): Promise<{ status: ModelStatus; loadMs: number }> {
    const started = this.#clock.now();
    const entry = await this.#entryToLoad(id, force, priority);
    try {
      const isLoaded = entry.replicas.length > 0 && !force;
      if (!isLoaded) await this.#load(entry, "", priority);
      // Not when it was unloaded meanwhile.
      if (entry.replicas.length > 0) this.#control.decide(id, true);
      return { status: await this.status(id), loadMs: isLoaded ? 0 : this.#clock.now() - started };
    } finally {
      this.#tidy(entry);
    }
  }

  /** As `load`, for requests that will come, where those could load it themselves. */
  async prewarm(id: string): Promise<{ status: ModelStatus; loadMs: number }> {
    if (!this.#control.permits(id)) await this.#control.refuse(id);
    return this.load(id, false);
  }

  /** Loads the models that are configured so, where nothing live is in the way. See Preloader. */
  preload(): Promise<void> {
    const ids = Object.keys(this.#models).filter(
      (id) => this.#models[id]?.preload && this.#control.permits(id),
    );
    return this.#preloader.run(ids);
  }

  /** Takes over other `models:` settings: new ones are preloaded, changed ones loaded again while the old copy serves. */
  async reconfigure(models: Readonly<Record<string, ModelConfig>>): Promise<void> {
    const before = this.#models;
    this.#models = models;
    this.#options.source.reconfigure(models);
    const isOther = (id: string) => JSON.stringify(before[id]) !== JSON.stringify(models[id]);
    for (const id of Object.keys({ ...before, ...models }))
      if (isOther(id)) this.#control.forgetUnload(id);
    const changed = [...this.#entries.values()].filter(({ id }) => isOther(id));
    for (const entry of changed) {
      const { id } = entry;
      // With other settings it may well load.
      entry.failure = null;
      this.#tidy(entry);
      if (entry.replicas.length === 0 && !entry.loading) continue;
      try {
        await this.load(id, true, "batch");
      } catch (error) {
        if (toErrorData(error).code === "not_found") this.unload(id);
        this.#options.logger.error("reload failed", { model: id, error: String(error) });
      }
    }
    await this.preload();
  }

  /**
   * Frees a model as soon as no request uses it; one that is being loaded and
   * that no request waits for leaves when its load has ended.
   * @returns false if it was neither in memory nor on its way
   */
  unload(id: string): boolean {
    this.#control.decide(id, false);
    const entry = this.#entries.get(id);
    if (!entry) return false;
    const { replicas, loading } = entry;
    if (loading && entry.requests === 0) loading.isUnwanted = true;
    for (const replica of [...replicas]) this.#retire(replica);
    return replicas.length > 0 || loading?.isUnwanted === true;
  }

  async list(): Promise<ModelStatus[]> {
    const ids = await this.#options.source.listIds();
    return ids.map((id) => statusOf(id, this.#entries.get(id), this.#control));
  }

  /** @throws CoreError `not_found` */
  async status(id: string): Promise<ModelStatus> {
    if (!this.#entries.get(id)?.replicas.length) await this.#options.source.check(id);
    return statusOf(id, this.#entries.get(id), this.#control);
  }

  close(): void {
    this.#isClosed = true;
    for (const cancel of this.#cancelTimers) cancel();
  }

  #every(ms: number, call: () => void): void {
    const at = this.#cancelTimers.length;
    const next = () => {
      this.#cancelTimers[at] = this.#clock.after(ms, () => {
        if (this.#isClosed) return;
        call();
        next();
      });
    };
    this.#cancelTimers.push(() => {});
    next();
  }

  #entry(id: string): ModelEntry {
    let entry = this.#entries.get(id);
    if (!entry) {
      entry = new ModelEntry(id);
      this.#entries.set(id, entry);
    }
    return entry;
  }

  /** A name that somebody made up must not cost memory. */
  #tidy(entry: ModelEntry): void {
    if (entry.isEmpty && this.#entries.get(entry.id) === entry) this.#entries.delete(entry.id);
  }

  async #awaitLoad(load: Promise<unknown>, limits: WaitLimits): Promise<void> {
    this.#awaitingLoads++;
    try {
      await untilLimit(load, this.#clock, limits);
    } finally {
      this.#awaitingLoads--;
    }
  }

  #checkQueue({ id, requests, replicas }: ModelEntry): void {
    const own = this.#models[id]?.queue_size;
    const size = own ?? this.#options.config.server.queue_size;
    if (requests < size * Math.max(1, replicas.length)) return;
    const setting = own === undefined ? "server.queue_size" : `models.${id}.queue_size`;
    throw new CoreError(
      "resource_exhausted",
      `${id} has ${requests} requests already (${setting}): try again shortly`,
      { retryAfterMs: 1000, reason: "queue_full" },
    );
  }

  #checkFailure({ id, failure }: ModelEntry): void {
    if (!failure) return;
    const waitMs = failure.retryAtMs - this.#clock.now();
    if (waitMs <= 0) return;
    throw new CoreError(
      failure.code,
      `${id} cannot be loaded: ${failure.reason} (attempt ${failure.attempts}; the next one in ${Math.ceil(waitMs / 1000)} s)`,
      { retryAfterMs: waitMs, reason: failure.cause },
    );
  }

  #lease(entry: ModelEntry, replica: Replica, isCold: boolean): ModelLease {
    replica.leases++;
    replica.isUnused = false;
    entry.lastUsedMs = this.#clock.now();
    this.#policy.used(entry.id, entry.lastUsedMs);
    this.stats.of(entry.id).lastUsedMs = Date.now();
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
        this.#tidy(entry);
      },
    };
  }

  /** The entry when nothing is under way that a load of the current version could not join. */
  async #entryToLoad(id: string, force: boolean, priority: Priority): Promise<ModelEntry> {
    let entry = this.#entry(id);
    // What began before may have begun with files and settings that are to be replaced.
    const older = force ? entry.loading : null;
    while (entry.loading && (entry.loading === older || entry.loading.version !== "")) {
      if (priority === "live") entry.isWaitedFor = true;
      await ended(entry.loading);
      // It may have been tidied away with the load that failed.
      entry = this.#entry(id);
    }
    return entry;
  }

  /** One load per model at a time; who comes later with the same version joins it. */
  #load(entry: ModelEntry, version: string, priority: Priority): Promise<Replica> {
    if (priority === "live") entry.isWaitedFor = true;
    if (entry.loading) {
      entry.loading.isUnwanted = false;
      return entry.loading.done;
    }
    const done = this.#loadFirst(entry, version, priority).finally(() => {
      entry.loading = null;
      entry.isWaitedFor = false;
    });
    entry.loading = { version, done, isUnwanted: false };
    return done;
  }

  async #loadFirst(entry: ModelEntry, version: string, priority: Priority): Promise<Replica> {
    const old = [...entry.replicas];
    const replica = await this.#loader.load(entry, version, priority);
    for (const other of old) this.#retire(other);
    if (entry.loading?.isUnwanted) this.#retire(replica);
    return replica;
  }

  #scale(): void {
    const { config, schedulers, logger, observer } = this.#options;
    const max = Math.min(config.capacity.max_replicas, schedulers.length);
    const hasRoom = (scheduler: WorkerScheduler) => this.#admission.hasRoom(scheduler);
    const entries = [...this.#entries.values()];
    for (const step of planReplicas(entries, schedulers, max, this.#clock.now(), hasRoom)) {
      const { entry } = step;
      if (step.type === "remove") {
        logger.info("replica removed", { model: entry.id });
        observer.modelEvicted("replica");
        entry.scaledMs = this.#clock.now();
        this.#retire(step.replica);
        continue;
      }
      entry.isScaling = true;
      entry.scaledMs = this.#clock.now();
      const except = schedulers.filter((scheduler) => scheduler !== step.target);
      const version = entry.replicas[0]?.model.version ?? "";
      this.#loader
        .load(entry, version, "batch", except)
        .then(
          (replica) => {
            // The model was unloaded or replaced while its replica was on the way.
            const isStale = entry.replicas.some((other) => other.model.version !== version);
            if (isStale || entry.replicas.length === 1) this.#retire(replica);
          },
          (error: unknown) => {
            logger.debug("replica not added", { model: entry.id, error: String(error) });
          },
        )
        .finally(() => {
          entry.isScaling = false;
          this.#tidy(entry);
        });
    }
  }

  #evict(victim: Replica, reason: EvictionReason): void {
    this.stats.of(victim.model.id).evictions++;
    this.#options.observer.modelEvicted(reason);
    this.#options.logger.info("model evicted", { model: victim.model.id, reason });
    this.#retire(victim);
  }

  #evictIdle(): void {
    const limitMs = this.#options.config.capacity.idle_timeout_minutes * 60_000;
    if (limitMs === 0) return;
    const now = this.#clock.now();
    for (const entry of [...this.#entries.values()]) {
      if (this.#control.pins(entry.id)) continue;
      for (const replica of [...entry.replicas]) {
        if (replica.leases > 0) continue;
        if (now - Math.max(entry.lastUsedMs, replica.createdMs) < limitMs) continue;
        this.#options.logger.info("model idle", { model: entry.id });
        this.#options.observer.modelEvicted("idle");
        this.#retire(replica);
      }
    }
  }

  /** Takes a replica out of service; its memory is freed when nobody uses it any more. */
  #retire(replica: Replica): void {
    if (replica.isRetired) return;
    replica.isRetired = true;
    const entry = this.#entries.get(replica.model.id);
    if (entry) {
      entry.replicas = entry.replicas.filter((other) => other !== replica);
      this.#tidy(entry);
    }
    if (replica.leases === 0) this.#free(replica);
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

  /** The device's process ended: everything in it is gone. */
  #lose(device: InferenceDevice): void {
    const lost = this.#replicas().filter(({ scheduler }) => scheduler.worker.device === device);
    for (const replica of lost) {
      replica.isLost = true;
      this.#retire(replica);
    }
    const error = new CoreError("device_lost", `device ${device.index} ended: try again shortly`);
    for (const scheduler of this.#options.schedulers) {
      if (scheduler.worker.device === device) scheduler.reset(error);
    }
  }

  #replicas(): Replica[] {
    return [...this.#entries.values()].flatMap(({ replicas }) => replicas);
  }

  #modelsInMemory(): number {
    let count = 0;
    for (const { replicas, admitted } of this.#entries.values()) {
      if (replicas.length + admitted > 0) count++;
    }
    return count;
  }
}
