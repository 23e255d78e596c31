import { rm } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { AvatarError } from "../avatar/avatar-error.ts";
import { readAvatar } from "../avatar/catalogue.ts";
import { DEMO_ID, readDemoSource } from "../avatar/demo/demo-source.ts";
import { FRAME_DIGESTS_FILE, findTrack } from "../avatar/manifest.ts";
import { createFolderStaging, createFolderStore } from "../avatar/runtime/folder-store.ts";
import { writeAvatar } from "../avatar/writer.ts";
import { Progress } from "./progress.ts";
import { publishFromFolder } from "./publish-from-folder.ts";
import { openTarget } from "./publish-target.ts";

/** Edges prepare its pictures as they are asked for; its video has to be there. */
const VIDEO = {
  mode: "band",
  groupFrames: 150,
  renditions: [
    { intraQp: 24, interQp: 30 },
    { intraQp: 29, interQp: 35 },
  ],
} as const;

/** Makes the demo avatar below `root` if it is not there yet: a minute, once. */
export async function ensureDemoAvatar(root: string): Promise<void> {
  if (await isReadable(root)) return;
  const progress = new Progress("drawing the demo avatar");
  const staging = await createFolderStaging(root, DEMO_ID);
  await writeAvatar(readDemoSource(), staging, ({ done, total }) => progress.update(done, total));
  const threads = availableParallelism();
  const target = openTarget(root, { option: "--to", parallel: 1 }, {});
  const { previousVersion } = await publishFromFolder(DEMO_ID, root, target, {
    tracks: [{ kind: "mouth", options: {} }],
    jpeg: { quality: 85, subsampling: "4:2:0" },
    video: VIDEO,
    softEdge: null,
    tenant: undefined,
    keepFrames: true,
    threads,
    parallelWrites: threads,
  });
  // It has never been served, and has the same frames.
  if (previousVersion !== null) {
    await rm(join(root, "avatars", DEMO_ID, previousVersion), { recursive: true });
  }
}

/** One that an older version has drawn may not be. */
async function isReadable(root: string): Promise<boolean> {
  try {
    const store = createFolderStore(root);
    const { prefix, manifest } = await readAvatar(store, DEMO_ID);
    if (!findTrack(manifest, "h264")) return false;
    return (await store.read(prefix + FRAME_DIGESTS_FILE)) !== null;
  } catch (error) {
    if (error instanceof AvatarError && error.code !== "store_unavailable") return false;
    throw error;
  }
}
