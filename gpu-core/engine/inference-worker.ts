import type { SpeechWindow } from "../audio/speech-window.ts";
import type { Precision } from "../config.ts";
import type { BatchItem, BatchTimes, ModelFiles, ModelMemory } from "./messages.ts";

/**
 * What scheduler and registry know of devices and workers. The real ones are
 * processes and threads (`device.ts`); those of the capacity simulator are not.
 */

export type DeviceState =
  /** The process is being started. */
  | "starting"
  /** It serves. */
  | "ready"
  /** It ended or hung; a new one will be started. */
  | "down"
  /** It kept failing and was taken out; it is tried again later. */
  | "failed";

/** One device: a fault domain, with a memory of its own. */
export interface InferenceDevice {
  readonly index: number;
  /** Its first execution provider: `tensorrt`, `cuda`, `webgpu` or `cpu`. */
  readonly kind: string;
  /** Threads of one run. */
  readonly threads: number;
  readonly state: DeviceState;
  /** True while a caller may hope that it serves within a few seconds. */
  readonly isComingUp: boolean;
  /** The process; undefined while there is none. */
  readonly pid: number | undefined;
  /** Times the process was started again. */
  readonly restarts: number;
  /** Memory for models in bytes. */
  readonly memoryBudgetBytes: number;
  readonly workers: readonly InferenceWorker[];
  /** Calls `listener` after each change of `state`. Leaving `ready` loses every model and every call. */
  onStateChange(listener: () => void): void;
}

/** One worker thread. It does one thing at a time, in the order it is told. */
export interface InferenceWorker {
  readonly device: InferenceDevice;
  /** Within the device. */
  readonly index: number;

  /**
   * Loads and warms up a model.
   * @param name its name on this worker
   * @throws CoreError `failed_precondition` (the files), `device_lost`, `unavailable`
   */
  load(name: string, files: ModelFiles, precision: Precision): Promise<ModelMemory>;
  unload(name: string): Promise<void>;

  /** Sends the samples of one request. Batches that follow may use it at once: what is told first is done first. */
  openSpeech(model: string, window: SpeechWindow): OpenedSpeech;
  closeSpeech(speech: number): void;

  /**
   * Runs frames of one model as one batch.
   * @param onRegion item of `items` and its region's pixels, 8-bit RGB; called before the promise resolves
   * @throws CoreError `device_lost` when the process ends, or what the worker answered
   */
  runFrames(
    model: string,
    items: readonly BatchItem[],
    onRegion: (item: number, pixels: Uint8Array<ArrayBuffer>) => void,
  ): Promise<BatchTimes>;

  /** @param tensors visual float32 [n,6,320,320], then audio [n,32,16,16] */
  runTensors(model: string, count: number, tensors: Uint8Array): Promise<TensorResult>;
}

/** A request whose samples are on their way to a worker. */
export interface OpenedSpeech {
  /** What its batch items carry. */
  readonly speech: number;
  /** Rejects when the worker cannot use it; its items are left out then. */
  readonly opened: Promise<void>;
}

export interface TensorResult {
  /** float32 [n,3,320,320] */
  readonly outputs: Uint8Array<ArrayBuffer>;
  readonly times: BatchTimes;
  /** The model's memory was measured to grow by so much: its first run on tensors needs a session of its own. */
  readonly growth?: ModelMemory;
}

/** All devices. */
export interface InferenceEngine {
  readonly devices: readonly InferenceDevice[];
  /** Returns when at least one device serves. @throws CoreError `unavailable` when none comes up */
  start(): Promise<void>;
  /** Ends every device at once. */
  stop(): Promise<void>;
}
