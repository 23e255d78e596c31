import { Worker } from "node:worker_threads";
import { AvatarError, type AvatarErrorCode } from "../../avatar/avatar-error.ts";
import { ImageError, type ImageErrorCode } from "../../avatar/image/image-error.ts";

/** What a thread answers an order: how far it is, and at last a result or a failure. */
export type ThreadAnswer =
  | { readonly id: number; readonly done: number }
  | { readonly id: number; readonly result: Uint8Array<ArrayBuffer> }
  | { readonly id: number; readonly failure: ThreadFailure };

/** Errors lose their class on the way between threads. */
export type ThreadFailure =
  | { readonly kind: "image"; readonly code: ImageErrorCode; readonly message: string }
  | { readonly kind: "avatar"; readonly code: AvatarErrorCode; readonly message: string }
  | { readonly kind: "other"; readonly message: string };

interface Waiting extends PromiseWithResolvers<Uint8Array<ArrayBuffer>> {
  readonly onProgress: ((done: number) => void) | undefined;
}

interface Thread {
  readonly worker: Worker;
  readonly waiting: Map<number, Waiting>;
}

/** Threads that turn orders into bytes, each one order after the other. */
export interface ThreadPool<Order> {
  /** @throws AvatarError, ImageError and Error as the thread did */
  run(order: Order, onProgress?: (done: number) => void): Promise<Uint8Array<ArrayBuffer>>;
  stop(): Promise<void>;
}

/**
 * @param entry the thread's module, which calls `serveOrders`
 * @param threads at most; each is started when it is first needed
 */
export function createThreadPool<Order>(entry: URL, threads: number): ThreadPool<Order> {
  const pool: (Thread | null)[] = new Array<Thread | null>(threads).fill(null);
  let lastId = 0;
  let isStopped = false;

  /** Started when first needed, and again after a failure. */
  function threadAt(index: number): Thread {
    const known = pool[index];
    if (known) return known;
    const worker = new Worker(entry);
    const thread: Thread = { worker, waiting: new Map() };
    worker.on("message", (answer: ThreadAnswer) => {
      const order = thread.waiting.get(answer.id);
      if ("done" in answer) return order?.onProgress?.(answer.done);
      thread.waiting.delete(answer.id);
      // An idle thread keeps no process alive.
      if (thread.waiting.size === 0) worker.unref();
      if ("result" in answer) order?.resolve(answer.result);
      else order?.reject(toError(answer.failure));
    });
    worker.on("error", (cause) => fail(index, thread, cause));
    worker.on("exit", () => fail(index, thread, new Error("a worker thread ended")));
    pool[index] = thread;
    return thread;
  }

  function fail(index: number, thread: Thread, cause: unknown): void {
    if (pool[index] === thread) pool[index] = null;
    for (const order of thread.waiting.values()) order.reject(cause);
    thread.waiting.clear();
  }

  return {
    run(order, onProgress) {
      if (isStopped) return Promise.reject(new Error("the worker threads have been stopped"));
      const loads = pool.map((thread) => thread?.waiting.size ?? 0);
      const { worker, waiting } = threadAt(loads.indexOf(Math.min(...loads)));
      const id = ++lastId;
      const answer = Promise.withResolvers<Uint8Array<ArrayBuffer>>();
      waiting.set(id, { ...answer, onProgress });
      worker.ref();
      worker.postMessage({ id, order });
      return answer.promise;
    },
    async stop() {
      isStopped = true;
      await Promise.all(pool.map((thread) => thread?.worker.terminate()));
    },
  };
}

function toError(failure: ThreadFailure): Error {
  switch (failure.kind) {
    case "image":
      return new ImageError(failure.code, failure.message);
    case "avatar":
      return new AvatarError(failure.code, failure.message);
    default:
      return new Error(failure.message);
  }
}
