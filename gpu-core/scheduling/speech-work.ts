import type { Clock } from "../../avatar/clock.ts";
import type { SpeechWindow } from "../audio/speech-window.ts";
import { CoreError } from "../core-error.ts";
import type { InferenceWorker } from "../engine/inference-worker.ts";
import type { BatchTimes, FrameOrder } from "../engine/messages.ts";
import type { ModelQueue } from "./model-queue.ts";
import { type Level, type Work, type WorkLimits, watchLimits } from "./work.ts";

/** Regions made ahead of the reader, per request. About 120 KB each. */
const BUFFER_FRAMES = 12;
/** Who has fewer than this is about to stand still. */
const URGENT_FRAMES = 5;

/** A mouth, fitted to its background frame. */
export interface FittedMouth {
  readonly order: FrameOrder;
  /** 8-bit RGB [order.region.height, order.region.width, 3] */
  readonly pixels: Uint8Array<ArrayBuffer>;
  /** On the last frame that a request has in a batch: its share of what the batch cost. */
  readonly times: WorkTimes | null;
}

export interface WorkTimes extends BatchTimes {
  readonly frames: number;
  queueMs: number;
}

/** One InferSpeech request in the queue of one replica. */
export class SpeechWork implements Work {
  readonly limits: WorkLimits;
  waitingSinceMs: number;
  /** Called when the reader has not taken a frame for too long; he gets an error if he ever does. */
  onAbandoned: () => void = () => {};
  readonly #clock: Clock;
  readonly #window: SpeechWindow;
  readonly #orders: readonly FrameOrder[];
  /** By frame: the last one of a batch may be overtaken by the first of the next. */
  readonly #done = new Map<number, FittedMouth>();
  #next = 0;
  #delivered = 0;
  #open: { readonly worker: InferenceWorker; readonly speech: number } | null = null;
  #error: Error | null = null;
  #isClosed = false;
  #wake: () => void = () => {};
  #cancelWatch: () => void = () => {};

  constructor(
    window: SpeechWindow,
    orders: readonly FrameOrder[],
    limits: WorkLimits,
    clock: Clock,
  ) {
    this.#window = window;
    this.#orders = orders;
    this.limits = limits;
    this.#clock = clock;
    this.waitingSinceMs = clock.now();
  }

  readyFrames(level: Level): number {
    if (this.#isClosed || this.#error) return 0;
    if ((level === "offline") !== (this.limits.priority === "batch")) return 0;
    const buffer = level === "urgent" ? URGENT_FRAMES : BUFFER_FRAMES;
    const room = buffer - (this.#next - this.#delivered);
    return Math.max(0, Math.min(room, this.#orders.length - this.#next));
  }

  /** The next frame to run. Only while some are ready. */
  takeFrame(): FrameOrder {
    this.waitingSinceMs = this.#clock.now();
    return this.#orders[this.#next++]!;
  }

  /** Sends the samples to the worker, once. @returns the number of the speech there; null when nobody waits any more */
  open(worker: InferenceWorker, model: string): number | null {
    if (this.#isClosed || this.#error) return null;
    if (!this.#open) {
      const { speech, opened } = worker.openSpeech(model, this.#window);
      this.#open = { worker, speech };
      opened.catch((error: unknown) => {
        this.fail(error instanceof Error ? error : new Error(String(error)));
      });
    }
    return this.#open.speech;
  }

  deliver(mouth: FittedMouth): void {
    if (this.#isClosed) return;
    this.#done.set(mouth.order.frame, mouth);
    this.#wake();
  }

  fail(error: Error): void {
    this.#error ??= error;
    this.#wake();
  }

  /**
   * Joins the queue and gives the mouths in order. Ends early, and stops the
   * work, when the reader leaves, `signal` aborts or a limit passes.
   * @throws CoreError what the worker answered, `cancelled`, `deadline_exceeded`, `resource_exhausted`
   */
  async *mouths(queue: ModelQueue, signal: AbortSignal): AsyncGenerator<FittedMouth> {
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
      while (this.#delivered < this.#orders.length) {
        const { frame } = this.#orders[this.#delivered]!;
        const mouth = this.#done.get(frame);
        if (mouth) {
          this.#done.delete(frame);
          const { priority } = this.limits;
          const level = priority === "batch" ? "offline" : "urgent";
          if (this.readyFrames(level) === 0) this.waitingSinceMs = this.#clock.now();
          this.#delivered++;
          queue.poke(this);
          this.#cancelWatch = this.#watchReader(queue);
          yield mouth;
          this.#cancelWatch();
        } else if (this.#error) {
          throw this.#error;
        } else {
          await new Promise<void>((resolve) => {
            this.#wake = resolve;
          });
        }
      }
    } finally {
      signal.removeEventListener("abort", abort);
      endWatch();
      this.#cancelWatch();
      queue.remove(this);
      this.#end();
    }
  }

  #watchReader(queue: ModelQueue): () => void {
    const { readerTimeoutMs } = this.limits;
    if (!Number.isFinite(readerTimeoutMs)) return () => {};
    return this.#clock.after(readerTimeoutMs, () => {
      const seconds = readerTimeoutMs / 1000;
      const what = `no frame was taken for ${seconds} s (server.reader_timeout_s): ask again for the rest`;
      this.fail(new CoreError("cancelled", what));
      queue.remove(this);
      this.#end();
      this.onAbandoned();
    });
  }

  #end(): void {
    this.#isClosed = true;
    this.#done.clear();
    this.#open?.worker.closeSpeech(this.#open.speech);
  }
}
