import { setImmediate as nextTurn } from "node:timers/promises";
import { parentPort, workerData } from "node:worker_threads";
import { AvatarError } from "../../avatar/avatar-error.ts";
import { AUDIO_TENSOR_SIZE } from "../audio/feature-extractor.ts";
import { CoreError, type ErrorData, toErrorData } from "../core-error.ts";
import { AudioEncoder } from "../model/audio-encoder.ts";
import { ReferenceCrops } from "../model/reference-crops.ts";
import { Unet, VISUAL_TENSOR_SIZE } from "../model/unet.ts";
import { LoadedModel, type SpeechRun, Workbench } from "./loaded-model.ts";
import { NO_PAYLOAD } from "./message-channel.ts";
import type {
  BatchItem,
  BatchTimes,
  ModelFiles,
  WorkerCommand,
  WorkerEvent,
  WorkerOptions,
} from "./messages.ts";

/**
 * Entry of a worker thread: holds models and does their work, one command at
 * a time. onnxruntime blocks the thread while it runs, which is why there is
 * nothing else in it.
 */

/** A message between device process and worker thread; the payload is transferred. */
export interface ThreadCommand {
  readonly call: number;
  readonly command: WorkerCommand;
  readonly payload: Uint8Array<ArrayBuffer>;
}

export interface ThreadEvent {
  readonly call: number;
  readonly event: WorkerEvent;
  readonly payload: Uint8Array;
}

/** The encoders of this thread by hash, with the number of models that use each. */
interface SharedEncoder {
  readonly encoder: AudioEncoder;
  users: number;
}

class WorkerState {
  readonly #options: WorkerOptions;
  readonly #emit: (call: number, event: WorkerEvent, payload?: Uint8Array) => void;
  readonly #bench = new Workbench();
  readonly #models = new Map<string, { model: LoadedModel; encoderHash: string | null }>();
  readonly #encoders = new Map<string, SharedEncoder>();
  readonly #speeches = new Map<number, SpeechRun>();
  #tail: Promise<void> = Promise.resolve();

  constructor(
    options: WorkerOptions,
    emit: (call: number, event: WorkerEvent, payload?: Uint8Array) => void,
  ) {
    this.#options = options;
    this.#emit = emit;
  }

