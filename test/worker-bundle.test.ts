import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { gzipSync } from "node:zlib";
import { unstable_readConfig } from "wrangler";
import { createJsonLogger } from "../avatar/logger.ts";
import { openAccess } from "../edge/access/open-access.ts";
import { createLocalRateLimiter } from "../edge/access/rate-limiter.ts";
import { type EdgeConfig, parseEdgeConfig } from "../edge/config.ts";

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

/** Of what Wrangler reads, whose own type comes with no package of ours. */
interface WorkerConfig {
  readonly name: string;
  readonly vars: { readonly EDGE?: unknown };
  readonly secrets?: { readonly required?: readonly string[] };
  readonly r2_buckets: readonly { readonly binding: string; readonly bucket_name: string }[];
  readonly ratelimits: readonly { readonly name: string; readonly namespace_id: string }[];
  readonly observability?: { readonly enabled: boolean };
  readonly limits?: { readonly cpu_ms: number };
  readonly assets?: { readonly binding: string };
  readonly dev: { readonly ip: string };
}

describe("wrangler.toml", () => {
  const read = (env: string): WorkerConfig =>
    unstable_readConfig({ config: join(HOME, "wrangler.toml"), env }, { hideWarnings: true });
  const edgeOf = (env: string) => parseEdgeConfig(read(env).vars.EDGE, env);
  const open = (config: EdgeConfig) =>
    openAccess(config, {
      isReachable: true,
      tokenKeys: [],
      limiter: createLocalRateLimiter(() => 0),
      logger: createJsonLogger("error", assert.fail),
    });

  for (const environment of ["staging", "production"]) {
    test(`${environment}: everything that an edge needs, its secrets by name`, () => {
      const config = read(environment);
      assert.equal(config.name, `mouthpiece-edge-${environment}`);
      const edge = edgeOf(environment);
      const [tenant] = edge.access.tenants;
      assert.equal(tenant?.origins.length, 1);
      assert.equal(new URL(edge.core.url ?? "").protocol, "https:");
      assert.equal(open(edge).isOpen, false);
      assert.deepEqual(config.secrets?.required, [
        "MOUTHPIECE_CORE_TOKEN",
        "MOUTHPIECE_TOKEN_KEYS",
      ]);
      assert.deepEqual(
        config.r2_buckets.map(({ binding }) => binding),
        ["AVATARS"],
      );
      assert.deepEqual(
        config.ratelimits.map(({ name }) => name),
        ["RATE_LIMIT"],
      );
      assert.equal(config.observability?.enabled, true);
      assert.equal(config.limits?.cpu_ms, 300_000);
      assert.equal(config.assets?.binding, "ASSETS");
    });
  }

  test("environments share neither bucket nor count of calls", () => {
    const [staging, production] = [read("staging"), read("production")];
    assert.notEqual(staging.r2_buckets[0]?.bucket_name, production.r2_buckets[0]?.bucket_name);
    assert.notEqual(staging.ratelimits[0]?.namespace_id, production.ratelimits[0]?.namespace_id);
  });

  test("dev is open, and on this machine alone; without an environment nothing is configured", () => {
    assert.equal(open(edgeOf("dev")).isOpen, true);
    assert.equal(read("dev").dev.ip, "127.0.0.1");
    assert.equal(read("").vars.EDGE, undefined);
  });
});
