import type { PublishedAvatar } from "../../avatar/catalogue.ts";
import type { AvatarSummary } from "../../avatar/manifest.ts";
import type { VideoTracks } from "../background/video-tracks.ts";
import { RequestError } from "../http/request-error.ts";
import type { FrameComposer } from "./frame-composer.ts";
import { ImageComposer, type ImageComposerParts } from "./image-composer.ts";
import type { FrameFormat } from "./image-format.ts";
import { VideoComposer } from "./video-composer.ts";
import { WholeFrameComposer, type WholeFrameComposerParts } from "./whole-frame-composer.ts";

export interface ComposersParts extends ImageComposerParts {
  readonly tracks: VideoTracks;
  /** For avatars without a video track; null where there is no encoder. */
  readonly wholeFrames: Omit<WholeFrameComposerParts, "now"> | null;
}

/** What makes the frames of streams. */
export class Composers {
  readonly #parts: ComposersParts;

  constructor(parts: ComposersParts) {
    this.#parts = parts;
  }

  /** Whether the avatar can be had in a format. */
  has({ summary }: PublishedAvatar, format: FrameFormat): boolean {
    return this.describe(summary).formats.includes(format);
  }

  /**
   * For one stream; whoever opens it closes it.
   * @throws RequestError 400 when the avatar cannot be had in that format; AvatarError
   */
  async open(avatar: PublishedAvatar, format: FrameFormat): Promise<FrameComposer> {
    if (format !== "h264") return new ImageComposer(this.#parts, avatar, format);
    const { tracks, wholeFrames, now } = this.#parts;
    const renditions = await tracks.open(avatar);
    if (renditions.length > 0) return new VideoComposer(renditions, tracks.parts, now);
    const { id, width, height } = avatar.summary;
    if (!wholeFrames) {
      throw new RequestError(
        400,
        `${id} has no video: publish it with --formats h264, run an edge with video.whole_frames, or ask for jpeg`,
      );
    }
    if (!hasEvenSides(avatar.summary)) {
      throw new RequestError(
        400,
        `${id} has no video, and frames of ${width}x${height} cannot be encoded: H.264 needs even sides; ask for jpeg`,
      );
    }
    return new WholeFrameComposer({ ...wholeFrames, now }, avatar);
  }

  /** An avatar as it can be had here: what it was published as, and what this edge adds. */
  describe(summary: AvatarSummary): AvatarSummary {
    const { formats } = summary;
    const isAdded = this.#parts.wholeFrames && !formats.includes("h264") && hasEvenSides(summary);
    return isAdded ? { ...summary, formats: [...formats, "h264"] } : summary;
  }
}

/** 4:2:0 halves them. */
function hasEvenSides({ width, height }: AvatarSummary): boolean {
  return width % 2 === 0 && height % 2 === 0;
}
