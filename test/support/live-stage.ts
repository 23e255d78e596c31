import { createHash } from "node:crypto";
import type { PublishedAvatar } from "../../avatar/catalogue.ts";
import { VirtualClock } from "../../avatar/clock.ts";
import { silentLogger } from "../../avatar/logger.ts";
import { mouthRegion } from "../../avatar/manifest.ts";
import { samplesForFrames, samplesForFramesWithin } from "../../avatar/speech-timing.ts";
import {
  type CallOptions,
  CoreCallError,
  type CoreClient,
  type MouthRegion,
  type SpeechCall,
} from "../../edge/core/core-client.ts";
import type { LiveFormat, LiveFrame, LiveSound, LiveViewer } from "../../edge/live/live-media.ts";
import { LiveSession, type LiveSessionOptions } from "../../edge/live/live-session.ts";
import type { FinishReason } from "../../edge/live/speech-events.ts";
import type { FrameComposer } from "../../edge/speak/frame-composer.ts";
import { MemoryStore, storeAvatar } from "./packed-avatar.ts";

/** Mouths that change their size from frame to frame, as those of real avatars do. */
const REGIONS = [
  { x: 4, y: 4, width: 10, height: 8 },
  { x: 5, y: 4, width: 10, height: 8 },
  { x: 5, y: 5, width: 11, height: 9 },
  { x: 6, y: 4, width: 12, height: 9 },
  { x: 4, y: 5, width: 10, height: 8 },
];

export function stageAvatar(): PublishedAvatar {
  const size = { width: 32, height: 32 };
  return storeAvatar(new MemoryStore(), { id: "ada", ...size, regions: REGIONS, packs: {} });
}

/**
 * A core whose mouths are a digest of exactly the samples that a frame depends
 * on: a window that is cut wrongly gives another mouth, or none.
 */
export class DigestCore implements CoreClient {
  /** From a call to its first mouth, and between mouths. */
  firstMs = 60;
  frameMs = 8;
  /** What calls end with instead of mouths. */
  error: CoreCallError | null = null;
  /** Nothing comes any more, not even a refusal. */
  isSilent = false;
  readonly calls: SpeechCall[] = [];
  underWay = 0;
  readonly #avatar: PublishedAvatar;
  readonly #clock: VirtualClock | null;

  /** @param clock null: everything takes no time */
  constructor(avatar: PublishedAvatar, clock: VirtualClock | null) {
    this.#avatar = avatar;
    this.#clock = clock;
  }

  async *inferSpeech(call: SpeechCall, { signal }: CallOptions): AsyncGenerator<MouthRegion> {
    this.calls.push(call);
    this.underWay++;
    try {
      await this.#pass(this.firstMs, signal);
      for (const [n, backgroundIndex] of call.backgroundIndices.entries()) {
        if (n > 0) await this.#pass(this.frameMs, signal);
        if (this.isSilent) await this.#pass(Number.POSITIVE_INFINITY, signal);
        if (this.error) throw this.error;
        yield this.#mouth(call, call.firstFrame + n, backgroundIndex);
      }
    } finally {
      this.underWay--;
    }
  }

  async loadModel(): Promise<number> {
    return 0;
  }

  async checkHealth(): Promise<void> {}

  #mouth(call: SpeechCall, frame: number, backgroundIndex: number): MouthRegion {
    const { samples, start, utteranceSamples: total } = call;
    const range =
      total === null
        ? samplesForFrames(frame, frame + 1)
        : samplesForFramesWithin(frame, frame + 1, total);
    const [from, to] = [range.start - start, range.end - start];
    if (from < 0 || to > samples.length) {
      throw new CoreCallError("internal", `frame ${frame} lacks speech: ${from} to ${to}`);
    }
    const region = mouthRegion(this.#avatar.manifest, backgroundIndex);
    const size = 3 * region.width * region.height;
    const pixels = new Uint8Array(size);
    const hash = createHash("sha256");
    // Not how the speech was cut, but what the frame hears: the last frames see the same range.
    hash.update(new Uint8Array(samples.slice(from, to).buffer)).update(`${backgroundIndex}`);
    const digest = hash.digest();
    for (let i = 0; i < size; i++) pixels[i] = digest[i % digest.length]!;
    return { frame, backgroundIndex, region, pixels, times: null };
  }

  #pass(ms: number, signal: AbortSignal): Promise<void> {
    const clock = this.#clock;
    if (!clock) return Promise.resolve();
    return new Promise((resolve, reject) => {
      if (Number.isFinite(ms)) clock.after(ms, resolve);
      const abort = () => reject(new CoreCallError("cancelled", "left"));
      if (signal.aborted) abort();
      signal.addEventListener("abort", abort, { once: true });
    });
  }
}

