import type { Logger } from "../../avatar/logger.ts";
import type { CoreConfig } from "../config.ts";
import { CoreError, toErrorData } from "../core-error.ts";
import type { Engine } from "../engine/engine.ts";
import type { Lane } from "../engine/lane.ts";
import { type CoreObserver, type EvictionReason, noObserver } from "../observe/observer.ts";
import type { ModelSource, ModelVersion } from "./model-source.ts";
import { StatsBook } from "./model-stats.ts";
import { Placer } from "./placement.ts";

const GIGABYTE = 1024 ** 3;
const IDLE_CHECK_MS = 30_000;

/** One model in the memory of one worker. */
interface Resident {
  readonly model: ModelVersion;
  /** Its name inside the worker: id and a number, so that two versions can overlap. */
  readonly name: string;
  readonly lane: Lane;
  readonly memoryBytes: number;
  lastUsedMs: number;
  uses: number;
  /** Requests that use it now; it is never evicted while there are any. */
  leases: number;
  retired: boolean;
}

/** Use of a model for one request. Release it in `finally`. */
export interface ModelLease {
  readonly model: ModelVersion;
  readonly name: string;
  readonly lane: Lane;
  /** Whether it had to be loaded for this request. */
  readonly isCold: boolean;
  release(): void;
}

export type ModelState = "unloaded" | "loading" | "ready" | "failed";

/** A model as `ListModels` tells it. */
export interface ModelStatus {
  readonly id: string;
  readonly state: ModelState;
  readonly version: string;
  readonly placements: readonly { readonly device: number; readonly worker: number }[];
  readonly memoryBytes: number;
  readonly error: string;
}

/**
 * Which model is where, and which one leaves when another needs the room.
 * Loads on demand, one load per model however many ask; evicts by LRU or LFU,
 * never a model in use.
 */
export class Registry {
  readonly stats = new StatsBook();
  readonly #config: CoreConfig;
  readonly #engine: Engine;
  readonly #source: ModelSource;
  readonly #logger: Logger;
  readonly #now: () => number;
  readonly #observer: CoreObserver;
  readonly #placer: Placer;
  readonly #residents = new Map<string, Resident>();
  readonly #loading = new Map<string, Promise<Resident>>();
  readonly #failures = new Map<string, string>();
  readonly #idleTimer: NodeJS.Timeout;
  #lastName = 0;

  constructor(
    config: CoreConfig,
    engine: Engine,
    source: ModelSource,
    logger: Logger,
    now: () => number = Date.now,
    observer: CoreObserver = noObserver,
  ) {
    this.#config = config;
    this.#engine = engine;
    this.#source = source;
    this.#logger = logger;
    this.#now = now;
    this.#observer = observer;
    this.#placer = new Placer(config.gpus.assignment_strategy);
    for (const device of engine.devices) {
      device.onDown = () => this.#forget((resident) => resident.lane.device === device);
    }
    this.#idleTimer = setInterval(() => this.#evictIdle(), IDLE_CHECK_MS);
    this.#idleTimer.unref();
  }

  get loadedCount(): number {
    return this.#residents.size;
  }

  residentsOn(device: number): number {
    return this.#all().filter((resident) => resident.lane.device.options.index === device).length;
  }

  /** Memory of the models on a device in bytes, as measured when they were loaded. */
  memoryOn(device: number): number {
    const on = this.#all().filter((resident) => resident.lane.device.options.index === device);
    return on.reduce((sum, resident) => sum + resident.memoryBytes, 0);
  }

  /**
   * The model, loaded if need be.
   * @param version the version that the caller needs; empty for the current one
   * @throws CoreError `not_found`, `failed_precondition`, `resource_exhausted`, `unavailable`
   */
  async acquire(id: string, version = ""): Promise<ModelLease> {
    let resident = this.#residents.get(id);
    let isCold = false;
    // A model that was loaded for us may be evicted before we take it.
    while (!resident || resident.retired || !isVersion(resident, version)) {
      isCold = true;
      resident = await this.#load(id, version);
    }
    return this.#lease(resident, isCold);
  }

