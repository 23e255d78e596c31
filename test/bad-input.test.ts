import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { type LogFields, type Logger, silentLogger } from "../avatar/logger.ts";
import { frameCount } from "../avatar/speech-timing.ts";
import { parseCoreConfig } from "../gpu-core/config.ts";
import { type RunningCore, startCore } from "../gpu-core/main.ts";
import { RUNTIMES, type TestEdge } from "./support/edges.ts";
import { readParts, startSystem, untilAnswered } from "./support/system.ts";
import {
  buildTinyEncoder,
  temporaryFolder,
  tone,
  wavFile,
  writeTinyAvatar,
} from "./support/tiny-avatar.ts";

let root: string;
let core: RunningCore;
const ends: (() => Promise<void>)[] = [];

before(async () => {
  root = await temporaryFolder({ after: (end) => ends.push(end) });
  await writeTinyAvatar(root, "tiny");
  // The encoder's file in the place of the U-Net.
  await writeTinyAvatar(root, "swapped", { unet: buildTinyEncoder() });
  await writeTinyAvatar(root, "corrupt", { unet: new Uint8Array(5000).fill(7) });
  await writeTinyAvatar(root, "outside");
  await editManifest("outside", (text) => text.replace("[20,20,40,40]", "[200,20,40,40]"));
  await writeTinyAvatar(root, "negative");
  await editManifest("negative", (text) => text.replace("[20,20,40,40]", "[20,20,-1,40]"));
  await writeTinyAvatar(root, "emptied");
  await writeFile(join(await versionFolder("emptied"), "model.onnx"), "");
  const config = { models_root: root, server: { port: 0 }, gpus: { cpu_threads_per_worker: 1 } };
  core = await startCore(parseCoreConfig(config, "test"), silentLogger);
});
after(async () => {
  await core?.stop();
  for (const end of ends) await end();
});

async function versionFolder(id: string): Promise<string> {
  const pointer = JSON.parse(await readFile(join(root, "avatars", id, "avatar.json"), "utf8"));
  return join(root, "avatars", id, pointer.version);
}

async function editManifest(id: string, edit: (text: string) => string): Promise<void> {
  const folder = await versionFolder(id);
  const manifest = edit(await readFile(join(folder, "manifest.json"), "utf8"));
  await writeFile(join(folder, "manifest.json"), manifest);
  // Someone has made it so: the version is the hash of its manifest.
  const version = createHash("sha256").update(manifest).digest("hex").slice(0, 32);
  const home = join(root, "avatars", id);
  await rename(folder, join(home, version));
  const pointer = JSON.parse(await readFile(join(home, "avatar.json"), "utf8"));
  await writeFile(join(home, "avatar.json"), JSON.stringify({ ...pointer, version }));
}

function patched(at: number, bytes: number[]): Uint8Array<ArrayBuffer> {
  const wav = wavFile(tone(1600));
  wav.set(bytes, at);
  return wav;
}

