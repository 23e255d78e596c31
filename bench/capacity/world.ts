import { VirtualClock } from "../../avatar/clock.ts";
import { silentLogger } from "../../avatar/logger.ts";
import { parseCoreConfig } from "../../gpu-core/config.ts";
import { Core } from "../../gpu-core/core.ts";
import { EventCounter, SimulatedSource } from "../../test/support/simulated-core.ts";
import {
  type SimulatedDevice,
  SimulatedEngine,
  type SimulationSettings,
} from "../../test/support/simulated-engine.ts";
import { Histogram } from "./histogram.ts";
import { SETTINGS } from "./settings.ts";

export interface WorldOptions {
  readonly gpus: number;
  readonly workersPerGpu?: number;
  readonly ids: readonly string[];
  readonly config?: { readonly capacity?: object; readonly server?: object };
  readonly engine?: Partial<SimulationSettings>;
}

/** Queueing of frames while `isMeasuring`. */
export class QueueWatch extends EventCounter {
  readonly queueing = new Histogram();
  isMeasuring = false;
  measuredFrames = 0;

  override batchEnded(report: { frames: number; queueMs: number }): void {
    super.batchEnded(report);
    if (!this.isMeasuring) return;
    this.queueing.add(report.queueMs, report.frames);
    this.measuredFrames += report.frames;
  }
}

/** The real core, its registry, queues and scheduler, on devices and a clock that are simulated. */
export interface World {
  readonly clock: VirtualClock;
  readonly core: Core;
  readonly devices: readonly SimulatedDevice[];
  readonly watch: QueueWatch;
  /** Finishes `work` however long it takes on the clock. */
  settle<T>(work: Promise<T>): Promise<T>;
}

export async function createWorld(options: WorldOptions): Promise<World> {
  const { gpus, ids, workersPerGpu = SETTINGS.workersPerGpu } = options;
  const clock = new VirtualClock();
  const settings: SimulationSettings = {
    devices: gpus,
    workers: workersPerGpu,
    frameMs: () => SETTINGS.frameMs,
    loadMs: () => SETTINGS.loadMs,
    memory: () => ({ hostBytes: SETTINGS.modelBytes / 10, deviceBytes: SETTINGS.modelBytes }),
    memoryBudgetBytes: SETTINGS.gpuBytes,
    restartMs: SETTINGS.restartMs,
    ...options.engine,
  };
  const engine = new SimulatedEngine(settings, clock);
  const config = parseCoreConfig(
    {
      gpus: { enabled: true, count: gpus, memory_gb_per_gpu: SETTINGS.gpuBytes / 1024 ** 3 },
      server: { worker_count_per_gpu: workersPerGpu, ...options.config?.server },
      capacity: { max_models: 100_000, max_memory_gb: 1024, ...options.config?.capacity },
    },
    "simulation",
  );
  const watch = new QueueWatch();
  const core = new Core({
    config,
    engine,
    source: new SimulatedSource(ids),
    logger: silentLogger,
    observer: watch,
    clock,
    fileBytes: async () => SETTINGS.modelFileBytes,
  });
  const settle = async <T>(work: Promise<T>): Promise<T> => {
    let isDone = false;
    const done = work.finally(() => {
      isDone = true;
    });
    done.catch(() => {});
    while (!isDone) await clock.advanceBy(100);
    return done;
  };
  await settle(core.start());
  return { clock, core, devices: engine.devices, watch, settle };
}
