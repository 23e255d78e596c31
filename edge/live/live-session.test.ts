import assert from "node:assert/strict";
import { test } from "node:test";
import { backgroundIndex } from "../../avatar/playback.ts";
import { frameCount } from "../../avatar/speech-timing.ts";
import { DigestCore, openStage, type StageEvent } from "../../test/support/live-stage.ts";
import { tone } from "../../test/support/tiny-avatar.ts";
import { CoreCallError } from "../core/core-client.ts";
import { streamMouths } from "../speak/mouth-stream.ts";
import { cutSpeechWindows } from "../speak/speech-windows.ts";
import { LiveError } from "./live-error.ts";

/** Speech without a pause, so that every mouth is seen. */
function loudSpeech(samples: number): Int16Array {
  return Int16Array.from({ length: samples }, (_, n) =>
    Math.round(9000 * Math.sin((n * (1 + n / 150_000)) / 7)),
  );
}

/** Without a listing of thousands of samples where they differ. */
function assertSame(heard: Int16Array, speech: Int16Array): void {
  assert.equal(heard.length, speech.length);
  assert.equal(
    heard.findIndex((sample, n) => sample !== speech[n]),
    -1,
  );
}

const named = (events: StageEvent[], type: StageEvent["type"]) =>
  events.filter((event) => event.type === type);

test("after ten hours silence costs the core nothing, and the clock has not drifted", async () => {
  const { clock, core, composers, session, watch } = openStage();
  const began = 10 * 3_600_000;
  await clock.advanceTo(began);
  const { viewer } = watch();
  const minutes = 10;
  await clock.advanceBy(minutes * 60_000);
  assert.equal(viewer.frames.length, minutes * 1500);
  assert.equal(core.calls.length, 0);
  assert.equal(composers.length, 1);
  for (const [n, frame] of viewer.frames.entries()) {
    assert.equal(frame.position, began / 40 + n);
    assert.equal(frame.timestampMs, began + 40 * (n + 1));
    assert.equal(frame.atMs, frame.timestampMs);
  }
  assert.equal(viewer.sounds.length, 0);
  session.pushSpeech(loudSpeech(16_000 * 30));
  session.endSpeech();
  await clock.advanceBy(40_000);
  const [first, last] = [viewer.sounds[0]!, viewer.sounds.at(-1)!];
  assert.equal(last.timestampMs - first.timestampMs, 30_000 - 40);
  for (const { timestampMs, atMs } of viewer.sounds) {
    assert.equal(atMs, timestampMs);
    assert.equal(viewer.frames[(timestampMs - began) / 40 - 1]?.segment, 1);
  }
});

test("speech in any pieces gives the sound it was, and the mouths that offline rendering gives", async () => {
  const speech = loudSpeech(50_001);
  const { clock, core, avatar, composers, session, events, watch } = openStage();
  const { viewer } = watch();
  await clock.advanceTo(1000);
  for (let at = 0, size = 1; at < speech.length; at += size, size = (size * 7) % 4999) {
    session.pushSpeech(speech.subarray(at, at + size));
  }
  session.endSpeech();
  await clock.advanceTo(8000);

  assertSame(viewer.heard(1), speech);
  const first = viewer.sounds[0]!;
  for (const [n, sound] of viewer.sounds.entries()) {
    assert.equal(sound.timestampMs, first.timestampMs + 40 * n);
    assert.equal(sound.atMs, sound.timestampMs);
  }
  // The frame of each moment shows the mouth of its sound.
  const spoken = viewer.frames.filter(({ segment }) => segment === 1);
  assert.equal(spoken[0]?.timestampMs, first.timestampMs);
  const start = spoken[0]!.position;
  async function* whole() {
    yield speech;
  }
  const offline = new DigestCore(avatar, null);
  const signal = new AbortController().signal;
  const options = { signal, requestId: "offline" };
  const windows = cutSpeechWindows(whole());
  const composed = new Map(composers[0]!.composed.map((each) => [each.position, each.mouth]));
  let same = 0;
  for await (const mouth of streamMouths(offline, avatar.summary, windows, start, options)) {
    const live = composed.get(start + mouth.frame);
    assert.equal(live?.backgroundIndex, mouth.backgroundIndex);
    const isWhole = mouth.frame >= 3 && mouth.frame < frameCount(speech.length) - 3;
    if (!isWhole) continue;
    assert.deepEqual(live?.pixels, mouth.pixels, `frame ${mouth.frame}`);
    same++;
  }
  assert.equal(same, frameCount(speech.length) - 6);
  assert.equal(core.underWay, 0);
  // No more was asked for than was shown.
  const asked = core.calls.reduce((sum, call) => sum + call.backgroundIndices.length, 0);
  assert.equal(asked, frameCount(speech.length));
  assert.equal(named(events, "started").length, 1);
  const finished = named(events, "finished");
  assert.deepEqual(finished, [
    { type: "finished", segment: 1, playedMs: 3125, reason: "complete", error: null },
  ]);
});

