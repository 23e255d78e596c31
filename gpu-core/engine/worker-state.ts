import { setImmediate as nextTurn, setTimeout as sleep } from "node:timers/promises";
import { AUDIO_TENSOR_SIZE } from "../audio/feature-extractor.ts";
import { CoreError } from "../core-error.ts";
import { FaultInjector } from "../faults.ts";
import { OUTPUT_TENSOR_SIZE, VISUAL_TENSOR_SIZE } from "../model/float-unet.ts";
import { ReferenceCrops } from "../model/reference-crops.ts";
import { Unet } from "../model/unet.ts";
import { LoadedModel, type OpenSpeech } from "./loaded-model.ts";
import type {
  BatchItem,
  BatchTimes,
  ModelFiles,
  WorkerCommand,
  WorkerEvent,
  WorkerOptions,
} from "./messages.ts";
import { SharedEncoders } from "./shared-encoders.ts";
import { Workbench } from "./workbench.ts";

export type Emit = (event: WorkerEvent, payload?: Uint8Array) => void;

type LoadCommand = Extract<WorkerCommand, { type: "load" }>;

/** The models of one worker thread, and what is being done with them. */
export class WorkerState {
  readonly #options: WorkerOptions;
  readonly #bench: Workbench;
  readonly #encoders: SharedEncoders;
  readonly #faults: FaultInjector;
  readonly #models = new Map<string, { model: LoadedModel; encoderHash: string | null }>();
  readonly #speeches = new Map<number, OpenSpeech>();
  /** Speeches whose turn to be opened has not come yet. */
  readonly #expected = new Set<number>();

  constructor(options: WorkerOptions) {
    this.#options = options;
    this.#bench = new Workbench(options.maxBatchSize);
    this.#encoders = new SharedEncoders(options.session);
    this.#faults = new FaultInjector(options.faults, options);
  }

  /** Carries out a command, except `close-speech`. Tells its results to `emit`; errors are thrown. */
  async execute(
    command: WorkerCommand,
    payload: Uint8Array<ArrayBuffer>,
    emit: Emit,
  ): Promise<void> {
    switch (command.type) {
      case "load":
        return emit({ type: "done", rssBytes: await grown(() => this.#load(command)) });
      case "unload":
        await this.#unload(command.model);
        return emit({ type: "done" });
      case "open-speech":
        this.#open(command, payload);
        return emit({ type: "done" });
      case "frames":
        return this.#frames(command.model, command.items, emit);
      case "batch":
        return this.#batch(command.model, command.count, payload, emit);
      case "close-speech":
        return this.closeSpeech(command.speech);
    }
  }

  /** As soon as it is told: it may be closed again before its turn comes. */
  expectSpeech(speech: number): void {
    this.#expected.add(speech);
  }

  /** At any time: frames of this speech that have not begun are left out. */
  closeSpeech(speech: number): void {
    this.#expected.delete(speech);
    this.#speeches.delete(speech);
  }

  async #load({ model: name, files, precision }: LoadCommand): Promise<void> {
    if (this.#models.has(name)) throw new CoreError("internal", `${name} is loaded already`);
    await this.#strike("model.load", name);
    const { session, maxBatchSize } = this.#options;
    const hasCrops = files.speech !== null;
    const unet = await Unet.load(files.unetPath, { session, precision, maxBatchSize, hasCrops });
    let crops: ReferenceCrops | null = null;
    try {
      crops = await openCrops(files);
      const { encoderHash, encoderPath } = files.speech ?? {};
      const encoder =
        encoderHash && encoderPath ? await this.#encoders.acquire(encoderHash, encoderPath) : null;
      const model = new LoadedModel(unet, crops && encoder && { crops, encoder });
      this.#models.set(name, { model, encoderHash: encoderHash ?? null });
    } catch (error) {
      crops?.close();
      await unet.release();
      throw error;
    }
  }

  async #unload(name: string): Promise<void> {
    const entry = this.#models.get(name);
    if (!entry) return;
    this.#models.delete(name);
    for (const [speech, { model }] of this.#speeches) {
      if (model === name) this.#speeches.delete(speech);
    }
    await entry.model.release();
    if (entry.encoderHash !== null) await this.#encoders.release(entry.encoderHash);
  }

  #open(
    { speech, model, start, utteranceSamples }: Extract<WorkerCommand, { type: "open-speech" }>,
    payload: Uint8Array<ArrayBuffer>,
  ): void {
    // Nobody would close it again.
    if (!this.#expected.delete(speech)) return;
    const samples = new Int16Array(payload.buffer, payload.byteOffset, payload.length / 2);
    const window = { samples, start, utteranceSamples };
    const features = this.#model(model).openSpeech(window, this.#bench);
    this.#speeches.set(speech, { model, features });
  }

  async #frames(name: string, items: readonly BatchItem[], emit: Emit): Promise<void> {
    this.#checkSize(items.length);
    const times: BatchTimes = { melMs: 0, encoderMs: 0, prepareMs: 0, unetMs: 0, fitMs: 0 };
    const open = [...items.entries()].flatMap(([item, { speech, order }]) => {
      const features = this.#speeches.get(speech)?.features;
      return features ? [{ item, features, order }] : [];
    });
    if (open.length > 0) {
      const model = this.#model(name);
      await this.#strike("model.run", name);
      await model.run(open, this.#bench, times, async (i, pixels) => {
        emit({ type: "region", item: open[i]!.item }, pixels);
        // Lets a close-speech in: the run itself never yields.
        await nextTurn();
      });
    }
    emit({ type: "done", times });
  }

