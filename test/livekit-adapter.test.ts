import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import {
  type AudioFrame,
  AvatarAudioOutput,
  type PlaybackFinishedEvent,
} from "../examples/livekit-adapter.ts";
import { LiveClient } from "./support/live-client.ts";
import { startSystem, type TestSystem } from "./support/system.ts";
import { temporaryFolder, tone, writeTinyAvatar } from "./support/tiny-avatar.ts";

/** The adapter as an agent uses it, against a real core and edge. */

const LIMIT_MS = 15_000;
/** 20 ms, as agents give it. */
const FRAME = 320;

/** What an agent's session uses of its audio output. */
interface AgentAudioOutput {
  readonly sampleRate?: number;
  readonly canPause: boolean;
  on(event: string, listener: (event: PlaybackFinishedEvent) => void): unknown;
  off(event: string, listener: (event: PlaybackFinishedEvent) => void): unknown;
  captureFrame(frame: AudioFrame): Promise<void>;
  flush(): void;
  clearBuffer(): void;
  abandonOpenSegment(): void;
  waitForPlayout(): Promise<PlaybackFinishedEvent>;
  readonly pendingPlayoutSegments: number;
  readonly capturedPlayoutSegments: number;
  onAttached(): void;
  onDetached(): void;
  pause(): void;
  resume(): void;
}

interface Opened {
  readonly id: string;
  readonly token: string;
  readonly speakerToken: string;
  readonly urls: { readonly socket: string };
}

