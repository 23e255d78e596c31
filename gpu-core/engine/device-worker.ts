import type { SpeechWindow } from "../audio/speech-window.ts";
import type { Precision } from "../config.ts";
import { CoreError } from "../core-error.ts";
import type { Device } from "./device.ts";
import type { InferenceWorker } from "./inference-worker.ts";
import type { BatchItem, BatchTimes, ModelFiles, ModelMemory } from "./messages.ts";

const LOAD_TIMEOUT_MS = 120_000;
const RUN_TIMEOUT_MS = 60_000;

/** The parent's side of one worker thread. */
export class DeviceWorker implements InferenceWorker {
  readonly device: Device;
  readonly index: number;

  constructor(device: Device, index: number) {
    this.device = device;
    this.index = index;
  }

  async load(model: string, files: ModelFiles, precision: Precision): Promise<ModelMemory> {
    const command = { type: "load", model, files, precision } as const;
    const { done } = await this.device.call(this.index, command, { timeoutMs: LOAD_TIMEOUT_MS });
    const bytes = done.rssBytes ?? 0;
    return { hostBytes: bytes, deviceBytes: bytes };
  }

  async unload(model: string): Promise<void> {
    const command = { type: "unload", model } as const;
    await this.device.call(this.index, command, { timeoutMs: RUN_TIMEOUT_MS });
  }

  async openSpeech(model: string, window: SpeechWindow): Promise<number> {
    const speech = this.device.newSpeech();
    const { samples, start, utteranceSamples } = window;
    const payload = new Uint8Array(samples.buffer, samples.byteOffset, samples.byteLength);
    const command = { type: "open-speech", speech, model, start, utteranceSamples } as const;
    await this.device.call(this.index, command, { timeoutMs: RUN_TIMEOUT_MS, payload });
    return speech;
  }

  closeSpeech(speech: number): void {
    this.device.notify(this.index, { type: "close-speech", speech });
  }

  async runFrames(
    model: string,
    items: readonly BatchItem[],
    onRegion: (item: number, pixels: Uint8Array<ArrayBuffer>) => void,
  ): Promise<BatchTimes> {
    const command = { type: "frames", model, items } as const;
    const options = { timeoutMs: RUN_TIMEOUT_MS, onRegion };
    const { done } = await this.device.call(this.index, command, options);
    return timesOf(done.times);
  }

  async runTensors(model: string, count: number, tensors: Uint8Array) {
    const command = { type: "batch", model, count } as const;
    const options = { timeoutMs: RUN_TIMEOUT_MS, payload: tensors };
    const { done, payload } = await this.device.call(this.index, command, options);
    return { outputs: payload, times: timesOf(done.times) };
  }
}

function timesOf(times: BatchTimes | undefined): BatchTimes {
  if (times) return times;
  throw new CoreError("internal", "the worker did not say how long the batch took");
}
