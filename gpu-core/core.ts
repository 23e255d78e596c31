import { type Clock, systemClock } from "../avatar/clock.ts";
import type { Logger } from "../avatar/logger.ts";
import { mouthRegion } from "../avatar/manifest.ts";
import { AUDIO_TENSOR_SIZE } from "./audio/feature-extractor.ts";
import { checkSpeechWindow, type SpeechWindow } from "./audio/speech-window.ts";
import { type CoreConfig, maxBatchSize } from "./config.ts";
import { CoreError } from "./core-error.ts";
import type { InferenceEngine } from "./engine/inference-worker.ts";
import { VISUAL_TENSOR_SIZE } from "./model/float-unet.ts";
import { type CallTrace, noCallTrace } from "./observe/call-trace.ts";
import { type BatchEnd, type CoreObserver, noObserver } from "./observe/observer.ts";
import type { ModelStats } from "./registry/model-stats.ts";
import { type ModelLease, Registry } from "./registry/registry.ts";
import { type FittedMouth, SpeechWork, type WorkTimes } from "./scheduling/speech-work.ts";
import { TensorWork } from "./scheduling/tensor-work.ts";
import { type Priority, queueTimeoutPassed, type WorkLimits } from "./scheduling/work.ts";
import { WorkerScheduler } from "./scheduling/worker-scheduler.ts";
import type { ModelSource } from "./sources/model-source.ts";

/** Frames of one InferBatch request, as published. */
const MAX_BATCH_FRAMES = 25;
/** Frames of one InferSpeech request: ten seconds. */
const MAX_SPEECH_FRAMES = 250;

/** A request for consecutive frames of an utterance. */
export interface SpeechRequest {
  readonly modelId: string;
  readonly version: string;
  readonly window: SpeechWindow;
  readonly firstFrame: number;
  readonly backgroundIndices: readonly number[];
  readonly priority: Priority;
  readonly trace?: CallTrace;
}

export interface BatchRequest {
  readonly modelId: string;
  readonly batchSize: number;
  /** float32 [n,6,320,320] */
  readonly visual: Uint8Array;
  /** float32 [n,32,16,16] */
  readonly audio: Uint8Array;
  readonly trace?: CallTrace;
}

export interface BatchAnswer {
  /** float32 [3,320,320] each */
  readonly outputs: readonly Uint8Array[];
  readonly inferenceTimeMs: number;
  readonly device: number;
  readonly worker: number;
}

/** The caller's side of a request. */
export interface CallLimits {
  readonly signal: AbortSignal;
  /** Milliseconds until the caller's deadline; undefined for none. */
  readonly timeoutMs?: number | undefined;
}

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
    const count = request.backgroundIndices.length;
    if (count < 1 || count > MAX_SPEECH_FRAMES) {
      throw new CoreError(
        "invalid_argument",
        `background_indices has ${count} entries: ask for 1 to ${MAX_SPEECH_FRAMES} frames`,
      );
    }
    checkSpeechWindow(request.window, request.firstFrame, request.firstFrame + count);
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
        const orders = frameOrders(request, lease).slice(delivered);
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

function frameOrders(request: SpeechRequest, { model }: ModelLease) {
  const { manifest } = model;
  if (!manifest) {
    throw new CoreError(
      "failed_precondition",
      `${model.id} is a bare model without background frames: use InferBatch, or import the avatar`,
    );
  }
  return request.backgroundIndices.map((backgroundIndex, i) => {
    if (backgroundIndex >= manifest.frameCount) {
      throw new CoreError(
        "invalid_argument",
        `background index ${backgroundIndex} does not exist: ${model.id} has ${manifest.frameCount} frames`,
      );
    }
    const region = mouthRegion(manifest, backgroundIndex);
    return { frame: request.firstFrame + i, backgroundIndex, region };
  });
}

function checkBatch({ batchSize, visual, audio }: BatchRequest): void {
  if (batchSize < 1 || batchSize > MAX_BATCH_FRAMES) {
    throw new CoreError("invalid_argument", `batch_size is ${batchSize}: allowed are 1 to 25`);
  }
  checkBytes("visual_frames", visual, batchSize, VISUAL_TENSOR_SIZE, "6,320,320");
  checkBytes("audio_features", audio, batchSize, AUDIO_TENSOR_SIZE, "32,16,16");
}

function checkBytes(name: string, bytes: Uint8Array, n: number, size: number, shape: string): void {
  const expected = n * size * 4;
  if (bytes.length === expected) return;
  throw new CoreError(
    "invalid_argument",
    `${name} has ${bytes.length} bytes: batch_size ${n} needs ${expected} (float32 [${n},${shape}])`,
  );
}
