import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { after, before, describe, test } from "node:test";
import { silentLogger } from "../avatar/logger.ts";
import { main } from "../cli/main.ts";
import { parseCoreConfig } from "../gpu-core/config.ts";
import { type RunningCore, startCore } from "../gpu-core/main.ts";
import { RUNTIMES, type TestEdge } from "./support/edges.ts";
import { type FaultyS3, type StoreState, startFaultyS3 } from "./support/faulty-s3.ts";
import { readParts } from "./support/system.ts";
import { temporaryFolder, tone, wavFile, writeTinyAvatar } from "./support/tiny-avatar.ts";

/** What edges do when their bucket misbehaves: what is known goes on, and nothing wrong is shown. */

const WAV = wavFile(tone(8000));
const FAULTS = [
  "silent",
  "slow",
  "refusing",
  "forbidden",
  "cut",
  "wrong",
  "mixed",
  "gone",
] as const satisfies readonly StoreState[];
const LIMIT_MS = 30_000;
const STORE_TIMEOUT_S = 1;
/** For how long a publish may stay unseen: what is known is asked for again after it. */
const FRESH_MS = 2100;

let root: string;
let core: RunningCore;
const ends: (() => Promise<void>)[] = [];
/** Of each avatar, what a sound edge delivers. */
const expected = new Map<string, string>();

before(async () => {
  const folder = () => temporaryFolder({ after: (end) => ends.push(end) });
  const imported = await folder();
  root = await folder();
  const ids = ["known", ...FAULTS.map((state) => `new-${state}`)];
  for (const id of ids) {
    await writeTinyAvatar(imported, id);
    assert.equal(await main(["publish", id, "--to", root, "--root", imported, "--json"]), 0);
    await writeTinyAvatar(root, `plain-${id}`);
  }
  const config = { models_root: root, server: { port: 0 }, gpus: { cpu_threads_per_worker: 1 } };
  core = await startCore(parseCoreConfig(config, "test"), silentLogger);
  const sound = await RUNTIMES.node({ root, config: { core: { url: core.url } } });
  for (const id of ids.flatMap((each) => [each, `plain-${each}`])) {
    expected.set(id, await speak(sound.url, id));
  }
  await sound.stop();
});
after(async () => {
  await core?.stop();
  for (const end of ends) await end();
});

/** A digest of the frames, or what the edge said instead, as `503: ...`. */
async function speak(url: string, id: string): Promise<string> {
  const response = await fetch(`${url}/v1/avatars/${id}/speak?format=jpeg`, {
    method: "POST",
    headers: { "content-type": "audio/wav" },
    body: WAV,
    signal: AbortSignal.timeout(LIMIT_MS),
  });
  if (!response.ok) {
    const { status, detail } = (await response.json()) as { status: number; detail: string };
    assert.equal(status, response.status);
    if (status === 503) assert.ok(Number(response.headers.get("retry-after")) > 0);
    return `${status}: ${detail}`;
  }
  const hash = createHash("sha256");
  for (const { headers, body } of await readParts(response)) {
    if (headers.get("content-type") === "image/jpeg") hash.update(body);
    else return `broke off: ${Buffer.from(body)}`;
  }
  return hash.digest("hex");
}

// Most of it is waiting, so the three wait together.
describe("a bucket that fails", { concurrency: true, timeout: 240_000 }, () => {
  for (const runtime of ["node", "deno", "workerd"] as const) {
    describe(`an edge on ${runtime}`, { concurrency: 1, timeout: 120_000 }, () => {
      let store: FaultyS3;
      let edge: TestEdge;
      before(async () => {
        store = await startFaultyS3(root);
        const config = {
          core: { url: core.url },
          avatars_root: "s3://avatars",
          store: { timeout_s: STORE_TIMEOUT_S },
        };
        edge = await RUNTIMES[runtime]({ root, config, environment: store.environment });
        for (const id of ["known", "plain-known"]) {
          assert.equal(await speak(edge.url, id), expected.get(id));
        }
      });
      after(async () => {
        await edge?.stop();
        await store?.close();
      });

      for (const state of FAULTS) {
        test(state, async () => {
          const asked = store.requests;
          store.set(state);
          try {
            await new Promise((resolve) => setTimeout(resolve, FRESH_MS));
            for (const id of ["known", "plain-known"]) {
              assert.equal(await speak(edge.url, id), expected.get(id), "what is known goes on");
            }
            for (const id of [`new-${state}`, `plain-new-${state}`]) {
              const started = performance.now();
              const got = await speak(edge.url, id);
              const tookMs = performance.now() - started;
              if (state === "slow" || (state === "mixed" && got === expected.get(id))) {
                assert.equal(got, expected.get(id));
              } else {
                assert.match(got, /^(503: |broke off: .*"status":503)/, `${id}: ${got}`);
                assert.ok(tookMs < 10_000 * STORE_TIMEOUT_S, `${tookMs} ms`);
              }
            }
            assert.ok(store.requests > asked);
          } finally {
            store.set("sound");
          }
          for (const id of [`new-${state}`, `plain-new-${state}`]) {
            assert.equal(await speak(edge.url, id), expected.get(id), "it is whole again at once");
          }
        });
      }
    });
  }
});
