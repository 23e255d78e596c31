import { PlayerError } from "./player-error.ts";

/** Where the sound goes: a level meter, the volume, the loudspeaker. */
export class SoundOutput {
  readonly #makeContext: () => AudioContext;
  #context: AudioContext | null = null;
  #analyser: AnalyserNode | null = null;
  #gain: GainNode | null = null;
  #volume = 1;
  #samples = new Float32Array(1024);

  /** @param makeContext Called at the first sound: a context made before a click stays silent. */
  constructor(makeContext: () => AudioContext) {
    this.#makeContext = makeContext;
  }

  get context(): AudioContext {
    this.#context ??= this.#makeContext();
    return this.#context;
  }

  /** The node that sources connect to. */
  get input(): AudioNode {
    if (this.#analyser) return this.#analyser;
    const context = this.context;
    this.#analyser = new AnalyserNode(context, { fftSize: this.#samples.length });
    this.#gain = new GainNode(context, { gain: this.#volume });
    this.#analyser.connect(this.#gain).connect(context.destination);
    return this.#analyser;
  }

  get volume(): number {
    return this.#volume;
  }

  set volume(volume: number) {
    this.#volume = Math.max(0, Math.min(1, volume || 0));
    if (!this.#gain || !this.#context) return;
    this.#gain.gain.setTargetAtTime(this.#volume, this.#context.currentTime, VOLUME_SECONDS);
  }

  /** Loudness 0..1: the root mean square of the last 20 ms or so, stretched to be seen. */
  get level(): number {
    if (!this.#analyser) return 0;
    this.#analyser.getFloatTimeDomainData(this.#samples);
    let sum = 0;
    for (const sample of this.#samples) sum += sample * sample;
    return Math.min(1, Math.sqrt(sum / this.#samples.length) * LEVEL_GAIN);
  }

  /**
   * Makes the context run.
   * @throws PlayerError `audio_blocked` when the browser wants a click first.
   */
  async resume(): Promise<void> {
    const { context } = this;
    if (context.state === "running") return;
    // The promise of `resume` stays open for as long as the browser waits for the user.
    const timeout = Promise.withResolvers<void>();
    const timer = setTimeout(timeout.resolve, RESUME_TIMEOUT_MS);
    await Promise.race([context.resume(), timeout.promise]);
    clearTimeout(timer);
    // Read anew: awaiting has changed it.
    const state: AudioContextState = this.context.state;
    if (state === "running") return;
    throw new PlayerError(
      "audio_blocked",
      "The browser holds the sound back. Click and try again.",
    );
  }

  close(): void {
    this.#analyser?.disconnect();
    this.#gain?.disconnect();
    this.#analyser = null;
    this.#gain = null;
  }
}

const RESUME_TIMEOUT_MS = 2000;
const VOLUME_SECONDS = 0.015;
/** Speech has a root mean square of a tenth to a third. */
const LEVEL_GAIN = 4;
