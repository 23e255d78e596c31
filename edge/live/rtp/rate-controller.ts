import type { Clock } from "../../../avatar/clock.ts";

export interface RateControllerOptions {
  readonly clock: Clock;
  /** Where it begins, in kilobits per second. Default 1000: what most lines carry. */
  readonly start?: number;
  /** Default 100: a face is still a face. */
  readonly min?: number;
  /** Default 6000: more than a talking head of 1080p takes. */
  readonly max?: number;
}

/** What a receiver says of the stream, in an RTCP report block (RFC 3550, 6.4.1). */
export interface ReceiverReport {
  /** Highest sequence number received, 32 bits with its cycles. */
  readonly highestSequence: number;
  /** Packets lost since the beginning, 24 bits. */
  readonly lost: number;
  /** Null while it is not known. */
  readonly roundTripMs: number | null;
}

const DEFAULT_START = 1000;
const DEFAULT_MIN = 100;
const DEFAULT_MAX = 6000;

/** A share of fewer packets says nothing, unless they took too long. */
const MIN_PACKETS = 20;
const MAX_WINDOW_MS = 2000;
/** Shares of loss: below the first the rate may grow, above the second it falls (draft-ietf-rmcat-gcc-02, 6). */
const LITTLE_LOSS = 0.02;
const MUCH_LOSS = 0.1;
/** Round trips beyond the shortest are queues that fill. With loss less is enough. */
const LONG_QUEUE_MS = 200;
const LOSING_QUEUE_MS = 60;
/** Routes change: the shortest round trip is found anew so often. */
const SHORTEST_HOLDS_MS = 60_000;
/** Additive increase, in kilobits per second each second. */
const INCREASE_PER_S = 60;
/** Multiplicative decrease when queues fill. */
const DECREASE = 0.85;
/** Who sends less than so much of what he may has not tried whether more would pass. */
const USED_SHARE = 0.5;
/** A receiver's estimate that falls by so much has met a queue. */
const FALLEN = 0.95;

/**
 * How much may be sent: additive increase, multiplicative decrease. It falls
 * with loss above 10 %, with round trips that grow and when the receiver's own
 * estimate (REMB) falls, stays with less, and grows while hardly anything is
 * lost and what it allows is used.
 *
 * An estimate that does not fall is no bound: receivers begin it with what
 * came in, and a face that was silent until now has sent little.
 */
export class RateController {
  readonly #clock: Clock;
  readonly #min: number;
  readonly #max: number;
  #rate: number;
  #estimate = 0;
  #base: { readonly highest: number; readonly lost: number } | null = null;
  #windowAtMs: number;
  #windowBytes = 0;
  #shortestMs = Number.POSITIVE_INFINITY;
  #shortestAtMs = 0;
  #wasLong = false;
  #loss = 0;

  constructor({ clock, ...options }: RateControllerOptions) {
    this.#clock = clock;
    this.#min = options.min ?? DEFAULT_MIN;
    this.#max = options.max ?? DEFAULT_MAX;
    this.#rate = 0;
    this.#set(options.start ?? DEFAULT_START);
    this.#windowAtMs = clock.now();
  }

  /** What may be sent, in kilobits per second. */
  get kilobits(): number {
    return this.#rate;
  }

  /** Share of packets lost, 0 to 1, in what was reported last. */
  get lossShare(): number {
    return this.#loss;
  }

  sent(bytes: number): void {
    this.#windowBytes += bytes;
  }

  /** REMB (draft-alvestrand-rmcat-remb-03), in kilobits per second. */
  receiverEstimate(kilobits: number): void {
    const hasFallen = kilobits < FALLEN * this.#estimate;
    this.#estimate = kilobits;
    if (hasFallen) this.#set(Math.min(this.#rate, kilobits));
  }

  report({ highestSequence, lost, roundTripMs }: ReceiverReport): void {
    const nowMs = this.#clock.now();
    const queueMs = roundTripMs === null ? 0 : this.#queueOf(roundTripMs, nowMs);
    const base = this.#base;
    if (!base) {
      this.#begin(highestSequence, lost, nowMs);
      return;
    }
    const expected = (highestSequence - base.highest) >>> 0;
    const elapsedMs = nowMs - this.#windowAtMs;
    if (expected === 0 || (expected < MIN_PACKETS && elapsedMs < MAX_WINDOW_MS)) return;
    // 24 bits with a sign: what comes twice counts against what was lost.
    const missing = ((lost - base.lost) << 8) >> 8;
    this.#loss = Math.min(1, Math.max(0, missing / expected));
    this.#adapt(queueMs, elapsedMs);
    this.#begin(highestSequence, lost, nowMs);
  }

  #begin(highest: number, lost: number, nowMs: number): void {
    this.#base = { highest, lost };
    this.#windowAtMs = nowMs;
    this.#windowBytes = 0;
  }

  #adapt(queueMs: number, elapsedMs: number): void {
    const loss = this.#loss;
    const sentRate = (8 * this.#windowBytes) / Math.max(1, elapsedMs);
    const isLong = queueMs > LONG_QUEUE_MS;
    // One long round trip may be a busy machine's: without loss it takes a second one.
    const isFilling = loss > LITTLE_LOSS ? queueMs > LOSING_QUEUE_MS : isLong && this.#wasLong;
    this.#wasLong = isLong;
    if (loss > MUCH_LOSS || isFilling) {
      const factor = Math.min(loss > MUCH_LOSS ? 1 - loss / 2 : 1, isFilling ? DECREASE : 1);
      // What is too much is what was sent, not what might have been.
      this.#set(Math.min(this.#rate, sentRate) * factor);
    } else if (loss < LITTLE_LOSS && sentRate > USED_SHARE * this.#rate) {
      this.#set(this.#rate + (INCREASE_PER_S * Math.min(elapsedMs, MAX_WINDOW_MS)) / 1000);
    }
  }

  #set(rate: number): void {
    this.#rate = Math.min(this.#max, Math.max(this.#min, rate));
  }

  #queueOf(roundTripMs: number, nowMs: number): number {
    if (roundTripMs < this.#shortestMs || nowMs - this.#shortestAtMs > SHORTEST_HOLDS_MS) {
      this.#shortestMs = roundTripMs;
      this.#shortestAtMs = nowMs;
    }
    return roundTripMs - this.#shortestMs;
  }
}