describe("an avatar as an agent's audio output", { timeout: 120_000 }, () => {
  const ends: (() => Promise<void>)[] = [];
  let system: TestSystem;

  before(async () => {
    const root = await temporaryFolder({ after: (end) => ends.push(end) });
    await writeTinyAvatar(root, "ada");
    system = await startSystem(root);
  });
  after(async () => {
    await system?.stop();
    for (const end of ends) await end();
  });

  const open = async (t: { after(end: () => unknown): void }) => {
    const response = await fetch(`${system.edge.url}/v1/avatars/ada/sessions`, {
      method: "POST",
      signal: AbortSignal.timeout(LIMIT_MS),
    });
    const session = (await response.json()) as Opened;
    const viewer = await LiveClient.join(system.edge.url, session, session.token, {
      video: ["jpeg"],
      audio: ["pcm"],
    });
    t.after(() => viewer.socket.close());
    const url = system.edge.url.replace(/^http/, "ws") + session.urls.socket;
    const joined = await AvatarAudioOutput.join({ url, token: session.speakerToken });
    t.after(() => joined.close());
    const output: AgentAudioOutput = joined;
    let started = 0;
    const finished: PlaybackFinishedEvent[] = [];
    output.on(AvatarAudioOutput.EVENT_PLAYBACK_STARTED, () => started++);
    output.on(AvatarAudioOutput.EVENT_PLAYBACK_FINISHED, (event: PlaybackFinishedEvent) =>
      finished.push(event),
    );
    return { session, viewer, output, finished, started: () => started };
  };
  const capture = async (output: AgentAudioOutput, samples: Int16Array) => {
    for (let at = 0; at < samples.length; at += FRAME) {
      const data = samples.subarray(at, at + FRAME);
      await output.captureFrame({ data, sampleRate: 16_000, channels: 1 });
    }
  };
  const within = <T>(work: Promise<T>): Promise<T> =>
    Promise.race([
      work,
      new Promise<never>((_, reject) => {
        setTimeout(() => reject(new Error("it took too long")), LIMIT_MS).unref();
      }),
    ]);

  test("what is captured is heard whole, and played out once", async (t) => {
    const { output, viewer, finished, started } = await open(t);
    const speech = tone(24_000);
    await capture(output, speech);
    output.flush();
    assert.deepEqual(await within(output.waitForPlayout()), {
      playbackPosition: 1.5,
      interrupted: false,
    });
    assert.equal(started(), 1);
    assert.equal(finished.length, 1);
    const heard = viewer.heard(1);
    assert.equal(heard.length, speech.length);
    assert.ok(heard.every((sample, n) => sample === speech[n]));
  });

  test("segments in a row each have their end", async (t) => {
    const { output, finished, started } = await open(t);
    for (const samples of [9600, 6400, 12_800]) {
      await capture(output, tone(samples));
      output.flush();
    }
    await within(output.waitForPlayout());
    assert.deepEqual(
      finished.map(({ playbackPosition, interrupted }) => [playbackPosition, interrupted]),
      [
        [0.6, false],
        [0.4, false],
        [0.8, false],
      ],
    );
    assert.equal(started(), 3);
    assert.deepEqual([output.capturedPlayoutSegments, output.pendingPlayoutSegments], [3, 0]);
  });

  test("speech that pauses in the middle is one segment all the same", async (t) => {
    const { output, finished } = await open(t);
    await capture(output, tone(9600));
    // The session ends a segment of which nothing comes for a second.
    await new Promise((resolve) => setTimeout(resolve, 2200));
    assert.equal(finished.length, 0);
    await capture(output, tone(6400));
    output.flush();
    assert.deepEqual(await within(output.waitForPlayout()), {
      playbackPosition: 1,
      interrupted: false,
    });
    assert.equal(finished.length, 1);
  });

  test("clearing silences at once, and what follows is heard", async (t) => {
    const { output, viewer, finished } = await open(t);
    await capture(output, tone(64_000));
    await viewer.told("playback_position");
    output.clearBuffer();
    const { playbackPosition, interrupted } = await within(output.waitForPlayout());
    assert.ok(interrupted && playbackPosition > 0 && playbackPosition < 3, `${playbackPosition}`);
    await capture(output, tone(9600));
    output.flush();
    assert.deepEqual(await within(output.waitForPlayout()), {
      playbackPosition: 0.6,
      interrupted: false,
    });
    assert.equal(finished.length, 2);
  });

  test("what is cleared before anybody has heard of it ends once, too", async (t) => {
    const { output, finished } = await open(t);
    for (let n = 0; n < 5; n++) {
      const frame = { data: tone(3200), sampleRate: 16_000, channels: 1 };
      void output.captureFrame(frame);
      await new Promise((resolve) => setImmediate(resolve));
      output.clearBuffer();
      // This one waits for the answer, and is cleared while it does.
      void output.captureFrame(frame);
      output.clearBuffer();
    }
    await capture(output, tone(9600));
    output.flush();
    const last = await within(output.waitForPlayout());
    assert.deepEqual(last, { playbackPosition: 0.6, interrupted: false });
    assert.equal(finished.filter(({ interrupted }) => !interrupted).length, 1);
  });

  test("nothing is waited for that was never captured, and what is of another rate is refused", async (t) => {
    const { output } = await open(t);
    output.flush();
    output.clearBuffer();
    assert.equal((await within(output.waitForPlayout())).playbackPosition, 0);
    const frame = { data: new Int16Array(480), sampleRate: 24_000, channels: 1 };
    await assert.rejects(output.captureFrame(frame), /24000 Hz/);
  });

  test("the end of the session ends what was being said", async (t) => {
    const { output, session, viewer, finished } = await open(t);
    await capture(output, tone(64_000));
    output.flush();
    await viewer.told("playback_started");
    const url = `${system.edge.url}/v1/sessions/${session.id}`;
    await fetch(url, { method: "DELETE", signal: AbortSignal.timeout(LIMIT_MS) });
    assert.equal((await within(output.waitForPlayout())).interrupted, true);
    assert.equal(finished.length, 1);
    const frame = { data: new Int16Array(FRAME), sampleRate: 16_000, channels: 1 };
    const latest = performance.now() + LIMIT_MS;
    for (let error: unknown = null; error === null; ) {
      assert.ok(performance.now() < latest, "it still takes speech");
      await new Promise((resolve) => setImmediate(resolve));
      error = await output.captureFrame(frame).then(
        () => null,
        (why: unknown) => why,
      );
    }
  });
});
