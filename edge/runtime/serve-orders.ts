import { parentPort } from "node:worker_threads";
import { AvatarError } from "../../avatar/avatar-error.ts";
import { ImageError } from "../../avatar/image/image-error.ts";
import type { ThreadAnswer, ThreadFailure } from "./thread-pool.ts";

/** Makes the module a thread of a `ThreadPool`: works on one order after the other. */
export function serveOrders<Order>(
  work: (order: Order, onProgress: (done: number) => void) => Promise<Uint8Array<ArrayBuffer>>,
): void {
  const port = parentPort;
  if (!port) throw new Error("this module runs as a worker thread");
  const answer = (message: ThreadAnswer, transfer: ArrayBuffer[] = []) =>
    port.postMessage(message, transfer);
  let last: Promise<void> = Promise.resolve();
  port.on("message", ({ id, order }: { id: number; order: Order }) => {
    last = last.then(async () => {
      try {
        const result = await work(order, (done) => answer({ id, done }));
        answer({ id, result }, [result.buffer]);
      } catch (error) {
        answer({ id, failure: toFailure(error) });
      }
    });
  });
}

function toFailure(error: unknown): ThreadFailure {
  if (error instanceof ImageError) {
    return { kind: "image", code: error.code, message: error.message };
  }
  if (error instanceof AvatarError) {
    return { kind: "avatar", code: error.code, message: error.message };
  }
  return { kind: "other", message: error instanceof Error ? error.message : String(error) };
}
