import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { setTimeout } from "node:timers/promises";
import { RUNTIMES, type Runtime } from "./support/edges.ts";
import { type RunningModule, runModule } from "./support/in-runtimes.ts";
import { sampleSpeech } from "./support/sample-speech.ts";

const MODULE = "test/support/sound-module.ts";

/** What each answers for the same speech, in Node. */
async function expectedOf(path: string, body: BodyInit): Promise<Uint8Array> {
  const { now } = Date;
  try {
    const node = await runModule("node", MODULE);
    return await (await node.call(path, body)).bytes();
  } finally {
    Date.now = now;
  }
}

for (const runtime of Object.keys(RUNTIMES) as Runtime[]) {
  describe(`sound on ${runtime}`, { timeout: 60_000 }, () => {
    let module: RunningModule;
    before(async () => {
      module = await runModule(runtime, MODULE);
    });
    after(() => module?.stop());

    for (const [path, least] of Object.entries({ "/opus": 8_000, "/mp4": 100_000 })) {
      test(`${path} is that of Node, byte for byte`, async () => {
        const speech = await sampleSpeech();
        const body = new Uint8Array(speech.buffer, speech.byteOffset, 2 * 16_000 * 4);
        const response = await module.call(path, body, AbortSignal.timeout(10_000));
        const found = await response.bytes();
        assert.ok(found.length > least, new TextDecoder().decode(found.subarray(0, 500)));
        assert.deepEqual(found, await expectedOf(path, body));
      });
    }

    test("a film whose viewer leaves is let go", async () => {
      const reader = (await module.call("/endless", "")).body!.getReader();
      for (let n = 0; n < 3; n++) assert.equal((await reader.read()).done, false);
      const before = await (await module.call("/ended", "")).text();
      assert.equal(before, "0");
      await reader.cancel();
      for (let tries = 0; tries < 200; tries++) {
        if ((await (await module.call("/ended", "")).text()) === "1") return;
        await setTimeout(50);
      }
      assert.fail("it goes on");
    });
  });
}