test("the mouth comes and goes over some frames", async () => {
  const { clock, composers, session, watch } = openStage();
  watch();
  session.pushSpeech(loudSpeech(32_000));
  session.endSpeech();
  await clock.advanceTo(4000);
  const { composed } = composers[0]!;
  const begin = composed.findIndex(({ mouth }) => mouth !== null);
  const end = composed.findLastIndex(({ mouth }) => mouth !== null);
  // The background's own mouth is black here: the brightest of what is left tells its weight.
  const light = (n: number) => {
    const { mouth } = composed[n]!;
    assert.equal(mouth?.backgroundIndex, backgroundIndex(n, 5));
    return Math.max(...mouth!.pixels);
  };
  assert.ok(light(begin + 10) > 200);
  for (const weight of [1, 2, 3]) {
    const [from, most] = [255 * ((weight - 1) / 4), 255 * (weight / 4) + 1];
    for (const n of [begin + weight - 1, end - weight + 1]) {
      assert.ok(light(n) > from && light(n) <= most, `frame ${n} of ${begin} to ${end}`);
    }
  }
});

test("in silence the mouth closes, and silence is not computed", async () => {
  const { clock, core, composers, session, watch } = openStage();
  const { viewer } = watch();
  const speech = new Int16Array(16_000 * 8);
  speech.set(loudSpeech(16_000), 0);
  speech.set(loudSpeech(16_000), 16_000 * 6);
  session.pushSpeech(speech);
  session.endSpeech();
  await clock.advanceTo(10_000);
  assertSame(viewer.heard(1), speech);
  const spoken = viewer.frames.filter(({ segment }) => segment === 1);
  const start = spoken[0]!.position;
  const mouths = composers[0]!.composed
    .slice(start, start + 200)
    .map(({ mouth }) => mouth !== null);
  assert.ok(mouths.slice(4, 24).every(Boolean), "it speaks");
  assert.ok(!mouths.slice(31, 146).some(Boolean), "it is closed in the pause");
  assert.ok(mouths.slice(150, 170).every(Boolean), "it speaks again");
  const asked = core.calls.reduce((sum, call) => sum + call.backgroundIndices.length, 0);
  assert.ok(asked < 100, `${asked} of 200 frames were asked for`);
});

test("an interruption silences at once, and drops all that was pushed before", async () => {
  const { clock, core, composers, session, events, watch } = openStage();
  const { viewer } = watch();
  session.pushSpeech(loudSpeech(160_000));
  session.endSpeech();
  session.pushSpeech(loudSpeech(16_000));
  await clock.advanceTo(2010);
  const { epoch } = session;
  session.interrupt();
  await clock.advanceTo(5000);
  assert.deepEqual(viewer.interruptions, [{ segment: 2, atMs: 2010 }]);
  assert.ok(viewer.sounds.every(({ atMs }) => atMs <= 2010));
  assert.ok(viewer.frames.every(({ atMs, segment }) => atMs <= 2010 || segment === null));
  const last = composers[0]!.composed.findLast(({ mouth }) => mouth !== null)!;
  const shown = viewer.frames.find(({ position }) => position === last.position)!;
  // The next frame shows half of it, and the one after that nothing.
  assert.ok(shown.atMs > 2010 && shown.atMs <= 2010 + 40, `the mouth was open at ${shown.atMs}`);
  assert.equal(core.underWay, 0);
  const finished = named(events, "finished");
  assert.deepEqual(
    finished.map((event) => event.type === "finished" && [event.segment, event.reason]),
    [
      [1, "interrupted"],
      [2, "interrupted"],
    ],
  );
  assert.throws(() => session.pushSpeech(loudSpeech(100), epoch), isCode("old_epoch"));
  assert.equal(session.pushSpeech(loudSpeech(16_000)), 3);
  session.endSpeech();
  await clock.advanceTo(8000);
  assert.equal(viewer.heard(3).length, 16_000);
  assert.equal(named(events, "finished").length, 3);
});

