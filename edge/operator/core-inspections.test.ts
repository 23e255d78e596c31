import assert from "node:assert/strict";
import { test } from "node:test";
import type { CoreInspector, CoreModel } from "../core/core-inspector.ts";
import type { CoreNode } from "../core/fleet/core-node.ts";
import { FREE_SHARING } from "../parts.ts";
import { CoreInspections } from "./core-inspections.ts";

const MODEL = { id: "ada", state: "ready" } as CoreModel;

/** As far as an inspection looks at one. */
function nodeWith(models: CoreInspector["models"] | null): CoreNode {
  return { inspector: models && { models } } as unknown as CoreNode;
}

test("an answer is good for five seconds, and the last one goes on when the core fails", async () => {
  let nowMs = 0;
  let asked = 0;
  const inspections = new CoreInspections(() => nowMs, FREE_SHARING);
  const node = nodeWith(async () => {
    if (++asked > 1) throw new Error("connection refused");
    return [MODEL];
  });
  assert.deepEqual(await inspections.look([node]), [{ models: [MODEL], ageMs: 0, problem: null }]);
  nowMs = 4999;
  assert.equal((await inspections.look([node]))[0]?.ageMs, 4999);
  assert.equal(asked, 1);
  nowMs = 5000;
  assert.deepEqual(await inspections.look([node]), [
    { models: [MODEL], ageMs: 5000, problem: "connection refused" },
  ]);
});

test("a core that says nothing is told to be silent, and keeps nobody waiting", async () => {
  let nowMs = 0;
  const inspections = new CoreInspections(() => nowMs, FREE_SHARING);
  const nodes = [nodeWith(() => new Promise(() => {})), nodeWith(async () => [MODEL])];
  const [silent, other] = await inspections.look(nodes);
  assert.equal(silent?.problem, "it has not answered yet");
  assert.deepEqual(other?.models, [MODEL]);
  nowMs = 2000;
  assert.equal((await inspections.look(nodes))[0]?.problem, "no answer within 2 s");
});

test("one without an inspector cannot be asked", async () => {
  const inspections = new CoreInspections(() => 0, FREE_SHARING);
  const [seen] = await inspections.look([nodeWith(null)]);
  assert.match(seen?.problem ?? "", /cannot be asked/);
});
