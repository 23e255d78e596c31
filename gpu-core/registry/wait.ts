import type { Clock } from "../../avatar/clock.ts";
import { CoreError } from "../core-error.ts";
import { deadlinePassed } from "../scheduling/work.ts";

/** How long a caller waits. */
export interface WaitLimits {
  readonly signal: AbortSignal;
  /** Of the clock, in milliseconds; Infinity for none. */
  readonly deadlineMs: number;
  /** What the caller is told when it passes. Default: that it was his deadline. */
  readonly late?: () => CoreError;
}

/**
 * Waits for `work`, which goes on without the caller.
 * @throws CoreError `cancelled`, `late()`, or what `work` throws
 */
export function untilLimit<T>(
  work: Promise<T>,
  clock: Clock,
  { signal, deadlineMs, late = deadlinePassed }: WaitLimits,
): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = () => reject(new CoreError("cancelled", "the caller went away"));
    if (signal.aborted) abort();
    signal.addEventListener("abort", abort, { once: true });
    const cancel = Number.isFinite(deadlineMs)
      ? clock.after(deadlineMs - clock.now(), () => reject(late()))
      : () => {};
    work.then(resolve, reject).finally(() => {
      signal.removeEventListener("abort", abort);
      cancel();
    });
  });
}
