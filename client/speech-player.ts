import { DecodeAhead } from "./decode-ahead.ts";
import type { FrameBuffer, SpeechFrame } from "./frame-buffer.ts";
import { StartPolicy } from "./start-policy.ts";

/** The sound of an utterance: the clock that the picture follows. */
export interface SpeechClock {
  /** Length of the sound in milliseconds. */
  readonly durationMs: number;
  /** Lets the sound run, heard from `atMs` of the page's clock on, or as soon as can be. */
  play(atMs: number): void;
  /** Halts the sound; `play` goes on where it was. */
  pause(): void;
  /** What is heard at `nowMs`, in milliseconds of the sound; negative before it begins. */
  mediaTimeMs(nowMs: number): number;
}

export interface SpeechPlayerOptions<Image> {
  readonly clock: SpeechClock;
  readonly frames: FrameBuffer;
  readonly fps: number;
  readonly decode: (blob: Blob) => Promise<Image>;
  readonly release: (image: Image) => void;
  /** Milliseconds on a steady clock. */
  readonly now: () => number;
}

/**
 * - `buffering`: waiting for enough frames, before the sound or in its midst.
 * - `playing`: the sound runs.
 * - `silent`: the picture is over, the sound is about to be.
 * - `over`: both are.
 */
export type SpeechPhase = "buffering" | "playing" | "silent" | "over";

/** A frame of speech to be drawn. */
export interface SpeechPicture<Image> {
  readonly frame: SpeechFrame;
  readonly image: Image;
  /** What was heard when it was chosen, in milliseconds of the sound. */
  readonly audioTimeMs: number;
}

/**
 * Shows the frame that belongs to what is being heard. A frame that is late is
 * left out, one that is early waits. When the frames run dry the sound waits too.
 */
export class SpeechPlayer<Image> {
  readonly #options: SpeechPlayerOptions<Image>;
  readonly #periodMs: number;
  readonly #policy: StartPolicy;
  readonly #decoder: DecodeAhead<Image>;
  #phase: SpeechPhase = "buffering";
  #begun = false;
  #drawn = -1;
  #drawnFrames = 0;
  #skippedFrames = 0;
  #stalls = 0;

