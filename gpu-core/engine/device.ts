import { type ChildProcess, spawn } from "node:child_process";
import type { Duplex } from "node:stream";
import { fileURLToPath } from "node:url";
import type { Logger } from "../../avatar/logger.ts";
import { CoreError, fromErrorData } from "../core-error.ts";
import { DeviceWorker } from "./device-worker.ts";
import type { DeviceState, InferenceDevice } from "./inference-worker.ts";
import { openMessageChannel } from "./message-channel.ts";
import type {
  CommandMessage,
  EventMessage,
  WorkerCommand,
  WorkerEvent,
  WorkerOptions,
} from "./messages.ts";

/** Starting Node, the threads and onnxruntime takes about a second. */
const START_TIMEOUT_MS = 60_000;
const RESTART_DELAY_MS = { first: 250, longest: 30_000 };
/** A process that lasted this long starts again without the earlier delays. */
const STABLE_AFTER_MS = 60_000;

export interface DeviceOptions {
  /** Index of the device, as callers see it. */
  readonly index: number;
  readonly workers: number;
  readonly worker: WorkerOptions;
  readonly memoryBudgetBytes: number;
  readonly logger: Logger;
}

export type OnRegion = (item: number, pixels: Uint8Array<ArrayBuffer>) => void;

type DoneEvent = Extract<WorkerEvent, { type: "done" }>;

/** The answer to a command. */
export interface CallResult {
  readonly done: DoneEvent;
  readonly payload: Uint8Array<ArrayBuffer>;
}

interface Call {
  readonly resolve: (result: CallResult) => void;
  readonly reject: (error: CoreError) => void;
  readonly onRegion: OnRegion | undefined;
  readonly timer: NodeJS.Timeout;
}

/**
 * The parent's side of one device: its process, started again when it ends,
 * and the calls that are under way in it. One device is one fault domain.
 */
export class Device implements InferenceDevice {
  readonly options: DeviceOptions;
  readonly workers: readonly DeviceWorker[];
  restarts = 0;
  #state: DeviceState = "starting";
  readonly #listeners: (() => void)[] = [];
  readonly #calls = new Map<number, Call>();
  #nextCall = 1;
  #lastSpeech = 0;
  #child: ChildProcess | undefined;
  #send: ((message: CommandMessage, payload?: Uint8Array) => void) | undefined;
  #stopped = false;
  #restartTimer: NodeJS.Timeout | undefined;
  #quickFailures = 0;

  constructor(options: DeviceOptions) {
    this.options = options;
    this.workers = Array.from(
      { length: options.workers },
      (_, index) => new DeviceWorker(this, index),
    );
  }

  get index(): number {
    return this.options.index;
  }

  get kind(): string {
    return this.options.worker.session.device.kind;
  }

  get threads(): number {
    return this.options.worker.session.threads;
  }

  get state(): DeviceState {
    return this.#state;
  }

  get isComingUp(): boolean {
    return this.#state === "starting" || this.#state === "down";
  }

  get memoryBudgetBytes(): number {
    return this.options.memoryBudgetBytes;
  }

  onStateChange(listener: () => void): void {
    this.#listeners.push(listener);
  }