  async #batch(
    name: string,
    count: number,
    payload: Uint8Array<ArrayBuffer>,
    emit: Emit,
  ): Promise<void> {
    this.#checkSize(count);
    const { unet } = this.#model(name);
    await this.#strike("model.run", name);
    const floats = new Float32Array(payload.buffer, payload.byteOffset, payload.length / 4);
    const split = count * VISUAL_TENSOR_SIZE;
    const visual = floats.subarray(0, split);
    const audio = floats.subarray(split, split + count * AUDIO_TENSOR_SIZE);
    let output = new Float32Array(count * OUTPUT_TENSOR_SIZE);
    const run = async () => {
      output = (await unet.runTensors(visual, audio, count)) as Float32Array<ArrayBuffer>;
    };
    // The first time makes a session of its own, whose memory counts.
    const memory = unet.lacksFloats ? { rssBytes: await grown(run) } : {};
    const started = this.#bench.now();
    if (!("rssBytes" in memory)) await run();
    const unetMs = this.#bench.now() - started;
    const times: BatchTimes = { melMs: 0, encoderMs: 0, prepareMs: 0, unetMs, fitMs: 0 };
    const bytes = new Uint8Array(output.buffer, output.byteOffset, output.byteLength);
    emit({ type: "done", times, ...memory }, bytes);
  }

  #checkSize(frames: number): void {
    if (frames <= this.#options.maxBatchSize) return;
    const { maxBatchSize } = this.#options;
    throw new CoreError("internal", `a batch of ${frames} frames: warmed up is ${maxBatchSize}`);
  }

  #model(name: string): LoadedModel {
    const entry = this.#models.get(name);
    if (!entry) throw new CoreError("unavailable", `${name} left memory meanwhile: try again`);
    return entry.model;
  }

  /** Does what a configured fault says. */
  async #strike(point: "model.load" | "model.run", name: string): Promise<void> {
    const fault = this.#faults.hit(point, name.split("#")[0]);
    if (!fault) return;
    if (fault.delay_ms > 0) await sleep(fault.delay_ms);
    if (fault.action === "fail") {
      throw new CoreError("failed_precondition", `injected fault at ${point}`);
    }
    if (fault.action === "hang") {
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
    } else if (fault.action === "exit") process.kill(process.pid, "SIGKILL");
  }
}

async function openCrops({ speech }: ModelFiles): Promise<ReferenceCrops | null> {
  return speech && ReferenceCrops.open(speech.referencePath, speech.reference);
}

/** Growth of the process's resident memory in bytes by `work`, without what it left to the collector. */
async function grown(work: () => Promise<void>): Promise<number> {
  const before = process.memoryUsage.rss();
  await work();
  // The first collection finds the buffers, the second waits until they are freed.
  globalThis.gc?.();
  await nextTurn();
  globalThis.gc?.();
  return Math.max(0, process.memoryUsage.rss() - before);
}
