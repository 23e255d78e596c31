import assert from "node:assert/strict";
import { test } from "node:test";
import { VirtualClock } from "../../../avatar/clock.ts";
import { silentLogger } from "../../../avatar/logger.ts";
import { FREE_SHARING } from "../../parts.ts";
import {
  type CallOptions,
  CoreCallError,
  type CoreClient,
  type MouthRegion,
  type SpeechCall,
} from "../core-client.ts";
import { CoreFleet, type CoreFleetOptions } from "./core-fleet.ts";
import { rankNodes } from "./rendezvous.ts";

const FRAMES = 10;

/** A core whose behaviour a test may change at any time. */
class FakeCore implements CoreClient {
  /** Milliseconds per frame. */
  frameMs = 10;
  /** Nothing comes back, not even a refusal. */
  isPartitioned = false;
  /** What each call answers instead of frames. */
  error: CoreCallError | null = null;
  /** Breaks off after so many frames. */
  breaksAfter = Number.POSITIVE_INFINITY;
  health: CoreCallError | null = null;
  calls = 0;
  underWay = 0;
  readonly #clock: VirtualClock;

  constructor(clock: VirtualClock) {
    this.#clock = clock;
  }

  async *inferSpeech(call: SpeechCall, { signal }: CallOptions): AsyncGenerator<MouthRegion> {
    this.calls++;
    this.underWay++;
    try {
      for (const [n, backgroundIndex] of call.backgroundIndices.entries()) {
        await this.#pass(this.frameMs, signal);
        if (this.isPartitioned) await this.#pass(Number.POSITIVE_INFINITY, signal);
        if (this.error) throw this.error;
        if (n >= this.breaksAfter) throw new CoreCallError("unreachable", "it broke off");
        const region = { x: 0, y: 0, width: 1, height: 1 };
        const pixels = new Uint8Array(3).fill(call.firstFrame + n);
        yield { frame: call.firstFrame + n, backgroundIndex, region, pixels, times: null };
      }
    } finally {
      this.underWay--;
    }
  }

  async loadModel(): Promise<number> {
    if (this.error) throw this.error;
    return 5;
  }

  async checkHealth(signal: AbortSignal): Promise<void> {
    await this.#pass(this.isPartitioned ? Number.POSITIVE_INFINITY : 1, signal);
    if (this.health) throw this.health;
  }

  #pass(ms: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (Number.isFinite(ms)) this.#clock.after(ms, resolve);
      const abort = () => reject(new CoreCallError("cancelled", "left"));
      if (signal.aborted) abort();
      signal.addEventListener("abort", abort, { once: true });
    });
  }
}

function setUp(names: readonly string[], options: Partial<CoreFleetOptions> = {}) {
  const clock = new VirtualClock();
  const cores: Record<string, FakeCore> = {};
  const open = (url: string) => {
    cores[url] ??= new FakeCore(clock);
    return { client: cores[url], close() {} };
  };
  const addresses = names.map((url) => ({ url, region: url.split("-")[1] ?? "" }));
  const fleet = new CoreFleet(addresses, {
    region: "",
    open,
    hedge: { share: 0, leastDelayMs: 100 },
    clock,
    sharing: FREE_SHARING,
    logger: silentLogger,
    ...options,
  });
  const speak = async (avatarId: string, signal = new AbortController().signal) => {
    const call: SpeechCall = {
      avatarId,
      version: "1",
      samples: new Int16Array(1),
      start: 0,
      utteranceSamples: 1,
      firstFrame: 5,
      backgroundIndices: Array.from({ length: FRAMES }, (_, n) => n),
    };
    const started = clock.now();
    const frames: number[] = [];
    let error: CoreCallError | null = null;
    let firstMs = 0;
    try {
      for await (const { frame, backgroundIndex, pixels } of fleet.inferSpeech(call, {
        signal,
        requestId: "test",
      })) {
        if (frames.length === 0) firstMs = clock.now() - started;
        assert.deepEqual([backgroundIndex, pixels[0]], [frame - 5, frame]);
        frames.push(frame);
      }
    } catch (cause) {
      error = cause as CoreCallError;
    }
    return { frames, error, firstMs, ms: clock.now() - started };
  };
  /** The names as they rank for an avatar. */
  const ranked = (avatarId: string) => rankNodes(avatarId, names, (name) => name);
  const up = () => fleet.stats.nodes.filter(({ isUp }) => isUp).map(({ url }) => url);
  return { clock, cores, fleet, speak, ranked, up, open };
}

const ALL = Array.from({ length: FRAMES }, (_, n) => 5 + n);
const NAMES = ["a", "b", "c"];

async function finish<T>(clock: VirtualClock, promise: Promise<T>, ms = 10_000): Promise<T> {
  await clock.advanceBy(ms);
  return promise;
}

