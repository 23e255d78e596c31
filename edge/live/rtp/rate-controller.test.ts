import assert from "node:assert/strict";
import { test } from "node:test";
import { VirtualClock } from "../../../avatar/clock.ts";
import { SeededRandom } from "../../../test/fuzz/random.ts";
import { RateController } from "./rate-controller.ts";

const STEP_MS = 10;
const PACKET_BYTES = 1000;
const REPORT_MS = 500;

interface LinkOptions {
  /** In kilobits per second; may be changed. */
  capacity: number;
  /** Share lost by chance. */
  loss: number;
  /** What waits before the narrow place, in milliseconds of its capacity; more is lost. */
  readonly queueMs: number;
  readonly roundTripMs: number;
  /** What there is to send, at most. */
  supply: number;
}

/** A narrow link that is sent over as a controller says, and the reports that come back. */
class SimulatedLink {
  readonly options: LinkOptions;
  readonly clock = new VirtualClock();
  readonly controller: RateController;
  readonly #random = new SeededRandom(1);
  #owedBytes = 0;
  #queuedBytes = 0;
  #packets = 0;
  #lost = 0;
  #reportedAtMs = 0;

  constructor(options: LinkOptions) {
    this.options = options;
    this.controller = new RateController({ clock: this.clock });
  }

  /** @returns the mean rate and the share lost in the last half of the time */
  async run(seconds: number): Promise<{ rate: number; loss: number }> {
    const steps = (seconds * 1000) / STEP_MS;
    let sum = 0;
    let before = { packets: 0, lost: 0 };
    for (let step = 0; step < steps; step++) {
      await this.clock.advanceBy(STEP_MS);
      this.#step();
      if (step === steps / 2) before = { packets: this.#packets, lost: this.#lost };
      if (step >= steps / 2) sum += this.controller.kilobits;
    }
    const loss = (this.#lost - before.lost) / (this.#packets - before.packets);
    return { rate: sum / (steps / 2), loss };
  }

  #step(): void {
    const { capacity, loss, queueMs, roundTripMs, supply } = this.options;
    const rate = Math.min(supply, this.controller.kilobits);
    this.#owedBytes += (rate / 8) * STEP_MS;
    this.#queuedBytes = Math.max(0, this.#queuedBytes - (capacity / 8) * STEP_MS);
    while (this.#owedBytes >= PACKET_BYTES) {
      this.#owedBytes -= PACKET_BYTES;
      this.controller.sent(PACKET_BYTES);
      this.#packets++;
      if (this.#queuedBytes > (queueMs * capacity) / 8 || this.#random.unit() < loss) this.#lost++;
      else this.#queuedBytes += PACKET_BYTES;
    }
    const nowMs = this.clock.now();
    if (nowMs - this.#reportedAtMs < REPORT_MS) return;
    this.#reportedAtMs = nowMs;
    this.controller.report({
      highestSequence: (65_000 + this.#packets) >>> 0,
      lost: this.#lost & 0xff_ffff,
      roundTripMs: roundTripMs + (8 * this.#queuedBytes) / capacity,
    });
  }
}

const WIDE = { capacity: 20_000, loss: 0, queueMs: 200, roundTripMs: 30, supply: 100_000 };

test("it grows while nothing is lost, up to its bound", async () => {
  const link = new SimulatedLink({ ...WIDE });
  await link.run(20);
  assert.ok(link.controller.kilobits > 1900, `${link.controller.kilobits}`);
  await link.run(80);
  assert.equal(link.controller.kilobits, 6000);
});

for (const queueMs of [50, 300, 2000]) {
  test(`it fits a narrow link whose queue holds ${queueMs} ms`, async () => {
    const link = new SimulatedLink({ ...WIDE, capacity: 700, queueMs });
    const { rate, loss } = await link.run(120);
    assert.ok(rate > 0.7 * 700 && rate < 1.15 * 700, `${rate} of 700 kbit/s`);
    assert.ok(loss < 0.1, `${loss} lost`);
  });
}

test("it follows a link that gets narrow, and comes back", async () => {
  const link = new SimulatedLink({ ...WIDE, capacity: 3000 });
  await link.run(40);
  link.options.capacity = 500;
  const narrow = await link.run(20);
  assert.ok(narrow.rate < 1.2 * 500, `${narrow.rate} of 500 kbit/s`);
  link.options.capacity = 3000;
  const wide = await link.run(60);
  assert.ok(wide.rate > 2000, `${wide.rate} of 3000 kbit/s`);
});

test("loss by chance of five percent is no reason to fall", async () => {
  const link = new SimulatedLink({ ...WIDE, loss: 0.05 });
  const { rate } = await link.run(60);
  assert.ok(rate > 800, `${rate}`);
});

test("it never leaves its bounds", async () => {
  const link = new SimulatedLink({ ...WIDE, loss: 0.9 });
  await link.run(30);
  assert.equal(link.controller.kilobits, 100);
});

test("who sends little proves nothing: it does not grow", async () => {
  const link = new SimulatedLink({ ...WIDE, supply: 200 });
  await link.run(60);
  assert.equal(link.controller.kilobits, 1000);
});

test("one long round trip is no reason to fall, two are", async () => {
  const clock = new VirtualClock();
  const controller = new RateController({ clock });
  let highestSequence = 0;
  const report = async (roundTripMs: number) => {
    await clock.advanceBy(1000);
    controller.sent(25_000);
    highestSequence += 25;
    controller.report({ highestSequence, lost: 0, roundTripMs });
  };
  for (const roundTripMs of [20, 25, 400, 20, 500, 30]) await report(roundTripMs);
  assert.equal(controller.kilobits, 1000);
  await report(400);
  await report(400);
  // What was sent, 200 kbit/s, is too much.
  assert.ok(controller.kilobits < 200, `${controller.kilobits}`);
});

test("a receiver's estimate counts when it falls", () => {
  const controller = new RateController({ clock: new VirtualClock() });
  controller.receiverEstimate(150);
  assert.equal(controller.kilobits, 1000);
  controller.receiverEstimate(900);
  controller.receiverEstimate(880);
  assert.equal(controller.kilobits, 1000);
  controller.receiverEstimate(600);
  assert.equal(controller.kilobits, 600);
  controller.receiverEstimate(10);
  assert.equal(controller.kilobits, 100);
});

test("sequence numbers and losses that go round are no loss", async () => {
  const clock = new VirtualClock();
  const controller = new RateController({ clock });
  controller.report({ highestSequence: 2 ** 32 - 50, lost: 2 ** 24 - 1, roundTripMs: 20 });
  await clock.advanceBy(1000);
  controller.report({ highestSequence: 50, lost: 1, roundTripMs: 20 });
  assert.equal(controller.lossShare, 0.02);
  await clock.advanceBy(1000);
  // Fewer than before: packets that came twice.
  controller.report({ highestSequence: 150, lost: 2 ** 24 - 5, roundTripMs: 20 });
  assert.equal(controller.lossShare, 0);
});
