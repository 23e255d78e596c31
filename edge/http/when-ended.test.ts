import assert from "node:assert/strict";
import { test } from "node:test";
import { type BodyOutcome, whenEnded } from "./when-ended.ts";

function watch(source: UnderlyingDefaultSource<Uint8Array>) {
  const outcomes: BodyOutcome[] = [];
  const body = new ReadableStream(source, { highWaterMark: 0 });
  const [watched, ended] = whenEnded(body, (outcome) => outcomes.push(outcome));
  return { watched, ended, outcomes };
}

test("bytes pass as they are, and the end is told once", async () => {
  const { watched, ended, outcomes } = watch({
    start(controller) {
      controller.enqueue(new Uint8Array([1, 2]));
      controller.enqueue(new Uint8Array([3]));
      controller.close();
    },
  });
  assert.deepEqual(await new Response(watched).bytes(), new Uint8Array([1, 2, 3]));
  await ended;
  assert.deepEqual(outcomes, ["complete"]);
});

test("nothing is made that nobody asks for", async () => {
  let made = 0;
  const { watched } = watch({
    pull(controller) {
      controller.enqueue(new Uint8Array([made++]));
    },
  });
  const reader = watched.getReader();
  await reader.read();
  await reader.read();
  assert.equal(made, 2);
  await reader.cancel();
});

test("a reader that leaves ends it, and the source hears of it", async () => {
  let reason: unknown;
  const { watched, ended, outcomes } = watch({
    cancel(why) {
      reason = why;
    },
  });
  await watched.cancel("enough");
  await ended;
  assert.deepEqual([outcomes, reason], [["cancelled"], "enough"]);
});

test("a body that breaks breaks for the reader too", async () => {
  const { watched, ended, outcomes } = watch({
    pull() {
      throw new Error("broken");
    },
  });
  await assert.rejects(new Response(watched).bytes(), /broken/);
  await ended;
  assert.match(String(outcomes[0]), /broken/);
});
