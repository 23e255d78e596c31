import type { PublishedAvatar } from "../../avatar/catalogue.ts";
import type { ImageCodecs } from "../../avatar/image/codecs.ts";
import { backgroundIndex } from "../../avatar/playback.ts";
import { FRAMES_PER_SECOND } from "../../avatar/speech-timing.ts";
import type { BackgroundFrames } from "../background/background-frames.ts";
import type { Compositor } from "../compositor/compositor.ts";
import type { CoreClient, CoreTimes, MouthRegion } from "../core/core-client.ts";
import { RequestError } from "../http/request-error.ts";
import type { ImageFormat } from "./image-format.ts";
import { streamMouths } from "./mouth-stream.ts";
import { cutSpeechWindows } from "./speech-windows.ts";

export interface SpeakerOptions {
  readonly core: CoreClient;
  readonly backgrounds: BackgroundFrames;
  readonly compositor: Compositor;
  readonly codecs: ImageCodecs;
  /** As libjpeg counts it, 1..100. */
  readonly jpegQuality: number;
  /** Utterances at the same time. */
  readonly maxSpeaking: number;
  readonly now: () => number;
}

export interface SpeakRequest {
  readonly avatar: PublishedAvatar;
  /** 16-bit mono, 16 kHz. */
  readonly speech: AsyncIterable<Int16Array>;
  /** Playback position of the first frame, in frames. */
  readonly start: number;
  readonly format: ImageFormat;
  readonly signal: AbortSignal;
  readonly requestId: string;
}

/** A complete frame of a talking avatar. */
export interface SpokenFrame {
  /** Position in the utterance, in frames. */
  readonly frame: number;
  /** Time from the start of the utterance. */
  readonly timeMs: number;
  readonly backgroundIndex: number;
  /** A PNG or JPEG file. */
  readonly image: Uint8Array;
  /** What the frame cost here, in milliseconds. */
  readonly times: EdgeTimes;
  /** What frames up to this one cost at the core; on some frames only. */
  readonly coreTimes: CoreTimes | null;
}

export interface EdgeTimes {
  readonly backgroundMs: number;
  readonly compositeMs: number;
  readonly encodeMs: number;
}

/** Makes avatars speak: speech in, complete frames out. */
export class Speaker {
  readonly #options: SpeakerOptions;
  #speaking = 0;

  constructor(options: SpeakerOptions) {
    this.#options = options;
  }

  /**
   * The frames of an utterance, each made when it is asked for.
   * @throws RequestError 429, CoreCallError, AvatarError and what `speech` throws
   */
  async *speak(request: SpeakRequest): AsyncGenerator<SpokenFrame> {
    const { maxSpeaking, core, codecs } = this.#options;
    if (this.#speaking >= maxSpeaking) {
      throw new RequestError(
        429,
        `${maxSpeaking} avatars are speaking here already (limits.max_speaking): try again shortly`,
        1,
      );
    }
    this.#speaking++;
    try {
      const { avatar, start } = request;
      const windows = cutSpeechWindows(request.speech);
      // While one frame is coded the next may be, where there are threads for it.
      const coding: Promise<SpokenFrame>[] = [];
      for await (const mouth of streamMouths(core, avatar.summary, windows, start, request)) {
        const frame = this.#compose(request, mouth);
        // It may fail before its turn comes.
        frame.catch(() => {});
        coding.push(frame);
        this.#readAhead(avatar, start + mouth.frame + 1);
        if (coding.length >= codecs.parallel) yield await coding.shift()!;
      }
      while (coding.length > 0) yield await coding.shift()!;
    } finally {
      this.#speaking--;
    }
  }

  async #compose({ avatar, format }: SpeakRequest, mouth: MouthRegion): Promise<SpokenFrame> {
    const { backgrounds, codecs, compositor, jpegQuality, now } = this.#options;
    const started = now();
    const background = await backgrounds.get(avatar, mouth.backgroundIndex);
    const compositing = now();
    const picture = compositor.paste(background, mouth.region, mouth.pixels);
    const encoding = now();
    const image =
      format === "png"
        ? await codecs.encodePng(picture)
        : await codecs.encodeJpeg(picture, { quality: jpegQuality });
    return {
      frame: mouth.frame,
      timeMs: Math.round((mouth.frame * 1000) / FRAMES_PER_SECOND),
      backgroundIndex: mouth.backgroundIndex,
      image,
      times: {
        backgroundMs: compositing - started,
        compositeMs: encoding - compositing,
        encodeMs: now() - encoding,
      },
      coreTimes: mouth.times,
    };
  }

  /** Starts reading the next background while the core makes its mouth. */
  #readAhead(avatar: PublishedAvatar, position: number): void {
    const index = backgroundIndex(position, avatar.summary.frameCount);
    // A failure shows when the frame is needed.
    this.#options.backgrounds.get(avatar, index).catch(() => {});
  }
}
