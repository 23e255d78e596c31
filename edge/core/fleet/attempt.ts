import type { Clock } from "../../../avatar/clock.ts";
import {
  type CallOptions,
  CoreCallError,
  type MouthRegion,
  type SpeechCall,
} from "../core-client.ts";
import type { Lease } from "../leases.ts";
import type { CoreNode } from "./core-node.ts";

/** A core that keeps who reads waiting for so long is asked whether it is still there. */
const DOUBT_MS = 500;

/** One call at one core, which ends when the core is taken out. */
export class Attempt {
  readonly node: CoreNode;
  /** The first frame. */
  readonly first: Promise<IteratorResult<MouthRegion>>;
  readonly #mouths: AsyncIterator<MouthRegion>;
  readonly #leaving = new AbortController();
  readonly #clock: Clock;
  readonly #lease: Lease;
  readonly #startedMs: number;
  #failure: unknown = null;

  constructor(node: CoreNode, call: SpeechCall, options: CallOptions, clock: Clock) {
    this.node = node;
    this.#clock = clock;
    this.#lease = node.beginCall();
    const signal = AbortSignal.any([options.signal, this.#leaving.signal]);
    this.#mouths = node.client.inferSpeech(call, { ...options, signal })[Symbol.asyncIterator]();
    this.#startedMs = clock.now();
    this.first = this.next().then((step) => {
      // A model that had to be loaded first says nothing about the core.
      if (node.isWarmFor(call.avatarId)) node.observeFirstFrame(clock.now() - this.#startedMs);
      node.succeeded(call.avatarId);
      return step;
    });
    // Of two that race nobody may wait for the second.
    this.first.catch((error: unknown) => {
      this.#failure = error;
    });
  }

  /** Why there was no first frame; null while there may still be one, or when there was. */
  get failure(): unknown {
    return this.#failure;
  }

  /** @throws CoreCallError, `unavailable` when the core was taken out meanwhile */
  async next(): Promise<IteratorResult<MouthRegion>> {
    const { node } = this;
    const { down } = node;
    const lost = Promise.withResolvers<never>();
    lost.promise.catch(() => {});
    const onDown = () => lost.reject(down.reason);
    down.addEventListener("abort", onDown, { once: true });
    let cancelDoubt = () => {};
    const doubtLater = () => {
      cancelDoubt = this.#clock.after(DOUBT_MS, () => {
        node.check();
        doubtLater();
      });
    };
    doubtLater();
    this.#lease.touch();
    try {
      const step = await Promise.race([this.#mouths.next(), lost.promise]);
      if (step.done) this.#lease.end();
      return step;
    } catch (error) {
      this.leave();
      throw error;
    } finally {
      cancelDoubt();
      down.removeEventListener("abort", onDown);
    }
  }

  /** Ends the call. */
  leave(): void {
    this.#lease.end();
    this.#leaving.abort();
    this.#mouths.return?.(undefined).catch(() => {});
  }

  /** Ends the call because another core was quicker, and remembers for how long it was waited for. */
  lose(): void {
    this.node.observeFirstFrame(this.#clock.now() - this.#startedMs);
    this.leave();
  }
}

/** Whether another core may do better. */
export function isElsewhereBetter(error: unknown): error is CoreCallError {
  return (
    error instanceof CoreCallError &&
    ["unreachable", "unavailable", "busy", "timeout", "access"].includes(error.code)
  );
}
