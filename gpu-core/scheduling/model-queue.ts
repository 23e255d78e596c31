import type { ModelMemory } from "../engine/messages.ts";
import { DecayingRate } from "./decaying-rate.ts";
import type { Flow } from "./fair-queue.ts";
import type { SpeechWork } from "./speech-work.ts";
import type { TensorWork } from "./tensor-work.ts";
import { LEVELS, type Level, type Priority } from "./work.ts";

/** How long use counts as recent: long enough to see through the pauses of a conversation. */
const RECENT_MS = 10_000;
/** Weight of the last batch in the average. */
const SMOOTHING = 0.2;

/** What differs for one model. */
export interface QueueOptions {
  /** Frames of its largest batch. Default: the scheduler's, which it must not exceed. */
  readonly maxBatchSize?: number | undefined;
  /** Default: the scheduler's. */
  readonly maxQueueDelayMs?: number | undefined;
}

export type AnyWork = SpeechWork | TensorWork;

/** The frames of one model at one level. */
export class ModelFlow implements Flow {
  readonly queue: ModelQueue;
  readonly level: Level;
  deficit = 0;
  list: Flow["list"] = null;
  readonly #isHeldBack: () => boolean;

  constructor(queue: ModelQueue, level: Level, isHeldBack: () => boolean) {
    this.queue = queue;
    this.level = level;
    this.#isHeldBack = isHeldBack;
  }

  isReady(): boolean {
    return this.#works.some((work) => work.readyFrames(this.level) > 0) && !this.#isHeldBack();
  }

  get readyFrames(): number {
    return this.#works.reduce((sum, work) => sum + work.readyFrames(this.level), 0);
  }

  get oldestWaitMs(): number {
    return this.#works.reduce(
      (oldest, work) =>
        work.readyFrames(this.level) > 0 ? Math.min(oldest, work.waitingSinceMs) : oldest,
      Number.POSITIVE_INFINITY,
    );
  }

  /** The next work that has a frame; it goes to the end. */
  takeTurn(accepts: (work: AnyWork) => boolean = () => true): AnyWork | null {
    const works = this.#works;
    const at = works.findIndex((work) => work.readyFrames(this.level) > 0 && accepts(work));
    const [work] = at < 0 ? [] : works.splice(at, 1);
    if (!work) return null;
    works.push(work);
    return work;
  }

  get #works(): AnyWork[] {
    return this.queue.worksOf(this.level === "offline" ? "batch" : "live");
  }
}

/** One model on one worker: who waits for it, and what it costs. */
export class ModelQueue {
  /** The model's name on the worker. */
  readonly name: string;
  readonly options: QueueOptions;
  readonly flows: Readonly<Record<Level, ModelFlow>>;
  /** Milliseconds of worker time per millisecond, lately. */
  readonly busy = new DecayingRate(RECENT_MS);
  /** Average of a frame in milliseconds; null before the first. */
  frameMs: number | null = null;
  /** Average wait of urgent frames for the worker in milliseconds. */
  waitMs = 0;
  /** Called when the model's memory grew. */
  onGrowth: (growth: ModelMemory) => void = () => {};
  /** In turn: who gave a frame goes to the end. */
  readonly #works: Record<Priority, AnyWork[]> = { live: [], batch: [] };
  readonly #onReady: (flow: ModelFlow) => void;

  constructor(
    name: string,
    hooks: {
      /** A flow may have something to run. */
      onReady(flow: ModelFlow): void;
      /** Whether it should wait for more frames. */
      isHeldBack(flow: ModelFlow): boolean;
    },
    options: QueueOptions = {},
  ) {
    this.name = name;
    this.options = options;
    this.#onReady = hooks.onReady;
    const flow = (level: Level) => {
      const made: ModelFlow = new ModelFlow(this, level, () => hooks.isHeldBack(made));
      return made;
    };
    this.flows = { urgent: flow("urgent"), ahead: flow("ahead"), offline: flow("offline") };
  }

  /** Requests that wait or run. */
  get requests(): number {
    return this.#works.live.length + this.#works.batch.length;
  }

  worksOf(priority: Priority): AnyWork[] {
    return this.#works[priority];
  }

  add(work: AnyWork): void {
    this.#works[work.limits.priority].push(work);
    this.poke(work);
  }

  /** Call it when `work` may have become able to run. */
  poke(work: AnyWork): void {
    for (const level of LEVELS) {
      if (work.readyFrames(level) > 0) this.#onReady(this.flows[level]);
    }
  }

  remove(work: AnyWork): void {
    const works = this.#works[work.limits.priority];
    const at = works.indexOf(work);
    if (at >= 0) works.splice(at, 1);
  }

  failAll(error: Error): void {
    for (const work of [...this.#works.live, ...this.#works.batch]) work.fail(error);
  }

  /** What a batch took. */
  observe(report: {
    level: Level;
    frames: number;
    busyMs: number;
    waitMs: number;
    nowMs: number;
  }): void {
    const frameMs = report.busyMs / report.frames;
    this.frameMs = this.frameMs === null ? frameMs : blend(this.frameMs, frameMs);
    if (report.level === "urgent") this.waitMs = blend(this.waitMs, report.waitMs);
    this.busy.add(report.busyMs, report.nowMs);
  }
}

function blend(average: number, value: number): number {
  return average + SMOOTHING * (value - average);
}
