import type { ObjectStore } from "../../avatar/object-store.ts";
import { BackgroundPictures } from "../background/background-pictures.ts";
import { ByteBudget } from "../background/byte-budget.ts";
import { FramePacks } from "../background/frame-packs.ts";
import type { FramePreparer } from "../background/frame-preparer.ts";
import { IdleFrames } from "../background/idle-frames.ts";
import { OwnMouths } from "../background/own-mouths.ts";
import { PlainFrames } from "../background/plain-frames.ts";
import { PreparedFrames, type PreparedFramesOptions } from "../background/prepared-frames.ts";
import { VideoTracks } from "../background/video-tracks.ts";
import { MouthPlacer } from "../compositor/h264/mouth-placer.ts";
import { Splicer } from "../compositor/splicer.ts";
import { type EdgeConfig, megabytes } from "../config.ts";
import type { Sharing } from "../parts.ts";
import { Composers, type ComposersParts } from "./composers.ts";
import type { WholeFrameEncoders } from "./whole-frame-encoder.ts";

export interface OpenComposersOptions {
  readonly config: Pick<EdgeConfig, "cache" | "jpeg">;
  readonly store: ObjectStore;
  readonly preparer: FramePreparer;
  readonly sharing?: Sharing;
  /** For avatars without a video track. Default: they have no video. */
  readonly encoders?: WholeFrameEncoders;
  readonly pngEffort?: PreparedFramesOptions["pngEffort"];
  readonly now: () => number;
}

/** What frames are made of and from, with its caches. */
export interface OpenedComposers {
  readonly composers: Composers;
  readonly prepared: PreparedFrames;
  readonly idleFrames: IdleFrames;
  readonly mouths: OwnMouths;
  readonly tracks: VideoTracks;
  /** Of whole frames; null where there is no encoder. */
  readonly pictures: BackgroundPictures | null;
}

/** A read that was cut off with its request counts no more. */
const READ_LAPSE_MS = 15_000;

/** Puts together what turns an avatar's objects and its mouths into frames. */
export function openComposers(options: OpenComposersOptions): OpenedComposers {
  const { config, store, preparer, pngEffort, now } = options;
  const { cache, jpeg } = config;
  const sharing = options.sharing ? { sharing: options.sharing } : {};
  const packs = new FramePacks(store, options.sharing);
  const plain = new PlainFrames(store, options.sharing);
  const splicer = new Splicer();
  const prepared = new PreparedFrames({
    plain,
    packs,
    preparer,
    jpeg,
    maxBytes: megabytes(cache.prepared_mb),
    ahead: new ByteBudget(megabytes(cache.read_ahead_mb), now, READ_LAPSE_MS),
    ...(pngEffort && { pngEffort }),
    ...sharing,
  });
  const mouths = new OwnMouths({ plain, packs, preparer, ...sharing });
  const idleFrames = new IdleFrames({
    mouths,
    prepared,
    splicer,
    maxBytes: megabytes(cache.idle_mb),
    ...sharing,
  });
  const tracks = new VideoTracks({ packs, maxBytes: megabytes(cache.video_mb), ...sharing });
  let wholeFrames: ComposersParts["wholeFrames"] = null;
  if (options.encoders) {
    const maxBytes = megabytes(cache.pictures_mb);
    const pictures = new BackgroundPictures({ plain, idleFrames, preparer, maxBytes, ...sharing });
    wholeFrames = { pictures, placer: new MouthPlacer(), encoders: options.encoders };
  }
  const composers = new Composers({ prepared, idleFrames, splicer, tracks, wholeFrames, now });
  const pictures = wholeFrames?.pictures ?? null;
  return { composers, prepared, idleFrames, mouths, tracks, pictures };
}
