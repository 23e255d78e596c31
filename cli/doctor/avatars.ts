import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { isAvatarId } from "../../avatar/avatar-id.ts";
import { readAvatar } from "../../avatar/catalogue.ts";
import type { Manifest } from "../../avatar/manifest.ts";
import { createFolderStore } from "../../avatar/runtime/folder-store.ts";
import { type Finding, fail, ok, warn, whyOf } from "./check.ts";

/** The folder of the avatars, and a finding for each avatar that cannot be served. */
export async function checkAvatars(root: string): Promise<Finding[]> {
  const folder = join(root, "avatars");
  let names: string[];
  try {
    names = await readdir(folder);
  } catch (error) {
    const advice =
      '"npm start" draws a demo avatar, "mouthpiece import" adds yours, --root names another folder';
    if (isAbsence(error)) return [warn("avatars", `there is no folder ${folder}`, advice)];
    return [fail("avatars", `${folder}: ${whyOf(error)}`, "let this user read it")];
  }
  const ids = names.filter(isAvatarId).sort();
  if (ids.length === 0) {
    return [warn("avatars", `none in ${folder}`, 'add one with "mouthpiece import"')];
  }
  const findings: Finding[] = [];
  // One after the other: there may be thousands.
  for (const id of ids) {
    const problem = await findProblem(root, id);
    if (problem) findings.push(fail(`avatar ${id}`, problem, "import or publish it again"));
  }
  const good = ids.length - findings.length;
  if (good > 0) findings.unshift(ok("avatars", `${good} of ${ids.length} in ${folder} are whole`));
  return findings;
}

/** Null for an avatar whose pointer, manifest and model files are there. */
async function findProblem(root: string, id: string): Promise<string | null> {
  try {
    const { manifest, prefix } = await readAvatar(createFolderStore(root), id);
    for (const file of filesOf(manifest)) {
      const path = join(root, prefix, file);
      const { size } = await stat(path);
      if (size === 0) return `${path} is empty`;
    }
    return null;
  } catch (error) {
    return whyOf(error);
  }
}

function filesOf({ model, audioEncoder, reference }: Manifest): string[] {
  return [model.file, audioEncoder.file, reference.file];
}

function isAbsence(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "ENOENT";
}
