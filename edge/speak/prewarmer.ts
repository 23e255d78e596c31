import type { Context as TraceContext } from "@opentelemetry/api";
import type { PublishedAvatar } from "../../avatar/catalogue.ts";
import { backgroundIndex } from "../../avatar/playback.ts";
import type { PreparedFrames } from "../background/prepared-frames.ts";
import type { CoreClient } from "../core/core-client.ts";
import type { ImageFormat } from "./image-format.ts";

/** A second: what follows is read ahead while it is shown. */
const FRAMES = 25;

export interface PrewarmRequest {
  readonly avatar: PublishedAvatar;
  /** Playback position of the first frame, in frames. */
  readonly start: number;
  readonly format: ImageFormat;
  readonly signal: AbortSignal;
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
  readonly prepared: PreparedFrames;
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
    const { prepared, now } = this.#options;
    const { frameCount } = avatar.summary;
    const started = now();
    const indices = Array.from({ length: FRAMES }, (_, n) =>
      backgroundIndex(start + n, frameCount),
    );
    for (const [n, index] of indices.entries()) {
      signal.throwIfAborted();
      prepared.readAhead(avatar, indices.slice(n), format);
      await prepared.get(avatar, index, format);
    }
    return now() - started;
  }
}
