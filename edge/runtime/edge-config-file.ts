import { resolve } from "node:path";
import { type ConfigFile, withTracing } from "../../avatar/runtime/config-file.ts";
import { isBucketUrl } from "../../avatar/s3/s3-environment.ts";
import { type EdgeConfig, parseEdgeConfig } from "../config.ts";

/** The edge's configuration from a file. Paths are relative to it. @throws SettingsError */
export function edgeConfigFrom({ value, source, folder }: ConfigFile): EdgeConfig {
  const config = parseEdgeConfig(withTracing(value), source);
  const { token_file, tls } = config.core;
  const { keys_file } = config.access.tokens;
  const fromFile = (path: string) => resolve(folder, path);
  return {
    ...config,
    avatars_root: isBucketUrl(config.avatars_root)
      ? config.avatars_root
      : fromFile(config.avatars_root),
    access: {
      ...config.access,
      tokens: {
        ...config.access.tokens,
        ...(keys_file !== undefined && { keys_file: fromFile(keys_file) }),
      },
    },
    core: {
      ...config.core,
      ...(token_file !== undefined && { token_file: fromFile(token_file) }),
      ...(tls && {
        tls: Object.fromEntries(
          Object.entries(tls).flatMap(([key, path]) =>
            path === undefined ? [] : [[key, fromFile(path)]],
          ),
        ),
      }),
    },
  };
}
