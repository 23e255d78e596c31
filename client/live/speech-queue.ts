import { encodeBinary } from "../../edge/live/socket/binary-frame.ts";
import { PlayerError } from "../player-error.ts";

export interface SpeechSocket {
  speech(message: Uint8Array<ArrayBuffer>): void;
  endSpeech(epoch: number): void;
  interrupt(): void;
}

interface Waiting {
  /** Null: the segment ends here. */
  samples: Int16Array | null;
  readonly done: () => void;
}

/**
 * Speech on its way to the session: no more of it is sent than the session takes
 * now, and none across an interruption. While there is no connection it waits.
 */
export class SpeechQueue {
  #waiting: Waiting[] = [];
  #waitingSamples = 0;
  #socket: SpeechSocket | null = null;
  #sent = 0;
  #window = 0;
  /** Null before the first connection. */
  #epoch: number | null = null;
  /** An interruption has been asked for; until its epoch is known, what is sent would be void. */
  #isHeld = false;
  #voids = 0;

  /** Samples that wait. */
  get samples(): number {
    return this.#waitingSamples;
  }

  /** Counts how often what waited has become void. */
  get voids(): number {
    return this.#voids;
  }

  /**
   * @returns Resolves when all has been sent, or has become void.
   * @throws PlayerError `too_much_audio`
   */
  push(samples: Int16Array): Promise<void> {
    if (this.#waitingSamples + samples.length > MAX_WAITING_SAMPLES) {
      const seconds = MAX_WAITING_SAMPLES / SPEECH_RATE;
      const message = `More than ${seconds} s of speech wait: await what sendAudio returns.`;
      return Promise.reject(new PlayerError("too_much_audio", message));
    }
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#waiting.push({ samples, done: resolve });
    this.#waitingSamples += samples.length;
    this.#pump();
    return promise;
  }

  /** The segment ends behind what has been pushed. */
  end(): void {
    if (this.#waiting.at(-1)?.samples !== null) {
      this.#waiting.push({ samples: null, done: () => {} });
    }
    this.#pump();
  }

  /** A connection has joined, which may send so much in all. */
  joined(socket: SpeechSocket, epoch: number, window: number): void {
    const isOld = this.#epoch !== null && epoch !== this.#epoch;
    if (isOld && !this.#isHeld) this.#drop();
    this.#socket = socket;
    this.#epoch = epoch;
    this.#sent = 0;
    // It may not have heard of it.
    if (this.#isHeld) socket.interrupt();
    this.widen(window);
  }

  lost(): void {
    this.#socket = null;
  }

  /** @param window Samples that may be sent in all. */
  widen(window: number): void {
    this.#window = window;
    this.#pump();
  }

  /** Asks for silence and forgets what waits; what is pushed from now on is of the next epoch. */
  interrupt(): void {
    this.#drop();
    this.#isHeld = true;
    this.#socket?.interrupt();
  }

  /** As it was at first. */
  reset(): void {
    this.#drop();
    this.#socket = null;
    this.#epoch = null;
    this.#isHeld = false;
  }

  /** Somebody has interrupted, maybe we. */
  interrupted(epoch: number): void {
    if (!this.#isHeld) this.#drop();
    this.#isHeld = false;
    this.#epoch = epoch;
    this.#pump();
  }

  #drop(): void {
    this.#voids++;
    for (const { done } of this.#waiting.splice(0)) done();
    this.#waitingSamples = 0;
  }

  #pump(): void {
    const socket = this.#socket;
    const epoch = this.#epoch;
    while (socket && epoch !== null && !this.#isHeld) {
      const [first] = this.#waiting;
      if (!first) return;
      if (first.samples === null) {
        socket.endSpeech(epoch);
      } else {
        const room = Math.min(this.#window - this.#sent, MESSAGE_SAMPLES);
        if (room <= 0 && first.samples.length > 0) return;
        const piece = first.samples.subarray(0, room);
        if (piece.length > 0) this.#send(socket, epoch, piece);
        first.samples = first.samples.subarray(piece.length);
        if (first.samples.length > 0) continue;
      }
      this.#waiting.shift();
      first.done();
    }
  }

  #send(socket: SpeechSocket, epoch: number, samples: Int16Array): void {
    this.#sent += samples.length;
    this.#waitingSamples -= samples.length;
    const { buffer, byteOffset, byteLength } = samples;
    const bytes = new Uint8Array(buffer, byteOffset, byteLength).slice();
    const header = { kind: "speech", isKeyFrame: false, timestampMs: 0, sequence: 0 } as const;
    socket.speech(encodeBinary({ ...header, segment: epoch }, [bytes]));
  }
}

const SPEECH_RATE = 16_000;
/** Two minutes, 4 MB. */
const MAX_WAITING_SAMPLES = 120 * SPEECH_RATE;
/** Half a second: what is interrupted is not far ahead. */
const MESSAGE_SAMPLES = SPEECH_RATE / 2;
