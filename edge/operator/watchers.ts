import type { Clock } from "../../avatar/clock.ts";
import { Leases } from "../core/leases.ts";
import { RequestError } from "../http/request-error.ts";
import type { OperatorSnapshot } from "./snapshot.ts";

/** Operators who look at the same time. */
export const MAX_WATCHERS = 4;
/** How often each is told. */
const EVERY_MS = 1000;
/** A page connects again after so long. */
const LONGEST_MS = 3_600_000;
/** One who has taken nothing for so long holds no place any more. */
const LAPSE_MS = 30_000;
const RETRY_S = 10;

export interface WatchersOptions {
  readonly take: () => Promise<OperatorSnapshot>;
  readonly clock: Clock;
}

/** Those who follow the edge: each gets a snapshot a second, when he has taken the last one. */
export class Watchers {
  readonly #options: WatchersOptions;
  readonly #leases: Leases;
  /** Ends the waits of all of them. */
  readonly #ends = new Set<() => void>();
  #isOver = false;

  constructor(options: WatchersOptions) {
    this.#options = options;
    this.#leases = new Leases(() => options.clock.now(), LAPSE_MS);
  }

  get count(): number {
    return this.#leases.count;
  }

  /** Server-sent events (HTML standard, 9.2), until the reader leaves. @throws RequestError 429 */
  watch(): ReadableStream<Uint8Array<ArrayBuffer>> {
    if (this.#leases.count >= MAX_WATCHERS) {
      const message = `${MAX_WATCHERS} operators are watching already: close one of their pages`;
      throw new RequestError(429, message, RETRY_S);
    }
    const { clock, take } = this.#options;
    const lease = this.#leases.begin();
    const latestMs = clock.now() + LONGEST_MS;
    let nextMs = clock.now();
    let isOver = this.#isOver;
    let wake = () => {};
    const end = () => {
      isOver = true;
      this.#ends.delete(end);
      lease.end();
      wake();
    };
    this.#ends.add(end);
    return new ReadableStream<Uint8Array<ArrayBuffer>>(
      {
        async pull(controller) {
          const waitMs = nextMs - clock.now();
          if (waitMs > 0 && !isOver) {
            const due = Promise.withResolvers<void>();
            wake = due.resolve;
            const cancel = clock.after(waitMs, due.resolve);
            await due.promise;
            cancel();
          }
          const snapshot = isOver || clock.now() > latestMs ? null : await take();
          if (snapshot && !isOver) {
            // A slow reader gets fewer, not older ones.
            nextMs = clock.now() + EVERY_MS;
            lease.touch();
            controller.enqueue(toEvent(snapshot));
            return;
          }
          end();
          controller.close();
        },
        cancel: end,
      },
      { highWaterMark: 0 },
    );
  }

  /** Ends all of them, for good. */
  stop(): void {
    this.#isOver = true;
    for (const end of [...this.#ends]) end();
  }
}

function toEvent(snapshot: OperatorSnapshot): Uint8Array<ArrayBuffer> {
  // JSON has no line breaks of its own.
  const text = `event: snapshot\ndata: ${JSON.stringify(snapshot)}\n\n`;
  return Uint8Array.from(new TextEncoder().encode(text));
}
