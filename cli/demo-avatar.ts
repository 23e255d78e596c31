import { existsSync } from "node:fs";
import { join } from "node:path";
import { DEMO_ID, readDemoSource } from "../avatar/demo/demo-source.ts";
import { createFolderStaging } from "../avatar/runtime/folder-store.ts";
import { writeAvatar } from "../avatar/writer.ts";
import { Progress } from "./progress.ts";

/** Makes the demo avatar below `root` if it is not there yet; under half a minute, once. */
export async function ensureDemoAvatar(root: string): Promise<void> {
  if (existsSync(join(root, "avatars", DEMO_ID, "avatar.json"))) return;
  const progress = new Progress("drawing the demo avatar");
  const staging = await createFolderStaging(root, DEMO_ID);
  await writeAvatar(readDemoSource(), staging, ({ done, total }) => progress.update(done, total));
}
