import { AvatarError } from "../avatar/avatar-error.ts";
import { readAvatar } from "../avatar/catalogue.ts";
import { DEMO_ID, readDemoSource } from "../avatar/demo/demo-source.ts";
import { FRAME_DIGESTS_FILE } from "../avatar/manifest.ts";
import { createFolderStaging, createFolderStore } from "../avatar/runtime/folder-store.ts";
import { writeAvatar } from "../avatar/writer.ts";
import { Progress } from "./progress.ts";

/** Makes the demo avatar below `root` if it is not there yet; under half a minute, once. */
export async function ensureDemoAvatar(root: string): Promise<void> {
  if (await isReadable(root)) return;
  const progress = new Progress("drawing the demo avatar");
  const staging = await createFolderStaging(root, DEMO_ID);
  await writeAvatar(readDemoSource(), staging, ({ done, total }) => progress.update(done, total));
}

/** One that an older version has drawn may not be. */
async function isReadable(root: string): Promise<boolean> {
  try {
    const store = createFolderStore(root);
    const { prefix } = await readAvatar(store, DEMO_ID);
    return (await store.read(prefix + FRAME_DIGESTS_FILE)) !== null;
  } catch (error) {
    if (error instanceof AvatarError && error.code !== "store_unavailable") return false;
    throw error;
  }
}
