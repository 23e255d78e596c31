import { type Clock, systemClock } from "../avatar/clock.ts";
import type { Logger } from "../avatar/logger.ts";
import { type CoreConfig, maxBatchSize } from "./config.ts";
import { CoreError } from "./core-error.ts";
import type { InferenceEngine } from "./engine/inference-worker.ts";
import { type CallTrace, noCallTrace } from "./observe/call-trace.ts";
import { type BatchEnd, type CoreObserver, noObserver } from "./observe/observer.ts";
import type { ModelStats } from "./registry/model-stats.ts";
import { Registry } from "./registry/registry.ts";
import type { ModelLease } from "./registry/resident-models.ts";
import {
  type BatchAnswer,
  type BatchRequest,
  type CallLimits,
  checkBatch,
  checkSpeech,
  frameOrders,
  type SpeechRequest,
  tensorBytes,
} from "./requests.ts";
import { type FittedMouth, SpeechWork, type WorkTimes } from "./scheduling/speech-work.ts";
import { TensorWork } from "./scheduling/tensor-work.ts";
import { type Priority, queueTimeoutPassed, type WorkLimits } from "./scheduling/work.ts";
import { WorkerScheduler } from "./scheduling/worker-scheduler.ts";
import type { ModelSource } from "./sources/model-source.ts";

const MEGABYTE = 1024 ** 2;

export interface CoreParts {
  readonly config: CoreConfig;
  readonly engine: InferenceEngine;
  readonly source: ModelSource;
  readonly logger: Logger;
  readonly observer?: CoreObserver;
  readonly clock?: Clock;
  /** Size of a model's file in bytes. Default: asks the file system. */
  readonly fileBytes?: (path: string) => Promise<number>;
}

/** The core without its protocol: what the RPC handlers call. */
export class Core {
  readonly config: CoreConfig;
  readonly engine: InferenceEngine;
  readonly schedulers: readonly WorkerScheduler[];
  readonly registry: Registry;
  readonly startedAtMs: number;
  /** Of InferBatch requests under way. */
  #tensorBytes = 0;
  /** The first loads; null once each has been tried. */
  #preloading: Promise<void> | null = null;
  readonly #clock: Clock;
  readonly #observer: CoreObserver;

  constructor({
    config,
    engine,
    source,
    logger,
    observer = noObserver,
    clock = systemClock,
    fileBytes,
  }: CoreParts) {
    this.config = config;
    this.engine = engine;
    this.#clock = clock;
    this.#observer = observer;
    this.schedulers = engine.devices.flatMap(({ workers }) =>
      workers.map(
        (worker) =>
          new WorkerScheduler(worker, {
            maxBatchSize: maxBatchSize(config),
            maxQueueDelayMs: config.batching.max_queue_delay_ms,
            clock,
            onBatch: (batch) => observer.batchEnded(batch),
          }),
      ),
    );
    this.registry = new Registry({
      config,
      devices: engine.devices,
      schedulers: this.schedulers,
      source,
      logger,
      clock,
      observer,
      ...(fileBytes && { fileBytes }),
    });
    this.startedAtMs = Date.now();
  }

