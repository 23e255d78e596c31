import { Worker } from "node:worker_threads";
import type { ImageCodecs } from "../../avatar/image/codecs.ts";
import { ImageError, type ImageErrorCode } from "../../avatar/image/image-error.ts";
import type { JpegOptions } from "../../avatar/image/jpeg-codec.ts";
import type { RgbaImage } from "../../avatar/image/types.ts";

/** What a codec thread is asked. */
export type CodecOrder =
  | { readonly type: "decode"; readonly file: Uint8Array }
  | { readonly type: "png"; readonly image: RgbaImage }
  | { readonly type: "jpeg"; readonly image: RgbaImage; readonly options: JpegOptions };

/** What it answers. */
export interface CodecAnswer {
  readonly id: number;
  readonly result: RgbaImage | Uint8Array<ArrayBuffer>;
  readonly error: { readonly code: ImageErrorCode | null; readonly message: string } | null;
}

interface Thread {
  readonly worker: Worker;
  readonly waiting: Map<number, PromiseWithResolvers<CodecAnswer["result"]>>;
}

export interface CodecPool extends ImageCodecs {
  stop(): Promise<void>;
}

/**
 * The codecs in threads of their own: a 720p JPEG costs about 35 ms, in which
 * the event loop would serve nobody. Pictures to encode are handed over, so
 * the caller cannot use them afterwards; that saves a copy of 3.7 MB each.
 */
export function createCodecPool(threads: number): CodecPool {
  const pool: (Thread | null)[] = new Array<Thread | null>(threads).fill(null);
  let lastId = 0;
  let isStopped = false;

  /** Started when first needed, and again after a failure. */
  function threadAt(index: number): Thread {
    const known = pool[index];
    if (known) return known;
    const worker = new Worker(new URL("./codec-thread.ts", import.meta.url));
    const thread: Thread = { worker, waiting: new Map() };
    worker.on("message", ({ id, result, error }: CodecAnswer) => {
      const order = thread.waiting.get(id);
      thread.waiting.delete(id);
      if (error) order?.reject(toError(error));
      else order?.resolve(result);
    });
    worker.on("error", (cause) => fail(index, thread, cause));
    worker.on("exit", () => fail(index, thread, new Error("a codec thread ended")));
    worker.unref();
    pool[index] = thread;
    return thread;
  }

  function fail(index: number, thread: Thread, cause: unknown): void {
    if (pool[index] === thread) pool[index] = null;
    for (const order of thread.waiting.values()) order.reject(cause);
    thread.waiting.clear();
  }

  function run(order: CodecOrder, transfer: ArrayBuffer[]): Promise<CodecAnswer["result"]> {
    if (isStopped) return Promise.reject(new Error("the codecs have been stopped"));
    const loads = pool.map((thread) => thread?.waiting.size ?? 0);
    const { worker, waiting } = threadAt(loads.indexOf(Math.min(...loads)));
    const id = ++lastId;
    const answer = Promise.withResolvers<CodecAnswer["result"]>();
    waiting.set(id, answer);
    worker.postMessage({ id, order }, transfer);
    return answer.promise;
  }

  const encode = async (order: Extract<CodecOrder, { image: RgbaImage }>) => {
    const result = await run(order, [order.image.data.buffer]);
    if (result instanceof Uint8Array) return result;
    throw new TypeError("a codec thread answered with a picture");
  };

  return {
    parallel: threads,
    async decode(file) {
      const result = await run({ type: "decode", file }, []);
      if (!(result instanceof Uint8Array)) return result;
      throw new TypeError("a codec thread answered with a file");
    },
    encodePng: (image) => encode({ type: "png", image }),
    encodeJpeg: (image, options) => encode({ type: "jpeg", image, options }),
    async stop() {
      isStopped = true;
      await Promise.all(pool.map((thread) => thread?.worker.terminate()));
    },
  };
}

function toError({ code, message }: NonNullable<CodecAnswer["error"]>): Error {
  return code === null ? new Error(message) : new ImageError(code, message);
}
