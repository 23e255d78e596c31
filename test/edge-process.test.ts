import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { silentLogger } from "../avatar/logger.ts";
import { frameCount } from "../avatar/speech-timing.ts";
import { parseCoreConfig } from "../gpu-core/config.ts";
import { type RunningCore, startCore } from "../gpu-core/main.ts";
import { RUNTIMES } from "./support/edges.ts";
import { LiveClient } from "./support/live-client.ts";
import { MOUTHPIECE, runNode } from "./support/run-command.ts";
import { readParts } from "./support/system.ts";
import { temporaryFolder, tone, wavFile, writeTinyAvatar } from "./support/tiny-avatar.ts";

/** How an edge begins and ends, in the runtimes that have processes. */

const LIMIT_MS = 20_000;
const SAMPLES = tone(48_000);
const WAV = wavFile(SAMPLES);
const REFUSAL = /others can reach this edge, and access\.tenants names nobody/;

let root: string;
let core: RunningCore;
const ends: (() => Promise<void>)[] = [];

before(async () => {
  root = await temporaryFolder({ after: (end) => ends.push(end) });
  await writeTinyAvatar(root, "ada");
  const config = {
    models_root: root,
    server: { port: 0 },
    gpus: { cpu_threads_per_worker: 1 },
  };
  core = await startCore(parseCoreConfig(config, "test"), silentLogger);
});
after(async () => {
  await core?.stop();
  for (const end of ends) await end();
});

for (const runtime of ["node", "deno"] as const) {
  const start = (server: object) =>
    RUNTIMES[runtime]({
      root,
      config: { core: { url: core.url }, server: { port: 0, ...server } },
    });

  /** Half of a request to speak, whose other half comes when it is told to. */
  async function beginSpeaking(url: string) {
    const half = new TransformStream<Uint8Array, Uint8Array>();
    const upload = half.writable.getWriter();
    const answer = fetch(`${url}/v1/avatars/ada/speak?format=jpeg`, {
      method: "POST",
      headers: { "content-type": "audio/wav" },
      body: half.readable,
      duplex: "half",
      signal: AbortSignal.timeout(LIMIT_MS),
    } as RequestInit);
    await upload.write(WAV.subarray(0, WAV.length / 2));
    return {
      // Its head: speech is heard, and a frame is made.
      response: await answer,
      async finish() {
        await upload.write(WAV.subarray(WAV.length / 2));
        await upload.close();
      },
    };
  }

  test(`${runtime}: told to stop, an edge ends live sessions, finishes requests, takes no more`, async (t) => {
    const edge = await start({});
    let stopped: Promise<void> | null = null;
    t.after(() => stopped ?? edge.stop());
    const opened = await fetch(`${edge.url}/v1/avatars/ada/sessions`, { method: "POST" });
    const session = (await opened.json()) as { token: string; urls: { socket: string } };
    const viewer = await LiveClient.join(edge.url, session, session.token, { video: ["jpeg"] });
    const { response, finish } = await beginSpeaking(edge.url);
    stopped = edge.stop();
    assert.equal((await viewer.told("ended")).reason, "going_away");
    assert.equal((await viewer.ended()).code, 1001);
    await finish();
    assert.equal((await readParts(response)).length, frameCount(SAMPLES.length));
    await stopped;
    await assert.rejects(fetch(`${edge.url}/livez`));
  });

  test(`${runtime}: what does not end within server.drain_timeout_s is cut`, async (t) => {
    const edge = await start({ drain_timeout_s: 0.2 });
    let stopped: Promise<void> | null = null;
    t.after(() => stopped ?? edge.stop());
    const { response } = await beginSpeaking(edge.url);
    stopped = edge.stop();
    // Its other half never comes.
    await assert.rejects(readParts(response));
    await stopped;
  });
}

test("an edge that others could reach does not start open: Node, Deno, workerd", async (t) => {
  const server = { host: "0.0.0.0", port: 0 };
  const file = join(root, "edge.yaml");
  await writeFile(file, JSON.stringify({ avatars_root: root, server }));
  const run = await runNode([MOUTHPIECE, "edge", "--config", file]);
  assert.equal(run.status, 1);
  assert.match(run.err, REFUSAL);
  assert.equal(run.out, "");
  await assert.rejects(RUNTIMES.deno({ root, config: { server } }), REFUSAL);

  const worker = await RUNTIMES.workerd({ root, config: { access: {} } });
  t.after(() => worker.stop());
  for (const path of ["/livez", "/v1/avatars"]) {
    const response = await fetch(worker.url + path);
    assert.equal(response.status, 500);
    assert.match(await response.text(), /not configured/);
  }
  assert.match(worker.log(), REFUSAL);
});