  #become(state: DeviceState): void {
    this.#state = state;
    for (const listener of this.#listeners) listener();
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /** A number that no other speech on this device has. */
  newSpeech(): number {
    return ++this.#lastSpeech;
  }

  /** Starts the process and waits until all its workers take commands. */
  async start(): Promise<void> {
    const { index, workers, worker, logger } = this.options;
    this.#become("starting");
    const startedAt = Date.now();
    const entry = fileURLToPath(new URL("./device-process.ts", import.meta.url));
    const child = spawn(process.execPath, [entry, String(workers), JSON.stringify(worker)], {
      stdio: ["ignore", "inherit", "inherit", "pipe"],
    });
    this.#child = child;
    let waiting = workers;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    // stdio says that the fourth is a pipe, which is a duplex socket.
    const pipe = child.stdio[3] as Duplex;
    pipe.on("error", () => {});
    this.#send = openMessageChannel<EventMessage, CommandMessage>(pipe, (message, payload) => {
      if (message.event.type === "started") {
        if (--waiting === 0) resolve();
      } else this.#settle(message, payload);
    });
    const timer = setTimeout(() => {
      reject(new CoreError("unavailable", `device ${index} did not start in time`));
      child.kill("SIGKILL");
    }, START_TIMEOUT_MS);
    child.on("error", (cause) => {
      reject(new CoreError("unavailable", `device ${index}: ${cause.message}`, { cause }));
    });
    child.on("exit", (code, signal) => {
      reject(new CoreError("unavailable", `device ${index} ended with ${signal ?? code}`));
      this.#onExit(signal ?? `status ${code}`, Date.now() - startedAt);
    });
    try {
      await promise;
      this.#become("ready");
      logger.info("device ready", { device: index, pid: child.pid, workers });
    } finally {
      clearTimeout(timer);
    }
  }

  /**
   * Sends a command to a worker and waits for its answer. A command that takes
   * longer than `timeoutMs` hangs, and a hung thread ends only with its process.
   * @throws CoreError what the worker answered, or `unavailable` when the device ends.
   */
  call(
    worker: number,
    command: WorkerCommand,
    options: { timeoutMs: number; payload?: Uint8Array; onRegion?: OnRegion },
  ): Promise<CallResult> {
    const { index, logger } = this.options;
    const send = this.#send;
    if (this.state !== "ready" || !send) {
      return Promise.reject(
        new CoreError("unavailable", `device ${index} is being started: try again shortly`),
      );
    }
    const call = this.#nextCall++;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        logger.error("device hangs", { device: index, worker, command: command.type });
        this.#child?.kill("SIGKILL");
      }, options.timeoutMs);
      this.#calls.set(call, { resolve, reject, onRegion: options.onRegion, timer });
      send({ worker, call, command }, options.payload);
    });
  }

  /** Sends a command that has no answer. */
  notify(worker: number, command: WorkerCommand): void {
    this.#send?.({ worker, call: 0, command });
  }

  /** Ends the process at once; what is under way fails. Call it after draining. */
  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#restartTimer);
    const child = this.#child;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise<void>((resolve) => child.once("exit", () => resolve()));
    child.kill("SIGKILL");
    await ended;
  }

  #settle({ call: id, event }: EventMessage, payload: Uint8Array<ArrayBuffer>): void {
    const call = this.#calls.get(id);
    if (!call) return;
    if (event.type === "region") {
      call.onRegion?.(event.item, payload);
      return;
    }
    this.#calls.delete(id);
    clearTimeout(call.timer);
    if (event.type === "done") call.resolve({ done: event, payload });
    else if (event.type === "failed") call.reject(fromErrorData(event.error));
  }

  #onExit(how: string, livedMs: number): void {
    const { index, logger } = this.options;
    this.#send = undefined;
    const lost = new CoreError("device_lost", `device ${index} ended (${how}): try again shortly`);
    for (const call of this.#calls.values()) {
      clearTimeout(call.timer);
      call.reject(lost);
    }
    this.#calls.clear();
    this.#become("down");
    if (this.#stopped) return;
    this.#quickFailures = livedMs > STABLE_AFTER_MS ? 0 : this.#quickFailures + 1;
    const delayMs = Math.min(
      RESTART_DELAY_MS.longest,
      RESTART_DELAY_MS.first * 2 ** (this.#quickFailures - 1),
    );
    logger.error("device ended", { device: index, how, restartInMs: delayMs });
    this.#restartTimer = setTimeout(() => {
      this.restarts++;
      this.start().catch((error: unknown) => {
        // The exit of the process schedules the next attempt.
        logger.error("device did not start", { device: index, error: String(error) });
      });
    }, delayMs);
  }
}
