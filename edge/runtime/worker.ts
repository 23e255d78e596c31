import { waitUntil } from "cloudflare:workers";
import { createImageCodecs } from "../../avatar/image/codecs.ts";
import { createJsonLogger, type Logger } from "../../avatar/logger.ts";
import type { ObjectStore } from "../../avatar/object-store.ts";
import { createR2Store } from "../../avatar/r2/r2-store.ts";
import { openBucket } from "../../avatar/s3/s3-environment.ts";
import { SettingsError } from "../../avatar/settings.ts";
import { createTracing } from "../../avatar/tracing/tracing.ts";
import { openAccess } from "../access/open-access.ts";
import { allOf, createLocalRateLimiter, type RateLimiter } from "../access/rate-limiter.ts";
import { parseTokenKeys } from "../access/token-keys.ts";
import { createApp, type EdgeApp } from "../app.ts";
import { cacheStore } from "../background/cached-store.ts";
import { createFramePreparer } from "../background/frame-preparer.ts";
import { limitStore } from "../background/limited-store.ts";
import { type EdgeConfig, parseEdgeConfig } from "../config.ts";
import { openFleet } from "../core/fleet/open-fleet.ts";
import { RecentLog } from "../operator/recent-log.ts";
import type { Sharing } from "../parts.ts";
import { createFetchTransport } from "./fetch-transport.ts";
import { acceptWorkerSocket } from "./worker-socket.ts";

/** Bindings, variables and secrets, as `wrangler.toml` names them. */
export interface Env {
  /** The edge's configuration, with the keys of its YAML file. */
  readonly EDGE?: unknown;
  /** The avatars; without it `avatars_root` names a bucket that is reached as S3. */
  readonly AVATARS?: R2Bucket;
  /** The page. */
  readonly ASSETS?: Fetcher;
  /** The way to the core, where it is not the public network: a VPC service, or mTLS. */
  readonly CORE?: Fetcher;
  /** Secret: bearer token for the core. */
  readonly MOUTHPIECE_CORE_TOKEN?: string;
  /** Secret: JWK set with which session tokens are made and checked. */
  readonly MOUTHPIECE_TOKEN_KEYS?: string;
  /** Counts calls of a tenant in the whole location. */
  readonly RATE_LIMIT?: RateLimit;
  readonly AWS_ENDPOINT_URL?: string;
  readonly AWS_REGION?: string;
  /** Secrets. */
  readonly AWS_ACCESS_KEY_ID?: string;
  readonly AWS_SECRET_ACCESS_KEY?: string;
}

/**
 * An isolate has 128 MB, and requests under way need the most: who speaks in H.264 has
 * two coders, which take 4.3 MB for a band of 1280x352.
 */
const SMALL_SETTINGS = {
  cache: { prepared_mb: 16, read_ahead_mb: 4, video_mb: 16, idle_mb: 4 },
  limits: { max_speaking: 16 },
};
/** Its periods are 10 or 60 seconds. */
const BINDING_RETRY_S = 10;
const SOURCE = "[vars] EDGE of wrangler.toml";
/** Work ends with the request that began it, and has then half a minute more. */
const SHARING: Sharing = {
  keepAlive: (work) => waitUntil(work),
  patienceMs: 5000,
};

const now = () => performance.now();

let app: EdgeApp | null = null;

export default {
  async fetch(request, env, context) {
    try {
      // Once per isolate: its caches serve every request that comes here.
      app ??= buildApp(env);
    } catch (error) {
      if (!(error instanceof SettingsError)) throw error;
      console.error(JSON.stringify({ level: "error", message: error.message }));
      const detail = "the edge is not configured: its log says what is missing";
      const headers = { "content-type": "application/problem+json", "cache-control": "no-store" };
      return Response.json(
        { title: "Internal Server Error", status: 500, detail },
        { status: 500, headers },
      );
    }
    if (request.headers.get("upgrade")?.toLowerCase() === "websocket") {
      return app.connect(request, acceptWorkerSocket);
    }
    return app.fetch(request, env, context);
  },
} satisfies ExportedHandler<Env>;

