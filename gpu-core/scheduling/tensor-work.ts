import type { Clock } from "../../avatar/clock.ts";
import { CoreError } from "../core-error.ts";
import type { ModelQueue } from "./model-queue.ts";
import { type Level, type Work, type WorkLimits, watchLimits } from "./work.ts";

export interface Tensors {
  /** float32 [n,6,320,320] */
  readonly visual: Uint8Array;
  /** float32 [n,32,16,16] */
  readonly audio: Uint8Array;
}

/** Some frames of a request, as one batch. */
export interface TensorChunk {
  readonly first: number;
  readonly count: number;
  /** visual, then audio */
  readonly tensors: Uint8Array;
}

/** One InferBatch request in the queue of one replica: chunks of at most the batch size. */
export class TensorWork implements Work {
  readonly limits: WorkLimits;
  waitingSinceMs: number;
  /** Milliseconds that the model ran. */
  unetMs = 0;
  queueMs = 0;
  readonly #clock: Clock;
  readonly #tensors: Tensors;
  readonly #count: number;
  readonly #outputs: Uint8Array[];
  readonly #result = Promise.withResolvers<void>();
  #next = 0;
  #left: number;
  #isEnded = false;

  constructor(tensors: Tensors, count: number, limits: WorkLimits, clock: Clock) {
    this.#tensors = tensors;
    this.#count = count;
    this.#left = count;
    this.#outputs = new Array<Uint8Array>(count);
    this.limits = limits;
    this.#clock = clock;
    this.waitingSinceMs = clock.now();
    // It may be rejected before anybody waits for it.
    this.#result.promise.catch(() => {});
  }

  readyFrames(level: Level): number {
    if (this.#isEnded || level === "ahead") return 0;
    if ((level === "offline") !== (this.limits.priority === "batch")) return 0;
    return this.#count - this.#next;
  }

  /** Only while some are ready. */
  takeChunk(maxFrames: number): TensorChunk {
    const first = this.#next;
    const count = Math.min(maxFrames, this.#count - first);
    this.#next += count;
    this.waitingSinceMs = this.#clock.now();
    const part = (bytes: Uint8Array) => {
      const each = bytes.length / this.#count;
      return bytes.subarray(first * each, (first + count) * each);
    };
    const tensors = Buffer.concat([part(this.#tensors.visual), part(this.#tensors.audio)]);
    return { first, count, tensors };
  }

  /** @param outputs float32 [chunk.count,3,320,320] */
  deliver(
    { first, count }: TensorChunk,
    outputs: Uint8Array,
    unetMs: number,
    queueMs: number,
  ): void {
    const each = outputs.length / count;
    for (let i = 0; i < count; i++) {
      this.#outputs[first + i] = outputs.subarray(i * each, (i + 1) * each);
    }
    this.unetMs += unetMs;
    this.queueMs += queueMs;
    this.#left -= count;
    if (this.#left === 0) this.#result.resolve();
  }

  fail(error: Error): void {
    this.#isEnded = true;
    this.#result.reject(error);
  }

  /**
   * Joins the queue and waits.
   * @returns float32 [3,320,320] per frame
   * @throws CoreError as SpeechWork.mouths
   */
  async outputs(queue: ModelQueue, signal: AbortSignal): Promise<readonly Uint8Array[]> {
    const abort = () => this.fail(new CoreError("cancelled", "the caller went away"));
    signal.addEventListener("abort", abort, { once: true });
    const endWatch = watchLimits(
      this.#clock,
      this.limits,
      () => this.#next > 0,
      (error) => this.fail(error),
    );
    try {
      if (signal.aborted) abort();
      else queue.add(this);
      await this.#result.promise;
      return this.#outputs;
    } finally {
      signal.removeEventListener("abort", abort);
      endWatch();
      this.#isEnded = true;
      queue.remove(this);
    }
  }
}