  constructor(options: SpeechPlayerOptions<Image>) {
    this.#options = options;
    this.#periodMs = 1000 / options.fps;
    this.#policy = new StartPolicy({
      fps: options.fps,
      expectedFrames: Math.floor(options.clock.durationMs / this.#periodMs),
    });
    this.#decoder = new DecodeAhead({
      decode: (number) => this.#decodeFrame(number),
      release: options.release,
      now: options.now,
    });
  }

  get phase(): SpeechPhase {
    return this.#phase;
  }

  /** The sound has been let run at least once. */
  get begun(): boolean {
    return this.#begun;
  }

  /** Number of the frame on the screen, -1 before the first. */
  get drawn(): number {
    return this.#drawn;
  }

  /** Frames drawn, frames left out because they were late, and pauses for lack of frames. */
  get counts(): { readonly drawn: number; readonly skipped: number; readonly stalls: number } {
    return { drawn: this.#drawnFrames, skipped: this.#skippedFrames, stalls: this.#stalls };
  }

  /**
   * Call it for each screen refresh. The picture is there until the next call.
   * @param startAtMs When the sound may begin at the earliest, on the page's clock.
   * @returns The picture to be drawn, or null when the one on the screen stays.
   * @throws What ended the stream early, once its last frame has been shown.
   */
  tick(nowMs: number, startAtMs: number): SpeechPicture<Image> | null {
    if (this.#phase === "over") return null;
    if (this.#phase === "buffering") this.#tryStart(nowMs, startAtMs);
    if (this.#phase === "buffering") return null;
    const timeMs = this.#options.clock.mediaTimeMs(nowMs);
    if (this.#phase === "silent") {
      if (timeMs >= this.#options.clock.durationMs) this.#phase = "over";
      return null;
    }
    this.#watchTheEnd(timeMs, nowMs);
    if (this.#phase !== "playing") return null;
    this.#decodeAhead(timeMs);
    // Last, because looking ahead gives back the pictures that have been chosen before.
    return this.#choose(timeMs);
  }

  /** Stops the sound and gives everything back. */
  close(): void {
    if (this.#phase !== "over") this.#options.clock.pause();
    this.#phase = "over";
    this.#decoder.clear();
    this.#options.frames.clear();
  }

  #tryStart(nowMs: number, startAtMs: number): void {
    const { frames, clock } = this.#options;
    const resumeMs = this.#begun ? clock.mediaTimeMs(nowMs) : -Infinity;
    this.#decodeAhead(resumeMs);
    const next = frames.upcoming(resumeMs, DECODE_AHEAD).find(({ number }) => number > this.#drawn);
    if (next) {
      const ready = this.#policy.ready({
        nowMs,
        received: frames.received,
        ahead: frames.length,
        complete: frames.ended,
        full: frames.full,
      });
      // With a picture in hand, so that the first sound has its face.
      const decoded = this.#decoder.get(next.number) !== undefined;
      if (!ready || !(decoded || this.#decoder.hasFailed(next.number))) return;
    } else if (!frames.ended) {
      return;
    } else if (!this.#begun) {
      this.#endedWithoutMore(nowMs);
      return;
    }
    clock.play(this.#begun ? nowMs : Math.max(nowMs, startAtMs));
    this.#begun = true;
    this.#phase = "playing";
  }

  #decodeAhead(timeMs: number): void {
    const { frames } = this.#options;
    // What a decode would bring too late is not begun, or every frame would be late.
    const soonestMs = timeMs + Math.min(this.#decoder.latencyMs, MAX_DECODE_LEAD_MS) / 2;
    const keys: number[] = [];
    for (const { number, timeMs: dueMs } of frames.upcoming(timeMs - LATE_FRAME_MS, DECODE_AHEAD)) {
      const inTime = dueMs + this.#periodMs > soonestMs;
      if (number > this.#drawn && (inTime || this.#decoder.isCommitted(number))) keys.push(number);
    }
    this.#decoder.want(keys);
  }

  /** The newest decoded frame that is due, when it is newer than the one on the screen. */
  #choose(timeMs: number): SpeechPicture<Image> | null {
    const { frames } = this.#options;
    let chosen: SpeechPicture<Image> | null = null;
    for (const frame of frames.upcoming(timeMs - LATE_FRAME_MS, DECODE_AHEAD)) {
      if (frame.timeMs > timeMs) break;
      const image = frame.number > this.#drawn ? this.#decoder.get(frame.number) : undefined;
      if (image !== undefined) chosen = { frame, image, audioTimeMs: timeMs };
    }
    frames.dropBefore(timeMs - LATE_FRAME_MS);
    if (!chosen) return null;
    this.#skippedFrames += chosen.frame.number - this.#drawn - 1;
    this.#drawnFrames++;
    this.#drawn = chosen.frame.number;
    return chosen;
  }

  #watchTheEnd(timeMs: number, nowMs: number): void {
    const { frames, clock } = this.#options;
    const dryMs = frames.lastTimeMs + this.#periodMs;
    if (frames.ended) {
      if (timeMs >= dryMs) this.#endedWithoutMore(nowMs);
    } else if (timeMs >= dryMs - STALL_MARGIN_MS) {
      clock.pause();
      this.#stalls++;
      this.#policy.stalled();
      this.#phase = "buffering";
    }
  }

  #endedWithoutMore(nowMs: number): void {
    const { frames, clock } = this.#options;
    this.#decoder.clear();
    if (frames.error !== null) throw frames.error;
    this.#phase = clock.mediaTimeMs(nowMs) >= clock.durationMs || !this.#begun ? "over" : "silent";
  }

  #decodeFrame(number: number): Promise<Image> {
    const frame = this.#options.frames.frame(number);
    if (!frame) return Promise.reject(new Error(`frame ${number} has been dropped`));
    return this.#options.decode(frame.image);
  }
}

/** Decoded frames held at most. */
const DECODE_AHEAD = 6;
const MAX_DECODE_LEAD_MS = 400;
/**
 * A frame that should have been replaced this long ago is not drawn: viewers
 * see a picture 100 ms late as wrong.
 */
const LATE_FRAME_MS = 40;
/** The sound halts a little before its last picture is used up, for what is already on its way out. */
const STALL_MARGIN_MS = 15;
