import type { ModelMemory } from "../engine/messages.ts";
import { DecayingRate } from "./decaying-rate.ts";
import type { Flow } from "./fair-queue.ts";
import type { SpeechWork } from "./speech-work.ts";
import type { TensorWork } from "./tensor-work.ts";
import { PRIORITIES, type Priority } from "./work.ts";

/** How long use counts as recent: long enough to see through the pauses of a conversation. */
const RECENT_MS = 10_000;
/** Weight of the last batch in the average. */
const SMOOTHING = 0.2;

export type AnyWork = SpeechWork | TensorWork;

/** The requests of one model with one priority. */
export class ModelFlow implements Flow {
  readonly queue: ModelQueue;
  readonly priority: Priority;
  deficit = 0;
  list: Flow["list"] = null;
  /** In turn: who gave a frame goes to the end. */
  works: AnyWork[] = [];
  readonly #isHeldBack: () => boolean;

  constructor(queue: ModelQueue, priority: Priority, isHeldBack: () => boolean) {
    this.queue = queue;
    this.priority = priority;
    this.#isHeldBack = isHeldBack;
  }

  isReady(): boolean {
    return !this.#isHeldBack() && this.works.some((work) => work.readyFrames > 0);
  }

  get readyFrames(): number {
    return this.works.reduce((sum, work) => sum + work.readyFrames, 0);
  }

  get oldestWaitMs(): number {
    return this.works.reduce(
      (oldest, work) => (work.readyFrames > 0 ? Math.min(oldest, work.waitingSinceMs) : oldest),
      Number.POSITIVE_INFINITY,
    );
  }

  /** The next work that has a frame; it goes to the end. */
  takeTurn(accepts: (work: AnyWork) => boolean = () => true): AnyWork | null {
    const at = this.works.findIndex((work) => work.readyFrames > 0 && accepts(work));
    const [work] = at < 0 ? [] : this.works.splice(at, 1);
    if (!work) return null;
    this.works.push(work);
    return work;
  }
}

/** One model on one worker: who waits for it, and what it costs. */
export class ModelQueue {
  /** The model's name on the worker. */
  readonly name: string;
  readonly flows: Readonly<Record<Priority, ModelFlow>>;
  /** Milliseconds of worker time per millisecond, lately. */
  readonly busy = new DecayingRate(RECENT_MS);
  /** Average of a frame in milliseconds; null before the first. */
  frameMs: number | null = null;
  /** Average wait for the worker in milliseconds. */
  waitMs = 0;
  /** Called when the model's memory grew. */
  onGrowth: (growth: ModelMemory) => void = () => {};
  readonly #onReady: (flow: ModelFlow) => void;

  constructor(
    name: string,
    hooks: {
      /** A flow may have something to run. */
      onReady(flow: ModelFlow): void;
      /** Whether it should wait for more frames. */
      isHeldBack(flow: ModelFlow): boolean;
    },
  ) {
    this.name = name;
    this.#onReady = hooks.onReady;
    const flow = (priority: Priority) => {
      const made: ModelFlow = new ModelFlow(this, priority, () => hooks.isHeldBack(made));
      return made;
    };
    this.flows = { live: flow("live"), batch: flow("batch") };
  }

  get works(): AnyWork[] {
    return PRIORITIES.flatMap((priority) => this.flows[priority].works);
  }

  add(work: AnyWork): void {
    this.flows[work.limits.priority].works.push(work);
    this.poke(work);
  }

  /** Call it when `work` may have become able to run. */
  poke(work: AnyWork): void {
    this.#onReady(this.flows[work.limits.priority]);
  }

  remove(work: AnyWork): void {
    const flow = this.flows[work.limits.priority];
    flow.works = flow.works.filter((other) => other !== work);
  }

  failAll(error: Error): void {
    for (const work of this.works) work.fail(error);
  }

  /** What a batch took. */
  observe(report: { frames: number; busyMs: number; waitMs: number; nowMs: number }): void {
    const frameMs = report.busyMs / report.frames;
    this.frameMs = this.frameMs === null ? frameMs : blend(this.frameMs, frameMs);
    this.waitMs = blend(this.waitMs, report.waitMs);
    this.busy.add(report.busyMs, report.nowMs);
  }
}

function blend(average: number, value: number): number {
  return average + SMOOTHING * (value - average);
}
