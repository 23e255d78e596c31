import type { Clock } from "../../avatar/clock.ts";
import type { Precision } from "../config.ts";
import type { InferenceWorker } from "../engine/inference-worker.ts";
import type { ModelFiles, ModelMemory } from "../engine/messages.ts";
import type { BatchEnd } from "../observe/observer.ts";
import { type Batch, runBatch, takeBatch } from "./batch.ts";
import { DecayingRate } from "./decaying-rate.ts";
import { FairQueue } from "./fair-queue.ts";
import { type ModelFlow, ModelQueue, type QueueOptions } from "./model-queue.ts";
import { LEVELS, type Level } from "./work.ts";

/** One batch runs, and the next is there before it ends, so that the worker never idles between two. */
const BATCHES_IN_FLIGHT = 2;
/**
 * So long before its end the next one is sent: no sooner, because what was sent
 * cannot be overtaken by what is more urgent.
 */
const LEAD = { leastMs: 5, share: 0.1 };
const SHORTEST_WAIT_MS = 0.1;
/** A batch is no longer than this, unless a single frame is: others wait for its end. */
const LONGEST_BATCH_MS = 25;
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

export interface SchedulerOptions {
  readonly maxBatchSize: number;
  /** A batch that is not full waits so long for more frames, in milliseconds. */
  readonly maxQueueDelayMs: number;
  readonly clock: Clock;
  readonly onBatch: (batch: BatchEnd) => void;
}

