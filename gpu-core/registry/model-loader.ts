import { stat } from "node:fs/promises";
import type { ModelConfig } from "../config.ts";
import { CoreError, type CoreErrorCode, toCoreError } from "../core-error.ts";
import type { Priority } from "../scheduling/work.ts";
import type { WorkerScheduler } from "../scheduling/worker-scheduler.ts";
import type { ModelVersion } from "../sources/model-source.ts";
import type { Admission } from "./admission.ts";
import type { RegistryOptions } from "./registry.ts";
import { type ModelEntry, nextFailure, type Replica } from "./replica.ts";

/** A device that is being started again is worth waiting for. */
const DEVICE_WAIT_MS = 10_000;
const DEVICE_CHECK_MS = 20;

/** Brings models into memory: their files, a worker with room for them, the load itself. */
export class ModelLoader {
  readonly #options: RegistryOptions;
  readonly #admission: Admission;
  readonly #settingsOf: (id: string) => ModelConfig | undefined;
  readonly #onLoaded: (entry: ModelEntry) => void;
  #lastName = 0;

  /** @param onLoaded called when the entry has got its replica, before anybody else runs */
  constructor(
    options: RegistryOptions,
    admission: Admission,
    settingsOf: (id: string) => ModelConfig | undefined,
    onLoaded: (entry: ModelEntry) => void,
  ) {
    this.#options = options;
    this.#admission = admission;
    this.#settingsOf = settingsOf;
    this.#onLoaded = onLoaded;
  }

  /**
   * Adds a replica to `entry`. A load that takes its device down, or finds it
   * full, is tried once more: perhaps it was not the model.
   * @param version the version that is needed; empty for the current one
   * @param except workers that cannot take it
   * @throws CoreError; when it is about the model, `entry.failure` says so, too
   */
  async load(
    entry: ModelEntry,
    version: string,
    priority: Priority,
    except: readonly WorkerScheduler[] = [],
  ): Promise<Replica> {
    let unfit = except;
    for (let attempt = 1; ; attempt++) {
      await this.#deviceUp();
      try {
        return await this.#loadOnce(entry, version, priority, unfit);
      } catch (error) {
        if (!(error instanceof LoadError)) throw error;
        const { cause, scheduler } = error;
        const { code } = cause;
        this.#options.observer.modelLoaded({ failure: cause.reason ?? code });
        if (attempt === 1 && DEVICE_GONE.has(code)) continue;
        // Who was short of memory the last time, too, is not to drive out the others one by one.
        if (attempt === 1 && code === "resource_exhausted" && scheduler && !entry.failure) {
          const others = this.#admission.makeSpace(scheduler, except);
          if (others) {
            unfit = others;
            continue;
          }
        }
        if (NOT_THE_MODEL.has(code)) throw cause;
        entry.failure = nextFailure(entry.failure, cause, this.#options.clock.now());
        this.#options.logger.warn("model not loaded", { model: entry.id, ...entry.failure });
        throw cause;
      }
    }
  }

  async #loadOnce(
    entry: ModelEntry,
    version: string,
    priority: Priority,
    except: readonly WorkerScheduler[],
  ): Promise<Replica> {
    const { id } = entry;
    const model = await this.#options.source.resolve(id).catch(asLoadError);
    try {
      checkVersion(model, version);
      return await this.#place(entry, model, priority, except);
    } catch (error) {
      model.release();
      throw error;
    }
  }

