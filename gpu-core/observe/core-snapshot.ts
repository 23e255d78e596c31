import type { Tracing } from "../../avatar/tracing/tracing.ts";
import type { Core } from "../core.ts";
import { deviceInfos } from "../rpc/device-infos.ts";
import type { CoreSnapshot } from "./observer.ts";

const GIGABYTE = 1024 ** 3;

/** The core as it is now. */
export async function coreSnapshot(core: Core, tracing: Tracing): Promise<CoreSnapshot> {
  const { capacity } = core.config;
  const { schedulers, registry } = core;
  const infos = await deviceInfos(core);
  const devices = infos.map((info) => ({
    index: info.gpuId,
    state: info.state,
    models: info.loadedModels,
    memoryBytes: registry.usage(info.gpuId).memoryBytes,
    memoryBudgetBytes: Number(info.memoryBudgetBytes),
    residentBytes: Number(info.memoryBytes),
    restarts: info.restarts,
  }));
  return {
    isUp: core.isUp,
    maxModels: capacity.max_models,
    replicas: registry.spareCopies,
    hostMemoryBytes: registry.hostMemoryBytes,
    hostMemoryBudgetBytes: Math.round(capacity.max_memory_gb * GIGABYTE),
    waitingRequests: sum(schedulers.map((each) => Math.max(0, each.requests - each.inFlight))),
    runningRequests: sum(schedulers.map((each) => Math.min(each.requests, each.inFlight))),
    loadingRequests: registry.awaitingLoads,
    devices,
    spans: tracing.isOn ? tracing.stats : null,
  };
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
