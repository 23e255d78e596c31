import type { SpeechWindow } from "../audio/speech-window.ts";
import type { Precision } from "../config.ts";
import { CoreError } from "../core-error.ts";
import type { Device } from "./device.ts";
import type { OnRegion } from "./device-child.ts";
import type { InferenceWorker, OpenedSpeech, TensorResult } from "./inference-worker.ts";
import type { BatchItem, BatchTimes, ModelFiles, ModelMemory } from "./messages.ts";

/** The parent's side of one worker thread. */
export class DeviceWorker implements InferenceWorker {
  readonly device: Device;
  readonly index: number;

  constructor(device: Device, index: number) {
    this.device = device;
    this.index = index;
  }

  load(model: string, files: ModelFiles, precision: Precision): Promise<ModelMemory> {
    const { device } = this;
    const timeoutMs = 1000 * device.options.supervision.load_timeout_s;
    return device.inMemoryTurn(async () => {
      const before = await device.freeBytes();
      const command = { type: "load", model, files, precision } as const;
      const { done } = await device.call(this.index, command, { timeoutMs });
      const hostBytes = done.rssBytes ?? 0;
      const after = before === null ? null : await device.freeBytes();
      // A CPU's memory is the host's; of a GPU that tells nothing that is the best guess.
      if (before === null || after === null) return { hostBytes, deviceBytes: hostBytes };
      return { hostBytes, deviceBytes: Math.max(0, before - after) };
    });
  }

  async unload(model: string): Promise<void> {
    const command = { type: "unload", model } as const;
    await this.device.inMemoryTurn(() =>
      this.device.call(this.index, command, { timeoutMs: this.#runTimeoutMs }),
    );
  }

  openSpeech(model: string, window: SpeechWindow): OpenedSpeech {
    const speech = this.device.newSpeech();
    const { samples, start, utteranceSamples } = window;
    const payload = new Uint8Array(samples.buffer, samples.byteOffset, samples.byteLength);
    const command = { type: "open-speech", speech, model, start, utteranceSamples } as const;
    const call = this.device.call(this.index, command, { timeoutMs: this.#runTimeoutMs, payload });
    return { speech, opened: call.then(() => {}) };
  }

  closeSpeech(speech: number): void {
    this.device.notify(this.index, { type: "close-speech", speech });
  }

  async runFrames(
    model: string,
    items: readonly BatchItem[],
    onRegion: OnRegion,
  ): Promise<BatchTimes> {
    const command = { type: "frames", model, items } as const;
    const options = { timeoutMs: this.#runTimeoutMs, onRegion };
    const { done } = await this.device.call(this.index, command, options);
    return timesOf(done.times);
  }

  async runTensors(model: string, count: number, tensors: Uint8Array): Promise<TensorResult> {
    const command = { type: "batch", model, count } as const;
    const options = { timeoutMs: this.#runTimeoutMs, payload: tensors };
    const { done, payload } = await this.device.call(this.index, command, options);
    // What a GPU gave is not told by the process's memory.
    const bytes = this.device.kind === "cpu" ? (done.rssBytes ?? 0) : 0;
    return {
      outputs: payload,
      times: timesOf(done.times),
      ...(bytes > 0 && { growth: { hostBytes: bytes, deviceBytes: bytes } }),
    };
  }

  get #runTimeoutMs(): number {
    return 1000 * this.device.options.supervision.run_timeout_s;
  }
}

function timesOf(times: BatchTimes | undefined): BatchTimes {
  if (times) return times;
  throw new CoreError("internal", "the worker did not say how long the batch took");
}
