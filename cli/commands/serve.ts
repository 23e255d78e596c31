import { resolve } from "node:path";
import * as z from "zod";
import type { LevelControl } from "../../avatar/logger.ts";
import { readConfigFile } from "../../avatar/runtime/config-file.ts";
import { parseSettings } from "../../avatar/settings.ts";
import { edgeConfigFrom } from "../../edge/runtime/edge-config-file.ts";
import { startNodeEdge } from "../../edge/runtime/node.ts";
import { startCore } from "../../gpu-core/main.ts";
import { CommandError } from "../command-error.ts";
import { startDemoVideo } from "../demo-video.ts";
import { reloadOnHangup } from "../hangup-signal.ts";
import { createProcessLogger } from "../log.ts";
import { runUntilStopped } from "../stop-signals.ts";
import { coreConfigFrom } from "./core.ts";
import { pageFolder } from "./edge.ts";

const CHECK_TIMEOUT_MS = 10_000;

const serveSchema = z.strictObject({
  core: z.record(z.string(), z.unknown()).default({}),
  edge: z.record(z.string(), z.unknown()).default({}),
});

/**
 * `mouthpiece serve`: core and edge in one process group, with the demo
 * avatar. `HOST`, `PORT` and `MOUTHPIECE_DATA` override.
 */
export async function runServe(options: { config?: string }): Promise<void> {
  const { file, sections, coreConfig } = await readServeFile(options.config);
  const logLevel: LevelControl = { level: coreConfig.log_level };
  const logger = createProcessLogger(logLevel);
  const reload = async () => {
    const next = await readServeFile(options.config);
    const edgeWaits = JSON.stringify(next.sections.edge) !== JSON.stringify(sections.edge);
    if (edgeWaits) logger.warn("other settings of the edge wait for the next start");
    return (await starting).reload(next.coreConfig);
  };
  reloadOnHangup(reload, logger);
  // Only here: the other commands need no drawing.
  const starting = import("../demo-avatar.ts").then(async ({ ensureDemoAvatar }) => {
    await ensureDemoAvatar(coreConfig.models_root);
    const admin = { logLevel, ...(options.config !== undefined && { reload }) };
    return startCore(coreConfig, logger.with({ part: "core" }), admin);
  });
  const core = await starting;
  try {
    await core.preloaded();
    // The two share their tokens unless the edge has its own.
    const { token_file } = coreConfig.server;
    const edgeConfig = edgeConfigFrom({
      ...file,
      value: {
        avatars_root: coreConfig.models_root,
        webrtc: {},
        ...sections.edge,
        core: {
          url: core.url,
          ...(token_file !== undefined && { token_file }),
          ...asObject(sections.edge.core),
        },
        server: { ...addressFromEnvironment(), ...asObject(sections.edge.server) },
      },
    });
    const edge = await startNodeEdge(edgeConfig, pageFolder(), logger.with({ part: "edge" }));
    try {
      // The two sections may not fit: better told now than to the first viewer.
      await edge.checkCore(AbortSignal.timeout(CHECK_TIMEOUT_MS));
    } catch (error) {
      await edge.stop();
      const why = error instanceof Error ? error.message : String(error);
      throw new CommandError(`the edge cannot use the core: ${why}`, { cause: error });
    }
    process.stdout.write(`${await core.deviceTable()}\nready ${edge.url}\n`);
    const video = await startDemoVideo(coreConfig.models_root, logger);
    await runUntilStopped(
      async () => {
        video.stop();
        await edge.stop();
        await core.stop();
      },
      1000 * (coreConfig.server.drain_timeout_s + edgeConfig.server.drain_timeout_s),
    );
  } catch (error) {
    await core.stop();
    throw error;
  }
}

/** The file, its sections, and the core's with what the two parts agree on. @throws SettingsError */
async function readServeFile(path: string | undefined) {
  const file = await readConfigFile(path);
  const sections = parseSettings(serveSchema, file.value, file.source);
  const coreConfig = coreConfigFrom({
    ...file,
    value: {
      models_root: resolve(process.env.MOUTHPIECE_DATA ?? ".data"),
      ...sections.core,
      // The port is between the two, so any free one will do.
      server: { port: 0, ...asObject(sections.core.server) },
    },
  });
  return { file, sections, coreConfig };
}

function addressFromEnvironment(): { host?: string; port?: number } {
  const { HOST, PORT } = process.env;
  if (PORT !== undefined && !/^[0-9]{1,5}$/.test(PORT)) {
    throw new CommandError(`PORT=${PORT} is no port: use 0 to 65535`, { isUsage: true });
  }
  return { ...(HOST && { host: HOST }), ...(PORT && { port: Number(PORT) }) };
}

function asObject(value: unknown): object {
  return typeof value === "object" && value !== null ? value : {};
}
