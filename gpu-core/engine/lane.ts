import { CoreError } from "../core-error.ts";
import type { CallResult, Device, OnRegion } from "./device.ts";
import type { ModelFiles, WorkerCommand } from "./messages.ts";

/** Who waits: a person, or a file. */
export type Priority = "live" | "batch";

/**
 * Work for one worker in slices. The lane asks for a slice when the worker is
 * about to run dry, so requests take turns and one that nobody reads stops
 * costing anything.
 */
export interface LaneJob {
  readonly priority: Priority;
  /** The next slice, or null when nothing may run now. Resolves when the worker is done with it. */
  nextSlice(): (() => Promise<unknown>) | null;
}

/** One slice runs and one waits, so that the worker never idles between two. */
const SLICES_IN_FLIGHT = 2;
/** Reading 50 MB from a cold disk and compiling a graph. */
const LOAD_TIMEOUT_MS = 120_000;
/** A slice of frames on the slowest CPU; beyond it the thread hangs. */
const RUN_TIMEOUT_MS = 60_000;

/** The parent's side of one worker thread: its queue, and who is next. */
export class Lane {
  readonly device: Device;
  readonly worker: number;
  readonly #queueSize: number;
  /** In turn: a job that gets a slice goes to the end. */
  #jobs: LaneJob[] = [];
  #inFlight = 0;

  /** @param queueSize requests that may wait or run at the same time */
  constructor(device: Device, worker: number, queueSize: number) {
    this.device = device;
    this.worker = worker;
    this.#queueSize = queueSize;
  }

  /** Requests that wait or run. */
  get queued(): number {
    return this.#jobs.length;
  }

  /** Of those, how many have a slice at the worker. */
  get running(): number {
    return Math.min(this.#inFlight, this.#jobs.length);
  }

  /** @throws CoreError `resource_exhausted` when the queue is full */
  add(job: LaneJob): void {
    if (this.#jobs.length >= this.#queueSize) {
      throw new CoreError(
        "resource_exhausted",
        `worker ${this.worker} of device ${this.device.options.index} has ${this.#queueSize} requests already: try again shortly`,
      );
    }
    this.#jobs.push(job);
    this.pump();
  }

  remove(job: LaneJob): void {
    this.#jobs = this.#jobs.filter((other) => other !== job);
  }

  /** Starts slices while the worker has room. Call it when a job may have become able to run. */
  pump(): void {
    while (this.#inFlight < SLICES_IN_FLIGHT) {
      const slice = this.#takeSlice("live") ?? this.#takeSlice("batch");
      if (!slice) return;
      this.#inFlight++;
      // A job deals with the failure of its own slices.
      slice()
        .catch(() => {})
        .finally(() => {
          this.#inFlight--;
          this.pump();
        });
    }
  }

  async load(model: string, files: ModelFiles): Promise<{ memoryBytes: number }> {
    const { done } = await this.call({ type: "load", model, files }, LOAD_TIMEOUT_MS);
    return { memoryBytes: done.rssBytes ?? 0 };
  }

  async unload(model: string): Promise<void> {
    await this.call({ type: "unload", model }, RUN_TIMEOUT_MS);
  }

  /** Runs a command on the worker now, past the queue. */
  call(
    command: WorkerCommand,
    timeoutMs: number = RUN_TIMEOUT_MS,
    payload?: Uint8Array,
    onRegion?: OnRegion,
  ): Promise<CallResult> {
    return this.device.call(this.worker, command, {
      timeoutMs,
      ...(payload && { payload }),
      ...(onRegion && { onRegion }),
    });
  }

  #takeSlice(priority: Priority): (() => Promise<unknown>) | null {
    for (const job of this.#jobs) {
      if (job.priority !== priority) continue;
      const slice = job.nextSlice();
      if (!slice) continue;
      this.remove(job);
      this.#jobs.push(job);
      return slice;
    }
    return null;
  }
}
