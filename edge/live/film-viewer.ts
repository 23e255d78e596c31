import { SAMPLE_RATE } from "../../avatar/speech-timing.ts";
import type { Mp4Picture } from "../container/mp4-input.ts";
import type {
  LiveFrame,
  LiveSound,
  LiveViewer,
  ViewerControl,
  ViewerReport,
} from "./live-media.ts";

/** A reader who is further behind has the film end there. */
const MAX_BEHIND_MS = 10_000;
const FRAME_MS = 40;
const SAMPLES_PER_MS = SAMPLE_RATE / 1000;

/**
 * Watches a session and makes a film of it: pictures from the first key frame
 * on, and sound without gaps, silence where nobody speaks.
 */
export class FilmViewer implements LiveViewer {
  readonly format = "h264";
  /** A reader who is too slow is cut off: nothing is left out of a film. */
  readonly report: ViewerReport = { transport: "recording", droppedFrames: 0 };
  readonly #control: ViewerControl;
  readonly #pictures = new MediaQueue<Mp4Picture>();
  readonly #speech = new MediaQueue<Int16Array>();
  /** Of the first picture, on the session's clock; null before it. */
  #startMs: number | null = null;
  /** Where the sound ends, on the film's clock. */
  #heardMs = 0;
  /** The last sound before the first picture, which may be of the same moment. */
  #first: LiveSound | null = null;
  /** Where the last picture ends. */
  #shownMs = 0;
  /** Of the picture that was read last. */
  #readMs = 0;
  #endReason: string | null = null;

  /** @param attach puts it into a session */
  constructor(attach: (viewer: LiveViewer) => ViewerControl) {
    this.#control = attach(this);
  }

  /** Why it is over; null while it is not. */
  get endReason(): string | null {
    return this.#endReason;
  }

  /** Ends when the session does. Whoever returns ends the film. */
  async *pictures(): AsyncGenerator<Mp4Picture> {
    try {
      for await (const picture of this.#pictures.items()) {
        this.#readMs = picture.timestampMs;
        yield picture;
      }
    } finally {
      this.end("left");
    }
  }

  speech(): AsyncGenerator<Int16Array> {
    return this.#speech.items();
  }

  frame({ parts, isKeyFrame, timestampMs }: LiveFrame): void {
    if (this.#endReason !== null || (this.#startMs === null && !isKeyFrame)) return;
    if (this.#startMs === null) {
      this.#startMs = timestampMs;
      if (this.#first) this.sound(this.#first);
    }
    const filmMs = timestampMs - this.#startMs;
    if (filmMs - this.#readMs > MAX_BEHIND_MS) {
      this.end("too_slow");
      return;
    }
    this.#pictures.push({ parts, isKeyFrame, timestampMs: filmMs });
    this.#shownMs = filmMs + FRAME_MS;
    this.#silence(filmMs);
  }

  /** Comes before the frame of the same moment. */
  sound(sound: LiveSound): void {
    if (this.#endReason !== null) return;
    if (this.#startMs === null) {
      this.#first = sound;
      return;
    }
    const filmMs = sound.timestampMs - this.#startMs;
    if (filmMs < this.#heardMs) return;
    this.#silence(filmMs);
    this.#speak(sound.samples);
  }

  interrupted(): void {
    // What is void has not been put in.
  }

  ended(reason: string): void {
    this.end(reason);
  }

  /** Ends the film; what is there can be read. */
  end(reason: string): void {
    if (this.#endReason !== null) return;
    this.#silence(this.#shownMs);
    this.#endReason = reason;
    this.#pictures.end();
    this.#speech.end();
    this.#control.leave();
  }

  #speak(samples: Int16Array): void {
    this.#speech.push(samples.slice());
    this.#heardMs += samples.length / SAMPLES_PER_MS;
  }

  #silence(untilMs: number): void {
    const missing = Math.round((untilMs - this.#heardMs) * SAMPLES_PER_MS);
    if (missing > 0) this.#speak(new Int16Array(missing));
  }
}

/** What comes when it comes, for one who reads when he can; who fills it bounds it. */
class MediaQueue<T> {
  readonly #items: T[] = [];
  #wake = Promise.withResolvers<void>();
  #isOver = false;

  push(item: T): void {
    this.#items.push(item);
    this.#wake.resolve();
  }

  end(): void {
    this.#isOver = true;
    this.#wake.resolve();
  }

  async *items(): AsyncGenerator<T> {
    for (;;) {
      const item = this.#items.shift();
      if (item !== undefined) yield item;
      else if (this.#isOver) return;
      else {
        this.#wake = Promise.withResolvers();
        await this.#wake.promise;
      }
    }
  }
}