for (const runtime of ["node", "deno", "workerd"] as const) {
  describe(`bad input on ${runtime} gets its documented answer, and the next good request works`, () => {
    let edge: TestEdge;
    before(async () => {
      const limits = { max_body_mb: 1, max_speech_s: 20 };
      edge = await RUNTIMES[runtime]({ root, config: { core: { url: core.url }, limits } });
    });
    after(() => edge?.stop());

    const post = (path: string, body: BodyInit, type = "audio/wav") =>
      fetch(`${edge.url}/v1/avatars/${path}`, {
        method: "POST",
        headers: { "content-type": type },
        body,
        duplex: "half",
      } as RequestInit);
    const expectProblem = async (response: Response, status: number, detail: RegExp) => {
      const problem = (await response.json()) as {
        status: number;
        detail: string;
        requestId: string;
      };
      assert.equal(response.status, status, problem.detail);
      assert.equal(response.headers.get("content-type"), "application/problem+json");
      assert.equal(problem.status, status);
      assert.match(problem.detail, detail);
      assert.equal(problem.requestId, response.headers.get("x-request-id"));
      await stillWorks();
    };
    const stillWorks = async () => {
      const good = await readParts(await post("tiny/speak", wavFile(tone(1600))));
      assert.equal(good.length, frameCount(1600));
    };

    test("not audio", async () => {
      await expectProblem(await post("tiny/speak", "hello, world"), 400, /not a WAV file/);
      await expectProblem(await post("tiny/speak", "ID3 and so on"), 400, /MP3/);
      await expectProblem(await post("tiny/speak", ""), 400, /empty/);
      await expectProblem(await post("tiny/speak", "x", "text/plain"), 415, /audio\/wav/);
    });
    test("a truncated WAV", async () => {
      const cut = wavFile(tone(16_000)).slice(0, 20_000);
      await expectProblem(await post("tiny/speak", cut), 400, /12044 bytes are missing/);
      await expectProblem(await post("tiny/speak", cut.slice(0, 30)), 400, /cut off/);
    });
    test("zero samples", async () => {
      await expectProblem(await post("tiny/speak", wavFile(tone(0))), 400, /no samples/);
    });
    test("a rate of 0", async () => {
      await expectProblem(await post("tiny/speak", patched(24, [0, 0, 0, 0])), 400, /rate of 0 Hz/);
      const raw = await post("tiny/speak", new Uint8Array(64), "audio/l16;rate=0");
      await expectProblem(raw, 400, /rate of 0 Hz/);
    });
    test("NaN samples", async () => {
      const wav = patched(20, [3, 0, 1, 0, 0x80, 0x3e, 0, 0, 0, 0xfa, 0, 0, 4, 0, 32, 0]);
      new DataView(wav.buffer).setFloat32(44, Number.NaN, true);
      await expectProblem(await post("tiny/speak", wav), 400, /not a number/);
    });
    test("an avatar that is not there, or cannot be", async () => {
      const body = () => wavFile(tone(800));
      await expectProblem(await post("nobody/speak", body()), 404, /no avatar nobody/);
      await expectProblem(await post("..%2f..%2fetc/speak", body()), 404, /not an avatar id/);
      await expectProblem(await post("a%00b/speak", body()), 404, /not an avatar id/);
      await expectProblem(
        await post(`${"x".repeat(10_000)}/speak`, body()),
        404,
        /not an avatar id/,
      );
    });
    test("a model that is none", async () => {
      const body = () => wavFile(tone(800));
      await expectProblem(await post("swapped/speak", body()), 503, /has 1 inputs/);
      await expectProblem(
        await post("corrupt/speak", body()),
        503,
        /corrupt cannot be loaded.*export the model again/,
      );
      await expectProblem(
        await post("emptied/speak", body()),
        503,
        /emptied cannot be loaded.*export the model again/,
      );
    });
    test("an impossible rectangle", async () => {
      const body = () => wavFile(tone(800));
      await expectProblem(await post("outside/speak", body()), 500, /outside the 96x80 frame/);
      await expectProblem(await post("negative/speak", body()), 500, /rectangles\.0\.2/);
    });
    test("parameters", async () => {
      const body = () => wavFile(tone(800));
      await expectProblem(
        await post("tiny/speak?format=gif", body()),
        400,
        /png, jpeg, h264 or mp4/,
      );
      await expectProblem(await post("tiny/speak?start=-1", body()), 400, /playback position/);
    });
    test("too much: refused by its length, and while it arrives", async () => {
      const large = new Uint8Array(1024 * 1024 + 1);
      const refused = await untilAnswered(() => post("tiny/speak", large));
      await expectProblem(refused, 413, /larger than/);
      let sent = 0;
      const endless = new ReadableStream<Uint8Array>({
        pull(controller) {
          sent++;
          if (sent > 500) controller.close();
          // Junk before the samples, so that no frame has gone out yet.
          else controller.enqueue(sent === 1 ? junkHeader() : new Uint8Array(64 * 1024));
        },
      });
      const response = await post("tiny/speak", endless).catch((error: unknown) => error);
      if (response instanceof Response) {
        assert.ok(response.status === 413 || response.status === 400, String(response.status));
        await response.body?.cancel();
      }
      // workerd itself takes in what nobody reads.
      if (runtime !== "workerd") assert.ok(sent < 500, "the whole body was taken");
      await stillWorks();
    });
  });
}

