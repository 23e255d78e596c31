import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { cp } from "node:fs/promises";
import { join } from "node:path";
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
/** Comes last in the list, and is known from there alone. */
const LAST = "z";
const LIMIT_MS = 30_000;
const STORE_TIMEOUT_S = 1;
const ATTEMPTS = 5;
/** For how long a publish may stay unseen: what is known is asked for again after it. */
const FRESH_MS = 2100;

let root: string;
let core: RunningCore;
const ends: (() => Promise<void>)[] = [];
/** Of each avatar and form, what a sound edge delivers. */
const expected = new Map<string, string>();
/** Of each avatar, its entry in the list of a sound edge. */
const listed = new Map<string, unknown>();

before(async () => {
  const folder = () => temporaryFolder({ after: (end) => ends.push(end) });
  const imported = await folder();
  root = await folder();
  await writeTinyAvatar(imported, "known");
  assert.equal(await main(["publish", "known", "--to", root, "--root", imported, "--json"]), 0);
  await writeTinyAvatar(root, "plain-known");
  const copy = (from: string, to: string) =>
    cp(join(root, "avatars", from), join(root, "avatars", to), { recursive: true });
  const news = FAULTS.map((state) => `new-${state}`);
  for (const id of news) {
    await copy("known", id);
    await copy("plain-known", `plain-${id}`);
  }
  await copy("known", LAST);
  const config = { models_root: root, server: { port: 0 }, gpus: { cpu_threads_per_worker: 1 } };
  core = await startCore(parseCoreConfig(config, "test"), silentLogger);
  const sound = await RUNTIMES.node({ root, config: { core: { url: core.url } } });
  const ids = ["known", ...news].flatMap((each) => [each, `plain-${each}`]);
  for (const [what, got] of await deliver(sound.url, ...ids)) {
    assert.match(got, /^[0-9a-f]{64}$/);
    expected.set(what, got);
  }
  for (const each of (await list(sound.url)) ?? []) listed.set(each.id, each);
  assert.equal(listed.size, 2 * (1 + FAULTS.length) + 1);
  await sound.stop();
});
after(async () => {
  await core?.stop();
  for (const end of ends) await end();
});

/** All forms of avatars, each as a digest, or what was said instead, as `503: ...`. */
async function deliver(url: string, ...ids: string[]): Promise<(readonly [string, string])[]> {
  const paths = ids.flatMap((id) => {
    const formats = id.startsWith("plain-") ? ["jpeg"] : ["jpeg", "h264"];
    const forms = [
      "frames/0.png",
      "frames/2.jpg",
      ...formats.map((each) => `speak?format=${each}`),
    ];
    return forms.map((form) => `${id}/${form}`);
  });
  const get = async (path: string) => {
    const isSpeech = path.includes("/speak?");
    const response = await fetch(`${url}/v1/avatars/${path}`, {
      ...(isSpeech && { method: "POST", headers: { "content-type": "audio/wav" }, body: WAV }),
      signal: AbortSignal.timeout(LIMIT_MS),
    });
    return [path, await digest(response, isSpeech)] as const;
  };
  return Promise.all(paths.map(get));
}

async function digest(response: Response, isSpeech: boolean): Promise<string> {
  if (!response.ok) {
    const { status, detail } = (await response.json()) as { status: number; detail: string };
    assert.equal(status, response.status);
    if (status === 503) assert.ok(Number(response.headers.get("retry-after")) > 0);
    return `${status}: ${detail}`;
  }
  const hash = createHash("sha256");
  if (!isSpeech) return hash.update(await response.bytes()).digest("hex");
  try {
    for (const { body } of await readParts(response)) hash.update(body);
  } catch (error) {
    return String(error);
  }
  return hash.digest("hex");
}

/** What the edge lists; null where it says that it cannot. */
async function list(url: string, query = ""): Promise<{ id: string }[] | null> {
  const response = await fetch(`${url}/v1/avatars${query}`, {
    signal: AbortSignal.timeout(LIMIT_MS),
  });
  const { avatars } = (await response.json()) as { avatars: { id: string }[] };
  if (response.status === 200) return avatars;
  assert.equal(response.status, 503);
  assert.ok(Number(response.headers.get("retry-after")) > 0);
  return null;
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
        await deliversAll("known", "plain-known");
        await listsTheLast();
      });
      after(async () => {
        await edge?.stop();
        await store?.close();
      });

      const deliversAll = async (...ids: string[]) => {
        for (let attempt = 1; ; attempt++) {
          const delivered = await deliver(edge.url, ...ids);
          const isBusy = delivered.some(([, got]) => /^503: .*did not answer within/.test(got));
          // A store that is sound may seem silent where all start at the same time.
          if (isBusy && attempt < ATTEMPTS) continue;
          for (const [what, got] of delivered) assert.equal(got, expected.get(what), what);
          return;
        }
      };
      const listsTheLast = async () => {
        assert.deepEqual(await list(edge.url, "?after=y"), [listed.get(LAST)]);
      };

      for (const state of FAULTS) {
        test(state, async () => {
          const asked = store.requests;
          store.set(state);
          try {
            await new Promise((resolve) => setTimeout(resolve, FRESH_MS));
            // What is known goes on.
            await deliversAll("known", "plain-known");
            await listsTheLast();
            const started = performance.now();
            const [delivered, some] = await Promise.all([
              deliver(edge.url, `new-${state}`, `plain-new-${state}`),
              // Where it can be had, it makes the others known.
              state === "slow" ? null : list(edge.url),
            ]);
            const tookMs = performance.now() - started;
            for (const [what, got] of delivered) {
              // Of some objects there is no other for "mixed" to give.
              if (state === "mixed" && got === expected.get(what)) continue;
              if (state === "slow") assert.equal(got, expected.get(what), what);
              else assert.match(got, /^503: |^Error: broke off .*"status":503/, what);
            }
            assert.ok(state === "slow" || tookMs < 10_000 * STORE_TIMEOUT_S, `${tookMs} ms`);
            // A list may leave out what cannot be read, and has nothing wrong in it.
            for (const each of some ?? []) assert.deepEqual(each, listed.get(each.id));
            assert.ok(store.requests > asked);
          } finally {
            store.set("sound");
          }
          // It is whole again at once.
          await deliversAll(`new-${state}`, `plain-new-${state}`);
        });
      }
    });
  }
});
