import assert from "node:assert/strict";
import { test } from "node:test";
import { openStage } from "../../test/support/live-stage.ts";
import { liveSchema } from "./live-settings.ts";
import { SessionLifetime } from "./session-lifetime.ts";

function begin(settings: object) {
  const stage = openStage();
  const told: (string | number)[][] = [];
  stage.session.listen({
    ending: (reason, inMs) => told.push([stage.clock.now(), "ending", reason, inMs]),
    ended: (reason) => told.push([stage.clock.now(), "ended", reason]),
  });
  const { clock, session } = stage;
  const lifetime = new SessionLifetime({ session, clock, settings: liveSchema.parse(settings) });
  return { ...stage, lifetime, told };
}

const SPEECH = new Int16Array(16_000).fill(4000);

test("the longest duration is announced a minute before it strikes", async () => {
  const { clock, told, watch, lifetime, session } = begin({ max_duration_s: 300 });
  const { viewer } = watch();
  await clock.advanceTo(100_000);
  assert.equal(lifetime.remainingMs, 200_000);
  await clock.advanceTo(400_000);
  assert.deepEqual(told, [
    [240_000, "ending", "max_duration", 60_000],
    [300_000, "ended", "max_duration"],
  ]);
  assert.deepEqual(viewer.ends, ["max_duration"]);
  assert.equal(session.ended, "max_duration");
});

test("an idle session ends; speech keeps it, and takes an announcement back", async () => {
  const { clock, told, watch, session } = begin({ idle_timeout_s: 20 });
  watch();
  await clock.advanceTo(15_000);
  session.pushSpeech(SPEECH);
  session.endSpeech();
  await clock.advanceTo(60_000);
  assert.deepEqual(
    told.map(([, what, reason]) => [what, reason]),
    [
      ["ending", "idle_timeout"],
      ["ending", "idle_timeout"],
      ["ended", "idle_timeout"],
    ],
  );
  const [, second, end] = told.map(([atMs]) => Number(atMs));
  assert.equal(told[0]?.[0], 10_000);
  assert.equal(end! - second!, 10_000);
  assert.ok(end! > 35_000 && end! < 38_000, `it ended at ${end}`);
});

test("a session to which nobody comes ends, and so does one that was left for good", async () => {
  const never = begin({ join_s: 60, resume_s: 10 });
  await never.clock.advanceTo(100_000);
  assert.deepEqual(never.told, [[60_000, "ended", "abandoned"]]);
  const left = begin({ join_s: 60, resume_s: 10 });
  await left.clock.advanceTo(30_000);
  const one = left.watch();
  await left.clock.advanceTo(40_000);
  one.control.leave();
  await left.clock.advanceTo(49_000);
  const two = left.watch();
  await left.clock.advanceTo(100_000);
  assert.deepEqual(left.told, []);
  two.control.leave();
  await left.clock.advanceTo(200_000);
  assert.deepEqual(left.told, [[110_000, "ended", "abandoned"]]);
});

test("without its timer a session still ends, by the frames that it shows", async () => {
  const stage = openStage();
  // As in Workers, where a timer ends with the request that made it.
  const clock = { now: () => stage.clock.now(), after: () => () => {} };
  const { session } = stage;
  new SessionLifetime({ session, clock, settings: liveSchema.parse({ max_duration_s: 10 }) });
  stage.watch();
  await stage.clock.advanceTo(12_000);
  assert.equal(session.ended, "max_duration");
});
