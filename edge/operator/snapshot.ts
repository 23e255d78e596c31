import type { BackgroundPictures } from "../background/background-pictures.ts";
import type { IdleFrames } from "../background/idle-frames.ts";
import type { CacheStats } from "../background/loading-cache.ts";
import type { PreparedFrames } from "../background/prepared-frames.ts";
import type { VideoTracks } from "../background/video-tracks.ts";
import { type EdgeConfig, megabytes } from "../config.ts";
import type { CoreFleet } from "../core/fleet/core-fleet.ts";
import type { LiveSessions } from "../live/live-sessions.ts";
import type { Sharing } from "../parts.ts";
import type { Speaker } from "../speak/speaker.ts";
import { VERSION } from "../version.ts";
import { CoreInspections, type CoreModels } from "./core-inspections.ts";
import { describeLive, type LiveReport } from "./describe-live.ts";
import type { RecentEntry, RecentLog } from "./recent-log.ts";

/** Every runtime that we serve on has one; the types of some do not. */
const RUNTIME =
  (globalThis as { navigator?: { userAgent?: string } }).navigator?.userAgent ?? "unknown";

/** What an operator is told of the edge: everything at one moment. */
export interface OperatorSnapshot {
  /** ISO 8601. */
  readonly time: string;
  readonly edge: EdgeReport;
  readonly live: LiveReport;
  readonly speaking: SpeakingReport;
  readonly cores: CoresReport;
  readonly caches: readonly CacheReport[];
  readonly log: LogReport;
}

export interface EdgeReport {
  readonly version: string;
  /** As the runtime names itself, such as `Node.js/24`. */
  readonly runtime: string;
  readonly uptimeS: number;
  /** Whether whoever reaches it may use it. */
  readonly isOpen: boolean;
  readonly tenants: number;
  readonly region: string;
  /** The settings `limits` and `live`, by their names. */
  readonly limits: Readonly<Record<string, number>>;
}

/** Utterances under way. */
export interface SpeakingReport {
  /** `limits.max_speaking`. */
  readonly max: number;
  readonly count: number;
  /** Null counts what no tenant asked for. */
  readonly tenants: readonly { readonly tenant: string | null; readonly count: number }[];
}

export interface CoreReport extends CoreModels {
  readonly url: string;
  readonly region: string;
  readonly isUp: boolean;
  readonly inFlight: number;
  readonly calls: number;
  readonly failures: number;
  readonly ejections: number;
  /** Median time to a first frame lately; null while too little is known. */
  readonly firstFrameMs: number | null;
}

export interface CoresReport {
  readonly retries: number;
  readonly hedges: number;
  readonly nodes: readonly CoreReport[];
}

export interface CacheReport extends CacheStats {
  readonly name: string;
  readonly budgetBytes: number;
}

export interface LogReport {
  /** Since the start. */
  readonly warnings: number;
  readonly errors: number;
  /** The newest first. */
  readonly entries: readonly RecentEntry[];
}

export interface SnapshotSources {
  readonly config: EdgeConfig;
  readonly isOpen: boolean;
  readonly prepared: PreparedFrames;
  readonly idleFrames: IdleFrames;
  readonly tracks: VideoTracks;
  /** Null without `video.whole_frames`. */
  readonly pictures: BackgroundPictures | null;
  readonly speaker: Speaker;
  readonly core: CoreFleet;
  readonly live: LiveSessions;
  readonly recentLog: RecentLog;
  readonly sharing: Sharing;
  /** Monotonic milliseconds. */
  readonly now: () => number;
}

/** Takes snapshots of an edge. Nothing is kept between them but what cores have said. */
export class Snapshots {
  readonly #sources: SnapshotSources;
  readonly #inspections: CoreInspections;
  readonly #startedMs: number;

  constructor(sources: SnapshotSources) {
    this.#sources = sources;
    this.#inspections = new CoreInspections(sources.now, sources.sharing);
    this.#startedMs = sources.now();
  }

  /** Waits for cores a moment, and no longer. */
  async take(): Promise<OperatorSnapshot> {
    const { live, recentLog } = this.#sources;
    const cores = await this.#cores();
    const { warn: warnings, error: errors } = recentLog.counts;
    return {
      time: new Date().toISOString(),
      edge: this.#edge(),
      live: describeLive(live),
      speaking: this.#speaking(),
      cores,
      caches: this.#caches(),
      log: { warnings, errors, entries: recentLog.entries },
    };
  }

  #edge(): EdgeReport {
    const { config, isOpen, now } = this.#sources;
    return {
      version: VERSION,
      runtime: RUNTIME,
      uptimeS: Math.floor((now() - this.#startedMs) / 1000),
      isOpen,
      tenants: config.access.tenants.length,
      region: config.core.region,
      limits: { ...config.limits, ...config.live },
    };
  }

  #speaking(): SpeakingReport {
    const { speaker, config } = this.#sources;
    const tenants = [...speaker.speakingByTenant].map(([tenant, count]) => ({ tenant, count }));
    const count = speaker.speaking;
    const others = count - tenants.reduce((sum, each) => sum + each.count, 0);
    return {
      max: config.limits.max_speaking,
      count,
      tenants: others > 0 ? [...tenants, { tenant: null, count: others }] : tenants,
    };
  }

  async #cores(): Promise<CoresReport> {
    const { nodes, retries, hedges } = this.#sources.core.stats;
    const models = await this.#inspections.look(nodes);
    const reports = nodes.map((node, n) => {
      const { url, region, isUp, inFlight, stats, firstFrameMs } = node;
      return { url, region, isUp, inFlight, ...stats, firstFrameMs, ...models[n]! };
    });
    return { retries, hedges, nodes: reports };
  }

  #caches(): CacheReport[] {
    const { prepared, idleFrames, tracks, pictures, config } = this.#sources;
    const { prepared_mb, idle_mb, video_mb, pictures_mb } = config.cache;
    const { frames, ...stats } = prepared.stats;
    const report = (name: string, megabytesOf: number, cache: CacheStats): CacheReport => ({
      name,
      ...cache,
      budgetBytes: megabytes(megabytesOf),
    });
    return [
      report("prepared frames", prepared_mb, { ...stats, entries: frames }),
      report("idle frames", idle_mb, idleFrames.stats),
      report("video groups", video_mb, tracks.stats),
      ...(pictures ? [report("pictures", pictures_mb, pictures.cacheStats)] : []),
    ];
  }
}
