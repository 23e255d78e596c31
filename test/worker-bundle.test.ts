import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { gzipSync } from "node:zlib";

/** What a free plan takes is 3 MB; what an isolate has to read when it starts should be far less. */
const BUDGET_BYTES = 1_000_000;
const HOME = fileURLToPath(new URL("..", import.meta.url));
const WRANGLER = join(HOME, "node_modules", "wrangler", "bin", "wrangler.js");

describe("wrangler deploy --dry-run", { timeout: 110_000 }, () => {
  for (const environment of ["dev", "staging", "production"]) {
    test(environment, async (t) => {
      const out = await mkdtemp(join(tmpdir(), "mouthpiece-worker-"));
      t.after(() => rm(out, { recursive: true, force: true }));
      const { stdout } = await promisify(execFile)(
        process.execPath,
        [WRANGLER, "deploy", "--dry-run", "--env", environment, "--outdir", out],
        {
          cwd: HOME,
          env: { ...process.env, WRANGLER_SEND_METRICS: "false", NO_COLOR: "1" },
          timeout: 60_000,
        },
      );
      for (const binding of ["env.AVATARS", "env.ASSETS", "env.EDGE"]) {
        assert.ok(stdout.includes(binding), `${binding}\n${stdout}`);
      }
      assert.equal(stdout.includes("env.RATE_LIMIT"), environment !== "dev");
      assert.doesNotMatch(stdout, /Unexpected fields/);
      let bytes = 0;
      for (const name of await readdir(out)) {
        if (!/\.(js|wasm)$/.test(name)) continue;
        bytes += gzipSync(await readFile(join(out, name))).length;
      }
      t.diagnostic(`${Math.round(bytes / 1000)} kB gzipped of ${BUDGET_BYTES / 1000}`);
      assert.ok(bytes > 100_000 && bytes < BUDGET_BYTES, `${bytes} bytes gzipped`);
    });
  }
});
