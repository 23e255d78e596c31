import { parentPort } from "node:worker_threads";
import { AvatarError } from "../../avatar/avatar-error.ts";
import { createImageCodecs } from "../../avatar/image/codecs.ts";
import { ImageError } from "../../avatar/image/image-error.ts";
import { createFramePreparer } from "../background/frame-preparer.ts";
import type { PreparerAnswer, PreparerFailure, PreparerOrder } from "./preparer-pool.ts";

/** Entry of a preparer thread: works on one frame at a time. */
const port = parentPort;
if (!port) throw new Error("preparer-thread.ts runs as a worker thread");
const preparer = createFramePreparer(createImageCodecs());

port.on("message", async ({ id, order }: { id: number; order: PreparerOrder }) => {
  const { file, shape, delivery } = order;
  try {
    const result = delivery
      ? await preparer.prepare(file, shape, delivery)
      : await preparer.cutMouth(file, shape);
    const answer: PreparerAnswer = { id, result, failure: null };
    port.postMessage(answer, [result.buffer]);
  } catch (error) {
    const answer: PreparerAnswer = { id, result: null, failure: toFailure(error) };
    port.postMessage(answer);
  }
});

/** Errors lose their class on the way between threads. */
function toFailure(error: unknown): PreparerFailure {
  if (error instanceof ImageError)
    return { kind: "image", code: error.code, message: error.message };
  if (error instanceof AvatarError) {
    return { kind: "avatar", code: error.code, message: error.message };
  }
  return { kind: "other", message: error instanceof Error ? error.message : String(error) };
}
