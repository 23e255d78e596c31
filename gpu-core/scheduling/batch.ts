import { CoreError } from "../core-error.ts";
import type { InferenceWorker } from "../engine/inference-worker.ts";
import type { BatchTimes, FrameOrder, ModelMemory } from "../engine/messages.ts";
import type { ModelFlow } from "./model-queue.ts";
import { SpeechWork } from "./speech-work.ts";
import type { TensorChunk, TensorWork } from "./tensor-work.ts";

interface SpeechFrame {
  readonly work: SpeechWork;
  readonly order: FrameOrder;
  /** Since when it could have run. */
  readonly sinceMs: number;
}

/** What a worker does in one go. */
export type Batch = {
  /** Since when the frame that waited longest could have run. */
  readonly waitingSinceMs: number;
  readonly frames: number;
} & (
  | { readonly kind: "speech"; readonly items: readonly SpeechFrame[] }
  | { readonly kind: "tensors"; readonly work: TensorWork; readonly chunk: TensorChunk }
);

/** What a batch took. */
export interface BatchResult {
  readonly times: BatchTimes;
  /** Time of the worker in milliseconds. */
  readonly busyMs: number;
  /** When the worker began with it. */
  readonly startMs: number;
  readonly queueMs: number;
  /** The model's memory grew by so much. */
  readonly growth?: ModelMemory;
}

/**
 * The next batch of a flow: frames of the requests that wait, one each in
 * turn, so that a short request does not wait for a long one.
 */
export function takeBatch(flow: ModelFlow, maxFrames: number): Batch | null {
  const waitingSinceMs = flow.oldestWaitMs;
  const first = flow.takeTurn();
  if (!first) return null;
  if (!(first instanceof SpeechWork)) {
    const chunk = first.takeChunk(maxFrames);
    return { kind: "tensors", waitingSinceMs, frames: chunk.count, work: first, chunk };
  }
  const items = [speechFrame(first)];
  while (items.length < maxFrames) {
    const work = flow.takeTurn((candidate) => candidate instanceof SpeechWork);
    if (!(work instanceof SpeechWork)) break;
    items.push(speechFrame(work));
  }
  return { kind: "speech", waitingSinceMs, frames: items.length, items };
}

function speechFrame(work: SpeechWork): SpeechFrame {
  const sinceMs = work.waitingSinceMs;
  return { work, sinceMs, order: work.takeFrame() };
}

/**
 * Runs a batch and hands its results to the requests; what fails is told to
 * them, too.
 * @returns null when nothing ran
 */
export async function runBatch(
  batch: Batch,
  worker: InferenceWorker,
  model: string,
  now: () => number,
): Promise<BatchResult | null> {
  const finish = (times: BatchTimes): BatchResult => {
    const busyMs = times.melMs + times.encoderMs + times.prepareMs + times.unetMs + times.fitMs;
    // The worker may have been busy with the batch before.
    const startMs = now() - busyMs;
    return { times, busyMs, startMs, queueMs: Math.max(0, startMs - batch.waitingSinceMs) };
  };
  if (batch.kind === "speech") return runSpeech(batch.items, worker, model, finish);
  const { work, chunk } = batch;
  try {
    const { outputs, times, growth } = await worker.runTensors(model, chunk.count, chunk.tensors);
    const result = finish(times);
    work.deliver(chunk, outputs, times.unetMs, result.queueMs);
    return growth ? { ...result, growth } : result;
  } catch (error) {
    work.fail(asError(error));
    return null;
  }
}

async function runSpeech(
  frames: readonly SpeechFrame[],
  worker: InferenceWorker,
  model: string,
  finish: (times: BatchTimes) => BatchResult,
): Promise<BatchResult | null> {
  const works = [...new Set(frames.map(({ work }) => work))];
  const speeches = new Map(works.map((work) => [work, work.open(worker, model)]));
  const opened = frames.filter(({ work }) => speeches.get(work) !== null);
  if (opened.length === 0) return null;
  const items = opened.map(({ work, order }) => ({ speech: speeches.get(work)!, order }));
  const pixels = new Array<Uint8Array<ArrayBuffer> | undefined>(opened.length);
  /** Of each request the last one waits for the times, which follow at once. */
  const last = new Map(opened.map(({ work }, i) => [work, i]));
  try {
    const times = await worker.runFrames(model, items, (item, region) => {
      const frame = opened[item];
      if (!frame) return;
      pixels[item] = region;
      if (last.get(frame.work) === item) return;
      frame.work.deliver({ order: frame.order, pixels: region, times: null });
    });
    const result = finish(times);
    for (const [work, at] of last) {
      const share = opened.filter((frame) => frame.work === work).length;
      const region = pixels[at];
      // Left out because the request ended meanwhile, in which case nobody hears this.
      if (!region) work.fail(new CoreError("internal", "the worker left out frames"));
      else {
        const first = opened.find((frame) => frame.work === work)!;
        const queueMs = Math.max(0, result.startMs - first.sinceMs);
        const workTimes = { ...scale(times, share / opened.length), frames: share, queueMs };
        work.deliver({ order: opened[at]!.order, pixels: region, times: workTimes });
      }
    }
    return result;
  } catch (error) {
    for (const work of last.keys()) work.fail(asError(error));
    return null;
  }
}

function scale(times: BatchTimes, share: number): BatchTimes {
  return {
    melMs: times.melMs * share,
    encoderMs: times.encoderMs * share,
    prepareMs: times.prepareMs * share,
    unetMs: times.unetMs * share,
    fitMs: times.fitMs * share,
  };
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}
