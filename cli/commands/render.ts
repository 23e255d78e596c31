import { createReadStream } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { join, resolve } from "node:path";
import { readAvatar } from "../../avatar/catalogue.ts";
import { createFolderStore } from "../../avatar/runtime/folder-store.ts";
import { frameCount } from "../../avatar/speech-timing.ts";
import { ANYONE } from "../../edge/access/caller.ts";
import { AudioError } from "../../edge/audio/audio-error.ts";
import { decodeSpeech } from "../../edge/audio/decode-audio.ts";
import { joinBytes } from "../../edge/compositor/join-bytes.ts";
import { parseEdgeConfig } from "../../edge/config.ts";
import { createConnectCoreClient } from "../../edge/core/connect-core-client.ts";
import { CoreCallError } from "../../edge/core/core-client.ts";
import { createCoreTransports } from "../../edge/runtime/core-transport.ts";
import { createPreparerPool } from "../../edge/runtime/preparer-pool.ts";
import { openComposers } from "../../edge/speak/open-composers.ts";
import { Speaker } from "../../edge/speak/speaker.ts";
import { parseCoreConfig } from "../../gpu-core/config.ts";
import { startCore } from "../../gpu-core/main.ts";
import { CommandError } from "../command-error.ts";
import { ACCESS_NAMES, type AccessOptions, accessFiles } from "../core-connection.ts";
import { createProcessLogger } from "../log.ts";
import { Progress } from "../progress.ts";

export interface RenderOptions extends AccessOptions {
  readonly avatar: string;
  readonly audio: string;
  readonly out: string;
  readonly start: string;
  readonly root: string;
  readonly core?: string;
  readonly json?: boolean;
}

/** `mouthpiece render`: the edge's own path from speech to frames, into files. */
export async function runRender(options: RenderOptions): Promise<void> {
  const start = Number(options.start);
  if (!/^[0-9]{1,10}$/.test(options.start)) {
    throw new CommandError(`--start ${options.start}: use a whole number of frames from 0`, {
      isUsage: true,
    });
  }
  const root = resolve(options.root);
  const logger = createProcessLogger("warn");
  const config = parseCoreConfig({ models_root: root, server: { port: 0 } }, "render");
  const core = options.core === undefined ? await startCore(config, logger) : null;
  try {
    const frames = await renderFrames(options, core?.url ?? options.core ?? "", root, start);
    const result = { avatar: options.avatar, frames, out: resolve(options.out) };
    process.stdout.write(
      options.json ? `${JSON.stringify(result)}\n` : `${frames} frames in ${result.out}/frames\n`,
    );
  } catch (error) {
    if (error instanceof AudioError || error instanceof CoreCallError) {
      throw new CommandError(error.message, { cause: error });
    }
    throw error;
  } finally {
    await core?.stop();
  }
}

async function renderFrames(
  options: RenderOptions,
  coreUrl: string,
  root: string,
  start: number,
): Promise<number> {
  const edge = parseEdgeConfig({}, "render");
  const now = () => performance.now();
  const openCore = await createCoreTransports(accessFiles(options), ACCESS_NAMES);
  const { transport, close } = openCore(coreUrl);
  const store = createFolderStore(root);
  const preparer = createPreparerPool(availableParallelism());
  const speaker = new Speaker({
    core: createConnectCoreClient(transport, edge.core.timeout_s * 1000),
    composers: openComposers({ config: edge, store, preparer, pngEffort: "fast", now }).composers,
    maxSpeaking: 1,
    now,
  });
  const avatar = await readAvatar(store, options.avatar);
  const folder = join(options.out, "frames");
  await mkdir(folder, { recursive: true });
  const progress = new Progress("rendering");
  let samples = 0;
  async function* counted(): AsyncGenerator<Int16Array> {
    for await (const chunk of decodeSpeech(readFileChunks(options.audio), "audio/wav", {})) {
      samples += chunk.length;
      yield chunk;
    }
  }
  let frames = 0;
  const request = {
    caller: ANYONE,
    avatar,
    speech: counted(),
    start,
    format: "png",
    signal: new AbortController().signal,
    requestId: "render",
  } as const;
  for await (const frame of speaker.speak(request)) {
    const name = `${String(frame.frame).padStart(6, "0")}.png`;
    await writeFile(join(folder, name), joinBytes(frame.parts));
    progress.update(++frames, Math.max(frames, frameCount(samples)));
  }
  close();
  await preparer.stop();
  return frames;
}

async function* readFileChunks(path: string): AsyncGenerator<Uint8Array> {
  try {
    yield* createReadStream(path);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new CommandError(`cannot read ${path}: ${why}`, { cause });
  }
}
