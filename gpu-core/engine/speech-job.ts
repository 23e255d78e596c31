import type { SpeechWindow } from "../audio/speech-window.ts";
import { CoreError } from "../core-error.ts";
import type { Lane, LaneJob, Priority } from "./lane.ts";
import type { BatchTimes, FrameOrder } from "./messages.ts";

/** Frames per slice: the grain of fairness and of cancelling. */
const SLICE_FRAMES = 4;
/** Regions made ahead of the reader, per request. About 120 KB each. */
const BUFFER_FRAMES = 12;

/** A mouth, fitted to its background frame. */
export interface FittedMouth {
  readonly order: FrameOrder;
  /** 8-bit RGB [order.region.height, order.region.width, 3] */
  readonly pixels: Uint8Array<ArrayBuffer>;
  /** On the last frame of a slice: what the slice cost. */
  readonly times: SliceTimes | null;
}

export interface SliceTimes extends BatchTimes {
  readonly frames: number;
  queueMs: number;
}

/** One InferSpeech request on its way through a lane. */
export class SpeechJob implements LaneJob {
  readonly priority: Priority;
  readonly #lane: Lane;
  readonly #model: string;
  readonly #window: SpeechWindow;
  readonly #orders: readonly FrameOrder[];
  readonly #speech: number;
  /** By frame: the last one of a slice may be overtaken by the first of the next. */
  readonly #ready = new Map<number, FittedMouth>();
  #next = 0;
  #delivered = 0;
  #waitingSince = performance.now();
  #opened: Promise<unknown> | null = null;
  #error: Error | null = null;
  #closed = false;
  #wake: () => void = () => {};

  constructor(
    lane: Lane,
    model: string,
    window: SpeechWindow,
    orders: readonly FrameOrder[],
    priority: Priority,
  ) {
    this.#lane = lane;
    this.#model = model;
    this.#window = window;
    this.#orders = orders;
    this.priority = priority;
    this.#speech = lane.device.newSpeech();
  }

  nextSlice(): (() => Promise<unknown>) | null {
    const ahead = this.#next - this.#delivered;
    const left = this.#orders.length - this.#next;
    if (this.#closed || this.#error || left === 0) return null;
    if (ahead > 0 && ahead + SLICE_FRAMES > BUFFER_FRAMES) return null;
    const orders = this.#orders.slice(this.#next, this.#next + SLICE_FRAMES);
    this.#next += orders.length;
    const queueMs = performance.now() - this.#waitingSince;
    return () => this.#run(orders, queueMs);
  }

  /**
   * The mouths in order. Ends early, and stops the work, when the reader
   * leaves or `signal` aborts.
   * @throws CoreError what the worker answered, or `cancelled`.
   */
  async *mouths(signal: AbortSignal): AsyncGenerator<FittedMouth> {
    const abort = () => {
      this.#fail(new CoreError("cancelled", "the caller went away"));
    };
    signal.addEventListener("abort", abort, { once: true });
    try {
      if (signal.aborted) abort();
      else this.#lane.add(this);
      while (this.#delivered < this.#orders.length) {
        const { frame } = this.#orders[this.#delivered]!;
        const mouth = this.#ready.get(frame);
        if (mouth) {
          this.#ready.delete(frame);
          this.#delivered++;
          this.#lane.pump();
          yield mouth;
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
      this.#close();
    }
  }

  async #run(orders: readonly FrameOrder[], queueMs: number): Promise<void> {
    try {
      this.#opened ??= this.#open();
      await this.#opened;
      const mouths: FittedMouth[] = [];
      const result = await this.#lane.call(
        { type: "frames", speech: this.#speech, orders },
        undefined,
        undefined,
        (frame, pixels) => {
          const order = orders.find((candidate) => candidate.frame === frame);
          if (!order) return;
          // The last one waits for the times of its slice, which follow at once.
          if (mouths.push({ order, pixels, times: null }) < orders.length) {
            this.#deliver(mouths.at(-1)!);
          }
        },
      );
      this.#waitingSince = performance.now();
      if (this.#closed) return;
      const last = mouths.at(-1);
      if (!last || mouths.length < orders.length) {
        throw new CoreError("internal", "the worker left out frames");
      }
      const { times } = result.done;
      this.#deliver({
        ...last,
        times: times ? { ...times, queueMs, frames: orders.length } : null,
      });
    } catch (error) {
      this.#fail(error instanceof Error ? error : new Error(String(error)));
    }
  }

  #open(): Promise<unknown> {
    const { samples, start, utteranceSamples } = this.#window;
    const payload = new Uint8Array(samples.buffer, samples.byteOffset, samples.byteLength);
    return this.#lane.call(
      {
        type: "open-speech",
        speech: this.#speech,
        model: this.#model,
        start,
        utteranceSamples,
      },
      undefined,
      payload,
    );
  }

  #deliver(mouth: FittedMouth): void {
    if (this.#closed) return;
    this.#ready.set(mouth.order.frame, mouth);
    this.#wake();
  }

  #fail(error: Error): void {
    this.#error ??= error;
    this.#wake();
  }

  #close(): void {
    this.#closed = true;
    this.#ready.clear();
    this.#lane.remove(this);
    if (!this.#opened) return;
    const close = () => {
      this.#lane.device.notify(this.#lane.worker, { type: "close-speech", speech: this.#speech });
    };
    // Only an open speech can be closed; one that failed to open needs no closing.
    this.#opened.then(close, () => {});
  }
}
