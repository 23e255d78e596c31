import type { Clock } from "../clock.ts";
import type { Precision } from "../config.ts";
import type { InferenceWorker } from "../engine/inference-worker.ts";
import type { BatchTimes, ModelFiles, ModelMemory } from "../engine/messages.ts";
import { runBatch, takeBatch } from "./batch.ts";
import { DecayingRate } from "./decaying-rate.ts";
import { FairQueue } from "./fair-queue.ts";
import { type ModelFlow, ModelQueue } from "./model-queue.ts";
import { PRIORITIES, type Priority } from "./work.ts";

/** One batch runs and one waits, so that the worker never idles between two. */
const BATCHES_IN_FLIGHT = 2;
/** A turn of a model that always waits, in frames of average cost. */
const QUANTUM_FRAMES = 8;
/** Before anything was measured. */
const FIRST_GUESS_FRAME_MS = 10;
const SMOOTHING = 0.1;
/** How long utilisation looks back. */
const RECENT_MS = 10_000;
/** A load that nobody waits for lets live speech go first, but not for ever. */
const LOAD_PATIENCE_MS = 30_000;
const LOAD_RETRY_MS = 20;

export interface BatchReport {
  readonly worker: InferenceWorker;
  readonly priority: Priority;
  readonly frames: number;
  readonly queueMs: number;
  readonly times: BatchTimes;
}

export interface SchedulerOptions {
  readonly maxBatchSize: number;
  /** A batch that is not full waits so long for more frames, in milliseconds. */
  readonly maxQueueDelayMs: number;
  readonly clock: Clock;
  readonly onBatch: (report: BatchReport) => void;
}

/** Decides what one worker does next: live before batch, and models in fair turns. */
export class WorkerScheduler {
  readonly worker: InferenceWorker;
  readonly #options: SchedulerOptions;
  readonly #queues = new Set<ModelQueue>();
  readonly #turns: Readonly<Record<Priority, FairQueue<ModelFlow>>> = {
    live: new FairQueue(),
    batch: new FairQueue(),
  };
  readonly #busy = new DecayingRate(RECENT_MS);
  #frameMs = FIRST_GUESS_FRAME_MS;
  #inFlight = 0;
  #loading = 0;
  /** Flows that wait for a batch to fill. */
  readonly #held = new Set<ModelFlow>();

  constructor(worker: InferenceWorker, options: SchedulerOptions) {
    this.worker = worker;
    this.#options = options;
  }

  /** Requests that wait or run. */
  get requests(): number {
    let sum = 0;
    for (const queue of this.#queues) sum += queue.works.length;
    return sum;
  }

  /** Share of its time that the worker was busy lately, about 0..1. */
  get utilisation(): number {
    return this.#busy.perMs(this.#options.clock.now());
  }

  /** Loads that wait or run. */
  get loading(): number {
    return this.#loading;
  }

  /** A queue for a model that is loaded. */
  open(name: string): ModelQueue {
    const queue: ModelQueue = new ModelQueue(name, {
      onReady: (flow) => {
        this.#turns[flow.priority].activate(flow, this.#quantumMs);
        this.#pump();
      },
      isHeldBack: (flow) => this.#isHeldBack(flow),
    });
    this.#queues.add(queue);
    return queue;
  }

  /** Ends a queue that nobody uses. */
  close(queue: ModelQueue): void {
    this.#queues.delete(queue);
    for (const priority of PRIORITIES) this.#turns[priority].remove(queue.flows[priority]);
  }

  /** The worker is gone: fails what waits and forgets the models. */
  reset(error: Error): void {
    for (const queue of [...this.#queues]) {
      queue.failAll(error);
      this.close(queue);
    }
  }

  /**
   * Loads a model. With priority `batch` when live speech pauses, or after 30 seconds.
   * @throws CoreError as InferenceWorker.load
   */
  async load(
    name: string,
    files: ModelFiles,
    precision: Precision,
    priority: Priority,
  ): Promise<ModelMemory> {
    const { clock } = this.#options;
    this.#loading++;
    try {
      const latestMs = clock.now() + LOAD_PATIENCE_MS;
      while (priority === "batch" && this.#hasLiveWork() && clock.now() < latestMs) {
        await new Promise<void>((resolve) => clock.after(LOAD_RETRY_MS, resolve));
      }
      const started = clock.now();
      const memory = await this.worker.load(name, files, precision);
      this.#busy.add(clock.now() - started, clock.now());
      return memory;
    } finally {
      this.#loading--;
    }
  }

  get #quantumMs(): number {
    return QUANTUM_FRAMES * this.#frameMs;
  }

  #hasLiveWork(): boolean {
    for (const queue of this.#queues) if (queue.flows.live.isReady()) return true;
    return false;
  }

  #isHeldBack(flow: ModelFlow): boolean {
    const { maxQueueDelayMs, maxBatchSize, clock } = this.#options;
    if (maxQueueDelayMs === 0 || flow.readyFrames >= maxBatchSize) return false;
    const dueMs = flow.oldestWaitMs + maxQueueDelayMs - clock.now();
    if (dueMs <= 0 || !Number.isFinite(dueMs)) return false;
    if (this.#held.has(flow)) return true;
    this.#held.add(flow);
    clock.after(dueMs, () => {
      this.#held.delete(flow);
      this.#turns[flow.priority].activate(flow, this.#quantumMs);
      this.#pump();
    });
    return true;
  }

  #pump(): void {
    while (this.#inFlight < BATCHES_IN_FLIGHT) {
      const flow =
        this.#turns.live.next(this.#quantumMs) ?? this.#turns.batch.next(this.#quantumMs);
      const batch = flow && takeBatch(flow, this.#options.maxBatchSize);
      if (!batch) return;
      this.#inFlight++;
      void this.#run(flow, batch).finally(() => {
        this.#inFlight--;
        this.#pump();
      });
    }
  }

  async #run(flow: ModelFlow, batch: NonNullable<ReturnType<typeof takeBatch>>): Promise<void> {
    const { clock, onBatch } = this.#options;
    const { queue, priority } = flow;
    const turns = this.#turns[priority];
    const guessMs = batch.frames * (queue.frameMs ?? this.#frameMs);
    turns.charge(flow, guessMs, this.#quantumMs);
    const result = await runBatch(batch, this.worker, queue.name, () => clock.now());
    if (!result) return;
    const { busyMs, queueMs, times } = result;
    turns.charge(flow, busyMs - guessMs, this.#quantumMs);
    const { frames } = batch;
    queue.observe({ frames, busyMs, waitMs: queueMs, nowMs: clock.now() });
    this.#frameMs += SMOOTHING * (busyMs / frames - this.#frameMs);
    this.#busy.add(busyMs, clock.now());
    if (result.growth) queue.onGrowth(result.growth);
    onBatch({ worker: this.worker, priority, frames, queueMs, times });
  }
}
