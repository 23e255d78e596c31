import * as z from "zod";
import { parseSettings, SettingsError } from "../avatar/settings.ts";
import { accessSchema, contradictionIn } from "./access/access-settings.ts";
import { coreDiscoverySchema, MAX_CORES } from "./core/discovery-settings.ts";
import type { CoreAddress } from "./core/fleet/core-node.ts";
import { liveSchema } from "./live/live-settings.ts";
import { webrtcSchema } from "./live/webrtc-settings.ts";

const MEGABYTE = 1024 * 1024;
const LOCAL_CORE = "http://127.0.0.1:50051";

const coreUrl = z.url({ protocol: /^https?$/ });

const configSchema = z.strictObject({
  server: z
    .strictObject({
      /** Address to listen on. Loopback unless said otherwise. */
      host: z.string().min(1).default("127.0.0.1"),
      port: z.int().min(0).max(65_535).default(8787),
      /** Requests under way get so long when the edge stops, in seconds. Not in Workers. */
      drain_timeout_s: z.number().min(0).max(3600).default(10),
    })
    .prefault({}),
  core: z
    .strictObject({
      /** The core, where there is one. Default: one on this machine. */
      url: coreUrl.optional(),
      /** The cores, where there are several; `url` is not used then. */
      cores: z
        .array(
          z.strictObject({
            url: coreUrl,
            /** Where it is; a name of your own. */
            region: z.string().max(64).default(""),
          }),
        )
        .min(1)
        .max(MAX_CORES)
        .optional(),
      /** The cores that a DNS name has, instead of `url` and `cores`. Not in Workers. */
      discover: coreDiscoverySchema.optional(),
      /** Where this edge is. Cores of other regions serve while none of its own does. */
      region: z.string().max(64).default(""),
      /** Asking a second core when the first is slow to begin. */
      hedge: z
        .strictObject({
          /** Of calls; 0 never asks twice. */
          share: z.number().min(0).max(1).default(0.05),
          /** No sooner than this many milliseconds, and than three times what is usual. */
          least_delay_ms: z.number().min(1).max(60_000).default(100),
        })
        .prefault({}),
      /** Longest wait for the next frame from the core, in seconds. */
      timeout_s: z.number().positive().max(600).default(60),
      /** File whose first token is sent to the core. Without it MOUTHPIECE_CORE_TOKEN is, if it is set. */
      token_file: z.string().min(1).optional(),
      /** PEM files for an https: URL. */
      tls: z
        .strictObject({
          /** Authorities of the core's certificate. Default: those of the system. */
          ca: z.string().min(1).optional(),
          /** This edge's own certificate and its key, for a core with server.tls.client_ca. */
          cert: z.string().min(1).optional(),
          key: z.string().min(1).optional(),
        })
        .optional(),
    })
    .prefault({}),
  /** Who may use the edge. */
  access: accessSchema.prefault({}),
  /** The folder that holds `avatars/`, relative to the configuration file, or `s3://bucket[/prefix]`. */
  avatars_root: z.string().min(1).default(".data"),
  store: z
    .strictObject({
      /** Longest wait for an object or a range of one, retries included, in seconds. */
      timeout_s: z.number().positive().max(600).default(10),
    })
    .prefault({}),
  limits: z
    .strictObject({
      /** Largest body of a speak request. */
      max_body_mb: z.number().positive().max(4096).default(256),
      /** Longest utterance; its upload may take as long and upload_idle_s more. */
      max_speech_s: z.number().positive().max(36_000).default(600),
      /** Longest silence within an upload, in seconds. */
      upload_idle_s: z.number().positive().max(600).default(30),
      /** Utterances at the same time; more are told to come back. */
      max_speaking: z.int().min(1).max(100_000).default(64),
    })
    .prefault({}),
  /** Live sessions. */
  live: liveSchema.prefault({}),
  cache: z
    .strictObject({
      /** Prepared frames of all avatars together; one of 720p has 60 to 600 KB. */
      prepared_mb: z.number().positive().max(1_048_576).default(512),
      /** Prepared frames that are read from packs before they are needed, of all who speak together. */
      read_ahead_mb: z.number().positive().max(1_048_576).default(64),
      /** Video of all avatars together; six seconds of a 720p background have about 1 MB. */
      video_mb: z.number().positive().max(1_048_576).default(256),
      /** Idle frames of all avatars together. */
      idle_mb: z.number().positive().max(1_048_576).default(64),
      /** With video.whole_frames: background frames as the encoder takes them; one of 720p has 1.4 MB. */
      pictures_mb: z.number().positive().max(1_048_576).default(256),
    })
    .prefault({}),
  /** For avatars that were published without a video track. */
  video: z
    .strictObject({
      /**
       * Encodes their frames as a whole when somebody asks for video. On Node only,
       * with the package @napi-rs/webcodecs, which does not come with this one: it
       * links x264, whose licence is the GPL. Without: such avatars have no video.
       */
      whole_frames: z.boolean().default(false),
    })
    .prefault({}),
  /** For avatars that were published without packs. */
  jpeg: z
    .strictObject({
      /** As libjpeg counts it. */
      quality: z.int().min(1).max(100).default(85),
      /** Of the colours. */
      subsampling: z.enum(["4:2:0", "4:4:4"]).default("4:2:0"),
    })
    .prefault({}),
  /** Live sessions over WebRTC; without the section there are none. On Node only. */
  webrtc: webrtcSchema.optional(),
  log_level: z.enum(["debug", "info", "warn", "error"]).default("info"),
  /** OpenTelemetry traces. */
  tracing: z
    .strictObject({
      /** OTLP over HTTP, such as http://127.0.0.1:4318/v1/traces. Without it nothing is traced. */
      otlp_endpoint: z.url({ protocol: /^https?$/ }).optional(),
      /** Share of requests that are traced when the caller has not decided. */
      sample_ratio: z.number().min(0).max(1).default(1),
      /** Name of this service in its traces. */
      service_name: z.string().min(1).default("mouthpiece-edge"),
    })
    .prefault({}),
});

