import { realpath } from "node:fs/promises";
import { readAvatar } from "../avatar/catalogue.ts";
import type { TrackRequest } from "../avatar/publish/prepare-tracks.ts";
import { type PublishResult, publishAvatar } from "../avatar/publish/publish.ts";
import type { VideoRequest } from "../avatar/publish/video-encoder.ts";
import { createFolderStore } from "../avatar/runtime/folder-store.ts";
import { openPublishWork } from "../avatar/runtime/publish-work.ts";
import { Progress } from "./progress.ts";
import type { PublishTarget } from "./publish-target.ts";
import { createTrackPreparer } from "./track-preparer.ts";
import { createVideoEncoder } from "./video-encoder.ts";

/** How an avatar is published. */
export interface PublishSettings {
  readonly tracks: readonly TrackRequest[];
  readonly jpeg: { readonly quality: number; readonly subsampling: "4:2:0" | "4:4:4" };
  readonly video: VideoRequest | null;
  /** Null: as the avatar has it. */
  readonly softEdge: number | null;
  /** See PublishRequest. */
  readonly tenant: string | null | undefined;
  readonly keepFrames: boolean;
  readonly threads: number;
  readonly parallelWrites: number;
}

/** Prepares an avatar that was imported into the folder `root`, with progress shown. @throws AvatarError */
export async function publishFromFolder(
  id: string,
  root: string,
  target: PublishTarget,
  settings: PublishSettings,
): Promise<PublishResult> {
  const source = createFolderStore(root);
  const avatar = await readAvatar(source, id);
  const { width, height } = avatar.manifest;
  const softEdge = settings.softEdge ?? avatar.manifest.softEdge ?? 0;
  const { tracks, jpeg, video, threads } = settings;
  const preparer = createTrackPreparer(threads, { width, height, softEdge, jpeg });
  const encoder = video && createVideoEncoder(threads, root, avatar, { ...video, softEdge });
  // A folder that serves what it was imported into would lose its frames.
  const isInPlace = target.folder !== null && (await isSameFolder(root, target.folder));
  const work = await openPublishWork({
    root,
    id,
    ingredients: {
      from: avatar.summary.version,
      preparer: preparer.version,
      encoder: encoder?.version,
      softEdge,
      tracks,
    },
    target: target.name,
  });
  try {
    const preparing = new Progress(`preparing ${id}`, "frames");
    const uploading = new Progress(`uploading ${id}`, "bytes");
    const result = await publishAvatar({
      avatar,
      source,
      target: target.store,
      tracks,
      video: video && encoder && { request: video, encoder },
      softEdge,
      tenant: settings.tenant,
      keepFrames: settings.keepFrames || isInPlace,
      preparer,
      work,
      parallelWrites: settings.parallelWrites,
      onProgress({ phase, done, total, found }) {
        (phase === "preparing" ? preparing : uploading).update(done, total, found);
      },
    });
    await work.finish();
    return result;
  } finally {
    await work.release();
    await preparer.stop();
    await encoder?.stop();
  }
}

async function isSameFolder(a: string, b: string): Promise<boolean> {
  const real = (path: string) => realpath(path).catch(() => path);
  return (await real(a)) === (await real(b));
}
