import type { Clock } from "../../avatar/clock.ts";
import type { Logger } from "../../avatar/logger.ts";
import type { CoreConfig, ModelConfig } from "../config.ts";
import { CoreError, toErrorData } from "../core-error.ts";
import type { InferenceDevice } from "../engine/inference-worker.ts";
import type { CoreObserver } from "../observe/observer.ts";
import type { Priority } from "../scheduling/work.ts";
import type { WorkerScheduler } from "../scheduling/worker-scheduler.ts";
import type { ModelSource } from "../sources/model-source.ts";
import { Admission } from "./admission.ts";
import { createEvictionPolicy } from "./eviction.ts";
import { ModelControl } from "./model-control.ts";
import { ModelLoader } from "./model-loader.ts";
import { StatsBook } from "./model-stats.ts";
import { type ModelStatus, statusOf } from "./model-status.ts";
import { Preloader } from "./preloader.ts";
import { ended, type ModelEntry, pickReplica, type Replica } from "./replica.ts";
import { ReplicaScaler } from "./replica-scaler.ts";
import { type ModelLease, ResidentModels } from "./resident-models.ts";
import { untilLimit, type WaitLimits } from "./wait.ts";

const IDLE_CHECK_MS = 30_000;
const SCALING_CHECK_MS = 1000;
/** Others may evict a model between its load and our use of it; more often means that memory is far too small. */
const MAX_ACQUIRE_ROUNDS = 8;

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
  readonly #residents: ResidentModels;
  readonly #admission: Admission;
  readonly #loader: ModelLoader;
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
    const policy = createEvictionPolicy(config.capacity.eviction_policy);
    this.#residents = new ResidentModels({ ...options, policy, stats: this.stats });
    const now = () => clock.now();
    this.#admission = new Admission(config, schedulers, this.#residents, policy, now);
    const settingsOf = (id: string) => this.#models[id];
    this.#control = new ModelControl(config.model_control, settingsOf, options.source);
    this.#loader = new ModelLoader(options, this.#admission, settingsOf, (entry) => {
      // An entry that was tidied away meanwhile comes back.
      this.#residents.keep(entry);
      this.stats.of(entry.id).loads++;
    });
    this.#preloader = new Preloader({
      isWanted: (id) => !this.#isClosed && this.#models[id]?.preload === true,
      load: (id) => this.load(id, false, "batch"),
      failureOf: (id) => this.#residents.find(id)?.failure ?? null,
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
    const scaler = new ReplicaScaler(options, this.#residents, this.#admission, this.#loader);
    this.#every(IDLE_CHECK_MS, () => this.#evictIdle());
    this.#every(SCALING_CHECK_MS, () => scaler.scale());
  }

  /** Models in memory. */
  get loadedCount(): number {
    return this.#residents.entries().filter(({ replicas }) => replicas.length > 0).length;
  }

  /** Copies of models on a device, and their measured memory. */
  usage(device: number): { replicas: number; memoryBytes: number } {
    const replicas = this.#residents
      .replicas()
      .filter(({ scheduler }) => scheduler.worker.device.index === device);
    return { replicas: replicas.length, memoryBytes: this.#admission.ledger.deviceBytes(device) };
  }

  /** Copies beyond the first one of each model. */
  get spareCopies(): number {
    return this.#residents.replicas().length - this.loadedCount;
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
    const entry = this.#residents.entry(id);
    this.#checkQueue(entry);
    entry.requests++;
    try {
      const found = pickReplica(entry, version);
      this.#options.observer.modelLookedUp(found !== null);
      if (found) return this.#residents.lease(entry, found, false);
      for (let loads = 0; loads < MAX_ACQUIRE_ROUNDS; ) {
        const replica = pickReplica(entry, version);
        if (replica) return this.#residents.lease(entry, replica, true);
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
      this.#residents.tidy(entry);
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
      this.#residents.tidy(entry);
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
    const changed = this.#residents.entries().filter(({ id }) => isOther(id));
    for (const entry of changed) {
      const { id } = entry;
      // With other settings it may well load.
      entry.failure = null;
      this.#residents.tidy(entry);
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
    const entry = this.#residents.find(id);
    if (!entry) return false;
    const { replicas, loading } = entry;
    if (loading && entry.requests === 0) loading.isUnwanted = true;
    for (const replica of [...replicas]) this.#residents.retire(replica);
    return replicas.length > 0 || loading?.isUnwanted === true;
  }

  async list(): Promise<ModelStatus[]> {
    const ids = await this.#options.source.listIds();
    return ids.map((id) => statusOf(id, this.#residents.find(id), this.#control));
  }

  /** @throws CoreError `not_found` */
  async status(id: string): Promise<ModelStatus> {
    if (!this.#residents.find(id)?.replicas.length) await this.#options.source.check(id);
    return statusOf(id, this.#residents.find(id), this.#control);
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

  /** The entry when nothing is under way that a load of the current version could not join. */
  async #entryToLoad(id: string, force: boolean, priority: Priority): Promise<ModelEntry> {
    let entry = this.#residents.entry(id);
    // What began before may have begun with files and settings that are to be replaced.
    const older = force ? entry.loading : null;
    while (entry.loading && (entry.loading === older || entry.loading.version !== "")) {
      if (priority === "live") entry.isWaitedFor = true;
      await ended(entry.loading);
      // It may have been tidied away with the load that failed.
      entry = this.#residents.entry(id);
    }
    return entry;
  }

  #evictIdle(): void {
    const limitMs = this.#options.config.capacity.idle_timeout_minutes * 60_000;
    if (limitMs > 0) this.#residents.evictIdle(limitMs, (id) => this.#control.pins(id));
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
    for (const other of old) this.#residents.retire(other);
    if (entry.loading?.isUnwanted) this.#residents.retire(replica);
    return replica;
  }

  /** The device's process ended: its models are gone, and what waits for them there fails. */
  #lose(device: InferenceDevice): void {
    this.#residents.lose(device);
    const error = new CoreError("device_lost", `device ${device.index} ended: try again shortly`);
    for (const scheduler of this.#options.schedulers) {
      if (scheduler.worker.device === device) scheduler.reset(error);
    }
  }
}