test("who hears of an interruption may speak at once", async () => {
  const { clock, session, events, watch } = openStage();
  const { viewer } = watch();
  session.listen({
    interrupted: (_segment, epoch) => {
      session.pushSpeech(loudSpeech(16_000), epoch);
      session.endSpeech(epoch);
    },
  });
  session.pushSpeech(loudSpeech(160_000));
  await clock.advanceTo(2000);
  session.interrupt();
  await clock.advanceTo(6000);
  assert.equal(viewer.heard(2).length, 16_000);
  assert.deepEqual(
    named(events, "finished").map((event) => event.type === "finished" && event.reason),
    ["interrupted", "complete"],
  );
});

test("speech that comes as it is spoken is heard whole", async () => {
  const { clock, session, events, watch } = openStage();
  const { viewer } = watch();
  const speech = loudSpeech(16_000 * 6);
  for (let at = 0; at < speech.length; at += 320) {
    session.pushSpeech(speech.subarray(at, at + 320));
    await clock.advanceBy(20);
  }
  session.endSpeech();
  await clock.advanceBy(3000);
  assertSame(viewer.heard(1), speech);
  const [first, last] = [viewer.sounds[0]!, viewer.sounds.at(-1)!];
  assert.equal(last.timestampMs - first.timestampMs, 6000 - 40, "and without a gap");
  assert.ok(first.timestampMs < 1200, `it began at ${first.timestampMs}`);
  assert.equal(named(events, "finished").length, 1);
});

test("speech that comes too slowly makes pauses in which nothing freezes", async () => {
  const { clock, session, events, composers, watch } = openStage();
  const { viewer } = watch();
  const speech = loudSpeech(16_000 * 4);
  // Half as fast as it is spoken.
  for (let at = 0; at < speech.length; at += 3200) {
    session.pushSpeech(speech.subarray(at, at + 3200));
    await clock.advanceBy(400);
  }
  session.endSpeech();
  await clock.advanceBy(5000);
  assertSame(viewer.heard(1), speech);
  // A picture every 40 ms all the time, and the sound beside its own.
  assert.ok(viewer.frames.every(({ timestampMs }, n) => timestampMs === 40 * (n + 1)));
  for (const { timestampMs } of viewer.sounds) {
    const beside = viewer.frames[timestampMs / 40 - 1];
    assert.equal(beside?.segment, 1);
  }
  const isOpen = composers[0]!.composed.map(({ mouth }) => mouth !== null);
  const first = isOpen.indexOf(true);
  assert.ok(isOpen.slice(first, isOpen.lastIndexOf(true)).includes(false), "the mouth closed");
  assert.equal(named(events, "finished").length, 1);
});

test("speech whose sender falls silent ends by itself", async () => {
  const { clock, session, events, watch } = openStage();
  const { viewer } = watch();
  const speech = loudSpeech(20_000);
  session.pushSpeech(speech);
  await clock.advanceTo(5000);
  assertSame(viewer.heard(1), speech);
  assert.equal(named(events, "finished").length, 1);
  session.pushSpeech(loudSpeech(100));
  await clock.advanceTo(8000);
  assert.equal(viewer.heard(2).length, 100);
  assert.equal(named(events, "finished").length, 2);
});

test("segments follow each other without a gap", async () => {
  const { clock, session, events, watch } = openStage();
  const { viewer } = watch();
  for (let n = 0; n < 5; n++) {
    session.pushSpeech(loudSpeech(16_000));
    session.endSpeech();
  }
  await clock.advanceTo(8000);
  assert.equal(viewer.sounds.length, 125);
  const [first, last] = [viewer.sounds[0]!, viewer.sounds.at(-1)!];
  assert.equal(last.timestampMs - first.timestampMs, 124 * 40);
  assert.deepEqual(
    named(events, "finished").map(({ segment }) => segment),
    [1, 2, 3, 4, 5],
  );
});