  accept({ call, command, payload }: ThreadCommand): void {
    if (command.type === "close-speech") {
      // Not queued behind the frames that it is meant to stop.
      const run = this.#speeches.get(command.speech);
      if (run) run.closed = true;
      this.#speeches.delete(command.speech);
      return;
    }
    this.#tail = this.#tail.then(async () => {
      try {
        await this.#execute(call, command, payload);
      } catch (error) {
        this.#emit(call, { type: "failed", error: describe(error) });
      }
    });
  }

  async #execute(
    call: number,
    command: WorkerCommand,
    payload: Uint8Array<ArrayBuffer>,
  ): Promise<void> {
    switch (command.type) {
      case "load":
        return this.#load(call, command.model, command.files);
      case "unload":
        await this.#unload(command.model);
        return this.#emit(call, { type: "done", rssBytes: process.memoryUsage.rss() });
      case "open-speech": {
        const samples = new Int16Array(payload.buffer, payload.byteOffset, payload.length / 2);
        const { start, utteranceSamples } = command;
        const window = { samples, start, utteranceSamples };
        const run = this.#model(command.model).openSpeech(window, this.#bench);
        this.#speeches.set(command.speech, run);
        return this.#emit(call, { type: "done" });
      }
      case "frames":
        return this.#frames(call, command.items);
      case "batch":
        return this.#batch(call, command.model, command.count, payload);
      case "close-speech":
        return;
    }
  }

  async #load(call: number, name: string, files: ModelFiles): Promise<void> {
    if (this.#models.has(name)) throw new CoreError("internal", `${name} is loaded already`);
    const before = process.memoryUsage.rss();
    const unet = await Unet.load(files.unetPath, this.#options.session);
    try {
      const speech = files.speech && {
        crops: await ReferenceCrops.open(files.speech.referencePath, files.speech.reference),
        encoder: await this.#shareEncoder(files.speech.encoderHash, files.speech.encoderPath),
      };
      const encoderHash = files.speech?.encoderHash ?? null;
      this.#models.set(name, { model: new LoadedModel(unet, speech), encoderHash });
    } catch (error) {
      await unet.release();
      throw error;
    }
    const rssBytes = Math.max(0, process.memoryUsage.rss() - before);
    this.#emit(call, { type: "done", rssBytes });
  }

  async #shareEncoder(hash: string, path: string): Promise<AudioEncoder> {
    const shared = this.#encoders.get(hash) ?? {
      encoder: await AudioEncoder.load(path, this.#options.session),
      users: 0,
    };
    shared.users++;
    this.#encoders.set(hash, shared);
    return shared.encoder;
  }

  async #unload(name: string): Promise<void> {
    const entry = this.#models.get(name);
    if (!entry) return;
    this.#models.delete(name);
    await entry.model.release();
    if (entry.encoderHash === null) return;
    const shared = this.#encoders.get(entry.encoderHash);
    if (shared && --shared.users === 0) {
      this.#encoders.delete(entry.encoderHash);
      await shared.encoder.release();
    }
  }

  async #frames(call: number, items: readonly BatchItem[]): Promise<void> {
    const times: BatchTimes = { melMs: 0, encoderMs: 0, prepareMs: 0, unetMs: 0, fitMs: 0 };
    for (const [item, { speech, order }] of items.entries()) {
      const run = this.#speeches.get(speech);
      if (!run || run.closed) continue;
      const pixels = await run.frame(order, times);
      this.#emit(call, { type: "region", item }, pixels);
      // Lets a close-speech in: the run itself never yields.
      await nextTurn();
    }
    this.#emit(call, { type: "done", times });
  }

  async #batch(
    call: number,
    name: string,
    count: number,
    payload: Uint8Array<ArrayBuffer>,
  ): Promise<void> {
    const floats = new Float32Array(payload.buffer, payload.byteOffset, payload.length / 4);
    const split = count * VISUAL_TENSOR_SIZE;
    const visual = floats.subarray(0, split);
    const audio = floats.subarray(split, split + count * AUDIO_TENSOR_SIZE);
    const started = this.#bench.now();
    const output = await this.#model(name).unet.run(visual, audio, count);
    const unetMs = this.#bench.now() - started;
    const times: BatchTimes = { melMs: 0, encoderMs: 0, prepareMs: 0, unetMs, fitMs: 0 };
    const bytes = new Uint8Array(output.buffer, output.byteOffset, output.byteLength);
    this.#emit(call, { type: "done", times }, bytes);
  }

  #model(name: string): LoadedModel {
    const entry = this.#models.get(name);
    if (!entry) throw new CoreError("unavailable", `${name} left memory meanwhile: try again`);
    return entry.model;
  }
}

function describe(error: unknown): ErrorData {
  if (error instanceof AvatarError) return { code: "failed_precondition", message: error.message };
  return toErrorData(error);
}

const port = parentPort;
if (!port) throw new Error("worker-thread.ts runs as a worker thread");
// The device process starts this thread with exactly these options.
const state = new WorkerState(workerData as WorkerOptions, (call, event, payload = NO_PAYLOAD) => {
  // onnxruntime owns the buffers of its outputs, and scratch space is reused.
  const owned = payload.length === 0 ? NO_PAYLOAD : payload.slice();
  const message: ThreadEvent = { call, event, payload: owned };
  port.postMessage(message, payload.length === 0 ? [] : [owned.buffer]);
});
port.on("message", (message: ThreadCommand) => state.accept(message));
port.postMessage({ call: 0, event: { type: "started" }, payload: NO_PAYLOAD });
