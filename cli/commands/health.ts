import {
  DeviceState,
  type HealthResponse,
} from "../../proto/gen/mouthpiece/inference/v1/inference_pb.js";
import { CommandError } from "../command-error.ts";
import { askCore, type CoreOptions } from "../core-connection.ts";
import { formatBytes } from "../progress.ts";
import { formatTable, printResult } from "../table.ts";

/** `mouthpiece health`. @throws CommandError when the core is not healthy */
export async function runHealth(options: CoreOptions): Promise<void> {
  const health = await askCore(options, (core) => core.health({}));
  printResult(options.json, toHealth(health), healthText(health));
  if (!health.healthy) {
    throw new CommandError("the core is not healthy: no device is up, its log says why");
  }
}

function toHealth(health: HealthResponse) {
  return {
    healthy: health.healthy,
    uptimeS: health.uptimeS,
    loadedModels: health.loadedModels,
    maxModels: health.maxModels,
    devices: health.devices.map((device) => ({
      device: device.gpuId,
      kind: device.kind,
      state: (DeviceState[device.state] ?? String(device.state)).toLowerCase(),
      workers: device.workers,
      loadedModels: device.loadedModels,
      memoryBytes: Number(device.memoryBytes),
      memoryBudgetBytes: Number(device.memoryBudgetBytes),
      queued: device.queued,
      restarts: device.restarts,
    })),
  };
}

function healthText(health: HealthResponse): string {
  const { healthy, uptimeS, loadedModels, maxModels, devices } = toHealth(health);
  const rows = devices.map((device) => [
    device.device,
    device.kind,
    device.state,
    device.workers,
    device.loadedModels,
    `${formatBytes(device.memoryBytes)} of ${formatBytes(device.memoryBudgetBytes)}`,
    device.queued,
    device.restarts,
  ]);
  const header = ["device", "kind", "state", "workers", "models", "memory", "queued", "restarts"];
  return `${healthy ? "healthy" : "not healthy"}, up for ${Math.round(uptimeS)} s, ${loadedModels} of ${maxModels} models in memory
${formatTable(header, rows)}`;
}