test("an avatar has a core of its own, and a core that comes or goes moves only its share", () => {
  const ids = Array.from({ length: 3000 }, (_, n) => `avatar-${n}`);
  const four = ["a", "b", "c", "d"];
  const homes = (names: string[]) => ids.map((id) => rankNodes(id, names, (name) => name)[0]);
  const [three, all] = [homes(NAMES), homes(four)];
  for (const name of four) {
    const share = all.filter((home) => home === name).length / ids.length;
    assert.ok(share > 0.22 && share < 0.28, `${name} has ${share}`);
  }
  for (const [n, home] of all.entries()) if (home !== "d") assert.equal(home, three[n]);
  assert.deepEqual(homes([...four].reverse()), all);
});

test("calls go to the avatar's core", async () => {
  const { clock, cores, speak, ranked } = setUp(NAMES);
  for (let i = 0; i < 5; i++) {
    assert.deepEqual((await finish(clock, speak("ada"))).frames, ALL);
  }
  assert.deepEqual(
    ranked("ada").map((name) => cores[name]!.calls),
    [5, 0, 0],
  );
});

test("what a core had that broke off goes on elsewhere, without a frame lost or twice", async () => {
  const { clock, cores, fleet, speak, ranked, up } = setUp(NAMES);
  const [first, second] = ranked("ada") as [string, string];
  cores[first]!.breaksAfter = 4;
  cores[first]!.health = new CoreCallError("unreachable", "connection refused");
  const { frames, error } = await finish(clock, speak("ada"), 300);
  assert.equal(error, null);
  assert.deepEqual(frames, ALL);
  assert.deepEqual([cores[first]!.calls, cores[second]!.calls], [1, 1]);
  assert.equal(fleet.stats.retries, 1);
  assert.ok(!up().includes(first));
  // It is asked after a rest, and gets its avatars back.
  cores[first]!.breaksAfter = Number.POSITIVE_INFINITY;
  cores[first]!.health = null;
  await clock.advanceBy(1000);
  await finish(clock, speak("ada"), 300);
  await finish(clock, speak("ada"), 300);
  assert.equal(cores[first]!.calls, 2);
});

test("a core that falls silent in mid-sentence is left within two seconds", async () => {
  const { clock, cores, speak, ranked } = setUp(NAMES);
  const speaking = Array.from({ length: 6 }, () => speak("ada"));
  await clock.advanceBy(35);
  const core = cores[ranked("ada")[0]!]!;
  core.isPartitioned = true;
  await clock.advanceBy(5000);
  for (const { frames, error, ms } of await Promise.all(speaking)) {
    assert.equal(error, null);
    assert.deepEqual(frames, ALL);
    assert.ok(ms < 2000, `${ms} ms`);
  }
  assert.equal(core.underWay, 0);
  const next = await finish(clock, speak("ada"), 1000);
  assert.ok(next.ms < 200, "nobody waits for it again");
});

test("a model that cannot be had is tried elsewhere, and takes no core out", async () => {
  const { clock, cores, speak, up } = setUp(NAMES);
  for (const core of Object.values(cores)) {
    core.error = new CoreCallError("unavailable", "ada cannot be loaded");
  }
  const { error, frames } = await finish(clock, speak("ada"));
  assert.equal(error?.code, "unavailable");
  assert.deepEqual(frames, []);
  assert.deepEqual(up().sort(), NAMES);
});

test("what is the caller's mistake is not tried again", async () => {
  const { clock, cores, speak, ranked } = setUp(NAMES);
  cores[ranked("ada")[0]!]!.error = new CoreCallError("model", "there is no ada");
  const { error } = await finish(clock, speak("ada"));
  assert.equal(error?.code, "model");
  assert.equal(
    Object.values(cores).reduce((sum, { calls }) => sum + calls, 0),
    1,
  );
});

test("a core that stops finishes what it has and gets nothing new", async () => {
  const { clock, cores, speak, ranked, up } = setUp(NAMES);
  const [first] = ranked("ada") as [string];
  const before = speak("ada");
  await clock.advanceBy(25);
  const draining = new CoreCallError("unavailable", "the core is draining");
  const core = cores[first]!;
  core.health = draining;
  const { inferSpeech } = core;
  core.inferSpeech = async function* () {
    yield* [];
    throw draining;
  };
  const after = speak("ada");
  await clock.advanceBy(2000);
  assert.deepEqual((await before).frames, ALL);
  assert.deepEqual((await after).frames, ALL);
  assert.ok(!up().includes(first));
  core.inferSpeech = inferSpeech;
});

