/** Time, so that it can be simulated. */
export interface Clock {
  /** Milliseconds since some fixed moment; never goes back. */
  now(): number;
  /** Calls `call` once in `ms`. @returns cancels it */
  after(ms: number, call: () => void): () => void;
}

/** The machine's time. Its timers do not keep the process alive. */
export const systemClock: Clock = {
  now: () => performance.now(),
  after(ms, call) {
    // What is due already is due at once; Node warns of less than nothing.
    const timer = setTimeout(call, Math.max(0, ms));
    // Only Node's can be told so.
    (timer as { unref?: () => void }).unref?.();
    return () => clearTimeout(timer);
  },
};

interface Timer {
  readonly atMs: number;
  readonly sequence: number;
  readonly call: () => void;
  cancelled: boolean;
}

/** Time that a test or a simulation moves. Timers of the same moment run in the order they were made. */
export class VirtualClock implements Clock {
  #nowMs = 0;
  #sequence = 0;
  /** A binary heap by time. */
  readonly #heap: Timer[] = [];

  now(): number {
    return this.#nowMs;
  }

  after(ms: number, call: () => void): () => void {
    const timer = {
      atMs: this.#nowMs + Math.max(0, ms),
      sequence: this.#sequence++,
      call,
      cancelled: false,
    };
    this.#push(timer);
    return () => {
      timer.cancelled = true;
    };
  }

  /** Moves to `ms`, running what is due on the way and what that makes due. */
  async advanceTo(ms: number): Promise<void> {
    await settled();
    for (;;) {
      const first = this.#heap[0];
      if (!first || first.atMs > ms) break;
      this.#pop();
      if (first.cancelled) continue;
      this.#nowMs = first.atMs;
      first.call();
      await settled();
    }
    this.#nowMs = Math.max(this.#nowMs, ms);
  }

  advanceBy(ms: number): Promise<void> {
    return this.advanceTo(this.#nowMs + ms);
  }

  #push(timer: Timer): void {
    const heap = this.#heap;
    let at = heap.push(timer) - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!isBefore(timer, heap[parent]!)) break;
      heap[at] = heap[parent]!;
      at = parent;
    }
    heap[at] = timer;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop()!;
    if (heap.length === 0) return;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && isBefore(heap[child + 1]!, heap[child]!)) child++;
      if (!isBefore(heap[child]!, last)) break;
      heap[at] = heap[child]!;
      at = child;
    }
    heap[at] = last;
  }
}

function isBefore(a: Timer, b: Timer): boolean {
  return a.atMs !== b.atMs ? a.atMs < b.atMs : a.sequence < b.sequence;
}

/** Everything that follows from what has happened has happened. */
function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
