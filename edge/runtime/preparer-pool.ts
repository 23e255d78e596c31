import { Worker } from "node:worker_threads";
import { AvatarError, type AvatarErrorCode } from "../../avatar/avatar-error.ts";
import { ImageError, type ImageErrorCode } from "../../avatar/image/image-error.ts";
import type { FramePreparer, FrameShape } from "../background/frame-preparer.ts";
import type { Delivery } from "../compositor/delivery.ts";

/** What a preparer thread is asked: to prepare a frame, or without a delivery to cut its mouth out. */
export interface PreparerOrder {
  readonly file: Uint8Array;
  readonly shape: FrameShape;
  readonly delivery: Delivery | null;
}

/** What it answers: one of the two. */
export interface PreparerAnswer {
  readonly id: number;
  readonly result: Uint8Array<ArrayBuffer> | null;
  readonly failure: PreparerFailure | null;
}

export type PreparerFailure =
  | { readonly kind: "image"; readonly code: ImageErrorCode; readonly message: string }
  | { readonly kind: "avatar"; readonly code: AvatarErrorCode; readonly message: string }
  | { readonly kind: "other"; readonly message: string };

interface Thread {
  readonly worker: Worker;
  readonly waiting: Map<number, PromiseWithResolvers<Uint8Array<ArrayBuffer>>>;
}

export interface PreparerPool extends FramePreparer {
  stop(): Promise<void>;
}

/**
 * Prepares frames in threads of their own: one takes 20 to 800 ms, in which
 * the event loop would serve nobody.
 */
export function createPreparerPool(threads: number): PreparerPool {
  const pool: (Thread | null)[] = new Array<Thread | null>(threads).fill(null);
  let lastId = 0;
  let isStopped = false;

  /** Started when first needed, and again after a failure. */
  function threadAt(index: number): Thread {
    const known = pool[index];
    if (known) return known;
    const worker = new Worker(new URL("./preparer-thread.ts", import.meta.url));
    const thread: Thread = { worker, waiting: new Map() };
    worker.on("message", ({ id, result, failure }: PreparerAnswer) => {
      const order = thread.waiting.get(id);
      thread.waiting.delete(id);
      // An idle thread keeps no process alive.
      if (thread.waiting.size === 0) worker.unref();
      if (result) order?.resolve(result);
      else order?.reject(toError(failure));
    });
    worker.on("error", (cause) => fail(index, thread, cause));
    worker.on("exit", () => fail(index, thread, new Error("a preparer thread ended")));
    pool[index] = thread;
    return thread;
  }

  function fail(index: number, thread: Thread, cause: unknown): void {
    if (pool[index] === thread) pool[index] = null;
    for (const order of thread.waiting.values()) order.reject(cause);
    thread.waiting.clear();
  }

  function run(order: PreparerOrder): Promise<Uint8Array<ArrayBuffer>> {
    if (isStopped) return Promise.reject(new Error("the preparers have been stopped"));
    const loads = pool.map((thread) => thread?.waiting.size ?? 0);
    const { worker, waiting } = threadAt(loads.indexOf(Math.min(...loads)));
    const id = ++lastId;
    const answer = Promise.withResolvers<Uint8Array<ArrayBuffer>>();
    waiting.set(id, answer);
    worker.ref();
    worker.postMessage({ id, order });
    return answer.promise;
  }

  return {
    parallel: threads,
    prepare: (file, shape, delivery) => run({ file, shape, delivery }),
    cutMouth: (file, shape) => run({ file, shape, delivery: null }),
    async stop() {
      isStopped = true;
      await Promise.all(pool.map((thread) => thread?.worker.terminate()));
    },
  };
}

function toError(failure: PreparerFailure | null): Error {
  switch (failure?.kind) {
    case "image":
      return new ImageError(failure.code, failure.message);
    case "avatar":
      return new AvatarError(failure.code, failure.message);
    default:
      return new Error(failure?.message ?? "a preparer thread gave no answer");
  }
}
