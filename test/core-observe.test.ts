import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { createConnectTransport, createGrpcTransport } from "@connectrpc/connect-node";
import { createJsonLogger, type LevelControl } from "../avatar/logger.ts";
import { frameCount } from "../avatar/speech-timing.ts";
import { AdminService } from "../proto/gen/mouthpiece/admin/v1/admin_pb.js";
import { InferenceService } from "../proto/gen/mouthpiece/inference/v1/inference_pb.js";
import { mouthpiece } from "./support/run-command.ts";
import { readParts, startSystem, type TestSystem } from "./support/system.ts";
import { temporaryFolder, tone, wavFile, writeTinyAvatar } from "./support/tiny-avatar.ts";

const SAMPLES = 20_000;

describe("watching a core", () => {
  let system: TestSystem;
  const ends: (() => Promise<void>)[] = [];
  const logLevel: LevelControl = { level: "warn" };
  const lines: { message: string; code?: string; requestId?: string }[] = [];

  before(async () => {
    const root = await temporaryFolder({ after: (end) => ends.push(end) });
    for (const id of ["tiny", "second"]) await writeTinyAvatar(root, id);
    system = await startSystem(root, {
      core: { capacity: { max_models: 1 }, server: { port: 0, max_message_size_mb: 1 } },
      logger: createJsonLogger(logLevel, (line) => lines.push(JSON.parse(line))),
      admin: { logLevel },
    });
  });
  after(async () => {
    await system.stop();
    for (const end of ends) await end();
  });

  /** The value of each series of the core. */
  async function scrape(): Promise<Record<string, number>> {
    const response = await fetch(`${system.core.url}/metrics`);
    assert.equal(response.status, 200);
    assert.match(response.headers.get("content-type") ?? "", /^text\/plain; version=0\.0\.4/);
    const series = (await response.text()).split("\n").filter((line) => /^[a-z]/.test(line));
    return Object.fromEntries(
      series.map((line) => {
        const at = line.lastIndexOf(" ");
        return [line.slice(0, at).replace(/^mouthpiece_core_/, ""), Number(line.slice(at + 1))];
      }),
    );
  }

  test("metrics: requests, frames, models, devices, the process", async () => {
    const client = createClient(
      InferenceService,
      createGrpcTransport({ baseUrl: system.core.url }),
    );
    const response = await fetch(`${system.edge.url}/v1/avatars/tiny/speak?format=jpeg`, {
      method: "POST",
      headers: { "content-type": "audio/wav" },
      body: wavFile(tone(SAMPLES)),
    });
    const frames = (await readParts(response)).length;
    assert.equal(frames, frameCount(SAMPLES));
    await assert.rejects(client.inferBatch({ modelId: "tiny", batchSize: 99 }));
    await client.loadModel({ modelId: "second" });
    const now = await scrape();
    assert.equal(now['frames_total{device="0",priority="live"}'], frames);
    assert.equal(now.batch_frames_sum, frames);
    assert.equal(now.batch_frames_count, now['batches_total{device="0"}']);
    const calls = now['requests_total{method="InferSpeech",code="ok"}']!;
    assert.ok(calls > 0);
    assert.equal(now['request_seconds_count{method="InferSpeech"}'], calls);
    assert.equal(now['requests_total{method="InferBatch",code="invalid_argument"}'], 1);
    assert.equal(now['request_failures_total{method="InferBatch",reason="invalid_argument"}'], 1);
    assert.ok(now['device_busy_seconds_total{device="0",stage="unet"}']! > 0);
    assert.equal(now['model_loads_total{result="ok"}'], 2);
    assert.equal(now.model_load_seconds_count, 2);
    assert.equal(now['model_evictions_total{reason="capacity"}'], 1);
    assert.equal(now['models{device="0"}'], 1);
    assert.equal(now.models_max, 1);
    assert.equal(now['device_state{device="0",state="ready"}'], 1);
    assert.equal(now['device_state{device="0",state="down"}'], 0);
    assert.ok(now['device_resident_bytes{device="0"}']! > 0);
    assert.equal(now['queued_requests{state="waiting"}'], 0);
    assert.ok(now.process_resident_memory_bytes! > 0);
    // Cardinality: no model's name is a label.
    assert.ok(Object.keys(now).every((name) => !name.includes("tiny")));
  });

  test("metrics: a message that is too large counts once, whatever carries it", async () => {
    const tooMuch = new Uint8Array(2 * 1024 * 1024);
    const options = { baseUrl: system.core.url, httpVersion: "1.1" } as const;
    for (const transport of [createConnectTransport(options), createGrpcTransport(options)]) {
      const client = createClient(InferenceService, transport);
      const exhausted = { code: Code.ResourceExhausted };
      await assert.rejects(client.inferBatch({ visualFrames: tooMuch }), exhausted);
      await assert.rejects(Array.fromAsync(client.inferSpeech({ speech: tooMuch })), exhausted);
    }
    const now = await scrape();
    for (const method of ["InferBatch", "InferSpeech"]) {
      assert.equal(now[`requests_total{method="${method}",code="resource_exhausted"}`], 2);
    }
  });

  test("metrics are for GET, and a stranger is told what is here", async () => {
    const head = await fetch(`${system.core.url}/metrics`, { method: "HEAD" });
    assert.deepEqual([head.status, await head.text()], [200, ""]);
    const post = await fetch(`${system.core.url}/metrics`, { method: "POST", body: "x" });
    assert.deepEqual([post.status, post.headers.get("allow")], [405, "GET, HEAD"]);
    assert.match(await (await fetch(system.core.url)).text(), /\/metrics/);
  });

  test("log-level: shows and changes what a running core writes", async () => {
    const at = ["--core", system.core.url];
    assert.equal((await mouthpiece("log-level", ...at)).out, "warn\n");
    const set = await mouthpiece("log-level", "debug", ...at);
    assert.deepEqual([set.status, set.out], [0, "debug (it was warn)\n"]);
    const client = createClient(
      InferenceService,
      createConnectTransport({ baseUrl: system.core.url, httpVersion: "1.1" }),
    );
    lines.length = 0;
    const headers = { "x-request-id": "asked-by-a-test" };
    await assert.rejects(client.loadModel({ modelId: "nobody" }, { headers }));
    const line = lines.find(({ requestId }) => requestId === "asked-by-a-test");
    assert.deepEqual([line?.message, line?.code], ["call", "not_found"]);
    const json = await mouthpiece("log-level", "error", ...at, "--json");
    assert.deepEqual(JSON.parse(json.out), { level: "error", previousLevel: "debug" });
    assert.equal(logLevel.level, "error");
    const wrong = await mouthpiece("log-level", "loud", ...at);
    assert.equal(wrong.status, 2);
    assert.match(wrong.err, /loud is no level: use debug, info, warn, error/);
  });

  test("without a configuration file there is nothing to reload", async () => {
    const client = createClient(AdminService, createGrpcTransport({ baseUrl: system.core.url }));
    await assert.rejects(client.reloadConfiguration({}), (error) => {
      assert.equal(ConnectError.from(error).code, Code.FailedPrecondition);
      return true;
    });
  });
});
