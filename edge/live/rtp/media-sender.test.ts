import assert from "node:assert/strict";
import { test } from "node:test";
import { VirtualClock } from "../../../avatar/clock.ts";
import { SeededRandom } from "../../../test/fuzz/random.ts";
import { depacketise } from "../../../test/support/h264-depacketiser.ts";
import { MediaSender, type SenderReport } from "./media-sender.ts";
import type { RtpPacket } from "./rtp-packet.ts";

const VIDEO = { ssrc: 1, payloadType: 96 };
const AGAIN = { ssrc: 2, payloadType: 97 };
const AUDIO = { ssrc: 3, payloadType: 111 };
const DELAY_MS = 25;

interface Arrival extends RtpPacket {
  readonly atMs: number;
}

/** A sender, a link that may lose packets, and a receiver that asks for what it misses. */
class World {
  readonly clock = new VirtualClock();
  readonly random = new SeededRandom(3);
  readonly arrived: Arrival[] = [];
  readonly reports: { atMs: number; reports: readonly SenderReport[] }[] = [];
  readonly keyRequestsAtMs: number[] = [];
  readonly kilobits: (number | null)[] = [];
  readonly endings: string[] = [];
  readonly sender: MediaSender;
  loss = 0;
  #wantsKey = false;
  #frames = 0;
  #highest: number | null = null;
  readonly #missing = new Set<number>();

