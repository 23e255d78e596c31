import assert from "node:assert/strict";
import { readdir } from "node:fs/promises";
import { test } from "node:test";
import { silentLogger } from "../avatar/logger.ts";
import { parseCoreConfig } from "../gpu-core/config.ts";
import { startCore } from "../gpu-core/main.ts";
import { temporaryFolder, writeTinyAvatar } from "./support/tiny-avatar.ts";

/** Where onnxruntime would keep what it is about to report. */
const PLACES = ["HOME", "TMPDIR", "XDG_CACHE_HOME"] as const;

test("a core that runs a model leaves no reports for the makers of onnxruntime", async (t) => {
  const root = await temporaryFolder(t);
  await writeTinyAvatar(root, "ada");
  const home = await temporaryFolder(t);
  const before = { ...process.env };
  delete process.env.ORT_DISABLE_TELEMETRY;
  for (const name of PLACES) process.env[name] = home;
  try {
    const config = { models_root: root, server: { port: 0 }, models: { ada: { preload: true } } };
    const core = await startCore(parseCoreConfig(config, "test"), silentLogger);
    await core.preloaded();
    assert.equal(core.core.registry.loadedCount, 1);
    await core.stop();
    assert.deepEqual(await readdir(home), []);
  } finally {
    process.env = before;
  }
});