test("a slow core is hedged at once, and taken out soon", async () => {
  const { clock, cores, fleet, speak, up } = setUp(NAMES, {
    hedge: { share: 0.1, leastDelayMs: 100 },
  });
  const round = async () => {
    const speaking = Array.from({ length: 12 }, (_, n) => speak(`avatar-${n}`));
    await clock.advanceBy(1000);
    const spoken = await Promise.all(speaking);
    for (const { frames, error } of spoken) assert.deepEqual([frames, error], [ALL, null]);
    return Math.max(...spoken.map(({ firstMs }) => firstMs));
  };
  for (let i = 0; i < 4; i++) assert.ok((await round()) <= 20);
  cores.b!.frameMs = 1000;
  const worst: number[] = [];
  for (let i = 0; i < 5; i++) worst.push(await round());
  assert.ok(fleet.stats.hedges > 0);
  assert.ok(!up().includes("b"));
  assert.ok(worst.at(-1)! <= 20, `${worst}`);
});

test("hedges have a budget", async () => {
  const { clock, cores, fleet, speak } = setUp(NAMES, { hedge: { share: 0.05, leastDelayMs: 15 } });
  for (const core of Object.values(cores)) core.frameMs = 40;
  for (let i = 0; i < 200; i++) {
    const spoken = speak(`avatar-${i % 20}`);
    await clock.advanceBy(20);
    void spoken;
  }
  await clock.advanceBy(2000);
  // What was saved, one a second, and a twentieth of the calls.
  assert.ok(fleet.stats.hedges <= 10 + 4 + 10 + 1, `${fleet.stats.hedges}`);
});

test("a hedge that fails has failed, and says nothing of how long frames take there", async () => {
  const { clock, cores, fleet, speak, ranked } = setUp(NAMES, {
    hedge: { share: 1, leastDelayMs: 20 },
  });
  const [home, second] = ranked("ada");
  for (let i = 0; i < 6; i++) await finish(clock, speak("ada"), 1000);
  cores[home!]!.frameMs = 60;
  cores[second!]!.frameMs = 1;
  cores[second!]!.error = new CoreCallError("unavailable", "it cannot load the model");
  for (let i = 0; i < 6; i++) {
    const { frames } = await finish(clock, speak("ada"), 1000);
    assert.deepEqual(frames, ALL);
  }
  assert.ok(fleet.stats.hedges >= 4);
  const { firstFrameMs, stats } = fleet.stats.nodes.find(({ url }) => url === second)!;
  assert.equal(firstFrameMs, null);
  assert.equal(stats.failures, stats.calls);
});

test("loads elsewhere have the budget of retries", async () => {
  const { clock, cores, fleet } = setUp(NAMES);
  let calls = 0;
  for (const core of Object.values(cores)) {
    core.loadModel = async () => {
      calls++;
      throw new CoreCallError("unavailable", "the model ended the device");
    };
  }
  const options = { signal: new AbortController().signal, requestId: "test" };
  for (let i = 0; i < 1000; i++) {
    await assert.rejects(fleet.loadModel("ada", options), { code: "unavailable" });
  }
  await clock.advanceBy(10);
  // What was saved, and a fifth of the calls.
  assert.ok(calls <= 1000 + 100 + 200, `${calls}`);
});

test("retries have a budget: a fleet that fails gets no storm", async () => {
  const { clock, cores, fleet, speak } = setUp(NAMES);
  for (const core of Object.values(cores)) {
    core.frameMs = 1;
    core.error = new CoreCallError("busy", "its queue is full");
  }
  for (let i = 0; i < 500; i++) {
    void speak(`avatar-${i}`);
    await clock.advanceBy(2);
  }
  await clock.advanceBy(100);
  assert.ok(fleet.stats.retries <= 100 + 10 + 100 + 5, `${fleet.stats.retries}`);
  const { error } = await finish(clock, speak("ada"), 100);
  assert.equal(error?.code, "busy");
});

test("nobody gets much more than his share of one avatar's calls", async () => {
  const { clock, cores, speak } = setUp(NAMES);
  const speaking = Array.from({ length: 60 }, () => speak("ada"));
  await clock.advanceBy(1);
  const most = Math.max(...Object.values(cores).map(({ underWay }) => underWay));
  assert.ok(most <= 32, `${most}`);
  await clock.advanceBy(1000);
  for (const { frames } of await Promise.all(speaking)) assert.deepEqual(frames, ALL);
});

test("cores of other regions serve while none of this one does", async () => {
  const { clock, cores, speak } = setUp(["1-fra", "2-fra", "3-iad"], { region: "fra" });
  for (let i = 0; i < 20; i++) await finish(clock, speak(`avatar-${i}`), 200);
  assert.equal(cores["3-iad"]!.calls, 0);
  for (const name of ["1-fra", "2-fra"]) {
    cores[name]!.error = new CoreCallError("unreachable", "gone");
    cores[name]!.health = cores[name]!.error;
  }
  for (let i = 0; i < 20; i++) {
    assert.deepEqual((await finish(clock, speak(`avatar-${i}`), 200)).frames, ALL);
  }
  assert.ok(cores["3-iad"]!.calls >= 20);
});

