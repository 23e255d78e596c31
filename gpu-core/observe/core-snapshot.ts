import type { Tracing } from "../../avatar/tracing/tracing.ts";
import type { Core } from "../core.ts";
import { deviceInfos } from "../rpc/device-infos.ts";
import type { CoreSnapshot } from "./observer.ts";

const GIGABYTE = 1024 ** 3;

/** The core as it is now. */
export async function coreSnapshot(core: Core, tracing: Tracing): Promise<CoreSnapshot> {
  const { capacity, gpus } = core.config;
  const { lanes } = core.engine;
  const infos = await deviceInfos(core);
  const devices = infos.map((info) => ({
    index: info.gpuId,
    state: info.state,
    models: info.loadedModels,
    memoryBytes: core.registry.memoryOn(info.gpuId),
    memoryBudgetBytes: Math.round(gpus.memory_gb_per_gpu * GIGABYTE),
    residentBytes: Number(info.memoryBytes),
    restarts: info.restarts,
  }));
  return {
    isReady: core.isReady,
    maxModels: capacity.max_models,
    replicas: 0,
    hostMemoryBytes: devices.reduce((sum, device) => sum + device.memoryBytes, 0),
    hostMemoryBudgetBytes: Math.round(capacity.max_memory_gb * GIGABYTE),
    waitingRequests: lanes.reduce((sum, lane) => sum + lane.queued - lane.running, 0),
    runningRequests: lanes.reduce((sum, lane) => sum + lane.running, 0),
    devices,
    spans: tracing.isOn ? tracing.stats : null,
  };
}
