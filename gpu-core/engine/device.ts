import type { Clock } from "../../avatar/clock.ts";
import type { Logger } from "../../avatar/logger.ts";
import type { FaultSpec, SupervisionConfig } from "../config.ts";
import { CoreError } from "../core-error.ts";
import type { FaultInjector } from "../faults.ts";
import {
  type CallOptions,
  type CallResult,
  type ChildOptions,
  DeviceChild,
} from "./device-child.ts";
import { freeDeviceBytes, smiName } from "./device-memory.ts";
import { DeviceWorker } from "./device-worker.ts";
import type { DeviceState, InferenceDevice } from "./inference-worker.ts";
import type { WorkerCommand, WorkerOptions } from "./messages.ts";
import { RestartPolicy } from "./restart-policy.ts";

/** A start that is further away is not worth waiting for. */
const SOON_MS = 5000;

export interface DeviceOptions {
  /** Index of the device, as callers see it. */
  readonly index: number;
  readonly workers: number;
  /** Without the number of the process. */
  readonly worker: Omit<WorkerOptions, "process">;
  readonly supervision: SupervisionConfig;
  readonly memoryBudgetBytes: number;
  readonly logger: Logger;
  readonly clock: Clock;
  readonly faults: FaultInjector;
  /** Whether this device can be spared. */
  readonly othersServe: () => boolean;
}

/**
 * The parent's side of one device: its process, started again when it ends.
 * One device is one fault domain.
 */
export class Device implements InferenceDevice {
  readonly options: DeviceOptions;
  readonly workers: readonly DeviceWorker[];
  restarts = 0;
  /** How its last process ended; null before. */
  lastEnd: string | null = null;
  readonly #policy: RestartPolicy;
  readonly #listeners: (() => void)[] = [];
  #state: DeviceState = "starting";
  #child: DeviceChild | null = null;
  #process = 0;
  #restartAtMs = Number.POSITIVE_INFINITY;
  #cancelRestart: () => void = () => {};
  #stopped: Promise<void> | null = null;
  #onEnded: () => void = () => {};
  #lastSpeech = 0;
  #memoryTurn: Promise<unknown> = Promise.resolve();

  constructor(options: DeviceOptions) {
    this.options = options;
    this.#policy = new RestartPolicy(options.supervision);
    this.workers = Array.from(
      { length: options.workers },
      (_, index) => new DeviceWorker(this, index),
    );
  }

  get index(): number {
    return this.options.index;
  }

  get kind(): string {
    return this.options.worker.session.providers[0] ?? "cpu";
  }

  get threads(): number {
    return this.options.worker.session.threads;
  }

  get state(): DeviceState {
    return this.#state;
  }

  get isComingUp(): boolean {
    if (this.#state === "starting") return true;
    return this.#state === "down" && this.#restartAtMs - this.options.clock.now() < SOON_MS;
  }

  get memoryBudgetBytes(): number {
    return this.options.memoryBudgetBytes;
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /** Resident memory of the process in bytes, as it last said. */
  get rssBytes(): number {
    return this.#child?.rssBytes ?? 0;
  }

  onStateChange(listener: () => void): void {
    this.#listeners.push(listener);
  }

  /** Starts the process. What becomes of it shows in `state`. */
  start(): void {
    if (this.#stopped) return;
    const { index, workers, worker, supervision, logger, clock, faults } = this.options;
    const fault = faults.hit("device.start");
    const process = this.#process++;
    const options: ChildOptions = {
      workers,
      worker: { ...worker, process },
      supervision,
      logger,
      clock,
      onReady: () => {
        logger.info("device ready", { device: index, pid: this.pid, workers });
        this.#become("ready");
      },
      onEnd: (how, gone) => this.#onEnd(how, gone),
    };
    try {
      this.#child = new DeviceChild(options);
    } catch (error) {
      // The machine has no memory for another process, perhaps: nobody else could catch it.
      this.#onEnd(String(error), Promise.resolve());
      return;
    }
    this.#become("starting");
    if (fault) this.#strike(this.#child, fault);
  }

  /** Does what a configured fault says to a process that starts. */
  #strike(child: DeviceChild, { action, delay_ms }: FaultSpec): void {
    if (action === "exit") child.kill("injected fault");
    else child.freeze();
    if (action === "delay") this.options.clock.after(delay_ms, () => child.thaw());
  }

  /** A number that no other speech on this device has. */
  newSpeech(): number {
    return ++this.#lastSpeech;
  }

  /** As DeviceChild.call. @throws CoreError `unavailable` while no process serves */
  call(worker: number, command: WorkerCommand, options: CallOptions): Promise<CallResult> {
    if (this.#state !== "ready" || !this.#child) {
      return Promise.reject(
        new CoreError("unavailable", `device ${this.index} is being started: try again shortly`, {
          reason: "no_device",
        }),
      );
    }
    return this.#child.call(worker, command, options);
  }

  notify(worker: number, command: WorkerCommand): void {
    if (this.#state === "ready") this.#child?.notify(worker, command);
  }

  /** Loads and unloads run one at a time, so that what is measured is one of them. */
  inMemoryTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#memoryTurn.then(work, work);
    this.#memoryTurn = turn.catch(() => {});
    return turn;
  }

  /** Free memory of a GPU in bytes; null on a CPU, and where nothing tells it. */
  async freeBytes(): Promise<number | null> {
    if (this.kind === "cpu" || this.kind === "webgpu") return null;
    const { worker, logger } = this.options;
    const gpu = smiName(worker.session.deviceId, process.env.CUDA_VISIBLE_DEVICES);
    return gpu === null ? null : freeDeviceBytes(gpu, logger);
  }

  /** Ends the process at once; what is under way fails. Call it after draining. */
  stop(): Promise<void> {
    this.#stopped ??= new Promise((resolve) => {
      this.#cancelRestart();
      if (!this.#child) resolve();
      else {
        this.#onEnded = resolve;
        this.#child.kill("the core stops");
      }
    });
    return this.#stopped;
  }

  #onEnd(how: string, gone: Promise<void>): void {
    const { index, logger, clock, othersServe } = this.options;
    const didWork = (this.#child?.completed ?? 0) > 0;
    this.#child = null;
    this.lastEnd = how;
    if (this.#stopped) {
      this.#become("down");
      this.#onEnded();
      return;
    }
    const { type, inMs } = this.#policy.ended(clock.now(), didWork, othersServe());
    this.#restartAtMs = Number.POSITIVE_INFINITY;
    // As long as the old process has the GPU, another one would get stuck like it.
    void gone.then(() => {
      if (this.#stopped) return;
      this.#restartAtMs = clock.now() + inMs;
      this.#cancelRestart = clock.after(inMs, () => {
        this.restarts++;
        this.start();
      });
    });
    const message = type === "take-out" ? "device taken out" : "device ended";
    logger.error(message, { device: index, how, startsAgainInMs: inMs });
    this.#become(type === "take-out" ? "failed" : "down");
  }

  #become(state: DeviceState): void {
    if (state === this.#state) return;
    this.#state = state;
    for (const listener of this.#listeners) listener();
  }
}
