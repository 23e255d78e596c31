import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { after, before, describe, test } from "node:test";
import { silentLogger } from "../avatar/logger.ts";
import { parseCoreConfig } from "../gpu-core/config.ts";
import { type RunningCore, startCore } from "../gpu-core/main.ts";
import { RUNTIMES, type TestEdge } from "./support/edges.ts";
import { type LinkState, type ShakyLink, startShakyLink } from "./support/shaky-link.ts";
import { readParts } from "./support/system.ts";
import { temporaryFolder, tone, wavFile, writeTinyAvatar } from "./support/tiny-avatar.ts";

const AVATARS = ["ada", "ben", "cleo", "dan", "eve", "fay"];
const WAV = wavFile(tone(20_000));
const REQUESTS = 6;
const LIMIT_MS = 30_000;
const STATES: readonly LinkState[] = [
  { kind: "cut" },
  { kind: "silent" },
  { kind: "slow", delayMs: 60 },
];

for (const runtime of ["node", "deno", "workerd"] as const) {
  describe(`three cores behind an edge on ${runtime}`, { timeout: 240_000 }, () => {
    const cores: RunningCore[] = [];
    const links: ShakyLink[] = [];
    const ends: (() => Promise<void>)[] = [];
    let edge: TestEdge;
    /** Of an utterance, whoever computes it. */
    let expected: Record<string, string>;

    before(async () => {
      const root = await temporaryFolder({ after: (end) => ends.push(end) });
      for (const id of AVATARS) await writeTinyAvatar(root, id);
      for (let n = 0; n < 3; n++) {
        const config = {
          models_root: root,
          server: { port: 0 },
          gpus: { cpu_threads_per_worker: 1 },
          faults: [{ point: "model.run", action: "delay", delay_ms: 5, count: 0 }],
        };
        const core = await startCore(parseCoreConfig(config, "test"), silentLogger);
        cores.push(core);
        links.push(await startShakyLink(core.url));
      }
      const config = { core: { cores: links.map(({ url }) => ({ url })), timeout_s: 10 } };
      edge = await RUNTIMES[runtime]({ root, config });
      expected = {};
      for (const id of AVATARS) expected[id] = await speak(id);
    });
    after(async () => {
      await edge?.stop();
      for (const link of links) await link.close();
      for (const core of cores) await core.stop();
      for (const end of ends) await end();
    });

    async function speak(id: string): Promise<string> {
      const response = await fetch(`${edge.url}/v1/avatars/${id}/speak?format=jpeg`, {
        method: "POST",
        headers: { "content-type": "audio/wav" },
        body: WAV,
        signal: AbortSignal.timeout(LIMIT_MS),
      });
      const parts = await readParts(response);
      const hash = createHash("sha256");
      for (const { body } of parts) hash.update(body);
      return hash.digest("hex");
    }

    /** Everybody speaks again and again while `state` befalls one core. */
    async function speakThrough(core: number, state: LinkState): Promise<void> {
      let isOver = false;
      let spoken = 0;
      const speaking = AVATARS.map(async (id) => {
        while (!isOver) {
          assert.equal(await speak(id), expected[id], id);
          spoken++;
        }
      });
      const more = async (count: number) => {
        const until = spoken + count;
        while (spoken < until) {
          await Promise.race([Promise.all(speaking), pause(20)]);
        }
      };
      await more(6);
      links[core]!.set(state);
      await more(18);
      links[core]!.set({ kind: "open" });
      await more(6);
      isOver = true;
      await Promise.all(speaking);
    }

    test("the avatars are spread over the cores", async () => {
      const loaded = cores.map(({ core }) => core.registry.loadedCount);
      const sum = loaded.reduce((total, count) => total + count);
      // Each in one place, but for those of which a second core was asked.
      assert.ok(sum >= AVATARS.length && sum <= AVATARS.length + 2, `${loaded}`);
      assert.ok(Math.max(...loaded) < AVATARS.length, `${loaded}`);
    });

    test("requests share the connections that there are", async () => {
      const opened = () => links.reduce((sum, { connections }) => sum + connections, 0);
      const before = opened();
      // Which cores have been asked depends on their ports.
      assert.ok(before >= 1);
      for (let i = 0; i < REQUESTS; i++) assert.equal(await speak("ada"), expected.ada);
      // Over HTTP/1.1 windows that overlap have one each.
      const more = opened() - before;
      assert.ok(more < REQUESTS, `${more} new ones for ${REQUESTS} requests`);
    });

    // Deno reaches its cores as workerd does, over `fetch`: what differs is how it learns of a loss.
    for (const [n, state] of (runtime === "deno" ? STATES.slice(0, 1) : STATES).entries()) {
      test(`one becomes ${state.kind} under load: nobody notices but by the time`, async () => {
        await speakThrough(n, state);
      });
    }

    test("no core at all: 503 with Retry-After, idle frames go on", async () => {
      for (const link of links) link.set({ kind: "cut" });
      const response = await fetch(`${edge.url}/v1/avatars/ada/speak`, {
        method: "POST",
        headers: { "content-type": "audio/wav" },
        body: WAV,
      });
      assert.equal(response.status, 503);
      assert.ok(Number(response.headers.get("retry-after")) > 0);
      await response.arrayBuffer();
      assert.equal((await fetch(`${edge.url}/v1/avatars/ada/frames/0.jpg`)).status, 200);
      assert.equal((await fetch(`${edge.url}/readyz`)).status, 503);
      for (const link of links) link.set({ kind: "open" });
      for (let i = 0; i < 200; i++) {
        if ((await fetch(`${edge.url}/readyz`)).status === 200) break;
        await pause(50);
      }
      assert.equal(await speak("ada"), expected.ada);
    });
  });
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
