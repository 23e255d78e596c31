import type { Clock } from "../../../avatar/clock.ts";

/** Seconds from 1900, where NTP begins, to 1970. */
const NTP_EPOCH_S = 2_208_988_800;

/** A moment of the session, as a sender report says it (RFC 3550, 6.4.1). */
export interface MediaMoment {
  /** On the session's clock. */
  readonly mediaMs: number;
  /** NTP time stamp: seconds since 1900 in the upper 32 bits, their fraction in the lower. */
  readonly ntp: bigint;
}

/**
 * The session's clock as receivers see it. Sound and picture take their NTP
 * times from this one line, so whatever else wavers, they stay together.
 */
export class MediaClock {
  readonly #clock: Clock;
  readonly #unixMs: () => number;
  /** Unix time of the session's zero; null before anything was seen. Fixed for good: a step would be a jump of the sound. */
  #zeroUnixMs: number | null = null;
  #lastMs = 0;
  #lastAtMs = 0;

  /** @param unixMs Unix time in milliseconds */
  constructor(clock: Clock, unixMs: () => number) {
    this.#clock = clock;
    this.#unixMs = unixMs;
  }

  get isSet(): boolean {
    return this.#zeroUnixMs !== null;
  }

  /** Something that belongs to `mediaMs` came just now. */
  observe(mediaMs: number): void {
    this.#zeroUnixMs ??= this.#unixMs() - mediaMs;
    this.#lastMs = mediaMs;
    this.#lastAtMs = this.#clock.now();
  }

  /** What the session's clock shows now. */
  now(): number {
    return this.#lastMs + (this.#clock.now() - this.#lastAtMs);
  }

  /** Null before anything was seen. */
  moment(): MediaMoment | null {
    if (this.#zeroUnixMs === null) return null;
    const mediaMs = this.now();
    return { mediaMs, ntp: ntpOf(this.#zeroUnixMs + mediaMs) };
  }
}

/** @param unixMs Unix time in milliseconds */
export function ntpOf(unixMs: number): bigint {
  const seconds = Math.floor(unixMs / 1000);
  const fraction = Math.floor(((unixMs - seconds * 1000) / 1000) * 2 ** 32);
  return (BigInt(seconds + NTP_EPOCH_S) << 32n) | BigInt(fraction);
}

/** The middle 32 bits of an NTP time stamp, by which receivers name a sender report (LSR). */
export function compactNtp(ntp: bigint): number {
  return Number((ntp >> 16n) & 0xffff_ffffn);
}

/**
 * The RTP time stamp of a moment of the session.
 * @param rate of the stream's clock, in Hz
 * @param offset where the stream's time stamps began
 */
export function rtpTimestamp(mediaMs: number, rate: number, offset: number): number {
  return (offset + Math.round((mediaMs * rate) / 1000)) >>> 0;
}