  constructor(withAudio = true) {
    const { clock } = this;
    // First numbers near the ends of their ranges, so that they go round.
    const firsts = [0xffff, 0xffff, 0xffff_f000, 0xffff_ff00, 0xffff];
    this.sender = new MediaSender({
      clock,
      unixMs: () => 1_700_000_000_000 + clock.now(),
      random32: () => firsts.shift() ?? 0,
      link: {
        send: (packet) => {
          if (this.random.unit() < this.loss) return;
          clock.after(DELAY_MS, () => this.#receive(packet));
        },
        report: (reports) => this.reports.push({ atMs: clock.now(), reports }),
      },
      video: VIDEO,
      retransmission: AGAIN,
      audio: withAudio
        ? { ...AUDIO, coder: { encode: () => new Uint8Array(60), free: () => {} } }
        : null,
      onEnded: (reason) => this.endings.push(reason),
    });
  }

  start(): void {
    this.sender.start({
      requestKeyFrame: () => {
        this.keyRequestsAtMs.push(this.clock.now());
        this.#wantsKey = true;
      },
      setVideoKilobits: (limit) => this.kilobits.push(limit),
      leave: () => {},
    });
  }

  /** Plays at 25 frames per second. @param keyBytes of a key frame; others have a tenth */
  async play(frames: number, keyBytes = 20_000): Promise<void> {
    for (let n = 0; n < frames; n++) {
      const timestampMs = 40 * this.#frames++;
      await this.clock.advanceTo(timestampMs);
      const isKeyFrame = this.#wantsKey;
      this.#wantsKey = false;
      const part = this.#part(isKeyFrame ? keyBytes : keyBytes / 10);
      this.sender.frame({
        format: "h264",
        parts: isKeyFrame ? [this.#part(20), this.#part(8), part] : [part],
        isKeyFrame,
        timestampMs,
        position: 0,
        segment: null,
      });
    }
    await this.clock.advanceBy(39);
  }

  /** Video as the receiver has it, retransmissions in their places. */
  pictures(): { timestamp: number; isWhole: boolean }[] {
    const packets = new Map<number, RtpPacket>();
    for (const packet of this.arrived) {
      if (packet.ssrc === VIDEO.ssrc) packets.set(packet.sequenceNumber, packet);
      if (packet.ssrc !== AGAIN.ssrc) continue;
      const sequenceNumber = packet.payload[0]! * 256 + packet.payload[1]!;
      const payload = packet.payload.subarray(2);
      packets.set(sequenceNumber, { ...packet, sequenceNumber, payload });
    }
    const byTime = Map.groupBy(packets.values(), ({ timestamp }) => timestamp);
    return [...byTime].map(([timestamp, packets]) => {
      packets.sort((a, b) => ((a.sequenceNumber - b.sequenceNumber) << 16) >> 16);
      const isGapless = packets.every(
        ({ sequenceNumber }, n) => ((packets[0]!.sequenceNumber + n) & 0xffff) === sequenceNumber,
      );
      const markers = packets.filter(({ marker }) => marker).length;
      const isWhole = isGapless && markers === 1 && packets.at(-1)!.marker;
      if (isWhole) depacketise(packets.map(({ payload }) => payload));
      return { timestamp, isWhole };
    });
  }

  #part(bytes: number): Uint8Array<ArrayBuffer> {
    const part = new Uint8Array(4 + bytes).fill(0x55);
    part.set([0, 0, 0, 1, 0x41]);
    return part;
  }

  #receive(packet: RtpPacket): void {
    this.arrived.push({ ...packet, atMs: this.clock.now() });
    if (packet.ssrc === AGAIN.ssrc) {
      this.#missing.delete(packet.payload[0]! * 256 + packet.payload[1]!);
    }
    if (packet.ssrc !== VIDEO.ssrc) return;
    const highest = this.#highest ?? packet.sequenceNumber - 1;
    this.#highest = packet.sequenceNumber;
    for (let n = (highest + 1) & 0xffff; n !== packet.sequenceNumber; n = (n + 1) & 0xffff) {
      this.#missing.add(n);
    }
    if (this.#missing.size === 0) return;
    const lost = [...this.#missing];
    this.clock.after(DELAY_MS, () => this.sender.lost(VIDEO.ssrc, lost));
  }
}

test("nothing is sent before the link is there, and then a key frame comes first", async () => {
  const world = new World();
  await world.play(10);
  assert.equal(world.arrived.length, 0);
  world.start();
  await world.play(10);
  assert.equal(world.keyRequestsAtMs.length, 1);
  assert.deepEqual(world.kilobits, [960]);
  const pictures = world.pictures();
  assert.equal(pictures.length, 10);
  assert.ok(pictures.every(({ isWhole }) => isWhole));
  // 90 kHz: 3600 for 40 ms, all the way round.
  for (const [n, { timestamp }] of pictures.entries()) {
    assert.equal(timestamp, (pictures[0]!.timestamp + 3600 * n) >>> 0);
  }
});

test("a key frame does not burst", async () => {
  const world = new World(false);
  world.start();
  await world.play(10, 60_000);
  const [first] = world.arrived;
  // 2.5 Mbit/s carry 60 KB in 192 ms.
  const last = world.arrived.findLast(({ timestamp }) => timestamp === first!.timestamp)!;
  const tookMs = last.atMs - first!.atMs;
  assert.ok(tookMs > 150 && tookMs < 250, `${tookMs} ms`);
});

test("with a tenth lost every picture still arrives", async () => {
  const world = new World();
  world.start();
  world.loss = 0.1;
  await world.play(200);
  world.loss = 0;
  await world.play(10);
  const pictures = world.pictures();
  const broken = pictures.filter(({ isWhole }) => !isWhole);
  assert.equal(broken.length, 0, `${broken.length} of ${pictures.length} pictures are broken`);
  assert.ok(pictures.length >= 200);
  assert.ok(world.sender.stats.retransmitted > 20);
});

test("what is missed for too long is answered with a key frame", async () => {
  const world = new World();
  world.start();
  await world.play(50);
  const before = world.keyRequestsAtMs.length;
  world.loss = 1;
  await world.play(30);
  world.loss = 0;
  await world.play(50);
  assert.ok(world.keyRequestsAtMs.length > before);
  assert.ok(
    world
      .pictures()
      .slice(-30)
      .every(({ isWhole }) => isWhole),
  );
});

test("PLI and FIR ask for key frames, twice a second at most", async () => {
  const world = new World();
  world.start();
  await world.play(25);
  for (let n = 0; n < 50; n++) {
    world.sender.pictureLost();
    await world.play(1);
  }
  const { keyRequestsAtMs } = world;
  for (const [n, atMs] of keyRequestsAtMs.entries()) {
    if (n > 0) assert.ok(atMs - keyRequestsAtMs[n - 1]! >= 500, keyRequestsAtMs.join());
  }
  assert.ok(keyRequestsAtMs.length >= 4);
});

test("what a link cannot carry is dropped up to a key frame, and no queue grows", async () => {
  const world = new World(false);
  world.start();
  world.sender.receiverEstimate(1000);
  world.sender.receiverEstimate(100);
  for (let n = 0; n < 20; n++) {
    // 0.5 Mbit/s of pictures at half of it.
    await world.play(25, 25_000);
    assert.ok(world.sender.stats.queuedBytes < 150_000, `${world.sender.stats.queuedBytes}`);
  }
  const { framesDropped, framesSent } = world.sender.stats;
  assert.ok(framesDropped > 100 && framesSent > 50, `${framesSent} sent, ${framesDropped} dropped`);
  assert.ok(
    world
      .pictures()
      .slice(0, -1)
      .every(({ isWhole }) => isWhole),
  );
});

test("a key frame that takes a second costs no picture behind it", async () => {
  const world = new World(false);
  world.start();
  world.sender.receiverEstimate(1000);
  world.sender.receiverEstimate(100);
  // 32 KB at 250 kbit/s.
  await world.play(1, 32_000);
  await world.play(1, 32_000);
  await world.play(150, 6000);
  const { framesDropped } = world.sender.stats;
  assert.equal(framesDropped, 0);
});

test("sender reports put sound and picture on one clock", async () => {
  const world = new World();
  world.start();
  for (let n = 0; n < 100; n++) {
    const samples = new Int16Array(640).fill(1000);
    await world.play(1);
    world.sender.sound({ samples, timestampMs: 40 * n, segment: 1 });
  }
  await world.clock.advanceBy(500);
  assert.ok(world.reports.length >= 4);
  const lines = world.reports.flatMap(({ reports }) => {
    assert.deepEqual(
      reports.map(({ ssrc }) => ssrc),
      [VIDEO.ssrc, AUDIO.ssrc],
    );
    assert.equal(reports[0]!.ntp, reports[1]!.ntp);
    return [reports];
  });
  const [first, ...rest] = lines;
  for (const reports of rest) {
    const seconds = Number(reports[0]!.ntp - first![0]!.ntp) / 2 ** 32;
    for (const [n, rate] of [90_000, 48_000].entries()) {
      const ticks = (reports[n]!.rtpTimestamp - first![n]!.rtpTimestamp) >>> 0;
      assert.ok(Math.abs(ticks / rate - seconds) < 0.0001, `${ticks / rate} s, ${seconds} s`);
    }
  }
  // The moment of a report, told by either stream, is the same time of the session.
  const video = world.arrived.find(({ ssrc }) => ssrc === VIDEO.ssrc)!;
  const audio = world.arrived.find(({ ssrc }) => ssrc === AUDIO.ssrc)!;
  const last = lines.at(-1)!;
  const sinceVideo = ((last[0]!.rtpTimestamp - video.timestamp) >>> 0) / 90;
  const sinceAudio = ((last[1]!.rtpTimestamp - audio.timestamp) >>> 0) / 48;
  // The first picture sent is the second one: the key frame was asked for before it.
  assert.ok(Math.abs(sinceVideo - sinceAudio) < 0.1, `${sinceVideo} and ${sinceAudio} ms`);
  const reportedAtMs = world.reports.at(-1)!.atMs;
  const sound = world.arrived.filter(
    ({ ssrc, atMs }) => ssrc === AUDIO.ssrc && atMs - DELAY_MS <= reportedAtMs,
  );
  assert.equal(last[1]!.packets, sound.length);
  assert.equal(last[1]!.bytes, 60 * sound.length);
});

test("round trips are told from reports that come back", async () => {
  const world = new World();
  world.start();
  await world.play(26);
  const { ntp } = world.reports.at(-1)!.reports[0]!;
  const sentAtMs = world.reports.at(-1)!.atMs;
  const report = {
    ssrc: VIDEO.ssrc,
    highestSequence: 100,
    lost: 0,
    lastReport: Number((ntp >> 16n) & 0xffff_ffffn),
    // Held for 100 ms.
    sinceLastReport: 6554,
  };
  await world.clock.advanceTo(sentAtMs + 180);
  world.sender.reported(report);
  assert.ok(Math.abs(world.sender.stats.roundTripMs! - 80) < 1);
});

test("what is no picture ends this viewer", async () => {
  const world = new World();
  world.start();
  await world.play(5);
  world.sender.frame({
    format: "h264",
    parts: [Uint8Array.of(1, 2, 3)],
    isKeyFrame: true,
    timestampMs: 400,
    position: 0,
    segment: null,
  });
  assert.equal(world.endings.length, 1);
  const sent = world.arrived.length;
  await world.play(10);
  assert.equal(world.arrived.length, sent);
});
