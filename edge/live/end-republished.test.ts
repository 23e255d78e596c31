import assert from "node:assert/strict";
import { test } from "node:test";
import { openStage } from "../../test/support/live-stage.ts";
import { CoreCallError } from "../core/core-client.ts";
import { endRepublished } from "./end-republished.ts";

const SPEECH = new Int16Array(16_000).fill(4000);

async function speakWith(code: "model" | "unreachable", currentVersion: string) {
  const { clock, core, session, watch } = openStage();
  endRepublished(session, { currentVersion: async () => currentVersion });
  watch();
  core.error = new CoreCallError(code, "the core has another version");
  session.pushSpeech(SPEECH);
  session.endSpeech();
  await clock.advanceTo(1000);
  return session.ended;
}

test("a session ends whose avatar was published again, once its core has gone on", async () => {
  assert.equal(await speakWith("model", "2"), "republished");
  assert.equal(await speakWith("model", "1"), null);
  assert.equal(await speakWith("unreachable", "2"), null);
});
