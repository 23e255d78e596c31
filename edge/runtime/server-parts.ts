import { availableParallelism } from "node:os";
import { systemClock } from "../../avatar/clock.ts";
import type { Logger } from "../../avatar/logger.ts";
import { createFolderStore } from "../../avatar/runtime/folder-store.ts";
import { isLoopback } from "../../avatar/runtime/loopback.ts";
import { openBucket } from "../../avatar/s3/s3-environment.ts";
import { createTracing } from "../../avatar/tracing/tracing.ts";
import { openAccess } from "../access/open-access.ts";
import { createLocalRateLimiter } from "../access/rate-limiter.ts";
import { limitStore } from "../background/limited-store.ts";
import type { EdgeConfig } from "../config.ts";
import type { CoreFleet } from "../core/fleet/core-fleet.ts";
import { type OpenTransport, openFleet } from "../core/fleet/open-fleet.ts";
import { RecentLog } from "../operator/recent-log.ts";
import type { EdgeParts } from "../parts.ts";
import { CoreFollower } from "./core-discovery.ts";
import { createFolderAssets } from "./folder-assets.ts";
import { createPreparerPool } from "./preparer-pool.ts";
import { readTokenKeys } from "./token-keys-file.ts";

/** What is left of the traces gets so long. */
const FLUSH_LIMIT_MS = 2000;
/** Requests to a bucket at the same time. */
const BUCKET_PARALLEL = 32;

export interface ServerParts extends EdgeParts {
  readonly core: CoreFleet;
  /** Ends the connections to the cores and the threads and sends what is left of the traces. */
  stop(): Promise<void>;
}

/**
 * The parts of an edge on Node or Deno.
 * @param openCore how to reach a core
 * @param assetsRoot folder of the built page; null serves none
 * @throws SettingsError when a variable of the bucket is missing, or anybody could use the edge
 */
export async function createServerParts(
  config: EdgeConfig,
  openCore: (url: string) => OpenTransport,
  assetsRoot: string | null,
  log: Logger,
): Promise<ServerParts> {
  const recentLog = new RecentLog();
  const logger = recentLog.around(log);
  const { avatars_root, server } = config;
  const now = () => performance.now();
  const access = openAccess(config, {
    isReachable: !isLoopback(server.host),
    tokenKeys: await readTokenKeys(config.access.tokens.keys_file),
    limiter: createLocalRateLimiter(now),
    logger,
  });
  const bucket = openBucket(avatars_root, process.env, { parallel: BUCKET_PARALLEL });
  const store = bucket?.store ?? createFolderStore(avatars_root);
  const tracing = createTracing(config.tracing, logger);
  const core = openFleet(config, openCore, { logger, tracing });
  const { discover, region } = config.core;
  const setCores = core.setCores.bind(core);
  const follower =
    discover && new CoreFollower({ discover, region, clock: systemClock, logger, setCores });
  const preparer = createPreparerPool(availableParallelism());
  return {
    config,
    access,
    store: limitStore(store, 1000 * config.store.timeout_s),
    core,
    preparer,
    assets: assetsRoot === null ? null : createFolderAssets(assetsRoot),
    logger,
    recentLog,
    tracing,
    now,
    async stop() {
      follower?.stop();
      core.close();
      await preparer.stop();
      await tracing.stop(FLUSH_LIMIT_MS);
    },
  };
}
