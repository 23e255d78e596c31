import { PlayerError } from "../index.ts";
import { EnergyGate, loudness } from "./energy-gate.ts";
import { MicrophoneInput } from "./microphone-input.ts";
import { Recorder } from "./recorder.ts";
import type { Voice } from "./voice.ts";

/** `off`: nothing is heard. `asking`: the browser asks. `held`, `open`: it hears. */
export type TalkMode = "off" | "asking" | "held" | "open";

export interface TalkOptions {
  /** The voice that repeats it, opened anew where it had ended; null when there is none. */
  readonly voice: () => Promise<Voice | null>;
  readonly onMode: (mode: TalkMode, isHearing: boolean) => void;
  /** 0..1, as loud as it seems. */
  readonly onLevel: (level: number) => void;
  readonly onError: (error: unknown) => void;
}

/** What is said into the microphone is repeated: while a button is held, or whenever it is not silent. */
export class Talk {
  readonly #options: TalkOptions;
  readonly #gate = new EnergyGate();
  readonly #recorder = new Recorder();
  readonly #input: MicrophoneInput;
  #voice: Voice | null = null;
  #mode: TalkMode = "off";
  /** Counts what the user wanted: what was begun for an older wish is not gone on with. */
  #wish = 0;
  #heldSinceMs = 0;

  constructor(options: TalkOptions) {
    this.#options = options;
    this.#input = new MicrophoneInput({
      onSound: (piece) => this.#hear(piece),
      onGone: (error) => {
        this.stop();
        options.onError(error);
      },
    });
  }

  get mode(): TalkMode {
    return this.#mode;
  }

  /** Until `release`. */
  async hold(): Promise<void> {
    await this.#begin("held");
  }

  release(): void {
    if (this.#mode === "open") return;
    const wasHeld = this.#mode === "held";
    this.#recorder.stop();
    if (this.#voice?.kind === "clips") return;
    this.stop();
    if (wasHeld && performance.now() - this.#heldSinceMs < MIN_HOLD_MS)
      this.#options.onError(TAPPED);
  }

  /** Until `stop`. */
  async listen(): Promise<void> {
    await this.#begin("open");
  }

  /** What was said up to now is complete. */
  stop(): void {
    this.#wish++;
    this.#recorder.stop();
    const isWithin = this.#mode === "held" || this.#gate.isOpen;
    if (isWithin) this.#voice?.endHearing();
    this.#gate.close();
    this.#input.rest();
    this.#enter("off");
  }

  /** What is being said is not wanted any more; an open microphone stays open. */
  interrupt(): void {
    if (this.#mode === "open") this.#gate.close();
    else this.stop();
  }

  async #begin(mode: "held" | "open"): Promise<void> {
    if (this.#mode !== "off") this.stop();
    const wish = ++this.#wish;
    this.#enter("asking");
    try {
      const voice = await this.#options.voice();
      if (wish !== this.#wish) return;
      this.#voice = voice;
      if (!voice) return this.stop();
      if (voice.kind === "clips") return await this.#record(voice, wish);
      await this.#input.open();
      if (wish !== this.#wish) {
        if (this.#mode === "off") this.#input.rest();
        return;
      }
      this.#heldSinceMs = performance.now();
      this.#enter(mode);
    } catch (error) {
      if (wish !== this.#wish) return;
      this.stop();
      this.#options.onError(error);
    }
  }

  /** Where it cannot be repeated while it is said, afterwards. */
  async #record(voice: Voice, wish: number): Promise<void> {
    voice.interrupt();
    const recording = await this.#recorder.record(() => {
      this.#heldSinceMs = performance.now();
      this.#enter("held");
    });
    if (wish !== this.#wish) return;
    const isTap = performance.now() - this.#heldSinceMs < MIN_HOLD_MS;
    this.#enter("off");
    if (!recording) return;
    if (isTap) throw TAPPED;
    await voice.say(recording);
  }

  #hear(piece: Int16Array): void {
    const voice = this.#voice;
    if (!voice || (this.#mode !== "held" && this.#mode !== "open")) return;
    this.#options.onLevel(seemingLevel(loudness(piece)));
    if (this.#mode === "held") {
      voice.hear(piece);
      return;
    }
    const wasOpen = this.#gate.isOpen;
    const { pieces, hasClosed } = this.#gate.hear(piece, voice.state === "speaking");
    for (const each of pieces) voice.hear(each);
    if (hasClosed) voice.endHearing();
    if (wasOpen !== this.#gate.isOpen) this.#enter("open");
  }

  #enter(mode: TalkMode): void {
    this.#mode = mode;
    const isHearing = mode === "held" || (mode === "open" && this.#gate.isOpen);
    this.#options.onMode(mode, isHearing);
    if (mode === "off") this.#options.onLevel(0);
  }
}

/** Ears take levels for what their logarithms are: -60 dBFS is 0, -10 is 1. */
function seemingLevel(level: number): number {
  return Math.max(0, Math.min(1, (20 * Math.log10(level + 1e-6) + 60) / 50));
}

/** A tap is no speech. */
const MIN_HOLD_MS = 300;
const TAPPED = new PlayerError("not_audio", "Hold the button while you speak, then let go.");