function buildApp(env: Env): EdgeApp {
  const config = parseEdgeConfig(withSmallSettings(env.EDGE), SOURCE);
  const recentLog = new RecentLog();
  const logger = recentLog.around(createJsonLogger(config.log_level, (line) => console.log(line)));
  const tracing = createTracing(config.tracing, logger);
  checkFiles(config);
  const openCore = (url: string) => ({
    transport: createFetchTransport({
      url,
      token: env.MOUTHPIECE_CORE_TOKEN || null,
      ...(env.CORE && { fetch: env.CORE.fetch.bind(env.CORE) as typeof fetch }),
    }),
    // Each call has its own end.
    close() {},
  });
  const { ASSETS } = env;
  const local = createLocalRateLimiter(now);
  const access = openAccess(config, {
    isReachable: true,
    tokenKeys: env.MOUTHPIECE_TOKEN_KEYS
      ? parseTokenKeys(env.MOUTHPIECE_TOKEN_KEYS, "the secret MOUTHPIECE_TOKEN_KEYS")
      : [],
    limiter: env.RATE_LIMIT ? allOf(local, limiterOf(env.RATE_LIMIT)) : local,
    logger,
  });
  return createApp({
    config,
    access,
    store: openStore(config, env, logger),
    core: openFleet(config, openCore, { logger, tracing, sharing: SHARING }),
    preparer: createFramePreparer(createImageCodecs()),
    assets: ASSETS ? (path) => readAsset(ASSETS, path) : null,
    logger,
    recentLog,
    tracing,
    sharing: SHARING,
    now,
  });
}

/** Settings as given; what is no object is refused by whoever checks them. */
function withSmallSettings(given: unknown): unknown {
  if (given === undefined) return SMALL_SETTINGS;
  if (!isSection(given)) return given;
  const settings: Record<string, unknown> = { ...given };
  for (const [name, small] of Object.entries(SMALL_SETTINGS)) {
    const section = name in settings ? settings[name] : {};
    settings[name] = isSection(section) ? { ...small, ...section } : section;
  }
  return settings;
}

function isSection(value: unknown): value is object {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The binding's own limit holds, for each tenant alike, and its period ends within a minute. */
function limiterOf(binding: RateLimit): RateLimiter {
  return {
    async take(account) {
      const { success } = await binding.limit({ key: account });
      return success ? 0 : BINDING_RETRY_S;
    },
  };
}

function checkFiles({
  core: { token_file, tls, discover },
  access,
  video,
  webrtc,
}: EdgeConfig): void {
  if (webrtc) {
    throw new SettingsError(
      `${SOURCE}: webrtc needs UDP, which a Worker has not: viewers watch over the WebSocket; leave the section out, or run the edge of live sessions on Node`,
    );
  }
  if (video.whole_frames) {
    throw new SettingsError(
      `${SOURCE}: video.whole_frames needs an encoder, which a Worker has not: publish the avatars with --formats h264`,
    );
  }
  if (discover) {
    throw new SettingsError(
      `${SOURCE}: core.discover follows a DNS name, which a Worker cannot: use core.url or core.cores`,
    );
  }
  if (access.tokens.keys_file !== undefined) {
    throw new SettingsError(
      `${SOURCE}: access.tokens.keys_file is a file, which a Worker has not: use the secret MOUTHPIECE_TOKEN_KEYS`,
    );
  }
  if (token_file === undefined && !tls) return;
  throw new SettingsError(
    `${SOURCE}: core.token_file and core.tls are files, which a Worker has not: use the secret MOUTHPIECE_CORE_TOKEN, and the binding CORE for client certificates`,
  );
}

function openStore(config: EdgeConfig, env: Env, logger: Logger): ObjectStore {
  const { avatars_root, store } = config;
  const limitMs = 1000 * store.timeout_s;
  // A slot that its request took with it would never come back: the platform counts for itself.
  const parallel = Number.POSITIVE_INFINITY;
  const bucket = env.AVATARS
    ? createR2Store({ bucket: env.AVATARS, prefix: "" })
    : openBucket(avatars_root, env as Record<string, string | undefined>, { parallel })?.store;
  if (bucket) {
    const options = { cache: caches.default, sharing: SHARING, logger, now };
    return cacheStore(limitStore(bucket, limitMs), options);
  }
  throw new SettingsError(
    `${SOURCE}: there are no avatars: bind an R2 bucket as AVATARS, or set avatars_root to s3://bucket[/prefix]`,
  );
}

async function readAsset(assets: Fetcher, path: string): Promise<Response | null> {
  const found = await assets.fetch(new URL(path, "https://assets.invalid"));
  // The headers of what it gives cannot be changed, and the page's are set on it.
  return found.ok ? new Response(found.body, found) : null;
}
