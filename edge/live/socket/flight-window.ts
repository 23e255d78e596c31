import { FRAME_MS } from "../frame-loop.ts";

/** Before anything was acknowledged, and at most: a second. */
const FIRST_LIMIT = 8;
const MAX_LIMIT = 25;
/** Sound beyond this is more than a player would wait for: 2 s of PCM pieces, 1 s of Opus packets. */
const MAX_SOUNDS = 50;

interface Flight {
  readonly sequence: number;
  readonly sentMs: number;
  readonly isSound: boolean;
}

/**
 * What has been sent and not been acknowledged. No runtime tells alike how much
 * a socket holds, and none knows what waits in the network: the client's
 * acknowledgements know both.
 */
export class FlightWindow {
  readonly #now: () => number;
  readonly #queueFrames: number;
  readonly #flights: Flight[] = [];
  /** Lowest round trip of late; rises slowly, in case the way has become longer. */
  #roundTripMs: number | null = null;

  /** @param queueFrames that may wait in the network beside those that are merely under way */
  constructor(now: () => number, queueFrames: number) {
    this.#now = now;
    this.#queueFrames = queueFrames;
  }

  /** Whether a picture sent now would not wait long in the network. */
  get hasRoomForFrame(): boolean {
    const roundTrip = this.#roundTripMs;
    const onWay = roundTrip === null ? null : Math.ceil(roundTrip / FRAME_MS);
    const limit = onWay === null ? FIRST_LIMIT : onWay + this.#queueFrames;
    return this.#count(false) < Math.min(limit, MAX_LIMIT);
  }

  get hasRoomForSound(): boolean {
    return this.#count(true) < MAX_SOUNDS;
  }

  sent(sequence: number, isSound: boolean): void {
    this.#flights.push({ sequence, sentMs: this.#now(), isSound });
  }

  /** All up to this one have arrived. */
  acknowledge(sequence: number): void {
    let last: Flight | undefined;
    while (this.#flights.length > 0 && this.#flights[0]!.sequence <= sequence) {
      last = this.#flights.shift();
    }
    if (!last) return;
    const roundTripMs = this.#now() - last.sentMs;
    const known = this.#roundTripMs;
    this.#roundTripMs = known === null ? roundTripMs : Math.min(roundTripMs, known * 1.01 + 0.1);
  }

  #count(isSound: boolean): number {
    return this.#flights.reduce((count, each) => count + Number(each.isSound === isSound), 0);
  }
}
