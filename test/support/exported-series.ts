import { CoreMetrics } from "../../gpu-core/observe/core-metrics.ts";

/** Series that a core exports, with the labels of each. */
export async function exportedSeries(): Promise<Map<string, Set<string>>> {
  const metrics = new CoreMetrics(
    async () => ({
      isUp: true,
      maxModels: 1,
      replicas: 0,
      hostMemoryBytes: 0,
      hostMemoryBudgetBytes: 0,
      waitingRequests: 0,
      runningRequests: 0,
      loadingRequests: 0,
      devices: [
        {
          index: 0,
          state: "ready",
          models: 0,
          memoryBytes: 0,
          memoryBudgetBytes: 0,
          residentBytes: 0,
          restarts: 0,
        },
      ],
      spans: { exported: 0, failed: 0, dropped: 0 },
    }),
    { process: true },
  );
  // A series is there once something has happened.
  const call = { method: "InferSpeech", durationMs: 1 };
  metrics.requestEnded({ ...call, code: "ok", reason: "ok" });
  metrics.requestEnded({ ...call, code: "resource_exhausted", reason: "queue_full" });
  const times = { melMs: 1, encoderMs: 1, prepareMs: 1, unetMs: 1, fitMs: 1 };
  const batch = { device: 0, worker: 0, frames: 1, queueMs: 1, times };
  metrics.batchEnded({ ...batch, priority: "live" });
  metrics.modelLoaded({ ms: 1, failure: null });
  metrics.modelLoaded({ failure: "out_of_memory" });
  const series = new Map<string, Set<string>>();
  for (const line of (await metrics.text()).split("\n")) {
    const match = /^([a-z0-9_]+)(?:\{(.*)\})? \S+$/.exec(line);
    if (!match) continue;
    const labels = [...(match[2] ?? "").matchAll(/([a-z_]+)="/g)].map(([, label]) => label!);
    series.set(match[1]!, (series.get(match[1]!) ?? new Set()).union(new Set(labels)));
  }
  return series;
}
