import { setTimeout as sleep } from "node:timers/promises";
import { Code, ConnectError } from "@connectrpc/connect";
import { CoreError } from "../core-error.ts";

/** Requests that are cut get so long to tell their callers. */
const GOODBYE_MS = 1000;

/** Counts what is under way, and ends it in two steps: nothing new, then nothing at all. */
export class Drain {
  readonly #closing = new AbortController();
  readonly #cut = new AbortController();
  #underWay = 0;
  #onIdle: () => void = () => {};

  /** Aborts, with UNAVAILABLE, when nothing new is taken any more. */
  get closing(): AbortSignal {
    return this.#closing.signal;
  }

  /** Aborts, with UNAVAILABLE, when what is under way gets no more time. */
  get cut(): AbortSignal {
    return this.#cut.signal;
  }

  /** A request begins. @returns call it when the request has ended */
  enter(): () => void {
    this.#underWay++;
    return () => {
      if (--this.#underWay === 0) this.#onIdle();
    };
  }

  /** Nothing new from now on. */
  begin(): void {
    this.#closing.abort(unavailable("the core is draining: ask another one, or later"));
  }

  /** Resolves when nothing is under way, which `limitMs` and a little see to. */
  async finish(limitMs: number): Promise<void> {
    await this.#idleWithin(limitMs);
    this.#cut.abort(unavailable("the core stopped before this was done (server.drain_timeout_s)"));
    await this.#idleWithin(GOODBYE_MS);
  }

  async #idleWithin(limitMs: number): Promise<void> {
    if (this.#underWay === 0) return;
    const over = new AbortController();
    const idle = new Promise<void>((resolve) => {
      this.#onIdle = resolve;
    });
    await Promise.race([idle, sleep(limitMs, undefined, { signal: over.signal })]);
    over.abort();
  }
}

function unavailable(message: string): ConnectError {
  const cause = new CoreError("unavailable", message, { reason: "draining" });
  return new ConnectError(message, Code.Unavailable, undefined, undefined, cause);
}
