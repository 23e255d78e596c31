import { VirtualClock } from "../../avatar/clock.ts";
import { type Logger, silentLogger } from "../../avatar/logger.ts";
import type { Manifest } from "../../avatar/manifest.ts";
import { type ModelConfig, parseCoreConfig } from "../../gpu-core/config.ts";
import { Core } from "../../gpu-core/core.ts";
import { CoreError } from "../../gpu-core/core-error.ts";
import type { CoreObserver, ModelLoadEnd } from "../../gpu-core/observe/observer.ts";
import type { ModelSource, ModelVersion } from "../../gpu-core/sources/model-source.ts";
import {
  SIMULATION_DEFAULTS,
  SimulatedEngine,
  type SimulationSettings,
} from "./simulated-engine.ts";

/** As much of a manifest as the core looks at. */
const MANIFEST = {
  width: 100,
  height: 100,
  frameCount: 4,
  rectangles: Array.from({ length: 4 }, () => [10, 10, 20, 20]),
} as unknown as Manifest;

/** Models without files. */
export class SimulatedSource implements ModelSource {
  readonly ids: Set<string>;
  version = "v1";
  /** Resolves of each id. */
  readonly resolved = new Map<string, number>();
  /** Versions that were handed out and not released. */
  held = 0;
  /** Ids that cannot be resolved, and why. */
  readonly broken = new Map<string, CoreError>();
  models: Readonly<Record<string, ModelConfig>> = {};

  constructor(ids: Iterable<string>) {
    this.ids = new Set(ids);
  }

  async listIds(): Promise<string[]> {
    return [...this.ids].sort();
  }

  async check(id: string): Promise<void> {
    if (!this.ids.has(id)) throw new CoreError("not_found", `there is no model ${id}`);
  }

  async resolve(id: string): Promise<ModelVersion> {
    await this.check(id);
    this.resolved.set(id, (this.resolved.get(id) ?? 0) + 1);
    const broken = this.broken.get(id);
    if (broken) throw broken;
    this.held++;
    return {
      id,
      version: this.version,
      manifest: MANIFEST,
      files: { unetPath: id, speech: null },
      release: () => {
        this.held--;
      },
    };
  }

  reconfigure(models: Readonly<Record<string, ModelConfig>>): void {
    this.models = models;
  }

  async close(): Promise<void> {}
}

/** Counts what happens. */
export class EventCounter implements CoreObserver {
  readonly loads = { ok: 0, failed: 0 };
  readonly lookups = { hit: 0, miss: 0 };
  readonly evictions: Record<string, number> = {};
  batches = 0;
  frames = 0;
  retries = 0;

  requestEnded(): void {}

  modelLoaded({ failure }: ModelLoadEnd): void {
    this.loads[failure === null ? "ok" : "failed"]++;
  }

  modelLookedUp(isHit: boolean): void {
    this.lookups[isHit ? "hit" : "miss"]++;
  }

  modelEvicted(reason: string): void {
    this.evictions[reason] = (this.evictions[reason] ?? 0) + 1;
  }

  batchEnded({ frames }: { frames: number }): void {
    this.batches++;
    this.frames += frames;
  }

  requestRetried(): void {
    this.retries++;
  }
}

/** The real core on simulated devices and a clock that the test moves. */
export async function startSimulatedCore(
  settings: {
    config?: object;
    engine?: Partial<SimulationSettings>;
    ids?: readonly string[];
    logger?: Logger;
  } = {},
) {
  const clock = new VirtualClock();
  const engineSettings = { ...SIMULATION_DEFAULTS, ...settings.engine };
  const engine = new SimulatedEngine(engineSettings, clock);
  const source = new SimulatedSource(settings.ids ?? ["a", "b", "c", "d"]);
  const events = new EventCounter();
  const config = parseCoreConfig(settings.config ?? {}, "test");
  const logger = settings.logger ?? silentLogger;
  const fileBytes = async () => 1024;
  const core = new Core({ config, engine, source, logger, observer: events, clock, fileBytes });
  const started = core.start();
  await clock.advanceBy(0);

  /** Starts a request for `frames` frames, read as fast as they come. */
  function speak(
    modelId: string,
    frames: number,
    limits: { signal?: AbortSignal; timeoutMs?: number; version?: string } = {},
  ) {
    const outcome = { frames: [] as number[], error: null as CoreError | null, isDone: false };
    const request = {
      modelId,
      version: limits.version ?? "",
      window: { samples: new Int16Array(160_000), start: 0, utteranceSamples: 160_000 },
      firstFrame: 0,
      backgroundIndices: Array.from({ length: frames }, (_, i) => i % 4),
      priority: "live" as const,
    };
    const { signal = new AbortController().signal, timeoutMs } = limits;
    const read = async () => {
      try {
        for await (const mouth of core.inferSpeech(request, { signal, timeoutMs })) {
          outcome.frames.push(mouth.order.frame);
        }
        outcome.isDone = true;
      } catch (error) {
        outcome.error = error as CoreError;
      }
    };
    void read();
    return outcome;
  }

  /** Names of the models on each worker, without their numbers. */
  const inMemory = () =>
    engine.devices.map((device) =>
      device.workers.flatMap(({ models }) => [...models].map((name) => name.split("#")[0]!)),
    );

  return { clock, engine, source, events, core, started, speak, inMemory };
}
