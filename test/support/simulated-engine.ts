import { type Clock, VirtualClock } from "../../avatar/clock.ts";
import { CoreError } from "../../gpu-core/core-error.ts";
import type {
  DeviceState,
  InferenceDevice,
  InferenceEngine,
  InferenceWorker,
  OpenedSpeech,
} from "../../gpu-core/engine/inference-worker.ts";
import type { BatchItem, BatchTimes, ModelMemory } from "../../gpu-core/engine/messages.ts";

/** How simulated devices behave. Times in milliseconds. */
export interface SimulationSettings {
  readonly devices: number;
  readonly workers: number;
  /** A frame in a batch of n. */
  frameMs(model: string, n: number): number;
  loadMs(model: string): number;
  memory(model: string): ModelMemory;
  readonly memoryBudgetBytes: number;
  /** From the end of a device's process to the next one that serves. */
  readonly restartMs: number;
}

export const SIMULATION_DEFAULTS: SimulationSettings = {
  devices: 1,
  workers: 1,
  frameMs: () => 10,
  loadMs: () => 100,
  memory: () => ({ hostBytes: 1024 ** 2, deviceBytes: 1024 ** 2 }),
  memoryBudgetBytes: 1024 ** 3,
  restartMs: 1000,
};

const NO_PIXELS = new Uint8Array(0);

/** Devices without a machine: they take their time on a clock and answer with nothing. */
export class SimulatedEngine implements InferenceEngine {
  readonly devices: readonly SimulatedDevice[];

  constructor(settings: SimulationSettings, clock: Clock = new VirtualClock()) {
    this.devices = Array.from(
      { length: settings.devices },
      (_, index) => new SimulatedDevice(index, settings, clock),
    );
  }

  async start(): Promise<void> {
    for (const device of this.devices) device.become("ready");
  }

  async stop(): Promise<void> {}
}

export class SimulatedDevice implements InferenceDevice {
  readonly index: number;
  readonly memoryBudgetBytes: number;
  readonly workers: readonly SimulatedWorker[];
  readonly kind = "simulated";
  readonly threads = 1;
  readonly pid = undefined;
  state: DeviceState = "starting";
  restarts = 0;
  readonly clock: Clock;
  readonly settings: SimulationSettings;
  readonly #listeners: (() => void)[] = [];

  constructor(index: number, settings: SimulationSettings, clock: Clock) {
    this.index = index;
    this.settings = settings;
    this.clock = clock;
    this.memoryBudgetBytes = settings.memoryBudgetBytes;
    this.workers = Array.from(
      { length: settings.workers },
      (_, worker) => new SimulatedWorker(this, worker),
    );
  }

  get isComingUp(): boolean {
    return this.state === "starting" || this.state === "down";
  }

  onStateChange(listener: () => void): void {
    this.#listeners.push(listener);
  }

  become(state: DeviceState): void {
    this.state = state;
    for (const listener of this.#listeners) listener();
  }

  /** Ends the process; without `isForGood` the next one is up after `restartMs`. */
  kill(isForGood = false): void {
    for (const worker of this.workers) worker.end();
    this.become(isForGood ? "failed" : "down");
    if (isForGood) return;
    this.clock.after(this.settings.restartMs, () => {
      this.restarts++;
      this.become("ready");
    });
  }
}

export class SimulatedWorker implements InferenceWorker {
  readonly device: SimulatedDevice;
  readonly index: number;
  /** Models in memory by their name on this worker. */
  readonly models = new Set<string>();
  /** Models and frames of the batches, in order, while `record` is on. */
  readonly batches: { model: string; frames: number; startMs: number }[] = [];
  record = false;
  busyMs = 0;
  readonly #open = new Set<number>();
  readonly #loads = new Set<string>();
  readonly #pending = new Set<(error: CoreError) => void>();
  #freeAtMs = 0;
  #lastSpeech = 0;

  constructor(device: SimulatedDevice, index: number) {
    this.device = device;
    this.index = index;
  }

  /** Whether a load of the model is under way or waits. */
  isLoading(id: string): boolean {
    return [...this.#loads].some((name) => name.startsWith(`${id}#`));
  }

  /** Speeches that are open. */
  get speeches(): number {
    return this.#open.size;
  }

  async load(name: string): Promise<ModelMemory> {
    this.#loads.add(name);
    try {
      await this.#spend(this.device.settings.loadMs(name));
    } finally {
      this.#loads.delete(name);
    }
    this.models.add(name);
    return this.device.settings.memory(name);
  }

  async unload(name: string): Promise<void> {
    await this.#spend(0);
    this.models.delete(name);
  }

  openSpeech(model: string): OpenedSpeech {
    this.#check(model);
    const speech = ++this.#lastSpeech;
    this.#open.add(speech);
    return { speech, opened: Promise.resolve() };
  }

  closeSpeech(speech: number): void {
    this.#open.delete(speech);
  }

  async runFrames(
    model: string,
    items: readonly BatchItem[],
    onRegion: (item: number, pixels: Uint8Array<ArrayBuffer>) => void,
  ): Promise<BatchTimes> {
    const times = await this.#run(model, items.length);
    for (const [item, { speech }] of items.entries()) {
      if (this.#open.has(speech)) onRegion(item, NO_PIXELS);
    }
    return times;
  }

  async runTensors(model: string, count: number) {
    const times = await this.#run(model, count);
    return { outputs: new Uint8Array(count), times };
  }

  /** The process ended. */
  end(): void {
    const error = new CoreError("device_lost", `device ${this.device.index} ended (simulated)`);
    for (const reject of this.#pending) reject(error);
    this.#pending.clear();
    this.models.clear();
    this.#open.clear();
    this.#freeAtMs = 0;
  }

  async #run(model: string, n: number): Promise<BatchTimes> {
    this.#check(model);
    const unetMs = n * this.device.settings.frameMs(model, n);
    const startMs = Math.max(this.device.clock.now(), this.#freeAtMs);
    if (this.record) this.batches.push({ model, frames: n, startMs });
    await this.#spend(unetMs);
    this.busyMs += unetMs;
    return { melMs: 0, encoderMs: 0, prepareMs: 0, unetMs, fitMs: 0 };
  }

  #check(model: string): void {
    if (this.models.has(model)) return;
    throw new CoreError("internal", `${model} is not loaded on this worker`);
  }

  /** One thing at a time, in the order they came. */
  #spend(ms: number): Promise<void> {
    const { clock, state, index } = this.device;
    if (state !== "ready") {
      return Promise.reject(new CoreError("unavailable", `device ${index} is being started`));
    }
    this.#freeAtMs = Math.max(clock.now(), this.#freeAtMs) + ms;
    return new Promise((resolve, reject) => {
      this.#pending.add(reject);
      clock.after(this.#freeAtMs - clock.now(), () => {
        if (this.#pending.delete(reject)) resolve();
      });
    });
  }
}
