import type { FramePreparer, FrameShape } from "../background/frame-preparer.ts";
import type { Delivery } from "../compositor/delivery.ts";
import { createThreadPool } from "./thread-pool.ts";

/** What a preparer thread is asked: to prepare a frame for a delivery, or for one of the others. */
export interface PreparerOrder {
  readonly file: Uint8Array;
  readonly shape: FrameShape;
  readonly want: Delivery | "mouth" | "picture";
}

export interface PreparerPool extends FramePreparer {
  stop(): Promise<void>;
}

/**
 * Prepares frames in threads of their own: one takes 20 to 800 ms, in which
 * the event loop would serve nobody.
 */
export function createPreparerPool(threads: number): PreparerPool {
  const entry = new URL("./preparer-thread.ts", import.meta.url);
  const { run, stop } = createThreadPool<PreparerOrder>(entry, threads);
  return {
    parallel: threads,
    prepare: (file, shape, delivery) => run({ file, shape, want: delivery }),
    cutMouth: (file, shape) => run({ file, shape, want: "mouth" }),
    toPicture: (file, shape) => run({ file, shape, want: "picture" }),
    stop,
  };
}
