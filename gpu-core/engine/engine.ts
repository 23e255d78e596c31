import { availableParallelism } from "node:os";
import { type Clock, systemClock } from "../../avatar/clock.ts";
import type { Logger } from "../../avatar/logger.ts";
import { type CoreConfig, executionProviders, maxBatchSize } from "../config.ts";
import { CoreError } from "../core-error.ts";
import { FaultInjector } from "../faults.ts";
import { Device } from "./device.ts";
import type { InferenceEngine } from "./inference-worker.ts";

const GIGABYTE = 1024 ** 3;

/** All devices and their workers. */
export class Engine implements InferenceEngine {
  readonly devices: readonly Device[];
  readonly #startTimeoutMs: number;
  readonly #clock: Clock;

  constructor(config: CoreConfig, logger: Logger, clock: Clock = systemClock) {
    const { gpus, server, supervision } = config;
    this.#clock = clock;
    this.#startTimeoutMs = 1000 * supervision.start_timeout_s;
    this.devices = Array.from({ length: gpus.count }, (_, index): Device => {
      const providers = executionProviders(config, index);
      const threads = providers[0] === "cpu" ? cpuThreads(config) : 1;
      return new Device({
        index,
        workers: server.worker_count_per_gpu,
        worker: {
          session: { providers, deviceId: index, threads },
          maxBatchSize: maxBatchSize(config),
          device: index,
          faults: config.faults,
        },
        supervision,
        memoryBudgetBytes: (gpus.devices[index]?.memory_gb ?? gpus.memory_gb_per_gpu) * GIGABYTE,
        logger,
        clock,
        faults: new FaultInjector(config.faults, { device: index }),
        othersServe: () =>
          this.devices.some((device) => device.index !== index && device.state === "ready"),
      });
    });
  }

  /**
   * Starts every device and returns when each is up or has failed once: a box
   * with one broken card serves with the others.
   * @throws CoreError `unavailable` when none comes up
   */
  async start(): Promise<void> {
    await Promise.all(this.devices.map((device) => this.#startOne(device)));
    if (this.devices.some(({ state }) => state === "ready")) return;
    const reasons = this.devices.map(
      ({ index, lastEnd }) => `device ${index}: ${lastEnd ?? "it is still starting"}`,
    );
    await this.stop();
    throw new CoreError(
      "unavailable",
      `no device started (${reasons.join("; ")}): \`mouthpiece doctor\` looks at the machine`,
    );
  }

  /** Ends every device at once. */
  async stop(): Promise<void> {
    await Promise.all(this.devices.map((device) => device.stop()));
  }

  #startOne(device: Device): Promise<void> {
    return new Promise((resolve) => {
      const cancel = this.#clock.after(this.#startTimeoutMs, resolve);
      device.onStateChange(() => {
        if (device.state === "starting") return;
        cancel();
        resolve();
      });
      device.start();
    });
  }
}

/** Cores shared by all workers of all devices, unless the configuration says how many. */
function cpuThreads({ gpus, server }: CoreConfig): number {
  if (gpus.cpu_threads_per_worker > 0) return gpus.cpu_threads_per_worker;
  return Math.max(
    1,
    Math.floor(availableParallelism() / (gpus.count * server.worker_count_per_gpu)),
  );
}
