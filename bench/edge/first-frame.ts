import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { createGrpcTransport, Http2SessionManager } from "@connectrpc/connect-node";
import { readAvatar } from "../../avatar/catalogue.ts";
import { createFolderStore } from "../../avatar/runtime/folder-store.ts";
import { decodeSpeech } from "../../edge/audio/decode-audio.ts";
import { createConnectCoreClient } from "../../edge/core/connect-core-client.ts";
import { streamMouths } from "../../edge/speak/mouth-stream.ts";
import { cutSpeechWindows } from "../../edge/speak/speech-windows.ts";
import { MOUTHPIECE } from "../../test/support/run-command.ts";
import { median, round } from "../compare.ts";
import { writeBenchAvatars } from "../models/bench-avatars.ts";
import type { Rows } from "../rows.ts";
import { startServer } from "./server-process.ts";

const ROUNDS = 25;
const WARM_UP = 3;
const PAUSE_MS = 600;
const SAMPLE = fileURLToPath(new URL("../../avatar/demo/sample.wav", import.meta.url));
/** Enough for several windows of speech. */
const SPEECH_BYTES = 44 + 2 * 16_000 * 4;

/**
 * From sending a WAV file to the last byte of the first JPEG frame, with an
 * avatar that is warm: core, edge and caller are three processes on loopback.
 * Beside it, in turns, what model and audio encoder take for the batch with the
 * first frame, as the core tells a caller of its own.
 */
export async function benchFirstFrame(): Promise<Rows> {
  const root = await mkdtemp(join(tmpdir(), "mouthpiece-bench-"));
  try {
    await writeBenchAvatars(root);
    const file = join(root, "core.yaml");
    await writeFile(file, JSON.stringify({ models_root: root, server: { port: 0 } }));
    const core = await startServer([MOUTHPIECE, "core", "--config", file]);
    try {
      const config = join(root, "edge.yaml");
      const edgeConfig = { avatars_root: root, server: { port: 0 }, core: { url: core.url } };
      await writeFile(config, JSON.stringify(edgeConfig));
      const edge = await startServer([MOUTHPIECE, "edge", "--config", config]);
      try {
        const wav = (await readFile(SAMPLE)).subarray(0, SPEECH_BYTES);
        wav.writeUInt32LE(SPEECH_BYTES - 8, 4);
        wav.writeUInt32LE(SPEECH_BYTES - 44, 40);
        return [
          await measure(root, "demo", edge.url, core.url, wav),
          await measure(root, "full", edge.url, core.url, wav),
        ];
      } finally {
        edge.child.kill("SIGKILL");
      }
    } finally {
      core.child.kill("SIGKILL");
    }
  } finally {
    await rm(root, { recursive: true, force: true });
  }
}

async function measure(root: string, id: string, edge: string, core: string, wav: Uint8Array) {
  const avatar = await readAvatar(createFolderStore(root), id);
  const sessionManager = new Http2SessionManager(core);
  const transport = createGrpcTransport({ baseUrl: core, acceptCompression: [], sessionManager });
  const client = createConnectCoreClient(transport, 60_000);
  /** Milliseconds of model and encoder in the batch with the first frame. */
  const modelMs = async () => {
    const speech = decodeSpeech(once(wav), "audio/wav", {});
    const options = { signal: new AbortController().signal, requestId: "bench" };
    const mouths = streamMouths(client, avatar.summary, cutSpeechWindows(speech), 0, options);
    for await (const { times } of mouths) {
      if (!times) throw new Error("the core does not say what the first frame took");
      return times.encoderMs + times.unetMs;
    }
    throw new Error("no frame");
  };
  try {
    const whole: number[] = [];
    const model: number[] = [];
    for (let n = 0; n < WARM_UP + ROUNDS; n++) {
      const ms = await firstFrameMs(`${edge}/v1/avatars/${id}/speak?format=jpeg`, wav);
      await pause();
      const own = await modelMs();
      await pause();
      if (n < WARM_UP) continue;
      whole.push(ms);
      model.push(own);
    }
    return {
      model: id,
      "first frame, ms": round(median(whole), 1),
      "of it model, ms": round(median(model), 1),
      "beyond it, ms": round(median(whole.map((ms, n) => ms - model[n]!)), 1),
      "beyond it, slowest of 25": round(Math.max(...whole.map((ms, n) => ms - model[n]!)), 1),
    };
  } finally {
    sessionManager.abort();
  }
}

/** Until the second boundary: what lies before it is the first frame. */
async function firstFrameMs(url: string, wav: Uint8Array): Promise<number> {
  const started = performance.now();
  const response = await fetch(url, {
    method: "POST",
    headers: { "content-type": "audio/wav" },
    body: wav as Uint8Array<ArrayBuffer>,
  });
  if (!response.ok || !response.body) throw new Error(await response.text());
  const boundary = /boundary=(.*)$/.exec(response.headers.get("content-type") ?? "")?.[1] ?? "";
  let received = Buffer.alloc(0);
  for await (const chunk of response.body) {
    received = Buffer.concat([received, chunk]);
    const length = Number(/Content-Length: (\d+)/i.exec(received.toString("latin1", 0, 500))?.[1]);
    const head = received.indexOf("\r\n\r\n") + 4;
    if (head >= 4 && boundary && received.length >= head + length) {
      // Leaving the loop ends the answer.
      return performance.now() - started;
    }
  }
  throw new Error("the answer ended before its first frame");
}

/** What was left under way ends: a model's run cannot be stopped. */
function pause(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}
