import type { Context as TraceContext } from "@opentelemetry/api";
import type { PublishedAvatar } from "../../avatar/catalogue.ts";
import type { CoreClient } from "../core/core-client.ts";
import type { Composers } from "./composers.ts";
import type { FrameFormat } from "./image-format.ts";

/** A second: what follows is read ahead while it is shown. */
const FRAMES = 25;

export interface PrewarmRequest {
  readonly avatar: PublishedAvatar;
  /** Playback position of the first frame, in frames. */
  readonly start: number;
  readonly format: FrameFormat;
  readonly signal: AbortSignal;
  /** When the caller will have gone, as `now` counts; undefined while he waits for ever. */
  readonly deadlineMs?: number | undefined;
  readonly requestId: string;
  readonly trace: TraceContext | undefined;
}

export interface Prewarmed {
  /** Milliseconds that the core took to load the model; 0 when it was in memory. */
  readonly modelMs: number;
  /** Milliseconds that the frames took. */
  readonly framesMs: number;
}

export interface PrewarmerOptions {
  readonly core: CoreClient;
  readonly composers: Composers;
  readonly now: () => number;
}

/** Has an avatar made ready before it is asked to speak. */
export class Prewarmer {
  readonly #options: PrewarmerOptions;

  constructor(options: PrewarmerOptions) {
    this.#options = options;
  }

  /** Ends when model and first frames are there. @throws CoreCallError, AvatarError, ImageError */
  async prewarm(request: PrewarmRequest): Promise<Prewarmed> {
    const { core } = this.#options;
    const [modelMs, framesMs] = await Promise.all([
      core.loadModel(request.avatar.summary.id, request),
      this.#frames(request),
    ]);
    return { modelMs, framesMs };
  }

  async #frames({ avatar, start, format, signal }: PrewarmRequest): Promise<number> {
    const { composers, now } = this.#options;
    const started = now();
    const composer = await composers.open(avatar, format);
    try {
      await composer.prewarm(start, FRAMES, signal);
    } finally {
      composer.close();
    }
    return now() - started;
  }
}
