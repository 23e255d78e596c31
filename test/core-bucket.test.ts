import assert from "node:assert/strict";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { Code, ConnectError } from "@connectrpc/connect";
import { silentLogger } from "../avatar/logger.ts";
import type { WritableStore } from "../avatar/object-store.ts";
import { contentOf } from "../avatar/publish/content.ts";
import { createS3Store } from "../avatar/s3/s3-store.ts";
import { SettingsError } from "../avatar/settings.ts";
import { parseCoreConfig } from "../gpu-core/config.ts";
import { startCore } from "../gpu-core/main.ts";
import { openModelSource } from "../gpu-core/sources/open-source.ts";
import { connectCaller } from "./support/core-caller.ts";
import { MOUTHPIECE, runNode } from "./support/run-command.ts";
import { type S3Endpoint, startS3Endpoint } from "./support/s3-endpoint.ts";
import { buildTinyUnet, temporaryFolder, writeTinyAvatar } from "./support/tiny-avatar.ts";

const FRAMES = 20;

describe("models from a bucket", { timeout: 60_000 }, () => {
  let s3: S3Endpoint;
  let root: string;
  let store: WritableStore;
  const before_ = { ...process.env };
  const ends: (() => Promise<void>)[] = [];
  const folder = () => temporaryFolder({ after: (end) => ends.push(end) });

  before(async () => {
    s3 = await startS3Endpoint();
    Object.assign(process.env, s3.environment);
    store = createS3Store(s3.options);
    root = await folder();
    await writeTinyAvatar(root, "ada");
    await writeTinyAvatar(root, "ben", {
      unet: buildTinyUnet({ visual: "visual_input", audio: "audio_input" }),
    });
    await upload();
  });
  after(async () => {
    for (const name of Object.keys(s3.environment)) {
      if (before_[name] === undefined) delete process.env[name];
      else process.env[name] = before_[name];
    }
    await s3.stop();
    for (const end of ends) await end();
  });

  /** Puts everything below `root` into the bucket. */
  async function upload(
    change: (key: string, bytes: Buffer) => Buffer = (_, bytes) => bytes,
  ): Promise<void> {
    const entries = await readdir(root, { recursive: true, withFileTypes: true });
    for (const entry of entries.filter((each) => each.isFile())) {
      const path = join(entry.parentPath, entry.name);
      const key = path.slice(root.length + 1);
      const bytes = change(key, await readFile(path));
      const content = await contentOf(new Uint8Array(bytes));
      await store.write(key, content, { journal: null, onBytes: () => {} });
    }
  }

  async function startBucketCore(cachePath: string, settings: object = {}) {
    const config = {
      models_root: "s3://avatars",
      model_cache: { path: cachePath },
      server: { port: 0 },
      gpus: { cpu_threads_per_worker: 1 },
      ...settings,
    };
    const running = await startCore(parseCoreConfig(config, "test"), silentLogger);
    const caller = connectCaller(running.url);
    return {
      ...caller,
      async stop() {
        caller.close();
        await running.stop();
      },
    };
  }

  test("doctor looks at a bucket as at a folder", async () => {
    const doctor = async () => {
      const args = [MOUTHPIECE, "doctor", "--root", "s3://avatars", "--json"];
      const { out } = await runNode(args, { environment: s3.environment });
      const findings: { check: string; verdict: string; detail: string }[] =
        JSON.parse(out).findings;
      return findings.filter(({ check }) => check.startsWith("avatar"));
    };
    const [whole] = await doctor();
    assert.equal(whole?.verdict, "ok");
    assert.match(whole?.detail ?? "", /^2 of 2 in s3:\/\/avatars/);
    await upload((key, bytes) => {
      if (key.includes("/ben/") && key.endsWith(".onnx")) return bytes.subarray(1);
      return bytes;
    });
    const [, broken] = await doctor();
    assert.deepEqual([broken?.check, broken?.verdict], ["avatar ben", "fail"]);
    await upload();
  });

  test("the bytes are those of a core with a folder, and the second core downloads nothing", async () => {
    const config = parseCoreConfig({ models_root: root, server: { port: 0 } }, "test");
    const local = await startCore(config, silentLogger);
    const caller = connectCaller(local.url);
    const expected = await caller.speak("ada", FRAMES);
    caller.close();
    await local.stop();

    const cache = await folder();
    const first = await startBucketCore(cache);
    const { models } = await first.rpc.listModels({});
    assert.deepEqual(
      models.map(({ modelId }) => modelId),
      ["ada", "ben"],
    );
    const spoken = await first.speak("ada", FRAMES);
    assert.equal(spoken.error, null);
    assert.deepEqual(spoken.checksums, expected.checksums);
    await first.speak("ben", FRAMES);
    await first.stop();
    // Both have the same encoder and the same crops.
    const files = await readdir(cache);
    assert.equal(files.length, 4);

    // The second one finds no bucket to read from but for pointer and manifest.
    const second = await startBucketCore(cache);
    assert.deepEqual((await second.speak("ada", FRAMES)).checksums, expected.checksums);
    await second.stop();
    assert.deepEqual(await readdir(cache), files);
  });

  test("a model that is not there is NOT_FOUND, one that is damaged says what to do", async () => {
    await upload((key, bytes) => {
      if (/ben\/.*model\.onnx$/.test(key)) bytes[100]! ^= 1;
      return bytes;
    });
    const core = await startBucketCore(await folder());
    try {
      const { error } = await core.speak("nobody", 1);
      assert.equal(error?.code, Code.NotFound);
      await assert.rejects(core.rpc.loadModel({ modelId: "ben" }), (cause) => {
        assert.match(ConnectError.from(cause).rawMessage, /model.onnx is not what its manifest/);
        return true;
      });
      assert.equal((await core.speak("ada", 1)).error, null);
    } finally {
      await core.stop();
      await upload();
    }
  });

  test("models come and go under a cache that holds one and a half of them", async () => {
    const cache = await folder();
    const bytes = (await readFile(join(root, await modelFile("ada")))).length;
    const crops = 4 * 328 * 328 * 3;
    const max_gb = (crops + 2.8e6 + 1.5 * bytes) / 1024 ** 3;
    const core = await startBucketCore(cache, {
      model_cache: { path: cache, max_gb },
      capacity: { max_models: 1 },
    });
    try {
      for (const id of ["ada", "ben", "ada", "ben"]) {
        assert.equal((await core.speak(id, 3)).error, null, id);
      }
    } finally {
      await core.stop();
    }
  });

  test("without keys the error names the variable", async () => {
    const config = parseCoreConfig({ models_root: "s3://avatars" }, "test");
    await assert.rejects(
      openModelSource(config, { AWS_ENDPOINT_URL: s3.options.endpoint }, silentLogger),
      (error) =>
        error instanceof SettingsError && /AWS_ACCESS_KEY_ID is not set/.test(error.message),
    );
  });

  async function modelFile(id: string): Promise<string> {
    const pointer = JSON.parse(await readFile(join(root, "avatars", id, "avatar.json"), "utf8"));
    return join("avatars", id, pointer.version, "model.onnx");
  }
});
