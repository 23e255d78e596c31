import { readFile } from "node:fs/promises";
import type { Core } from "../core.ts";

/** The devices as Health and the table at start tell them. */
export async function deviceInfos(core: Core) {
  return Promise.all(
    core.engine.devices.map(async (device) => {
      const { index, workers } = device;
      return {
        gpuId: index,
        kind: device.kind,
        threads: device.threads,
        state: device.state,
        workers: workers.length,
        loadedModels: core.registry.usage(index).replicas,
        memoryBytes: BigInt(await residentBytes(device.pid)),
        memoryBudgetBytes: BigInt(Math.round(device.memoryBudgetBytes)),
        queued: core.queuedOn(index),
        restarts: device.restarts,
      };
    }),
  );
}

/** Resident memory of a process in bytes; 0 where the system does not tell it this way. */
async function residentBytes(pid: number | undefined): Promise<number> {
  if (pid === undefined) return 0;
  try {
    const status = await readFile(`/proc/${pid}/status`, "utf8");
    return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1] ?? 0) * 1024;
  } catch {
    // Not Linux, or the process ended between two lines of ours.
    return 0;
  }
}
