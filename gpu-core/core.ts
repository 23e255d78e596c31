import type { Logger } from "../avatar/logger.ts";
import { mouthRegion } from "../avatar/manifest.ts";
import { AUDIO_TENSOR_SIZE } from "./audio/feature-extractor.ts";
import { checkSpeechWindow, type SpeechWindow } from "./audio/speech-window.ts";
import type { CoreConfig } from "./config.ts";
import { CoreError } from "./core-error.ts";
import { BatchJob } from "./engine/batch-job.ts";
import { Engine } from "./engine/engine.ts";
import type { Priority } from "./engine/lane.ts";
import { type FittedMouth, SpeechJob } from "./engine/speech-job.ts";
import { OUTPUT_TENSOR_SIZE, VISUAL_TENSOR_SIZE } from "./model/unet.ts";
import { type CallTrace, noCallTrace } from "./observe/call-trace.ts";
import { type BatchEnd, type CoreObserver, noObserver } from "./observe/observer.ts";
import type { ModelSource } from "./registry/model-source.ts";
import { type ModelLease, Registry } from "./registry/registry.ts";

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

/** The core without its protocol: what the RPC handlers call. */
export class Core {
  readonly config: CoreConfig;
  readonly engine: Engine;
  readonly registry: Registry;
  readonly startedAtMs: number;
  readonly #logger: Logger;
  readonly #observer: CoreObserver;

  constructor(
    config: CoreConfig,
    source: ModelSource,
    logger: Logger,
    observer: CoreObserver = noObserver,
  ) {
    this.config = config;
    this.engine = new Engine(config, logger);
    this.registry = new Registry(config, this.engine, source, logger, Date.now, observer);
    this.#observer = observer;
    this.startedAtMs = Date.now();
    this.#logger = logger;
  }

  /** Starts the devices and loads what is marked `preload`. */
  async start(): Promise<void> {
    await this.engine.start();
    const preload = Object.entries(this.config.models).filter(([, model]) => model.preload);
    for (const [id] of preload) {
      try {
        await this.registry.load(id, false);
      } catch (error) {
        // One broken model must not keep the others from being served.
        this.#logger.error("preload failed", { model: id, error: String(error) });
      }
    }
  }

  async stop(): Promise<void> {
    this.registry.close();
    await this.engine.stop();
  }

  /** Whether a request could be served now. */
  get isReady(): boolean {
    return this.engine.devices.some((device) => device.state === "ready");
  }

  /** The mouths of a window of speech, in frame order. */
  async *inferSpeech(request: SpeechRequest, signal: AbortSignal): AsyncGenerator<FittedMouth> {
    const count = request.backgroundIndices.length;
    if (count < 1 || count > MAX_SPEECH_FRAMES) {
      throw new CoreError(
        "invalid_argument",
        `background_indices has ${count} entries: ask for 1 to ${MAX_SPEECH_FRAMES} frames`,
      );
    }
    checkSpeechWindow(request.window, request.firstFrame, request.firstFrame + count);
    const { trace = noCallTrace } = request;
    const lease = await this.#acquire(request.modelId, request.version, trace);
    const stats = this.registry.stats.of(request.modelId);
    try {
      const orders = this.#frameOrders(request, lease);
      const job = new SpeechJob(lease.lane, lease.name, request.window, orders, request.priority);
      for await (const mouth of job.mouths(signal)) {
        stats.frames++;
        stats.unetMs += mouth.times?.unetMs ?? 0;
        stats.queueMs += mouth.times?.queueMs ?? 0;
        if (mouth.times) {
          const { frames, queueMs, ...times } = mouth.times;
          this.#batchEnded(lease, request.priority, { frames, queueMs, times }, trace);
        }
        yield mouth;
      }
      stats.requests++;
    } catch (error) {
      if (!isCancelled(error)) stats.failures++;
      throw error;
    } finally {
      lease.release();
    }
  }

  /** Tensors in, tensors out. */
  async inferBatch(request: BatchRequest, signal: AbortSignal): Promise<BatchAnswer> {
    checkBatch(request);
    const { trace = noCallTrace } = request;
    const lease = await this.#acquire(request.modelId, "", trace);
    const stats = this.registry.stats.of(request.modelId);
    try {
      const tensors = Buffer.concat([request.visual, request.audio]);
      const job = new BatchJob(lease.lane, lease.name, request.batchSize, tensors);
      const { done, payload } = await job.run(signal);
      const batch = { frames: request.batchSize, queueMs: job.queueMs, times: done.times ?? null };
      this.#batchEnded(lease, job.priority, batch, trace);
      stats.requests++;
      stats.frames += request.batchSize;
      stats.unetMs += done.times?.unetMs ?? 0;
      const bytes = OUTPUT_TENSOR_SIZE * 4;
      return {
        outputs: Array.from({ length: request.batchSize }, (_, i) =>
          payload.subarray(i * bytes, (i + 1) * bytes),
        ),
        inferenceTimeMs: done.times?.unetMs ?? 0,
        device: lease.lane.device.options.index,
        worker: lease.lane.worker,
      };
    } catch (error) {
      if (!isCancelled(error)) stats.failures++;
      throw error;
    } finally {
      lease.release();
    }
  }

  #acquire(id: string, version: string, trace: CallTrace): Promise<ModelLease> {
    return trace.step(
      "acquire model",
      () => this.registry.acquire(id, version),
      ({ model, isCold }) => ({
        "mouthpiece.model": model.id,
        "mouthpiece.version": model.version,
        "mouthpiece.cold": isCold,
      }),
    );
  }

  #batchEnded(
    { lane }: ModelLease,
    priority: Priority,
    batch: Pick<BatchEnd, "frames" | "queueMs" | "times">,
    trace: CallTrace,
  ): void {
    const { worker } = lane;
    const end: BatchEnd = { device: lane.device.options.index, worker, priority, ...batch };
    this.#observer.batchEnded(end);
    trace.batchEnded(end);
  }

  #frameOrders(request: SpeechRequest, { model }: ModelLease) {
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

function isCancelled(error: unknown): boolean {
  return error instanceof CoreError && error.code === "cancelled";
}