test("a core that is late makes a pause, and is not asked for more meanwhile", async () => {
  const { clock, core, session, events, watch } = openStage();
  const { viewer } = watch();
  core.firstMs = 900;
  const speech = loudSpeech(48_000);
  session.pushSpeech(speech);
  session.endSpeech();
  await clock.advanceTo(800);
  const { length: early } = core.calls;
  assert.ok(early <= 2, `${early} calls`);
  await clock.advanceTo(12_000);
  assertSame(viewer.heard(1), speech);
  assert.ok(viewer.frames.every(({ timestampMs }, n) => timestampMs === 40 * (n + 1)));
  const [finished] = named(events, "finished");
  assert.equal(finished?.type === "finished" && finished.reason, "complete");
});

test("what a late core has delayed is caught up with in silence, where speech is live", async () => {
  const { clock, core, session, watch } = openStage();
  const { viewer } = watch();
  const words = 8;
  const speech = new Int16Array(32_000 * words);
  const word = loudSpeech(16_000);
  for (let n = 0; n < words; n++) speech.set(word, 32_000 * n);
  core.firstMs = 900;
  for (let at = 0; at < speech.length; at += 320) {
    session.pushSpeech(speech.subarray(at, at + 320));
    await clock.advanceBy(20);
    if (at === 32_000) core.firstMs = 30;
  }
  session.endSpeech();
  await clock.advanceBy(3000);
  const isLoud = (samples: Int16Array) => samples.some((sample) => Math.abs(sample) > 100);
  const onsets = viewer.sounds.filter(
    ({ samples }, n) => isLoud(samples) && (n === 0 || !isLoud(viewer.sounds[n - 1]!.samples)),
  );
  const delays = onsets.map(({ timestampMs }, n) => timestampMs - 2000 * n);
  assert.equal(delays.length, words);
  assert.ok(delays[0]! > 1300, `${delays[0]}`);
  // 452 of what a picture depends on, a piece, the core's time and a frame.
  assert.ok(delays.at(-1)! <= 452 + 20 + 30 + 2 * 40, `${delays}`);
  // Of the words nothing is missing.
  const loud = (samples: Int16Array) => samples.filter((sample) => sample !== 0);
  assertSame(loud(viewer.heard(1)), loud(speech));
  assert.ok(viewer.frames.every(({ timestampMs }, n) => timestampMs === 40 * (n + 1)));
});

test("a core that fails is told of; the background goes on, and so does later speech", async () => {
  const { clock, core, session, events, watch } = openStage();
  const { viewer } = watch();
  core.error = new CoreCallError("unreachable", "no core answers");
  session.pushSpeech(loudSpeech(16_000));
  await clock.advanceTo(1000);
  const [failed] = named(events, "finished");
  assert.ok(failed?.type === "finished" && failed.reason === "failed");
  assert.equal(failed.error, core.error);
  // The rest of that sentence goes nowhere, and asks nothing of the core.
  const { length: calls } = core.calls;
  session.pushSpeech(loudSpeech(32_000));
  await clock.advanceTo(2000);
  assert.equal(core.calls.length, calls);
  session.endSpeech();
  core.error = null;
  session.pushSpeech(loudSpeech(16_000));
  session.endSpeech();
  await clock.advanceTo(5000);
  assert.equal(viewer.heard(2).length, 16_000);
  assert.equal(viewer.sounds.filter(({ segment }) => segment === 1).length, 0);
  assert.ok(viewer.frames.every(({ timestampMs }, n) => timestampMs === 40 * (n + 1)));
  assert.equal(named(events, "finished").length, 2);
});

test("after a pause of the process frames are skipped, and sound stays with its picture", async () => {
  const { clock, session, watch } = openStage();
  const { viewer } = watch();
  const speech = loudSpeech(64_000);
  session.pushSpeech(speech);
  session.endSpeech();
  await clock.advanceTo(1500);
  // All that is due runs at once, late: as after a garbage collection.
  const now = clock.now.bind(clock);
  clock.now = () => Math.max(now(), 2500);
  await clock.advanceTo(2480);
  clock.now = now;
  await clock.advanceTo(8000);
  const times = viewer.frames.map(({ timestampMs }) => timestampMs);
  assert.equal(new Set(times).size, times.length);
  assert.ok(times.every((time, n) => n === 0 || time > times[n - 1]!));
  assert.ok(times.length < 200 - 20, "frames were skipped");
  assertSame(viewer.heard(1), speech);
  for (const sound of viewer.sounds) {
    assert.equal(viewer.frames.find((f) => f.timestampMs === sound.timestampMs)?.segment, 1);
  }
  assert.ok(session.stats.skippedFrames > 20);
});

