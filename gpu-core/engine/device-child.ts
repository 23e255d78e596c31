import { type ChildProcess, spawn } from "node:child_process";
import type { Duplex } from "node:stream";
import { fileURLToPath } from "node:url";
import type { Clock } from "../../avatar/clock.ts";
import type { Logger } from "../../avatar/logger.ts";
import type { SupervisionConfig } from "../config.ts";
import { CoreError, fromErrorData } from "../core-error.ts";
import { openMessageChannel } from "./message-channel.ts";
import type {
  EventMessage,
  FromDevice,
  PongMessage,
  ToDevice,
  WorkerCommand,
  WorkerEvent,
  WorkerOptions,
} from "./messages.ts";

const GIGABYTE = 1024 ** 3;
/**
 * glibc raises the size from which it gives memory back with each large piece
 * that is freed; then models that come and go leave holes, and the process
 * grows. Held down, it stays flat, and a third smaller. Other allocators ignore it.
 */
const ALLOCATOR = { MALLOC_MMAP_THRESHOLD_: String(1024 ** 2) };
/** A process that is killed ends within it, unless its driver holds it in the kernel. */
const KILL_LIMIT_MS = 2000;
/** CUDA numbers GPUs by their speed unless told otherwise, and nvidia-smi as they sit in the machine. */
const GPU_ORDER = { CUDA_DEVICE_ORDER: "PCI_BUS_ID" };
/** onnxruntime reports its use to its makers, and writes what it could not send to the home folder. */
const NO_REPORTS = { ORT_DISABLE_TELEMETRY: "1" };

export type OnRegion = (item: number, pixels: Uint8Array<ArrayBuffer>) => void;

type DoneEvent = Extract<WorkerEvent, { type: "done" }>;

/** The answer to a command. */
export interface CallResult {
  readonly done: DoneEvent;
  readonly payload: Uint8Array<ArrayBuffer>;
}

export interface CallOptions {
  /**
   * A command that takes longer hangs, and a hung thread ends only with its
   * process. What is ahead of it on its worker, a long load perhaps, does not count.
   */
  readonly timeoutMs: number;
  readonly payload?: Uint8Array;
  readonly onRegion?: OnRegion;
}

interface Call {
  readonly worker: number;
  readonly type: WorkerCommand["type"];
  readonly timeoutMs: number;
  readonly resolve: (result: CallResult) => void;
  readonly reject: (error: CoreError) => void;
  readonly onRegion: OnRegion | undefined;
}

export interface ChildOptions {
  readonly workers: number;
  readonly worker: WorkerOptions;
  readonly supervision: SupervisionConfig;
  readonly logger: Logger;
  readonly clock: Clock;
  /** All workers take commands. */
  onReady(): void;
  /**
   * Called once, whatever ended it. Every call was rejected before.
   * @param gone resolves when there is no process any more, which may never be
   */
  onEnd(how: string, gone: Promise<void>): void;
}

/**
 * One process of a device, from its start to its end: its calls, its pulse and
 * its memory. It is killed when it does not start, answer or return in time,
 * or grows too large; there is no other way to stop a run of onnxruntime.
 */
export class DeviceChild {
  /** Commands that were completed. */
  completed = 0;
  /** Resident memory in bytes as it last said. */
  rssBytes = 0;
  readonly #options: ChildOptions;
  readonly #child: ChildProcess;
  readonly #pipe: Duplex | undefined;
  readonly #send: (message: ToDevice, payload?: Uint8Array) => void;
  /** In the order they were sent, which is that in which each worker does its own. */
  readonly #calls = new Map<number, Call>();
  /** By worker: ends the limit of what it is at. */
  readonly #cancelLimits = new Map<number, () => void>();
  readonly #cancelStart: () => void;
  readonly #gone = Promise.withResolvers<void>();
  #cancelPing: () => void = () => {};
  #cancelKill: () => void = () => {};
  #lastCall = 0;
  #lastPing = 0;
  #starting: number;
  #why: string | null = null;
  #isEnded = false;

