import type { Clock } from "../../../avatar/clock.ts";
import type { PacedSource } from "./pacer.ts";

export interface VideoQueueOptions {
  readonly clock: Clock;
  /** Sends a payload. @returns bytes it took */
  readonly send: (payload: Uint8Array, place: PayloadPlace) => number;
  /**
   * Only a key frame helps now, and there is room for it. May be called for each
   * picture until it comes.
   */
  readonly onNeedsKeyFrame: () => void;
}

/** Where in the stream a payload belongs. */
export interface PayloadPlace {
  readonly timestampMs: number;
  /** Whether a key frame begins with it. */
  readonly isKeyStart: boolean;
  /** Whether it ends its picture. */
  readonly isLast: boolean;
}

/** A picture that has waited longer is not worth sending: those behind it would be as late. */
const MAX_WAIT_MS = 400;
/** Behind a key frame pictures wait as long as that takes, and are made up for then. Up to so long. */
const MAX_KEY_FRAME_MS = 3000;
/** Of payloads. Beyond it the picture is dropped that would come last. */
const MAX_BYTES = 2_000_000;

interface Picture {
  readonly payloads: readonly Uint8Array[];
  readonly timestampMs: number;
  readonly isKeyFrame: boolean;
  readonly queuedAtMs: number;
  next: number;
}

/**
 * Pictures on their way to the pacer. One that was begun is finished; the
 * others are dropped up to the next key frame when they have waited too long,
 * so what is sent can always be decoded and never falls behind.
 */
export class VideoQueue implements PacedSource {
  readonly #options: VideoQueueOptions;
  #pictures: Picture[] = [];
  #bytes = 0;
  #needsKeyFrame = true;
  /** What may be waited now: more while what piled up behind a key frame goes out. */
  #allowedMs = MAX_WAIT_MS;
  #dropped = 0;

  constructor(options: VideoQueueOptions) {
    this.#options = options;
  }

  /** Pictures that were not sent. */
  get dropped(): number {
    return this.#dropped;
  }

  get bytes(): number {
    return this.#bytes;
  }

  push(payloads: readonly Uint8Array[], timestampMs: number, isKeyFrame: boolean): void {
    const queuedAtMs = this.#options.clock.now();
    if (isKeyFrame) {
      // Whoever gets this needs nothing from before it.
      this.#dropWaiting();
      this.#needsKeyFrame = false;
    } else if (!this.#needsKeyFrame && this.#isLate(queuedAtMs)) {
      this.#dropWaiting();
      this.#needsKeyFrame = true;
    }
    if (this.#needsKeyFrame) {
      this.#dropped++;
      // Behind a picture that takes its time a key frame would only wait, and be as late.
      if (this.#pictures.length === 0) this.#options.onNeedsKeyFrame();
      return;
    }
    this.#pictures.push({ payloads, timestampMs, isKeyFrame, queuedAtMs, next: 0 });
    this.#bytes += bytesOf(payloads);
  }

  sendNext(): number {
    const picture = this.#pictures[0];
    if (!picture) return 0;
    const isKeyStart = picture.isKeyFrame && picture.next === 0;
    const payload = picture.payloads[picture.next++]!;
    const isLast = picture.next === picture.payloads.length;
    if (isLast) this.#finish(picture);
    this.#bytes -= payload.length;
    return this.#options.send(payload, { timestampMs: picture.timestampMs, isKeyStart, isLast });
  }

  #finish({ isKeyFrame, queuedAtMs }: Picture): void {
    this.#pictures.shift();
    const tookMs = this.#options.clock.now() - queuedAtMs;
    if (isKeyFrame) this.#allowedMs = MAX_WAIT_MS + Math.min(tookMs, MAX_KEY_FRAME_MS);
    if (this.#pictures.length === 0) this.#allowedMs = MAX_WAIT_MS;
  }

  #isLate(nowMs: number): boolean {
    const [first] = this.#pictures;
    const waiting = this.#pictures.find(({ next }) => next === 0);
    if (!first || !waiting) return false;
    const allowedMs = first.isKeyFrame ? MAX_KEY_FRAME_MS : this.#allowedMs;
    return nowMs - waiting.queuedAtMs > allowedMs || this.#bytes > MAX_BYTES;
  }

  /** Everything but what was begun. */
  #dropWaiting(): void {
    const begun = this.#pictures.filter(({ next }) => next > 0);
    this.#dropped += this.#pictures.length - begun.length;
    this.#pictures = begun;
    this.#bytes = begun.reduce((sum, { payloads, next }) => sum + bytesOf(payloads.slice(next)), 0);
  }
}

function bytesOf(payloads: readonly Uint8Array[]): number {
  return payloads.reduce((sum, { length }) => sum + length, 0);
}
