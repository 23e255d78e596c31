import { Worker } from "node:worker_threads";
import { AvatarError } from "../avatar/avatar-error.ts";
import type { TrackKind } from "../avatar/manifest.ts";
import type { PlainFrame, TrackPreparer } from "../avatar/publish/frame-preparer.ts";

/** What holds for all frames of an avatar. */
export interface PrepareSettings {
  readonly width: number;
  readonly height: number;
  readonly softEdge: number;
  readonly jpeg: { readonly quality: number; readonly subsampling: "4:2:0" | "4:4:4" };
}

/** What a thread is asked; it gets one at a time. */
export interface PrepareOrder {
  readonly frame: PlainFrame;
  readonly kinds: readonly TrackKind[];
}

export interface PrepareAnswer {
  readonly entries: Uint8Array<ArrayBuffer>[];
  /** `isDamage`: the frame is to blame, not we. */
  readonly failure: { readonly isDamage: boolean; readonly message: string } | null;
}

export interface PreparePool extends TrackPreparer {
  stop(): Promise<void>;
}

/**
 * Raised whenever the preparers of `edge/compositor/` or the PNG codec give
 * other bytes: entries of a publish that was cut off before are then made anew.
 */
const PREPARER_VERSION = "1";

/** Frames prepared in threads of their own, each decoded once for all its tracks. */
export function createPreparePool(threads: number, settings: PrepareSettings): PreparePool {
  const idle: Worker[] = [];
  const all = new Set<Worker>();

  function begin(): Worker {
    const worker = new Worker(new URL("./prepare-thread.ts", import.meta.url), {
      workerData: settings,
    });
    all.add(worker);
    return worker;
  }

  return {
    version: PREPARER_VERSION,
    parallel: threads,
    async prepare(frame, kinds) {
      const worker = idle.pop() ?? begin();
      const order: PrepareOrder = { frame, kinds };
      const { entries, failure } = await askOnce(worker, order, [frame.file.buffer]);
      idle.push(worker);
      if (!failure) return entries;
      if (failure.isDamage) throw new AvatarError("invalid_avatar", failure.message);
      throw new Error(failure.message);
    },
    async stop() {
      await Promise.all([...all].map((worker) => worker.terminate()));
    },
  };
}

function askOnce(
  worker: Worker,
  order: PrepareOrder,
  transfer: ArrayBuffer[],
): Promise<PrepareAnswer> {
  return new Promise((resolve, reject) => {
    const onExit = () => reject(new Error("a preparing thread ended"));
    const settle = () => worker.off("error", reject).off("exit", onExit).off("message", onMessage);
    const onMessage = (answer: PrepareAnswer) => {
      settle();
      resolve(answer);
    };
    worker.once("error", reject).once("exit", onExit).once("message", onMessage);
    worker.postMessage(order, transfer);
  });
}
