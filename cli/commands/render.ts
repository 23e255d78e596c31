import { createReadStream } from "node:fs";
import { mkdir, open, rename, rm, writeFile } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { dirname, join, resolve } from "node:path";
import { type PublishedAvatar, readAvatar } from "../../avatar/catalogue.ts";
import { createFolderStore } from "../../avatar/runtime/folder-store.ts";
import { frameCount } from "../../avatar/speech-timing.ts";
import { ANYONE } from "../../edge/access/caller.ts";
import { AudioError } from "../../edge/audio/audio-error.ts";
import { decodeSpeech } from "../../edge/audio/decode-audio.ts";
import { tap } from "../../edge/audio/tap.ts";
import { joinBytes } from "../../edge/compositor/join-bytes.ts";
import { parseEdgeConfig } from "../../edge/config.ts";
import { Mp4Error } from "../../edge/container/mp4-error.ts";
import { writeMp4File } from "../../edge/container/mp4-file.ts";
import { createConnectCoreClient } from "../../edge/core/connect-core-client.ts";
import { CoreCallError } from "../../edge/core/core-client.ts";
import { RequestError } from "../../edge/http/request-error.ts";
import { createCoreTransports } from "../../edge/runtime/core-transport.ts";
import { createPreparerPool } from "../../edge/runtime/preparer-pool.ts";
import type { FrameFormat } from "../../edge/speak/image-format.ts";
import { openComposers } from "../../edge/speak/open-composers.ts";
import { picturesOf } from "../../edge/speak/pictures-of.ts";
import { Speaker, type SpokenFrame } from "../../edge/speak/speaker.ts";
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

/** `mouthpiece render`: the edge's own path from speech to frames, into files or a film. */
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
  let studio: Studio | null = null;
  try {
    studio = await openStudio(options, core?.url ?? options.core ?? "", root);
    const frames = await render(studio, options, start);
    const result = { avatar: options.avatar, frames, out: resolve(options.out) };
    const where = isFilm(result.out) ? result.out : `${result.out}/frames`;
    process.stdout.write(
      options.json ? `${JSON.stringify(result)}\n` : `${frames} frames in ${where}\n`,
    );
  } catch (error) {
    const isTold = [AudioError, CoreCallError, RequestError, Mp4Error].some(
      (kind) => error instanceof kind,
    );
    if (isTold) throw new CommandError((error as Error).message, { cause: error });
    throw error;
  } finally {
    await studio?.close();
    await core?.stop();
  }
}

/** What a rendering is made with, besides the avatar and the speech. */
interface Studio {
  readonly avatar: PublishedAvatar;
  readonly speaker: Speaker;
  close(): Promise<void>;
}

async function openStudio(options: RenderOptions, coreUrl: string, root: string): Promise<Studio> {
  const edge = parseEdgeConfig({}, "render");
  const store = createFolderStore(root);
  const avatar = await readAvatar(store, options.avatar);
  const openCore = await createCoreTransports(accessFiles(options), ACCESS_NAMES);
  const { transport, close } = openCore(coreUrl);
  const preparer = createPreparerPool(availableParallelism());
  const now = () => performance.now();
  const { composers } = openComposers({ config: edge, store, preparer, pngEffort: "fast", now });
  const core = createConnectCoreClient(transport, edge.core.timeout_s * 1000);
  return {
    avatar,
    speaker: new Speaker({ core, composers, maxSpeaking: 1, now }),
    async close() {
      close();
      await preparer.stop();
    },
  };
}

/** @returns the number of frames */
async function render(
  { avatar, speaker }: Studio,
  { audio, out }: RenderOptions,
  start: number,
): Promise<number> {
  const progress = new Progress("rendering");
  let samples = 0;
  let frames = 0;
  async function* counted(): AsyncGenerator<Int16Array> {
    for await (const chunk of decodeSpeech(readFileChunks(audio), "audio/wav", {})) {
      samples += chunk.length;
      yield chunk;
    }
  }
  async function* speak(speech: AsyncIterable<Int16Array>, format: FrameFormat) {
    const signal = new AbortController().signal;
    const request = { caller: ANYONE, avatar, speech, start, format, signal, requestId: "render" };
    for await (const frame of speaker.speak(request)) {
      // Video may begin with frames that are not shown.
      if (frame.frame >= 0) progress.update(++frames, Math.max(frames, frameCount(samples)));
      yield frame;
    }
  }
  if (isFilm(out)) {
    const { main, copy } = tap(counted());
    await writeFilm(out, avatar, speak(main, "h264"), copy);
  } else {
    await writeImages(join(out, "frames"), speak(counted(), "png"));
  }
  return frames;
}

function isFilm(out: string): boolean {
  return out.toLowerCase().endsWith(".mp4");
}

async function writeImages(folder: string, frames: AsyncIterable<SpokenFrame>): Promise<void> {
  await mkdir(folder, { recursive: true });
  for await (const { frame, parts } of frames) {
    await writeFile(join(folder, `${String(frame).padStart(6, "0")}.png`), joinBytes(parts));
  }
}

/** Appears whole or not at all. */
async function writeFilm(
  path: string,
  { summary: { width, height } }: PublishedAvatar,
  frames: AsyncIterable<SpokenFrame>,
  speech: AsyncIterable<Int16Array>,
): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  const unfinished = `${path}.part`;
  const file = await open(unfinished, "w");
  const sink = {
    async write(data: Uint8Array, position: number) {
      await file.write(data, 0, data.length, position);
    },
  };
  try {
    const signal = new AbortController().signal;
    await writeMp4File({ width, height, pictures: picturesOf(frames), speech }, sink, signal);
    await rename(unfinished, path);
  } finally {
    await file.close();
    await rm(unfinished, { force: true });
  }
}

async function* readFileChunks(path: string): AsyncGenerator<Uint8Array> {
  try {
    yield* createReadStream(path);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new CommandError(`cannot read ${path}: ${why}`, { cause });
  }
}