/** What was asked of a composer for one frame. */
export interface ComposedMoment {
  readonly position: number;
  readonly mouth: MouthRegion | null;
}

/** Insists on what composers may insist on: one at a time, and one position after the other. */
export class StrictComposer implements FrameComposer {
  readonly composed: ComposedMoment[] = [];
  error: Error | null = null;
  kilobits: number | null = null;
  isClosed = false;
  /** Positions at which a key frame can be. */
  keyEvery = 1;
  #isBusy = false;
  #wantsKey = true;
  readonly #avatar: PublishedAvatar;

  constructor(avatar: PublishedAvatar) {
    this.#avatar = avatar;
  }

  async startFor(position: number): Promise<number> {
    return position - (position % this.keyEvery);
  }

  close(): void {
    this.isClosed = true;
  }

  async prewarm(): Promise<void> {}

  readAhead(): void {}

  async compose(position: number, mouth: MouthRegion | null, options: { keyFrame?: boolean } = {}) {
    if (this.#isBusy) throw new Error("two frames at a time");
    const last = this.composed.at(-1);
    if (last && position !== last.position + 1) {
      throw new Error(`${position} after ${last.position}`);
    }
    if (this.error) throw this.error;
    this.#isBusy = true;
    await null;
    this.#isBusy = false;
    if (mouth) {
      const region = mouthRegion(this.#avatar.manifest, mouth.backgroundIndex);
      if (mouth.pixels.length !== 3 * region.width * region.height) throw new Error("other region");
    }
    this.composed.push({ position, mouth });
    this.#wantsKey ||= options.keyFrame ?? false;
    const isKeyFrame = this.#wantsKey && position % this.keyEvery === 0;
    if (isKeyFrame) this.#wantsKey = false;
    const times = { backgroundMs: 0, spliceMs: 0 };
    return { parts: [new Uint8Array([position & 255])], isKeyFrame, times };
  }

  setKilobits(limit: number | null): void {
    this.kilobits = limit;
  }
}

/** Keeps what it is shown, and when. */
export class Spectator implements LiveViewer {
  readonly format: LiveFormat;
  readonly frames: (LiveFrame & { atMs: number })[] = [];
  readonly sounds: (LiveSound & { atMs: number })[] = [];
  readonly interruptions: { segment: number; atMs: number }[] = [];
  readonly ends: string[] = [];
  readonly #now: () => number;

  constructor(now: () => number, format: LiveFormat = "jpeg") {
    this.#now = now;
    this.format = format;
  }

  frame(frame: LiveFrame): void {
    this.frames.push({ ...frame, atMs: this.#now() });
  }

  sound(sound: LiveSound): void {
    this.sounds.push({ ...sound, atMs: this.#now() });
  }

  interrupted(segment: number): void {
    this.interruptions.push({ segment, atMs: this.#now() });
  }

  ended(reason: string): void {
    this.ends.push(reason);
  }

  /** All that was heard of a segment. */
  heard(segment: number): Int16Array {
    const parts = this.sounds.filter((sound) => sound.segment === segment);
    return Int16Array.from(parts.flatMap(({ samples }) => [...samples]));
  }
}

export type StageEvent =
  | { readonly type: "started"; readonly segment: number; readonly timestampMs: number }
  | { readonly type: "position"; readonly segment: number; readonly playedMs: number }
  | {
      readonly type: "finished";
      readonly segment: number;
      readonly playedMs: number;
      readonly reason: FinishReason;
      readonly error: unknown;
    };

/** A session on a clock that the test moves. */
export function openStage(options: Partial<LiveSessionOptions> = {}) {
  const clock = new VirtualClock();
  const avatar = stageAvatar();
  const core = new DigestCore(avatar, clock);
  const composers: StrictComposer[] = [];
  const session = new LiveSession({
    id: "session-1",
    avatar,
    core,
    clock,
    logger: silentLogger,
    composer: async () => {
      const composer = new StrictComposer(avatar);
      composers.push(composer);
      return composer;
    },
    ownMouth: async (index) => {
      const { width, height } = mouthRegion(avatar.manifest, index);
      return new Uint8Array(3 * width * height);
    },
    limits: { maxSpeechAheadS: 60 },
    ...options,
  });
  const events: StageEvent[] = [];
  session.listen({
    started: (segment, timestampMs) => events.push({ type: "started", segment, timestampMs }),
    position: (segment, playedMs) => events.push({ type: "position", segment, playedMs }),
    finished: (segment, playedMs, reason, error) =>
      events.push({ type: "finished", segment, playedMs, reason, error }),
  });
  const watch = (format: LiveFormat = "jpeg") => {
    const viewer = new Spectator(() => clock.now(), format);
    return { viewer, control: session.attach(viewer) };
  };
  return { clock, avatar, core, composers, session, events, watch };
}