  /** Brings a model into memory; with `force` a new copy replaces the one that serves. */
  async load(id: string, force: boolean): Promise<{ status: ModelStatus; loadMs: number }> {
    const started = this.#now();
    const loaded = this.#residents.has(id) && !force;
    if (!loaded) await this.#load(id, "");
    return { status: await this.status(id), loadMs: loaded ? 0 : this.#now() - started };
  }

  /** Frees a model as soon as no request uses it. @returns false if it was not in memory */
  unload(id: string): boolean {
    const resident = this.#residents.get(id);
    if (!resident) return false;
    this.#retire(resident);
    return true;
  }

  async list(): Promise<ModelStatus[]> {
    const ids = await this.#source.listIds();
    return ids.map((id) => this.#statusOf(id));
  }

  /** @throws CoreError `not_found` */
  async status(id: string): Promise<ModelStatus> {
    if (!this.#residents.has(id)) await this.#source.resolve(id);
    return this.#statusOf(id);
  }

  close(): void {
    clearInterval(this.#idleTimer);
  }

  #statusOf(id: string): ModelStatus {
    const resident = this.#residents.get(id);
    const failure = this.#failures.get(id);
    const state = this.#loading.has(id) ? "loading" : failure ? "failed" : "unloaded";
    return {
      id,
      state: resident ? "ready" : state,
      version: resident?.model.version ?? "",
      placements: resident
        ? [{ device: resident.lane.device.options.index, worker: resident.lane.worker }]
        : [],
      memoryBytes: resident?.memoryBytes ?? 0,
      error: failure ?? "",
    };
  }

  #lease(resident: Resident, isCold: boolean): ModelLease {
    resident.leases++;
    resident.uses++;
    resident.lastUsedMs = this.#now();
    this.stats.of(resident.model.id).lastUsedMs = resident.lastUsedMs;
    let released = false;
    return {
      model: resident.model,
      name: resident.name,
      lane: resident.lane,
      isCold,
      release: () => {
        if (released) return;
        released = true;
        resident.leases--;
        if (resident.retired && resident.leases === 0) this.#free(resident);
      },
    };
  }

  #load(id: string, version: string): Promise<Resident> {
    const under = this.#loading.get(id);
    if (under) return under;
    const load = this.#loadNow(id, version)
      .then(
        (resident) => {
          this.#failures.delete(id);
          return resident;
        },
        (error: unknown) => {
          const { code, message } = toErrorData(error);
          // A name that somebody made up must not cost memory.
          if (code !== "not_found" && code !== "invalid_argument") this.#failures.set(id, message);
          throw error;
        },
      )
      .finally(() => this.#loading.delete(id));
    this.#loading.set(id, load);
    return load;
  }

  async #loadNow(id: string, version: string): Promise<Resident> {
    const model = await this.#source.resolve(id);
    if (version !== "" && model.version !== version) {
      throw new CoreError(
        "failed_precondition",
        `version ${version} of ${id} was asked for and the core has ${model.version || "a bare model"}: publish it to the core's models_root too`,
      );
    }
    const old = this.#residents.get(id);
    this.#makeRoom(old ? 0 : 1);
    const loads = this.#engine.lanes.map((lane) => ({
      lane,
      models: this.#all().filter((resident) => resident.lane === lane).length,
    }));
    const lane = this.#placer.choose(loads, this.#config.models[id]?.preferred_gpu);
    if (!lane) throw new CoreError("unavailable", "no device is up: try again shortly");
    const name = `${id}#${++this.#lastName}`;
    const started = this.#now();
    const ended = (ok: boolean) => {
      const device = lane.device.options.index;
      this.#observer.modelLoaded({ device, ms: this.#now() - started, ok });
    };
    const { memoryBytes } = await lane.load(name, model.files).catch((error: unknown) => {
      ended(false);
      throw error;
    });
    ended(true);
    const resident: Resident = {
      model,
      name,
      lane,
      memoryBytes,
      lastUsedMs: this.#now(),
      uses: 0,
      leases: 0,
      retired: false,
    };
    if (old) this.#retire(old);
    this.#residents.set(id, resident);
    this.stats.of(id).loads++;
    this.#logger.info("model loaded", {
      model: id,
      device: lane.device.options.index,
      worker: lane.worker,
      memoryBytes,
    });
    return resident;
  }

  /** @throws CoreError `resource_exhausted` when everything that could leave is in use */
  #makeRoom(models: number): void {
    const { max_models, max_memory_gb } = this.#config.capacity;
    const whatIsFull = (): EvictionReason | null => {
      const all = this.#all();
      const bytes = all.reduce((sum, resident) => sum + resident.memoryBytes, 0);
      if (all.length + models > max_models) return "capacity";
      return bytes >= max_memory_gb * GIGABYTE ? "memory" : null;
    };
    for (let reason = whatIsFull(); reason; reason = whatIsFull()) {
      const victim = this.#pickVictim();
      if (!victim) {
        throw new CoreError(
          "resource_exhausted",
          `all ${this.#residents.size} models in memory are in use: try again shortly, or raise capacity.max_models and capacity.max_memory_gb`,
        );
      }
      this.stats.of(victim.model.id).evictions++;
      this.#observer.modelEvicted(reason);
      this.#logger.info("model evicted", { model: victim.model.id });
      this.#retire(victim);
    }
  }

  #pickVictim(): Resident | null {
    const idle = this.#all().filter((resident) => resident.leases === 0);
    const rank =
      this.#config.capacity.eviction_policy === "lfu"
        ? (resident: Resident) => resident.uses
        : (resident: Resident) => resident.lastUsedMs;
    return idle.reduce<Resident | null>(
      (lowest, resident) => (!lowest || rank(resident) < rank(lowest) ? resident : lowest),
      null,
    );
  }

  #evictIdle(): void {
    const limitMs = this.#config.capacity.idle_timeout_minutes * 60_000;
    if (limitMs === 0) return;
    for (const resident of this.#all()) {
      if (resident.leases > 0 || this.#now() - resident.lastUsedMs < limitMs) continue;
      this.#logger.info("model idle", { model: resident.model.id });
      this.#observer.modelEvicted("idle");
      this.#retire(resident);
    }
  }

  /** Takes a model out of service; its memory is freed when nobody uses it any more. */
  #retire(resident: Resident): void {
    resident.retired = true;
    if (this.#residents.get(resident.model.id) === resident) {
      this.#residents.delete(resident.model.id);
    }
    if (resident.leases === 0) this.#free(resident);
  }

  #free(resident: Resident): void {
    resident.lane.unload(resident.name).catch((error: unknown) => {
      // The device ended meanwhile, and the memory with it.
      this.#logger.warn("unload failed", { model: resident.model.id, error: String(error) });
    });
  }

  #forget(isLost: (resident: Resident) => boolean): void {
    for (const resident of this.#all()) {
      if (isLost(resident)) this.#residents.delete(resident.model.id);
    }
  }

  #all(): Resident[] {
    return [...this.#residents.values()];
  }
}

function isVersion(resident: Resident, version: string): boolean {
  return version === "" || resident.model.version === version;
}