  constructor(options: ChildOptions) {
    const { workers, worker, supervision, clock } = options;
    this.#options = options;
    this.#starting = workers;
    const entry = fileURLToPath(new URL("./device-process.ts", import.meta.url));
    // With the collector at hand a load can be measured without its garbage.
    const args = [
      "--expose-gc",
      "--initial-old-space-size=128",
      entry,
      String(workers),
      JSON.stringify(worker),
    ];
    const child = spawn(process.execPath, args, {
      stdio: ["ignore", "inherit", "inherit", "pipe"],
      env: { ...ALLOCATOR, ...GPU_ORDER, ...NO_REPORTS, ...process.env },
    });
    this.#child = child;
    // Of a process that could not be made, for want of a file descriptor, Node
    // leaves out what its types promise; that it has failed is told afterwards.
    const stdio: readonly unknown[] | undefined = child.stdio;
    // stdio says that the fourth is a pipe, which is a duplex socket.
    const pipe = stdio?.[3] as Duplex | undefined;
    this.#pipe = pipe;
    pipe?.on("error", () => {});
    const onMessage = (message: FromDevice, payload: Uint8Array<ArrayBuffer>) => {
      if ("pong" in message) this.#onPong(message);
      else if (message.event.type === "started") this.#onStarted();
      else if (message.event.type === "unfit") this.kill(message.event.reason);
      else this.#settle(message, payload);
    };
    this.#send = pipe ? openMessageChannel(pipe, onMessage) : () => {};
    this.#cancelStart = clock.after(1000 * supervision.start_timeout_s, () =>
      this.kill(`it did not start within ${supervision.start_timeout_s} s`),
    );
    child.on("error", (error) => {
      // Of one that was made it tells that it cannot be killed.
      if (child.pid !== undefined) return;
      this.#gone.resolve();
      this.#onEnd(error.message);
    });
    child.on("exit", (code, signal) => {
      this.#gone.resolve();
      this.#onEnd(this.#why ?? String(signal ?? `status ${code}`));
    });
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  /** Ends it at once, or gives it up. @param why for the log and for those whose calls it had */
  kill(why: string): void {
    if (this.#why !== null) return;
    this.#why = why;
    this.#child.kill("SIGKILL");
    this.#cancelKill = this.#options.clock.after(KILL_LIMIT_MS, () => {
      // It is not to keep this process as well.
      this.#child.unref();
      this.#onEnd(`${why}; it does not end: its driver holds it`);
    });
  }

  /** Stops it where it is, for tests. Killing it still works. */
  freeze(): void {
    this.#child.kill("SIGSTOP");
  }

  /** It goes on after `freeze`. */
  thaw(): void {
    this.#child.kill("SIGCONT");
  }

  /**
   * Sends a command to a worker and waits for its answer.
   * @throws CoreError what the worker answered, or `device_lost`
   */
  call(worker: number, command: WorkerCommand, options: CallOptions): Promise<CallResult> {
    if (this.#isEnded) return Promise.reject(this.#lost(this.#why ?? "it ended"));
    const call = ++this.#lastCall;
    const { promise, resolve, reject } = Promise.withResolvers<CallResult>();
    const { timeoutMs, onRegion } = options;
    const { type } = command;
    this.#calls.set(call, { worker, type, timeoutMs, resolve, reject, onRegion });
    if (!this.#cancelLimits.has(worker)) this.#limitNext(worker);
    this.#send({ worker, call, command }, options.payload);
    return promise;
  }

  /** The worker begins with the oldest of its calls, if there is one. */
  #limitNext(worker: number): void {
    this.#cancelLimits.delete(worker);
    for (const call of this.#calls.values()) {
      if (call.worker !== worker) continue;
      const { type, timeoutMs } = call;
      const hangs = `worker ${worker} hangs: ${type} took over ${timeoutMs / 1000} s`;
      const cancel = this.#options.clock.after(timeoutMs, () => this.kill(hangs));
      this.#cancelLimits.set(worker, cancel);
      return;
    }
  }

  /** Sends a command that has no answer. */
  notify(worker: number, command: WorkerCommand): void {
    if (!this.#isEnded) this.#send({ worker, call: 0, command });
  }

  #onStarted(): void {
    if (--this.#starting > 0) return;
    this.#cancelStart();
    this.#ping();
    this.#options.onReady();
  }

  /** One ping at a time: the next one goes out when this one was answered. */
  #ping(): void {
    const { supervision, clock } = this.#options;
    this.#send({ ping: ++this.#lastPing });
    this.#cancelPing = clock.after(1000 * supervision.ping_timeout_s, () =>
      this.kill(`no answer to a ping within ${supervision.ping_timeout_s} s`),
    );
  }

  #onPong({ pong, rssBytes }: PongMessage): void {
    if (pong !== this.#lastPing || this.#isEnded) return;
    this.#cancelPing();
    this.rssBytes = rssBytes;
    const { supervision, clock } = this.#options;
    const limitBytes = supervision.memory_limit_gb * GIGABYTE;
    if (limitBytes > 0 && rssBytes > limitBytes) {
      const gigabytes = (rssBytes / GIGABYTE).toFixed(2);
      this.kill(`it has ${gigabytes} GB, over supervision.memory_limit_gb`);
      return;
    }
    this.#cancelPing = clock.after(1000 * supervision.ping_interval_s, () => this.#ping());
  }

  #settle({ call: id, event }: EventMessage, payload: Uint8Array<ArrayBuffer>): void {
    const call = this.#calls.get(id);
    if (!call) return;
    if (event.type === "region") {
      call.onRegion?.(event.item, payload);
      return;
    }
    this.#calls.delete(id);
    this.#cancelLimits.get(call.worker)?.();
    this.#limitNext(call.worker);
    if (event.type === "done") {
      this.completed++;
      call.resolve({ done: event, payload });
    } else if (event.type === "failed" && event.isDeviceFault) {
      this.kill(event.error.message);
      call.reject(this.#lost(event.error.message));
    } else if (event.type === "failed") {
      call.reject(fromErrorData(event.error));
    }
  }

  #onEnd(how: string): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.#why ??= how;
    this.#cancelKill();
    // What it would still say is not to be heard.
    this.#pipe?.destroy();
    this.#cancelStart();
    this.#cancelPing();
    for (const cancel of this.#cancelLimits.values()) cancel();
    for (const call of this.#calls.values()) call.reject(this.#lost(how));
    this.#calls.clear();
    this.#options.onEnd(how, this.#gone.promise);
  }

  #lost(how: string): CoreError {
    const { device } = this.#options.worker;
    return new CoreError("device_lost", `device ${device} ended (${how}): try again shortly`);
  }
}
