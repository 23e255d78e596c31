/** What a piece of sound comes to. */
export interface Gated {
  /** To be sent, in this order; empty while it is closed. */
  readonly pieces: readonly Int16Array[];
  /** With this piece it was silent for long enough: what was sent is complete. */
  readonly hasClosed: boolean;
}

/**
 * Tells speech from silence by its energy, which does for a demonstration: it opens
 * where it is clearly louder than the room lately was, and lets through what came
 * just before, so that no first consonant is lost. Pieces are 20 ms of 16 kHz.
 */
export class EnergyGate {
  #floor = FIRST_FLOOR;
  #isOpen = false;
  #quietPieces = 0;
  #before: Int16Array[] = [];

  get isOpen(): boolean {
    return this.#isOpen;
  }

  /**
   * @param piece 20 ms
   * @param isGuarded The loudspeaker is on: only what is much louder opens, or the avatar
   * would repeat what is left of its own voice.
   */
  hear(piece: Int16Array, isGuarded = false): Gated {
    const level = loudness(piece);
    // The quietest of late; what has got louder for good is learnt slowly.
    this.#floor = Math.max(LEAST_FLOOR, Math.min(level, this.#floor * FLOOR_RISE, MOST_FLOOR));
    const opensAt = Math.max(LEAST_SPEECH, OVER_FLOOR * this.#floor) * (isGuarded ? GUARD : 1);
    if (!this.#isOpen) {
      this.#before.push(piece);
      if (this.#before.length > PIECES_BEFORE) this.#before.shift();
      if (level < opensAt) return { pieces: [], hasClosed: false };
      this.#isOpen = true;
      this.#quietPieces = 0;
      return { pieces: this.#before.splice(0), hasClosed: false };
    }
    const isQuiet = level < STAYS_AT * Math.max(LEAST_SPEECH, OVER_FLOOR * this.#floor);
    this.#quietPieces = isQuiet ? this.#quietPieces + 1 : 0;
    const hasClosed = this.#quietPieces >= PIECES_AFTER;
    if (hasClosed) this.#isOpen = false;
    return { pieces: [piece], hasClosed };
  }

  /** Closes; what the room is like is kept. */
  close(): void {
    this.#isOpen = false;
    this.#before = [];
  }
}

/** Root mean square, 0..1. */
export function loudness(piece: Int16Array): number {
  let sum = 0;
  for (const sample of piece) sum += sample * sample;
  return piece.length === 0 ? 0 : Math.sqrt(sum / piece.length) / 32_768;
}

/** -60 dBFS: before it is known what the room is like. */
const FIRST_FLOOR = 0.001;
const LEAST_FLOOR = 0.0002;
/** Louder than this is no room: -34 dBFS. */
const MOST_FLOOR = 0.02;
/** 3 dB per second: speech is too short to count as the room's noise. */
const FLOOR_RISE = 10 ** (3 / 20 / 50);
/** -44 dBFS: who speaks to a computer is louder. */
const LEAST_SPEECH = 0.006;
/** 10 dB. */
const OVER_FLOOR = 3.2;
/** 12 dB. */
const GUARD = 4;
/** Ends of words are quieter than their beginnings. */
const STAYS_AT = 0.6;
/** 240 ms. */
const PIECES_BEFORE = 12;
/** 600 ms: longer than pauses within a sentence mostly are. */
const PIECES_AFTER = 30;