test("cores that come and go: calls under way go on", async () => {
  const { clock, cores, fleet, speak, ranked } = setUp(NAMES);
  const [first] = ranked("ada") as [string];
  const speaking = speak("ada");
  await clock.advanceBy(35);
  fleet.setCores(
    [...NAMES.filter((name) => name !== first), "d"].map((url) => ({ url, region: "" })),
  );
  await clock.advanceBy(1000);
  assert.deepEqual((await speaking).frames, ALL);
  assert.equal(cores[first]!.underWay, 0);
  assert.equal(fleet.stats.nodes.length, 3);
});

test("without any core it is told so; one core alone is always asked", async () => {
  const { clock, cores, fleet, speak, up } = setUp(["a"]);
  cores.a!.error = new CoreCallError("unreachable", "connection refused");
  cores.a!.health = cores.a!.error;
  const { error } = await finish(clock, speak("ada"), 100);
  assert.equal(error?.code, "unreachable");
  assert.deepEqual(up(), []);
  cores.a!.error = null;
  cores.a!.health = null;
  assert.deepEqual((await finish(clock, speak("ada"), 200)).frames, ALL);
  await finish(clock, fleet.checkHealth(new AbortController().signal), 10);
});

test("a connection that broke ends its own call only, and that one is made again", async () => {
  const { clock, cores, fleet, speak } = setUp(["a"]);
  await finish(clock, speak("ada"));
  const core = cores.a!;
  const other = speak("ben");
  await clock.advanceBy(25);
  core.error = new CoreCallError("unreachable", "the other end had closed it");
  const broken = speak("ada");
  await clock.advanceBy(15);
  core.error = null;
  assert.deepEqual((await finish(clock, broken, 500)).frames, ALL);
  assert.deepEqual((await other).frames, ALL);
  await clock.advanceBy(2000);
  await finish(clock, speak("ada"), 500);
  assert.equal(fleet.stats.nodes[0]?.isUp, true);
  assert.ok(fleet.stats.retries >= 1);
});

test("the last core may be silent for a while, and not for ever", async () => {
  const { clock, cores, fleet, speak } = setUp(["a"]);
  await finish(clock, speak("ada"));
  const core = cores.a!;
  core.isPartitioned = true;
  const patient = speak("ada");
  await clock.advanceBy(5000);
  assert.equal(fleet.stats.nodes[0]?.isUp, false);
  const given = speak("ada");
  const { frames, error, ms } = await finish(clock, patient, 20_000);
  assert.deepEqual(frames, []);
  assert.equal(error?.code, "unreachable");
  assert.ok(ms > 10_000 && ms < 15_000, `${ms}`);
  assert.equal((await given).error?.code, "unreachable");
  core.isPartitioned = false;
  assert.deepEqual((await finish(clock, speak("ada"))).frames, ALL);
});

test("what comes too late is not tried again", async () => {
  const { clock, cores, fleet } = setUp(NAMES);
  for (const core of Object.values(cores)) core.error = new CoreCallError("timeout", "too late");
  const call = {
    avatarId: "ada",
    version: "1",
    samples: new Int16Array(1),
    start: 0,
    utteranceSamples: 1,
    firstFrame: 0,
    backgroundIndices: [0],
  };
  const options = { signal: new AbortController().signal, requestId: "test", deadlineMs: 10 };
  const refused = assert.rejects(fleet.inferSpeech(call, options).next(), { code: "timeout" });
  await clock.advanceBy(100);
  await refused;
  await assert.rejects(fleet.loadModel("ada", options), { code: "timeout" });
  assert.equal(fleet.stats.retries, 0);
});

test("leaving ends the call at the core", async () => {
  const { clock, cores, speak } = setUp(NAMES);
  const leaving = new AbortController();
  const speaking = speak("ada", leaving.signal);
  await clock.advanceBy(25);
  leaving.abort();
  await clock.advanceBy(25);
  assert.equal((await speaking).error?.code, "cancelled");
  assert.ok(Object.values(cores).every(({ underWay }) => underWay === 0));
});

test("a model is loaded where it will speak", async () => {
  const { clock, cores, fleet, ranked } = setUp(NAMES);
  const options = { signal: new AbortController().signal, requestId: "test" };
  cores[ranked("ada")[0]!]!.error = new CoreCallError("unreachable", "gone");
  assert.equal(await finish(clock, fleet.loadModel("ada", options), 10), 5);
});
