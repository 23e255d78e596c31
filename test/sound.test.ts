import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { RUNTIMES, type Runtime } from "./support/edges.ts";
import { type RunningModule, runModule } from "./support/in-runtimes.ts";
import { sampleSpeech } from "./support/sample-speech.ts";

const MODULE = "test/support/sound-module.ts";

for (const runtime of Object.keys(RUNTIMES) as Runtime[]) {
  describe(`sound on ${runtime}`, { timeout: 60_000 }, () => {
    let module: RunningModule;
    before(async () => {
      module = await runModule(runtime, MODULE);
    });
    after(() => module?.stop());

    test("Opus packets are those of Node, byte for byte", async () => {
      const speech = await sampleSpeech();
      const body = new Uint8Array(speech.buffer, speech.byteOffset, 2 * 16_000 * 4);
      const node = await runModule("node", MODULE);
      const expected = await (await node.call("/opus", body)).bytes();
      const response = await module.call("/opus", body, AbortSignal.timeout(10_000));
      const found = await response.bytes();
      assert.ok(found.length > 8_000, new TextDecoder().decode(found.subarray(0, 500)));
      assert.deepEqual(found, expected);
    });
  });
}
