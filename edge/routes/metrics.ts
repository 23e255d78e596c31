import { Hono } from "hono";
import type { BackgroundPictures } from "../background/background-pictures.ts";
import type { PreparedFrames } from "../background/prepared-frames.ts";
import type { VideoTracks } from "../background/video-tracks.ts";
import type { CoreFleet, CoreFleetStats } from "../core/fleet/core-fleet.ts";
import type { CoreNode } from "../core/fleet/core-node.ts";
import type { KnownSession, LiveSessions } from "../live/live-sessions.ts";
import type { Speaker } from "../speak/speaker.ts";

/** What is counted. */
export interface MetricsSources {
  readonly prepared: PreparedFrames;
  readonly tracks: VideoTracks;
  /** Null where no whole frames are encoded. */
  readonly pictures: BackgroundPictures | null;
  readonly speaker: Speaker;
  readonly core: CoreFleet;
  readonly live: LiveSessions;
  /** Undefined where there is no WebRTC. */
  readonly webrtc: { readonly count: number } | undefined;
}

/** `/metrics` in the Prometheus text format, version 0.0.4. */
export function metricsRoutes(sources: MetricsSources): Hono {
  const { prepared, tracks, pictures, speaker, core, live, webrtc } = sources;
  const app = new Hono();
  app.get("/metrics", (c) => {
    const { hits, misses, evictions, frames, bytes } = prepared.stats;
    const text = [
      counter("prepared_frame_hits_total", "Prepared frames that were in the cache.", hits),
      counter("prepared_frame_misses_total", "Prepared frames that were not.", misses),
      counter("prepared_frame_evictions_total", "Prepared frames that had to leave.", evictions),
      gauge("prepared_frames", "Prepared frames in the cache.", frames),
      gauge("prepared_frame_bytes", "Bytes of prepared frames in the cache.", bytes),
      gauge("speaking", "Utterances under way.", speaker.speaking),
      gauge("video_groups", "Groups of video frames in the cache.", tracks.stats.entries),
      gauge("video_bytes", "Bytes of video in the cache.", tracks.stats.bytes),
      ...(pictures ? pictureMetrics(pictures) : []),
      ...liveMetrics(live),
      ...(webrtc ? [gauge("webrtc_peers", "Who watches by WebRTC.", webrtc.count)] : []),
      ...coreMetrics(core.stats),
    ].join("");
    return c.body(text, 200, {
      "content-type": "text/plain; version=0.0.4; charset=utf-8",
      "cache-control": "no-store",
    });
  });
  return app;
}

function liveMetrics(live: LiveSessions): string[] {
  const sum = (of: (known: KnownSession) => number) =>
    live.all().reduce((total, known) => total + of(known), 0);
  return [
    counter("live_sessions_opened_total", "Live sessions that were opened.", live.opened),
    gauge("live_sessions", "Live sessions.", live.count),
    gauge(
      "live_viewers",
      "Who watches live sessions.",
      sum(({ session }) => session.stats.viewers),
    ),
    gauge(
      "live_speaking",
      "Live sessions in which something is said.",
      sum(({ session }) => Number(session.isSpeaking)),
    ),
    gauge(
      "live_skipped_frames",
      "Frames of the sessions there are that came too late.",
      sum(({ session }) => session.stats.skippedFrames),
    ),
  ];
}

/** Many that are made while few avatars speak: `cache.pictures_mb` does not hold their loops. */
function pictureMetrics({ stats: { made, bytes } }: BackgroundPictures): string[] {
  return [
    counter("pictures_made_total", "Background pictures that were not in the cache.", made),
    gauge("picture_bytes", "Bytes of background pictures in the cache.", bytes),
  ];
}

function counter(name: string, help: string, value: number): string {
  return metric(name, help, "counter", ["", value]);
}

function gauge(name: string, help: string, value: number): string {
  return metric(name, help, "gauge", ["", value]);
}

function coreMetrics({ nodes, retries, hedges }: CoreFleetStats): string[] {
  const perCore = (name: string, help: string, type: string, value: (node: CoreNode) => number) =>
    metric(
      name,
      help,
      type,
      ...nodes.map((node) => [`{core="${escapeLabel(node.url)}"}`, value(node)] as const),
    );
  return [
    perCore("core_up", "Whether calls go to the core.", "gauge", ({ isUp }) => Number(isUp)),
    perCore("core_calls_in_flight", "Calls under way.", "gauge", ({ inFlight }) => inFlight),
    perCore("core_calls_total", "Calls.", "counter", ({ stats }) => stats.calls),
    perCore("core_failures_total", "Calls that failed.", "counter", ({ stats }) => stats.failures),
    perCore(
      "core_ejections_total",
      "Times that the core was taken out.",
      "counter",
      ({ stats }) => stats.ejections,
    ),
    counter("core_retries_total", "Calls that went on at another core.", retries),
    counter("core_hedges_total", "Calls that a second core was asked for.", hedges),
  ];
}

/** Prometheus text format 0.0.4. */
function escapeLabel(value: string): string {
  return value.replace(/\\/g, "\\\\").replace(/"/g, '\\"').replace(/\n/g, "\\n");
}

/** @param samples labels in braces, or nothing, and the value */
function metric(
  name: string,
  help: string,
  type: string,
  ...samples: (readonly [labels: string, value: number])[]
): string {
  const full = `mouthpiece_edge_${name}`;
  const lines = samples.map(([labels, value]) => `${full}${labels} ${value}\n`);
  return `# HELP ${full} ${help}\n# TYPE ${full} ${type}\n${lines.join("")}`;
}
