import type { BinaryHeader } from "../../edge/live/socket/binary-frame.ts";
import { DrawRate } from "../draw-rate.ts";
import type { Joined } from "./live-connection.ts";
import { type LivePicture, LivePictures } from "./live-pictures.ts";
import type { LiveSound } from "./live-sound.ts";
import { LocalClock } from "./local-clock.ts";
import { PlayoutClock } from "./playout-clock.ts";
import type { SessionMedia } from "./session-media.ts";

export interface SessionPlaybackOptions {
  readonly sound: LiveSound;
  /** Nothing can be shown before the next key frame. */
  readonly onGap: () => void;
  /** This browser cannot decode the video that it said it could. */
  readonly onVideoError: (error: unknown) => void;
}

interface Due {
  readonly atMs: number;
  readonly act: () => void;
}

/** Over a WebSocket: sound and pictures of a session on one clock, that of the audio hardware. */
export class SessionPlayback implements SessionMedia {
  readonly transport = "websocket";
  /** The WebSocket counts it. */
  readonly receivedBytes = 0;
  readonly #options: SessionPlaybackOptions;
  readonly #clock = new PlayoutClock();
  readonly #local: LocalClock;
  readonly #rate = new DrawRate();
  #pictures: LivePictures | null = null;
  #skippedBefore = 0;
  /** Sound of segments up to this one is void. */
  #voidSegment = 0;
  #lastSegment = 0;
  /** Where the sound that has arrived ends, on the session's clock. */
  #soundEndMs = -Infinity;
  #due: Due[] = [];
  /** Until then, of the page's clock, pictures need not wait for sound: it was cut short. */
  #hurryUntilMs = -Infinity;

  constructor(options: SessionPlaybackOptions) {
    this.#options = options;
    this.#local = new LocalClock((oldMs, newMs) => {
      this.#clock.rebase(oldMs, newMs);
      this.#tellSound();
    });
    this.#local.follow(options.sound.context);
  }

  get framesPerSecond(): number {
    return this.#rate.perSecond(performance.now());
  }

  get skippedFrames(): number {
    return this.#skippedBefore + (this.#pictures?.counts.skipped ?? 0);
  }

  get leadMs(): number | null {
    return this.#clock.leadMs;
  }

  get isSoundBlocked(): boolean {
    return this.#options.sound.context.state !== "running";
  }

  get volume(): number {
    return this.#options.sound.volume;
  }

  set volume(volume: number) {
    this.#options.sound.volume = volume;
  }

  /** What is heard and seen now, on the session's clock. */
  get timeMs(): number {
    return this.#clock.at(this.#local.heardMs);
  }

  /** A connection begins: its timestamps need not go on from those of the one before. */
  begin({ video, audio }: Joined): void {
    this.end();
    if (audio) this.#options.sound.use(audio.codec, audio.preSkip);
    this.#pictures = new LivePictures({
      format: video ?? "jpeg",
      onGap: this.#options.onGap,
      onError: this.#options.onVideoError,
    });
  }

  /** Nothing is shown or heard any more of what has come. */
  end(): void {
    this.#skippedBefore = this.skippedFrames;
    this.#pictures?.close();
    this.#pictures = null;
    this.#clock.reset();
    this.#options.sound.void();
    this.#soundEndMs = -Infinity;
    this.#voidSegment = 0;
    this.#lastSegment = 0;
    for (const { act } of this.#due.splice(0)) act();
  }

  receive(header: BinaryHeader, data: Uint8Array<ArrayBuffer>): void {
    const { kind, timestampMs: timeMs, isKeyFrame, segment } = header;
    const isSound = kind === "opus" || kind === "pcm";
    if (isSound && segment <= this.#voidSegment) return;
    const { sound } = this.#options;
    const isPause = this.timeMs > sound.loudEndMs;
    // A picture is there when it has been decoded.
    const readyMs = isSound ? 0 : (this.#pictures?.latencyMs ?? 0);
    // A pause in the sound is worse than a picture that is a little late.
    const mayBeLateMs = isSound || isPause ? 0 : LATE_PICTURE_MS;
    const { renderedMs } = this.#local;
    if (this.#clock.arrived(timeMs - readyMs, renderedMs, isPause, mayBeLateMs)) this.#tellSound();
    if (isSound) {
      this.#lastSegment = segment;
      this.#hurryUntilMs = -Infinity;
      const lengthMs = kind === "opus" ? OPUS_PACKET_MS : data.length / PCM_BYTES_PER_MS;
      this.#soundEndMs = Math.max(this.#soundEndMs, timeMs + lengthMs);
      sound.receive(data, timeMs);
    } else {
      this.#pictures?.add({ timeMs, data, isKeyFrame });
    }
  }

  /** Sound of segments up to `segment` is void. */
  interrupt(segment: number): void {
    this.#voidSegment = Math.max(this.#voidSegment, segment);
    this.#options.sound.void();
    this.#soundEndMs = -Infinity;
    this.#hurryUntilMs = performance.now() + HURRY_MS;
  }

  /** Silence before the edge has heard of it: what is under way is void, too. */
  hush(): void {
    this.interrupt(this.#lastSegment);
  }

  /** Does something when `timeMs` of the session is heard. */
  when(timeMs: number, act: () => void): void {
    this.#due.push({ atMs: timeMs, act });
  }

  /** Does something when all sound that has arrived has been heard. */
  whenSilent(act: () => void): void {
    // Not before what was to happen before it, where its sound has not come.
    this.when(Math.max(this.#soundEndMs, ...this.#due.map(({ atMs }) => atMs)), act);
  }

  /** Call it for each screen refresh. */
  tick(): LivePicture | null {
    const { timeMs } = this;
    const isDue = ({ atMs }: Due) => atMs <= timeMs;
    const due = this.#due.filter(isDue);
    this.#due = this.#due.filter((each) => !isDue(each));
    for (const { act } of due) act();
    const nowMs = performance.now();
    const aheadMs = nowMs < this.#hurryUntilMs ? MOST_AHEAD_MS : 0;
    const picture = this.#pictures?.tick(timeMs + aheadMs) ?? null;
    if (picture) this.#rate.drawn(nowMs);
    return picture;
  }

  close(): void {
    this.end();
  }

  #tellSound(): void {
    const { offsetMs } = this.#clock;
    const { context } = this.#options.sound;
    if (offsetMs !== null && context.state === "running") this.#options.sound.follow(offsetMs);
  }
}

/** The mouth has closed by then; the pictures wait for the clock again, and hold once for as long. */
const HURRY_MS = 400;
/** More than what comes is usually ahead of its time. */
const MOST_AHEAD_MS = 200;
/** Beyond this viewers see that lips and words are apart. */
const LATE_PICTURE_MS = 100;
const OPUS_PACKET_MS = 20;
/** 16 kHz of 16 bits. */
const PCM_BYTES_PER_MS = 32;
