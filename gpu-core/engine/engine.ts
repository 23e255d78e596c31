import { availableParallelism } from "node:os";
import type { Logger } from "../../avatar/logger.ts";
import { type CoreConfig, maxBatchSize } from "../config.ts";
import { Device } from "./device.ts";
import type { InferenceEngine } from "./inference-worker.ts";

/** All devices and their workers. */
export class Engine implements InferenceEngine {
  readonly devices: readonly Device[];

  constructor(config: CoreConfig, logger: Logger) {
    const { gpus, server } = config;
    const workers = server.worker_count_per_gpu;
    const threads = gpus.enabled ? 1 : cpuThreads(config);
    this.devices = Array.from({ length: gpus.count }, (_, index) => {
      const device = gpus.enabled ? { kind: "cuda", deviceId: index } : { kind: "cpu" };
      const session = { device, threads } as Device["options"]["worker"]["session"];
      const worker = {
        session,
        maxBatchSize: maxBatchSize(config),
        device: index,
        process: 0,
        faults: config.faults,
      };
      const memoryBudgetBytes = gpus.memory_gb_per_gpu * 1024 ** 3;
      return new Device({ index, workers, worker, memoryBudgetBytes, logger });
    });
  }

  /** Starts every device. @throws CoreError `unavailable` when one does not start. */
  async start(): Promise<void> {
    try {
      await Promise.all(this.devices.map((device) => device.start()));
    } catch (error) {
      await this.stop();
      throw error;
    }
  }

  /** Ends every device at once. */
  async stop(): Promise<void> {
    await Promise.all(this.devices.map((device) => device.stop()));
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
