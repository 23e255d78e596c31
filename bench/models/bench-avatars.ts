import { readDemoSource } from "../../avatar/demo/demo-source.ts";
import { createFolderStaging } from "../../avatar/runtime/folder-store.ts";
import { writeAvatar } from "../../avatar/writer.ts";
import { buildSynctalkAudioEncoder } from "./synctalk-audio-encoder.ts";
import { buildSynctalkUnet } from "./synctalk-unet.ts";

const SEED = 7;

/** Writes the demo avatar, and `full`: the same frames with models of SyncTalk_2D's size. */
export async function writeBenchAvatars(root: string): Promise<void> {
  const demo = readDemoSource();
  await writeAvatar(demo, await createFolderStaging(root, "demo"));
  const full = {
    ...demo,
    id: "full",
    model: buildSynctalkUnet({ seed: SEED }),
    audioEncoder: buildSynctalkAudioEncoder({ seed: SEED }),
  };
  await writeAvatar(full, await createFolderStaging(root, "full"));
}
