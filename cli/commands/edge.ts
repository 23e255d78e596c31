import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { readConfigFile } from "../../avatar/runtime/config-file.ts";
import { edgeConfigFrom } from "../../edge/runtime/edge-config-file.ts";
import { startNodeEdge } from "../../edge/runtime/node.ts";
import { CommandError } from "../command-error.ts";
import { createProcessLogger } from "../log.ts";
import { runUntilStopped } from "../stop-signals.ts";

/** `mouthpiece edge`: until it is told to stop. */
export async function runEdge(options: { config?: string }): Promise<void> {
  const config = edgeConfigFrom(await readConfigFile(options.config));
  const logger = createProcessLogger(config.log_level);
  const running = await startNodeEdge(config, pageFolder(), logger);
  process.stdout.write(`ready ${running.url}\n`);
  await runUntilStopped(() => running.stop(), 1000 * config.server.drain_timeout_s);
}

/** The built page. @throws CommandError when it was not built */
export function pageFolder(): string {
  const folder = fileURLToPath(new URL("../../client/dist", import.meta.url));
  if (existsSync(folder)) return folder;
  throw new CommandError('the page is not built: run "npm run build"');
}
