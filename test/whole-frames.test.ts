// Where whole frames cannot be encoded, who asks for that is told so.
import assert from "node:assert/strict";
import { test } from "node:test";
import { silentLogger } from "../avatar/logger.ts";
import { parseEdgeConfig } from "../edge/config.ts";
import { startNodeEdge } from "../edge/runtime/node.ts";
import { RUNTIMES } from "./support/edges.ts";
import { temporaryFolder, writeTinyAvatar } from "./support/tiny-avatar.ts";

const config = { video: { whole_frames: true } };

test("Node without the package does not start", async () => {
  const settings = parseEdgeConfig({ ...config, server: { port: 0 } }, "test");
  const missing = () => Promise.reject(new Error("Cannot find package '@napi-rs/webcodecs'"));
  await assert.rejects(startNodeEdge(settings, null, silentLogger, missing), {
    name: "SettingsError",
    message: /video\.whole_frames needs the package @napi-rs\/webcodecs.*npm install/,
  });
});

test("Deno does not start", async () => {
  await assert.rejects(RUNTIMES.deno({ root: "/nowhere", config }), /whole_frames: on Node only/);
});

test("a Worker says so in its log", async (t) => {
  const root = await temporaryFolder(t);
  const edge = await RUNTIMES.workerd({ root, config });
  t.after(() => edge.stop());
  const response = await fetch(`${edge.url}/livez`);
  assert.equal(response.status, 500);
  await response.arrayBuffer();
  assert.match(edge.log(), /video\.whole_frames needs an encoder, which a Worker has not/);
});

test("without the setting, an avatar without a video track says how to get one", async (t) => {
  const root = await temporaryFolder(t);
  await writeTinyAvatar(root, "tiny");
  const edge = await RUNTIMES.node({ root, config: {} });
  t.after(() => edge.stop());
  const one = await fetch(`${edge.url}/v1/avatars/tiny`);
  assert.deepEqual(((await one.json()) as { formats: string[] }).formats, ["png", "jpeg"]);
  for (const format of ["h264", "mp4"]) {
    const url = `${edge.url}/v1/avatars/tiny/speak?format=${format}`;
    const headers = { "content-type": "audio/l16;rate=16000" };
    const response = await fetch(url, { method: "POST", headers, body: new Uint8Array(6400) });
    assert.equal(response.status, 400);
    const { detail } = (await response.json()) as { detail: string };
    assert.match(detail, /publish it with --formats h264.*video\.whole_frames.*or ask for jpeg/);
  }
});