/** Decides what one worker does next: live before batch, and models in fair turns. */
export class WorkerScheduler {
  readonly worker: InferenceWorker;
  readonly #options: SchedulerOptions;
  readonly #queues = new Set<ModelQueue>();
  readonly #turns: Readonly<Record<Level, FairQueue<ModelFlow>>> = {
    urgent: new FairQueue(),
    ahead: new FairQueue(),
    offline: new FairQueue(),
  };
  readonly #busy = new DecayingRate(RECENT_MS);
  #frameMs = FIRST_GUESS_FRAME_MS;
  #inFlight = 0;
  /** When the worker is expected to be through with what it has. */
  #freeAtMs = 0;
  /** How long before that it gets its next batch. */
  #leadMs = 0;
  #cancelWake: () => void = () => {};
  #loading = 0;
  /** Flows that wait for a batch to fill. */
  readonly #held = new Set<ModelFlow>();

  constructor(worker: InferenceWorker, options: SchedulerOptions) {
    this.worker = worker;
    this.#options = options;
  }

  /** Batches that the worker has. */
  get inFlight(): number {
    return this.#inFlight;
  }

  /** Requests that wait or run. */
  get requests(): number {
    let sum = 0;
    for (const queue of this.#queues) sum += queue.requests;
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
  open(name: string, options: QueueOptions = {}): ModelQueue {
    const hooks = {
      onReady: (flow: ModelFlow) => {
        this.#turns[flow.level].activate(flow, this.#quantumMs);
        this.#pump();
      },
      isHeldBack: (flow: ModelFlow) => this.#isHeldBack(flow),
    };
    const queue = new ModelQueue(name, hooks, options);
    this.#queues.add(queue);
    return queue;
  }

  /** Ends a queue that nobody uses. */
  close(queue: ModelQueue): void {
    this.#queues.delete(queue);
    for (const level of LEVELS) this.#turns[level].remove(queue.flows[level]);
  }

  /** The worker is gone: fails what waits and forgets the models. */
  reset(error: Error): void {
    for (const queue of [...this.#queues]) {
      queue.failAll(error);
      this.close(queue);
    }
  }

  /**
   * Loads a model: while nobody waits for it when live speech pauses, or after 30 seconds.
   * @param isWaitedFor asked again and again, since somebody may come
   * @throws CoreError as InferenceWorker.load
   */
  async load(
    name: string,
    files: ModelFiles,
    precision: Precision,
    isWaitedFor: () => boolean,
  ): Promise<ModelMemory> {
    const { clock } = this.#options;
    this.#loading++;
    try {
      const latestMs = clock.now() + LOAD_PATIENCE_MS;
      while (!isWaitedFor() && this.#hasLiveWork() && clock.now() < latestMs) {
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
    for (const { flows } of this.#queues) {
      if (flows.urgent.isReady() || flows.ahead.isReady()) return true;
    }
    return false;
  }

  #isHeldBack(flow: ModelFlow): boolean {
    const { clock } = this.#options;
    const { maxQueueDelayMs, maxBatchSize } = this.#batchingOf(flow);
    if (maxQueueDelayMs === 0 || flow.readyFrames >= maxBatchSize) return false;
    const dueMs = flow.oldestWaitMs + maxQueueDelayMs - clock.now();
    if (dueMs <= 0 || !Number.isFinite(dueMs)) return false;
    if (this.#held.has(flow)) return true;
    this.#held.add(flow);
    clock.after(dueMs, () => {
      this.#held.delete(flow);
      this.#turns[flow.level].activate(flow, this.#quantumMs);
      this.#pump();
    });
    return true;
  }

  #batchingOf({ queue: { options } }: ModelFlow) {
    const { maxBatchSize, maxQueueDelayMs } = this.#options;
    return {
      maxBatchSize: options.maxBatchSize ?? maxBatchSize,
      maxQueueDelayMs: options.maxQueueDelayMs ?? maxQueueDelayMs,
    };
  }

  #pump(): void {
    const { clock } = this.#options;
    while (this.#inFlight < BATCHES_IN_FLIGHT) {
      const waitMs = this.#msUntilNext();
      if (waitMs > 0) {
        this.#cancelWake();
        this.#cancelWake = clock.after(waitMs, () => this.#pump());
        return;
      }
      const flow = this.#nextFlow();
      if (!flow) return;
      const frameMs = flow.queue.frameMs ?? this.#frameMs;
      const { maxBatchSize } = this.#batchingOf(flow);
      const frames = Math.max(1, Math.min(maxBatchSize, Math.floor(LONGEST_BATCH_MS / frameMs)));
      const batch = takeBatch(flow, frames);
      if (!batch) return;
      this.#inFlight++;
      const expectedMs = batch.frames * frameMs;
      this.#freeAtMs = Math.max(clock.now(), this.#freeAtMs) + expectedMs;
      this.#leadMs = Math.max(LEAD.leastMs, LEAD.share * expectedMs);
      void this.#run(flow, batch, expectedMs).finally(() => {
        // Estimates err; that nothing is under way is known.
        if (--this.#inFlight === 0) this.#freeAtMs = clock.now();
        this.#pump();
      });
    }
  }

  #nextFlow(): ModelFlow | null {
    for (const level of LEVELS) {
      const flow = this.#turns[level].next(this.#quantumMs);
      if (flow) return flow;
    }
    return null;
  }

  /** Milliseconds until the worker needs its next batch; 0 when it needs it now. */
  #msUntilNext(): number {
    if (this.#inFlight === 0) return 0;
    const waitMs = this.#freeAtMs - this.#leadMs - this.#options.clock.now();
    // No timer is that fine, and one that comes a rounding error early would be set again for ever.
    return waitMs < SHORTEST_WAIT_MS ? 0 : waitMs;
  }

  async #run(flow: ModelFlow, batch: Batch, guessMs: number): Promise<void> {
    const { clock, onBatch } = this.#options;
    const { queue, level } = flow;
    const turns = this.#turns[level];
    turns.charge(flow, guessMs, this.#quantumMs);
    const result = await runBatch(batch, this.worker, queue.name, () => clock.now());
    if (!result) return;
    const { busyMs, queueMs, times } = result;
    turns.charge(flow, busyMs - guessMs, this.#quantumMs);
    const { frames } = batch;
    queue.observe({ level, frames, busyMs, waitMs: queueMs, nowMs: clock.now() });
    this.#frameMs += SMOOTHING * (busyMs / frames - this.#frameMs);
    this.#busy.add(busyMs, clock.now());
    if (result.growth) queue.onGrowth(result.growth);
    const priority = level === "offline" ? "batch" : "live";
    const { device, index } = this.worker;
    onBatch({ device: device.index, worker: index, priority, frames, queueMs, times });
  }
}