/** The edge's configuration, complete and checked. */
export type EdgeConfig = z.infer<typeof configSchema>;

/** Fills in defaults and checks values. @param source Named in errors. @throws SettingsError */
export function parseEdgeConfig(value: unknown, source: string): EdgeConfig {
  const config = parseSettings(configSchema, value, source);
  const contradiction = contradictionIn(config.access);
  if (contradiction !== null) throw new SettingsError(`${source}: ${contradiction}`);
  checkDiscovery(config, source);
  const cores = coresOf(config);
  const plain = cores.find(({ url }) => new URL(url).protocol !== "https:");
  if (config.core.tls && plain) {
    throw new SettingsError(
      `${source}: core.tls: the core ${plain.url} is not encrypted: use https:, or leave out core.tls`,
    );
  }
  if (new Set(cores.map(({ url }) => url)).size !== cores.length) {
    throw new SettingsError(`${source}: core.cores: a url is there twice`);
  }
  return config;
}

/** What would be ignored beside `core.discover`, or break every call, is refused. */
function checkDiscovery({ core }: EdgeConfig, source: string): void {
  const { discover, url, cores, tls } = core;
  if (!discover) return;
  if (url !== undefined || cores) {
    const other = cores ? "core.cores" : "core.url";
    throw new SettingsError(
      `${source}: core.discover: ${other} names cores, too: leave out one of them`,
    );
  }
  if (tls && discover.scheme !== "https") {
    throw new SettingsError(
      `${source}: core.tls: core.discover.scheme is http: use https, or leave out core.tls`,
    );
  }
}

/** The cores that the configuration names: none where they are yet to be discovered. */
export function coresOf({ core }: EdgeConfig): readonly CoreAddress[] {
  if (core.discover) return [];
  return core.cores ?? [{ url: core.url ?? LOCAL_CORE, region: core.region }];
}

/** How long an upload may be silent, and take, in milliseconds. */
export function uploadTimes({ limits }: Pick<EdgeConfig, "limits">): {
  readonly idleMs: number;
  readonly totalMs: number;
} {
  const { upload_idle_s, max_speech_s } = limits;
  return { idleMs: 1000 * upload_idle_s, totalMs: 1000 * (max_speech_s + upload_idle_s) };
}

export function megabytes(count: number): number {
  return Math.round(count * MEGABYTE);
}