/** A WAV whose first chunk claims to be large. */
function junkHeader(): Uint8Array {
  const bytes = Buffer.alloc(20);
  bytes.write("RIFF", 0);
  bytes.write("WAVEjunk", 8);
  bytes.writeUInt32LE(1_000_000, 16);
  return bytes;
}

test("prewarm makes model and frames be there; without a core it is a 503, like speech, and idle frames go on", async (t) => {
  const root = await temporaryFolder(t);
  await writeTinyAvatar(root, "tiny");
  const warned = Promise.withResolvers<LogFields>();
  const logger: Logger = {
    ...silentLogger,
    warn: (message, fields = {}) => {
      if (message === "the model of a live session is not ready") warned.resolve(fields);
    },
  };
  const system = await startSystem(root, { logger });
  t.after(() => system.edge.stop());
  const base = `${system.edge.url}/v1/avatars/tiny`;
  const missed = async () => {
    const metrics = await (await fetch(`${system.edge.url}/metrics`)).text();
    return Number(/edge_prepared_frame_misses_total (\d+)/.exec(metrics)?.[1]);
  };
  const wav = { "content-type": "audio/wav" };
  const speak = () =>
    fetch(`${base}/speak?start=1`, { method: "POST", headers: wav, body: wavFile(tone(1600)) });
  const prewarm = () => fetch(`${base}/prewarm?start=1&format=jpeg`, { method: "POST" });

  const { registry } = system.core.core;
  assert.equal(registry.loadedCount, 0);
  const first = (await (await prewarm()).json()) as { modelMs: number; version: string };
  assert.equal(registry.loadedCount, 1);
  assert.match(first.version, /^[0-9a-f]{32}$/);
  const before = await missed();
  assert.ok(before > 0);
  assert.equal((await readParts(await speak())).length, frameCount(1600));
  assert.equal(await missed(), before, "no frame was still to be prepared");
  assert.equal(((await (await prewarm()).json()) as { modelMs: number }).modelMs, 0);

  await system.core.stop();
  for (const response of [await speak(), await prewarm()]) {
    assert.equal(response.status, 503);
    assert.ok(Number(response.headers.get("retry-after")) > 0);
    assert.match(await response.text(), /is it running/);
  }
  // A live session begins without, and the log says what it lacks.
  assert.equal((await fetch(`${base}/sessions`, { method: "POST" })).status, 201);
  const { avatar, error } = await warned.promise;
  assert.equal(avatar, "tiny");
  assert.match(String(error), /no core answers|broke off/);
  assert.equal((await fetch(`${base}/frames/0.png`)).status, 200);
  assert.equal((await fetch(`${system.edge.url}/readyz`)).status, 503);
  assert.equal((await fetch(`${system.edge.url}/livez`)).status, 200);
});

test("an avatar folder without a pointer is not listed", async (t) => {
  const root = await temporaryFolder(t);
  await mkdir(join(root, "avatars", "half"), { recursive: true });
  await writeTinyAvatar(root, "tiny");
  const system = await startSystem(root);
  t.after(() => system.stop());
  const list = (await (await fetch(`${system.edge.url}/v1/avatars`)).json()) as {
    avatars: { id: string }[];
  };
  assert.deepEqual(
    list.avatars.map(({ id }) => id),
    ["tiny"],
  );
});
