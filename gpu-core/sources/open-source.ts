import type { Logger } from "../../avatar/logger.ts";
import { type Environment, openBucket } from "../../avatar/s3/s3-environment.ts";
import type { CoreConfig } from "../config.ts";
import { createBucketSource } from "./bucket-source.ts";
import { createFolderSource } from "./folder-source.ts";
import { ModelCache } from "./model-cache.ts";
import type { ModelSource } from "./model-source.ts";

/**
 * The source that `models_root` names: a folder, or `s3://bucket[/prefix]`.
 * @throws SettingsError when a variable of the bucket is missing
 * @throws CoreError when the cache's folder cannot be used
 */
export async function openModelSource(
  config: CoreConfig,
  environment: Environment,
  logger: Logger,
): Promise<ModelSource> {
  const bucket = openBucket(config.models_root, environment);
  if (!bucket) return createFolderSource(config.models_root, config.models);
  const closing = new AbortController();
  const cache = await ModelCache.open({
    folder: config.model_cache.path,
    maxBytes: config.model_cache.max_gb * 1024 ** 3,
    store: bucket.store,
    logger,
    signal: closing.signal,
  });
  logger.info("models come from a bucket", { bucket: bucket.name, cachedBytes: cache.bytes });
  return createBucketSource({
    store: bucket.store,
    cache,
    models: config.models,
    now: () => performance.now(),
    abort: () => closing.abort(),
  });
}
