import { Counter, collectDefaultMetrics, Histogram, Registry } from "@prometheus-io/client";
import type { BatchTimes } from "../engine/messages.ts";
import { CoreGauges } from "./core-gauges.ts";
import type {
  BatchEnd,
  CoreObserver,
  CoreSnapshot,
  EvictionReason,
  ModelLoadEnd,
  RequestEnd,
} from "./observer.ts";

const PREFIX = "mouthpiece_core_";
const BATCH_BUCKETS = [1, 2, 4, 8, 16, 32, 64];
/** From a tenth of a millisecond, a stage on a GPU, to the limit of a batch. */
const STAGE_BUCKETS = [
  0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10, 60,
];
/** A frame has 0.04 s; a window of speech plays for seconds, and a reader may be slow. */
const REQUEST_BUCKETS = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];
const LOAD_BUCKETS = [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120];

/** Stages of a batch, and where their times are. */
const STAGES = {
  mel: "melMs",
  encoder: "encoderMs",
  prepare: "prepareMs",
  unet: "unetMs",
  fit: "fitMs",
} as const satisfies Record<string, keyof BatchTimes>;

export interface CoreMetricsOptions {
  /** Memory, CPU and event loop of this process, too. Default: false. */
  readonly process?: boolean;
}

/**
 * The core's metrics in the Prometheus text format. No series carries a
 * model's name: there may be thousands, each histogram has a dozen series, and
 * a server keeps every one it ever saw. What one model did tells GetModelStats.
 */
export class CoreMetrics implements CoreObserver {
  readonly #registry = new Registry();
  readonly #snapshot: () => Promise<CoreSnapshot>;
  readonly #gauges = new CoreGauges(this.#registry);
  readonly #requests = this.#counter("requests_total", "Requests that ended.", ["method", "code"]);
  readonly #failures = this.#counter("request_failures_total", "Requests that failed, by why.", [
    "method",
    "reason",
  ]);
  readonly #requestSeconds = this.#histogram(
    "request_seconds",
    "From a request's arrival to the last byte handed over.",
    REQUEST_BUCKETS,
    ["method"],
  );
  readonly #frames = this.#counter("frames_total", "Frames made.", ["device", "priority"]);
  readonly #batches = this.#counter("batches_total", "Batches that workers ran.", ["device"]);
  readonly #retried = this.#counter(
    "requests_retried_total",
    "Requests that went on elsewhere because their device ended.",
  );
  readonly #batchFrames = this.#histogram("batch_frames", "Frames of a batch.", BATCH_BUCKETS);
  readonly #queueSeconds = this.#histogram(
    "batch_queue_seconds",
    "Time that a batch waited for a worker.",
    STAGE_BUCKETS,
    ["priority"],
  );
  readonly #stageSeconds = this.#histogram(
    "batch_stage_seconds",
    "Time that a batch spent in a stage.",
    STAGE_BUCKETS,
    ["stage"],
  );
  readonly #busySeconds = this.#counter(
    "device_busy_seconds_total",
    "Time that a device's workers spent in a stage.",
    ["device", "stage"],
  );
  readonly #loads = this.#counter("model_loads_total", "Attempts to load a model.", ["result"]);
  readonly #loadFailures = this.#counter(
    "model_load_failures_total",
    "Attempts to load a model that failed, by why.",
    ["reason"],
  );
  readonly #lookups = this.#counter(
    "model_lookups_total",
    "Requests that found their model in memory, or did not.",
    ["result"],
  );
  readonly #loadSeconds = this.#histogram(
    "model_load_seconds",
    "Time that a successful load of a model took.",
    LOAD_BUCKETS,
  );
  readonly #evictions = this.#counter("model_evictions_total", "Models that had to leave.", [
    "reason",
  ]);

  /** @param snapshot asked once per scrape */
  constructor(snapshot: () => Promise<CoreSnapshot>, options: CoreMetricsOptions = {}) {
    this.#snapshot = snapshot;
    // What may fail is there before it fails: a rate needs a zero to start from.
    for (const result of ["ok", "failed"]) this.#loads.inc({ result }, 0);
    for (const result of ["hit", "miss"]) this.#lookups.inc({ result }, 0);
    for (const reason of ["capacity", "memory", "idle", "replica"] satisfies EvictionReason[]) {
      this.#evictions.inc({ reason }, 0);
    }
    if (options.process) collectDefaultMetrics({ register: this.#registry });
  }

  get contentType(): string {
    return this.#registry.contentType;
  }

  /** The answer to a scrape. */
  async text(): Promise<string> {
    this.#gauges.show(await this.#snapshot());
    return this.#registry.metrics();
  }

  requestEnded({ method, code, reason, durationMs }: RequestEnd): void {
    this.#requests.inc({ method, code });
    if (code !== "ok") this.#failures.inc({ method, reason });
    this.#requestSeconds.observe({ method }, durationMs / 1000);
  }

  batchEnded({ device, priority, frames, queueMs, times }: BatchEnd): void {
    this.#frames.inc({ device, priority }, frames);
    this.#batches.inc({ device });
    this.#batchFrames.observe(frames);
    this.#queueSeconds.observe({ priority }, queueMs / 1000);
    if (!times) return;
    for (const [stage, key] of Object.entries(STAGES)) {
      this.#stageSeconds.observe({ stage }, times[key] / 1000);
      this.#busySeconds.inc({ device, stage }, times[key] / 1000);
    }
  }

  modelLoaded(end: ModelLoadEnd): void {
    this.#loads.inc({ result: end.failure === null ? "ok" : "failed" });
    if (end.failure === null) this.#loadSeconds.observe(end.ms / 1000);
    else this.#loadFailures.inc({ reason: end.failure });
  }

  modelLookedUp(isHit: boolean): void {
    this.#lookups.inc({ result: isHit ? "hit" : "miss" });
  }

  modelEvicted(reason: EvictionReason): void {
    this.#evictions.inc({ reason });
  }

  requestRetried(): void {
    this.#retried.inc();
  }

  #counter<T extends string>(name: string, help: string, labelNames: readonly T[] = []) {
    const registers = [this.#registry];
    return new Counter<T>({ name: PREFIX + name, help, labelNames, registers });
  }

  #histogram<T extends string>(
    name: string,
    help: string,
    buckets: number[],
    labelNames: readonly T[] = [],
  ) {
    const registers = [this.#registry];
    return new Histogram<T>({ name: PREFIX + name, help, buckets, labelNames, registers });
  }
}
