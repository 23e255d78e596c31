import { Hono } from "hono";
import type { PreparedFrames } from "../background/prepared-frames.ts";
import type { Speaker } from "../speak/speaker.ts";

/** `/metrics` in the Prometheus text format, version 0.0.4. */
export function metricsRoutes(prepared: PreparedFrames, speaker: Speaker): Hono {
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
    ].join("");
    return c.body(text, 200, {
      "content-type": "text/plain; version=0.0.4; charset=utf-8",
      "cache-control": "no-store",
    });
  });
  return app;
}

function counter(name: string, help: string, value: number): string {
  return metric(name, help, "counter", value);
}

function gauge(name: string, help: string, value: number): string {
  return metric(name, help, "gauge", value);
}

function metric(name: string, help: string, type: string, value: number): string {
  const full = `mouthpiece_edge_${name}`;
  return `# HELP ${full} ${help}\n# TYPE ${full} ${type}\n${full} ${value}\n`;
}