test("speech waits while nobody watches, and the background goes on", async () => {
  const { clock, core, composers, session, watch } = openStage();
  const speech = loudSpeech(48_000);
  session.pushSpeech(speech);
  session.endSpeech();
  await clock.advanceTo(4000);
  assert.equal(core.calls.length, 0);
  const one = watch();
  await clock.advanceTo(5500);
  one.control.leave();
  const { length: calls } = core.calls;
  await clock.advanceTo(20_000);
  assert.equal(core.calls.length, calls);
  assert.equal(core.underWay, 0);
  assert.equal(composers.length, 1);
  const two = watch();
  await clock.advanceTo(30_000);
  const heard = [...one.viewer.heard(1), ...two.viewer.heard(1)];
  assertSame(Int16Array.from(heard), speech);
  assert.equal(two.viewer.frames[0]?.timestampMs, 20_040);
  assert.equal(two.viewer.frames[0]?.position, 500);
});

test("who watches the same format sees one stream, and whoever joins gets a key frame", async () => {
  const { clock, composers, session, watch } = openStage();
  const one = watch("h264");
  await clock.advanceTo(400);
  const two = watch("h264");
  await clock.advanceTo(800);
  assert.equal(composers.length, 1);
  assert.equal(two.viewer.frames[0]?.isKeyFrame, true);
  assert.equal(one.viewer.frames.filter(({ isKeyFrame }) => isKeyFrame).length, 2);
  one.control.setVideoKilobits(500);
  two.control.setVideoKilobits(300);
  assert.equal(composers[0]?.kilobits, 300);
  two.control.leave();
  assert.equal(composers[0]?.kilobits, 500);
  one.control.requestKeyFrame();
  await clock.advanceTo(840);
  assert.equal(one.viewer.frames.at(-1)?.isKeyFrame, true);
  watch();
  watch();
  watch();
  assert.throws(() => watch(), isCode("too_many"));
  session.end("test");
  assert.deepEqual(one.viewer.ends, ["test"]);
  assert.throws(() => watch(), isCode("ended"));
  assert.throws(() => session.pushSpeech(tone(10)), isCode("ended"));
});

test("a background that cannot be read is passed over, and ends the session when it stays so", async () => {
  const { clock, composers, session, watch } = openStage();
  const { viewer } = watch();
  await clock.advanceTo(400);
  composers[0]!.error = new Error("no such frame");
  await clock.advanceTo(480);
  assert.equal(session.stats.lostFrames, 1);
  assert.equal(composers.length, 2);
  assert.equal(viewer.frames.at(-1)?.isKeyFrame, true);
  assert.equal(viewer.frames.length, 11);
  const broken = openStage({
    composer: async () => {
      throw new Error("no track");
    },
  });
  const other = broken.watch();
  await broken.clock.advanceTo(6000);
  assert.deepEqual(other.viewer.ends, ["unavailable"]);
});

test("more speech than may wait is refused, and what was taken is heard", async () => {
  const { clock, session, events, watch } = openStage({ limits: { maxSpeechAheadS: 2 } });
  const { viewer } = watch();
  session.pushSpeech(loudSpeech(30_000));
  assert.equal(session.roomSamples, 2000);
  assert.throws(() => session.pushSpeech(loudSpeech(2001)), isCode("too_much_speech"));
  await clock.advanceTo(4000);
  assert.equal(viewer.heard(1).length, 30_000);
  assert.equal(session.roomSamples, 32_000);
  assert.equal(named(events, "finished").length, 1);
  for (let n = 0; n < 64; n++) {
    session.pushSpeech(loudSpeech(10));
    session.endSpeech();
  }
  assert.throws(() => session.pushSpeech(loudSpeech(10)), isCode("too_much_speech"));
});

function isCode(code: LiveError["code"]) {
  return (error: unknown) => error instanceof LiveError && error.code === code;
}
