import type { Clock } from "../../avatar/clock.ts";
import { CoreError } from "../core-error.ts";

/** Who waits: a person, or a file. */
export type Priority = "live" | "batch";

/**
 * What a frame is to the one who waits: he has hardly any left, it is made
 * ahead of a person, or it is for a file. A lower level runs when nothing of a
 * higher one can.
 */
export type Level = "urgent" | "ahead" | "offline";

export const LEVELS: readonly Level[] = ["urgent", "ahead", "offline"];

/** What a request allows itself. Times are of the scheduler's clock, in milliseconds. */
export interface WorkLimits {
  readonly priority: Priority;
  /** Nothing is started after it; Infinity for none. */
  readonly deadlineMs: number;
  /** From when `queueTimeoutMs` counts: it came, or came back from a device that was lost. */
  readonly arrivedMs: number;
  /** The first frame starts within so long, or the request is refused; Infinity for none. */
  readonly queueTimeoutMs: number;
  /** A reader that takes no frame for so long is given up; Infinity never. */
  readonly readerTimeoutMs: number;
}

/** A request in a queue: frames, of which some may run now. */
export interface Work {
  readonly limits: WorkLimits;
  /** Frames that may run now at a level. */
  readyFrames(level: Level): number;
  /** Since when the next frame could have run. */
  readonly waitingSinceMs: number;
  /** Ends it; what is in flight goes on and is thrown away. */
  fail(error: Error): void;
}

/**
 * Calls `fail` when a limit of `limits` passes: the deadline, and the time in
 * the queue while `isStarted` says that nothing has begun.
 * @returns ends the watch
 */
export function watchLimits(
  clock: Clock,
  limits: WorkLimits,
  isStarted: () => boolean,
  fail: (error: CoreError) => void,
): () => void {
  const ends: (() => void)[] = [];
  if (Number.isFinite(limits.deadlineMs)) {
    const leftMs = limits.deadlineMs - clock.now();
    ends.push(clock.after(leftMs, () => fail(deadlinePassed())));
  }
  if (Number.isFinite(limits.queueTimeoutMs)) {
    const refuse = () => {
      if (!isStarted()) fail(queueTimeoutPassed(limits));
    };
    ends.push(clock.after(limits.arrivedMs + limits.queueTimeoutMs - clock.now(), refuse));
  }
  return () => {
    for (const end of ends) end();
  };
}

export function queueTimeoutPassed({ queueTimeoutMs }: WorkLimits): CoreError {
  return new CoreError(
    "resource_exhausted",
    `nothing was done for this request within ${queueTimeoutMs / 1000} s (server.queue_timeout_s): the core is overloaded or loads the model, try again shortly`,
    { retryAfterMs: queueTimeoutMs, reason: "queue_timeout" },
  );
}

export function deadlinePassed(): CoreError {
  return new CoreError(
    "deadline_exceeded",
    "the caller's deadline passed before the work was done",
  );
}