  /** Starts the devices, and begins to load what is marked `preload`. @throws CoreError */
  async start(): Promise<void> {
    await this.engine.start();
    this.#preloading = this.registry.preload().finally(() => {
      this.#preloading = null;
    });
  }

  /** Resolves when each model that is marked `preload` is in memory or has failed. */
  async preloaded(): Promise<void> {
    await this.#preloading;
  }

  async stop(): Promise<void> {
    this.registry.close();
    await this.engine.stop();
  }

  /** Whether a request could be served now. */
  get isUp(): boolean {
    return this.engine.devices.some(({ state }) => state === "ready");
  }

  /** Whether requests should come here: it is up, and what is preloaded is there. */
  get isReady(): boolean {
    return this.isUp && this.#preloading === null;
  }

  /** Requests that wait or run on a device. */
  queuedOn(device: number): number {
    return this.schedulers
      .filter(({ worker }) => worker.device.index === device)
      .reduce((sum, { requests }) => sum + requests, 0);
  }

  /**
   * The mouths of a window of speech, in frame order.
   * @throws CoreError
   */
  async *inferSpeech(request: SpeechRequest, limits: CallLimits): AsyncGenerator<FittedMouth> {
    checkSpeech(request);
    const { trace = noCallTrace } = request;
    let delivered = 0;
    let workLimits = this.#workLimits(request.priority, limits);
    // A device that ends under a request is our affair: it goes on elsewhere, once.
    for (let attempt = 1; ; attempt++) {
      const lease = await this.#acquire(
        request.modelId,
        request.version,
        limits,
        workLimits,
        trace,
      );
      const stats = this.registry.stats.of(request.modelId);
      try {
        const orders = frameOrders(request, lease.model).slice(delivered);
        const work = new SpeechWork(request.window, orders, workLimits, this.#clock);
        // A reader that stands still keeps this generator where it is, but not the model in memory.
        work.onAbandoned = () => lease.release();
        for await (const mouth of work.mouths(lease.replica.queue, limits.signal)) {
          stats.frames++;
          stats.unetMs += mouth.times?.unetMs ?? 0;
          stats.queueMs += mouth.times?.queueMs ?? 0;
          if (mouth.times) trace.batchEnded(batchOf(lease, request.priority, mouth.times));
          delivered++;
          yield mouth;
        }
        stats.requests++;
        return;
      } catch (error) {
        if (!this.#mayRetry(error, attempt, stats)) throw error;
        workLimits = { ...workLimits, arrivedMs: this.#clock.now() };
      } finally {
        lease.release();
      }
    }
  }

  /** Tensors in, tensors out. @throws CoreError */
  async inferBatch(request: BatchRequest, limits: CallLimits): Promise<BatchAnswer> {
    checkBatch(request);
    const bytes = tensorBytes(request);
    this.#checkTensorMemory(bytes);
    this.#tensorBytes += bytes;
    try {
      return await this.#inferBatch(request, limits);
    } finally {
      this.#tensorBytes -= bytes;
    }
  }

  async #inferBatch(request: BatchRequest, limits: CallLimits): Promise<BatchAnswer> {
    const { trace = noCallTrace } = request;
    let workLimits = this.#workLimits("live", limits);
    for (let attempt = 1; ; attempt++) {
      const lease = await this.#acquire(request.modelId, "", limits, workLimits, trace);
      const stats = this.registry.stats.of(request.modelId);
      const { queue, scheduler } = lease.replica;
      try {
        this.registry.admitTensors(lease);
        const work = new TensorWork(request, request.batchSize, workLimits, this.#clock);
        const outputs = await work.outputs(queue, limits.signal);
        stats.requests++;
        stats.frames += request.batchSize;
        stats.unetMs += work.unetMs;
        stats.queueMs += work.queueMs;
        const times = { melMs: 0, encoderMs: 0, prepareMs: 0, unetMs: work.unetMs, fitMs: 0 };
        const { queueMs } = work;
        const whole = { ...times, frames: request.batchSize, queueMs };
        trace.batchEnded(batchOf(lease, "live", whole));
        return {
          outputs,
          inferenceTimeMs: work.unetMs,
          device: scheduler.worker.device.index,
          worker: scheduler.worker.index,
        };
      } catch (error) {
        if (!this.#mayRetry(error, attempt, stats)) throw error;
        workLimits = { ...workLimits, arrivedMs: this.#clock.now() };
      } finally {
        lease.release();
      }
    }
  }

  #checkTensorMemory(bytes: number): void {
    const { tensor_memory_mb } = this.config.server;
    if (this.#tensorBytes + bytes <= tensor_memory_mb * MEGABYTE) return;
    throw new CoreError(
      "resource_exhausted",
      `tensors of other InferBatch requests take ${Math.round(this.#tensorBytes / MEGABYTE)} MB (server.tensor_memory_mb): try again shortly`,
      { retryAfterMs: 1000, reason: "queue_full" },
    );
  }

  #workLimits(priority: Priority, { timeoutMs }: CallLimits): WorkLimits {
    const { queue_timeout_s, reader_timeout_s } = this.config.server;
    const arrivedMs = this.#clock.now();
    return {
      priority,
      arrivedMs,
      deadlineMs: timeoutMs === undefined ? Number.POSITIVE_INFINITY : arrivedMs + timeoutMs,
      readerTimeoutMs: 1000 * reader_timeout_s,
      queueTimeoutMs: queue_timeout_s === 0 ? Number.POSITIVE_INFINITY : 1000 * queue_timeout_s,
    };
  }

  #acquire(
    id: string,
    version: string,
    { signal }: CallLimits,
    limits: WorkLimits,
    trace: CallTrace,
  ): Promise<ModelLease> {
    const { deadlineMs, arrivedMs, queueTimeoutMs } = limits;
    const startByMs = arrivedMs + queueTimeoutMs;
    // A load is waited for no longer than for a turn: it goes on, for whoever asks next.
    const wait =
      startByMs < deadlineMs
        ? { signal, deadlineMs: startByMs, late: () => queueTimeoutPassed(limits) }
        : { signal, deadlineMs };
    return trace.step(
      "acquire model",
      () => this.registry.acquire(id, version, wait),
      ({ model, isCold }) => ({
        "mouthpiece.model": model.id,
        "mouthpiece.version": model.version,
        "mouthpiece.cold": isCold,
      }),
    );
  }

  #mayRetry(error: unknown, attempt: number, stats: ModelStats): boolean {
    if (error instanceof CoreError && error.code === "device_lost" && attempt === 1) {
      this.#observer.requestRetried();
      return true;
    }
    if (!(error instanceof CoreError && error.code === "cancelled")) stats.failures++;
    return false;
  }
}

/** What a trace tells of a request's part in a batch. */
function batchOf(
  { replica }: ModelLease,
  priority: Priority,
  { frames, queueMs, ...times }: WorkTimes,
): BatchEnd {
  const { worker } = replica.scheduler;
  return {
    device: worker.device.index,
    worker: worker.index,
    priority,
    frames,
    queueMs,
    times,
  };
}
