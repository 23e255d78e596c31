import type { PublishedAvatar } from "../../avatar/catalogue.ts";
import type { VideoTracks } from "../background/video-tracks.ts";
import { RequestError } from "../http/request-error.ts";
import type { FrameComposer } from "./frame-composer.ts";
import { ImageComposer, type ImageComposerParts } from "./image-composer.ts";
import type { FrameFormat } from "./image-format.ts";
import { VideoComposer } from "./video-composer.ts";

export interface ComposersParts extends ImageComposerParts {
  readonly tracks: VideoTracks;
}

/** What makes the frames of streams. */
export class Composers {
  readonly #parts: ComposersParts;

  constructor(parts: ComposersParts) {
    this.#parts = parts;
  }

  /** Whether the avatar can be had in a format. @throws AvatarError */
  async has(avatar: PublishedAvatar, format: FrameFormat): Promise<boolean> {
    return format !== "h264" || (await this.#parts.tracks.open(avatar)).length > 0;
  }

  /**
   * For one stream.
   * @throws RequestError 400 when the avatar cannot be had in that format; AvatarError
   */
  async open(avatar: PublishedAvatar, format: FrameFormat): Promise<FrameComposer> {
    if (format !== "h264") return new ImageComposer(this.#parts, avatar, format);
    const { tracks, now } = this.#parts;
    const renditions = await tracks.open(avatar);
    if (renditions.length > 0) return new VideoComposer(renditions, tracks.parts, now);
    throw new RequestError(
      400,
      `${avatar.summary.id} has no video: publish it with --formats h264, or ask for jpeg`,
    );
  }
}