  async #place(
    entry: ModelEntry,
    model: ModelVersion,
    priority: Priority,
    except: readonly WorkerScheduler[],
  ): Promise<Replica> {
    const { config, logger, observer } = this.#options;
    const { id } = entry;
    const settings = this.#settingsOf(id);
    const precision = settings?.precision ?? config.gpus.precision;
    const fileBytes = await (this.#options.fileBytes ?? sizeOf)(model.files.unetPath).catch(
      asLoadError,
    );
    const size = { kind: `${precision} ${fileBytes}`, fileBytes };
    const { scheduler, memory } = this.#admission.admit({
      size,
      preferredGpu: settings?.preferred_gpu,
      newModels: entry.replicas.length + entry.admitted > 0 ? 0 : 1,
      except,
    });
    const device = scheduler.worker.device.index;
    const name = `${id}#${++this.#lastName}`;
    const { restarts } = scheduler.worker.device;
    const started = this.#options.clock.now();
    entry.admitted++;
    try {
      const isWaitedFor = () => priority === "live" || entry.isWaitedFor;
      const measured = await scheduler.load(name, model.files, precision, isWaitedFor);
      this.#checkProcess(scheduler, restarts, name);
      memory.settle(measured);
    } catch (error) {
      memory.release();
      throw new LoadError(toCoreError(error), scheduler);
    } finally {
      entry.admitted--;
    }
    const replica: Replica = {
      model,
      name,
      scheduler,
      queue: scheduler.open(name, {
        maxBatchSize: settings?.max_batch_size,
        maxQueueDelayMs: settings?.max_queue_delay_ms,
      }),
      memory,
      // A bare model has nothing else.
      tensorSize: model.files.speech && { kind: `${size.kind} tensors`, fileBytes },
      tensorMemory: null,
      createdMs: this.#options.clock.now(),
      leases: 0,
      isUnused: true,
      isRetired: false,
      isLost: false,
    };
    replica.queue.onGrowth = (growth) => {
      replica.tensorMemory?.settle(growth);
      this.#admission.trim(scheduler);
    };
    entry.replicas.push(replica);
    entry.failure = null;
    entry.scaledMs = this.#options.clock.now();
    this.#onLoaded(entry);
    const ms = this.#options.clock.now() - started;
    observer.modelLoaded({ ms, failure: null });
    const { memory: measured } = memory;
    logger.info("model loaded", {
      model: id,
      device,
      worker: scheduler.worker.index,
      ms,
      ...measured,
    });
    this.#admission.trim(scheduler);
    return replica;
  }

  /**
   * A process may end, and another begin, between the end of a load and here:
   * measuring what it took asks the driver. What the new one may have is freed.
   * @throws CoreError `device_lost`
   */
  #checkProcess({ worker }: WorkerScheduler, restarts: number, name: string): void {
    const { device } = worker;
    if (device.state === "ready" && device.restarts === restarts) return;
    if (device.state === "ready") {
      worker.unload(name).catch((error: unknown) => {
        this.#options.logger.warn("unload failed", { model: name, error: String(error) });
      });
    }
    throw new CoreError("device_lost", `device ${device.index} ended during a load: try again`);
  }

  /** Waits for a device that is being started. @throws CoreError `unavailable` */
  async #deviceUp(): Promise<void> {
    const { devices } = this.#options;
    const latestMs = this.#options.clock.now() + DEVICE_WAIT_MS;
    while (devices.every(({ state }) => state !== "ready")) {
      if (this.#options.clock.now() >= latestMs || devices.every(({ isComingUp }) => !isComingUp)) {
        throw new CoreError("unavailable", "no device is up: try again shortly", {
          retryAfterMs: DEVICE_WAIT_MS,
          reason: "no_device",
        });
      }
      await new Promise<void>((resolve) => {
        this.#options.clock.after(DEVICE_CHECK_MS, resolve);
      });
    }
  }
}

/** @throws CoreError `failed_precondition` */
function checkVersion(model: ModelVersion, version: string): void {
  if (version === "" || model.version === version) return;
  throw new CoreError(
    "failed_precondition",
    `version ${version} of ${model.id} was asked for and the core has ${model.version || "a bare model"}: publish it to the core's models_root too`,
  );
}

/** What went wrong with the files or the load, in contrast to: there is no room or device for it now. */
class LoadError extends Error {
  override readonly cause: CoreError;
  /** Where it was loaded; null when it did not come to that. */
  readonly scheduler: WorkerScheduler | null;

  constructor(cause: CoreError, scheduler: WorkerScheduler | null = null) {
    super(cause.message);
    this.cause = cause;
    this.scheduler = scheduler;
  }
}

const NOT_THE_MODEL: ReadonlySet<CoreErrorCode> = new Set([
  "not_found",
  "invalid_argument",
  "unavailable",
  "cancelled",
]);

/** The device ended during the load, or while the load waited for its turn. */
const DEVICE_GONE: ReadonlySet<CoreErrorCode> = new Set(["device_lost", "unavailable"]);

function asLoadError(error: unknown): never {
  const cause = toCoreError(error);
  throw NOT_THE_MODEL.has(cause.code) ? cause : new LoadError(cause);
}

/** @throws CoreError `failed_precondition` */
async function sizeOf(path: string): Promise<number> {
  try {
    return (await stat(path)).size;
  } catch (cause) {
    throw new CoreError("failed_precondition", `cannot read ${path}: publish the model again`, {
      cause,
    });
  }
}
