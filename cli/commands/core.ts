import { resolve } from "node:path";
import type { LevelControl } from "../../avatar/logger.ts";
import { type ConfigFile, readConfigFile, withTracing } from "../../avatar/runtime/config-file.ts";
import { isBucketUrl } from "../../avatar/s3/s3-environment.ts";
import { type CoreConfig, parseCoreConfig } from "../../gpu-core/config.ts";
import { startCore } from "../../gpu-core/main.ts";
import { reloadOnHangup } from "../hangup-signal.ts";
import { createProcessLogger } from "../log.ts";
import { runUntilStopped } from "../stop-signals.ts";

/** `mouthpiece core`: until it is told to stop. */
export async function runCore(options: { config?: string }): Promise<void> {
  const config = coreConfigFrom(await readConfigFile(options.config));
  const logLevel: LevelControl = { level: config.log_level };
  const logger = createProcessLogger(logLevel);
  const { config: path } = options;
  // Asked for while the devices start, it waits for them.
  const reload = async () => {
    const next = coreConfigFrom(await readConfigFile(path));
    return (await starting).reload(next);
  };
  reloadOnHangup(reload, logger);
  const admin = { logLevel, ...(path !== undefined && { reload }) };
  const starting = startCore(config, logger, admin);
  const running = await starting;
  let isStopping = false;
  const announce = async () => {
    await running.preloaded();
    const table = await running.deviceTable();
    if (!isStopping) process.stdout.write(`${table}\nready ${running.url}\n`);
  };
  const stop = () => {
    isStopping = true;
    return running.stop();
  };
  // It serves, and can be told to stop, while it preloads.
  await Promise.all([announce(), runUntilStopped(stop, 1000 * config.server.drain_timeout_s)]);
}

/** Paths in a configuration file are relative to it. */
export function coreConfigFrom({ value, source, folder }: ConfigFile): CoreConfig {
  const config = parseCoreConfig(withTracing(value), source);
  const { models_root, model_cache, server } = config;
  const { tls, token_file } = server;
  const fromFile = (path: string) => resolve(folder, path);
  return {
    ...config,
    server: {
      ...server,
      ...(token_file !== undefined && { token_file: fromFile(token_file) }),
      ...(tls && {
        tls: {
          cert: fromFile(tls.cert),
          key: fromFile(tls.key),
          ...(tls.client_ca !== undefined && { client_ca: fromFile(tls.client_ca) }),
        },
      }),
    },
    models_root: isBucketUrl(models_root) ? models_root : resolve(folder, models_root),
    model_cache: { ...model_cache, path: resolve(folder, model_cache.path) },
  };
}
