import { parentPort } from "node:worker_threads";
import { createImageCodecs } from "../../avatar/image/codecs.ts";
import { ImageError } from "../../avatar/image/image-error.ts";
import type { CodecAnswer, CodecOrder } from "./codec-pool.ts";

/** Entry of a codec thread: codes one picture at a time. */
const port = parentPort;
if (!port) throw new Error("codec-thread.ts runs as a worker thread");
const codecs = createImageCodecs();

async function work(order: CodecOrder): Promise<CodecAnswer["result"]> {
  switch (order.type) {
    case "decode":
      return codecs.decode(order.file);
    case "png":
      return codecs.encodePng(order.image);
    case "jpeg":
      return codecs.encodeJpeg(order.image, order.options);
  }
}

port.on("message", async ({ id, order }: { id: number; order: CodecOrder }) => {
  try {
    const result = await work(order);
    const { buffer } = result instanceof Uint8Array ? result : result.data;
    const answer: CodecAnswer = { id, result, error: null };
    port.postMessage(answer, [buffer]);
  } catch (cause) {
    const code = cause instanceof ImageError ? cause.code : null;
    const message = cause instanceof Error ? cause.message : String(cause);
    const answer: CodecAnswer = { id, result: new Uint8Array(0), error: { code, message } };
    port.postMessage(answer);
  }
});
