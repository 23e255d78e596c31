import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { type EdgeConfig, parseEdgeConfig } from "../../edge/config.ts";
import { startNodeEdge } from "../../edge/runtime/node.ts";
import { CommandError } from "../command-error.ts";
import { type ConfigFile, readConfigFile, withTracing } from "../config-file.ts";
import { createProcessLogger } from "../log.ts";
import { runUntilStopped } from "../stop-signals.ts";

/** `mouthpiece edge`: until it is told to stop. */
export async function runEdge(options: { config?: string }): Promise<void> {
  const config = edgeConfigFrom(await readConfigFile(options.config));
  const logger = createProcessLogger(config.log_level);
  const running = await startNodeEdge(config, pageFolder(), logger);
  process.stdout.write(`ready ${running.url}\n`);
  await runUntilStopped(() => running.stop());
}

/** Paths in a configuration file are relative to it. */
export function edgeConfigFrom({ value, source, folder }: ConfigFile): EdgeConfig {
  const config = parseEdgeConfig(withTracing(value), source);
  const { token_file, tls } = config.core;
  const fromFile = (path: string) => resolve(folder, path);
  return {
    ...config,
    avatars_root: fromFile(config.avatars_root),
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

/** The built page. @throws CommandError when it was not built */
export function pageFolder(): string {
  const folder = fileURLToPath(new URL("../../client/dist", import.meta.url));
  if (existsSync(folder)) return folder;
  throw new CommandError('the page is not built: run "npm run build"');
}
