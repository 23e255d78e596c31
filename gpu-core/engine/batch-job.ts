import { CoreError } from "../core-error.ts";
import type { CallResult } from "./device.ts";
import type { Lane, LaneJob } from "./lane.ts";

/** One InferBatch request on its way through a lane, in a single slice. */
export class BatchJob implements LaneJob {
  readonly priority = "live";
  readonly #lane: Lane;
  readonly #model: string;
  readonly #count: number;
  readonly #tensors: Uint8Array;
  readonly #result = Promise.withResolvers<CallResult>();
  readonly #addedMs = performance.now();
  #started = false;
  /** Waiting for the worker, once it has started. */
  queueMs = 0;

  /** @param tensors visual [n,6,320,320], then audio [n,32,16,16], float32 */
  constructor(lane: Lane, model: string, count: number, tensors: Uint8Array) {
    this.#lane = lane;
    this.#model = model;
    this.#count = count;
    this.#tensors = tensors;
  }

  nextSlice(): (() => Promise<unknown>) | null {
    if (this.#started) return null;
    this.#started = true;
    this.queueMs = performance.now() - this.#addedMs;
    return () => {
      const command = { type: "batch", model: this.#model, count: this.#count } as const;
      const call = this.#lane.call(command, undefined, this.#tensors);
      call.then(this.#result.resolve, this.#result.reject);
      return call;
    };
  }

  /** Waits for the worker; a caller that leaves before it starts costs nothing. */
  async run(signal: AbortSignal): Promise<CallResult> {
    const abort = () => {
      this.#started = true;
      this.#result.reject(new CoreError("cancelled", "the caller went away"));
    };
    // The result may be rejected before anybody waits for it.
    this.#result.promise.catch(() => {});
    signal.addEventListener("abort", abort, { once: true });
    try {
      if (signal.aborted) abort();
      else this.#lane.add(this);
      return await this.#result.promise;
    } finally {
      signal.removeEventListener("abort", abort);
      this.#lane.remove(this);
    }
  }
}
