import type { FrameBuffer, SpeechFrame } from "./frame-buffer.ts";
import type { PictureDecoder } from "./picture-decoder.ts";
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

export interface SpeechPlayerOptions<Picture> {
  readonly clock: SpeechClock;
  readonly frames: FrameBuffer;
  readonly fps: number;
  /** Of the frames of `frames`, by their numbers. The player clears it. */
  readonly decoder: PictureDecoder<Picture>;
}

/**
 * - `buffering`: waiting for enough frames, before the sound or in its midst.
 * - `playing`: the sound runs.
 * - `silent`: the picture is over, the sound is about to be.
 * - `over`: both are.
 */
export type SpeechPhase = "buffering" | "playing" | "silent" | "over";

/** A frame of speech to be drawn. */
export interface SpeechPicture<Picture> {
  readonly frame: SpeechFrame;
  readonly image: Picture;
  /** What was heard when it was chosen, in milliseconds of the sound. */
  readonly audioTimeMs: number;
}

/**
 * Shows the frame that belongs to what is being heard. A frame that is late is
 * left out, one that is early waits. When the frames run dry the sound waits too.
 */
export class SpeechPlayer<Picture> {
  readonly #options: SpeechPlayerOptions<Picture>;
  readonly #periodMs: number;
  readonly #policy: StartPolicy;
  #decoder: PictureDecoder<Picture>;
  #phase: SpeechPhase = "buffering";
  #begun = false;
  #drawn = -1;
  #drawnFrames = 0;
  #skippedFrames = 0;
  #stalls = 0;

  constructor(options: SpeechPlayerOptions<Picture>) {
    this.#options = options;
    this.#periodMs = 1000 / options.fps;
    this.#policy = new StartPolicy({
      fps: options.fps,
      expectedFrames: Math.floor(options.clock.durationMs / this.#periodMs),
    });
    this.#decoder = options.decoder;
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
  tick(nowMs: number, startAtMs: number): SpeechPicture<Picture> | null {
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

  /** Goes on with another decoder, because the one it has cannot. */
  decodeWith(decoder: PictureDecoder<Picture>): void {
    this.#decoder.clear();
    this.#decoder = decoder;
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
    const resumeMs = this.#begun ? clock.mediaTimeMs(nowMs) : 0;
    this.#decodeAhead(resumeMs);
    const next = this.#near(resumeMs).find(({ number }) => number > this.#drawn);
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
    // What a decode would bring too late is not begun, or every frame would be late. While the
    // sound waits nothing comes too late: it is the very next frame that it waits for.
    const leadMs = Math.min(this.#decoder.latencyMs, MAX_DECODE_LEAD_MS) / 2;
    const soonestMs = this.#phase === "playing" ? timeMs + leadMs : -Infinity;
    const keys: number[] = [];
    const near = this.#near(timeMs - LATE_FRAME_MS);
    for (const { number, timeMs: dueMs } of near) {
      const inTime = dueMs + this.#periodMs > soonestMs;
      if (number > this.#drawn && (inTime || this.#decoder.isCommitted(number))) keys.push(number);
    }
    this.#decoder.want(keys, near.at(-1)?.number ?? -1);
    const needed = frames.frame(this.#decoder.neededFrom ?? Infinity)?.timeMs ?? Infinity;
    frames.dropBefore(Math.min(timeMs - LATE_FRAME_MS, needed));
  }

  /** The frames about `timeMs`. Those with negative numbers belong to no time. */
  #near(timeMs: number): readonly SpeechFrame[] {
    return this.#options.frames.upcoming(Math.max(0, timeMs), DECODE_AHEAD);
  }

  /** The newest decoded frame that is due, when it is newer than the one on the screen. */
  #choose(timeMs: number): SpeechPicture<Picture> | null {
    let chosen: SpeechPicture<Picture> | null = null;
    for (const frame of this.#near(timeMs - LATE_FRAME_MS)) {
      if (frame.timeMs > timeMs) break;
      const image = frame.number > this.#drawn ? this.#decoder.get(frame.number) : undefined;
      if (image !== undefined) chosen = { frame, image, audioTimeMs: timeMs };
    }
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
