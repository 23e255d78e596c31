import { resolve } from "node:path";
import { isAvatarId } from "../../avatar/avatar-id.ts";
import { readAvatar } from "../../avatar/catalogue.ts";
import type { Manifest } from "../../avatar/manifest.ts";
import type { ObjectStore } from "../../avatar/object-store.ts";
import { createFolderStore } from "../../avatar/runtime/folder-store.ts";
import { type Environment, openBucket } from "../../avatar/s3/s3-environment.ts";
import { type Finding, fail, ok, warn, whyOf } from "./check.ts";

/** Avatars looked at side by side; a bucket answers each question in some 20 ms. */
const PARALLEL = 16;

/**
 * The avatars of a folder or a bucket, and a finding for each that cannot be served.
 * @param root folder that holds `avatars/`, or `s3://bucket[/prefix]`
 */
export async function checkAvatars(root: string, environment: Environment): Promise<Finding[]> {
  let store: ObjectStore;
  let name: string;
  try {
    const bucket = openBucket(root, environment);
    store = bucket?.store ?? createFolderStore(resolve(root));
    name = bucket?.name ?? resolve(root);
  } catch (error) {
    return [fail("avatars", whyOf(error), "")];
  }
  let ids: string[];
  try {
    ids = (await store.list("avatars/")).filter(isAvatarId);
  } catch (error) {
    const advice = "let this user read it; of a bucket, check endpoint, name and keys";
    return [fail("avatars", `${name}: ${whyOf(error)}`, advice)];
  }
  if (ids.length === 0) {
    const advice =
      '"npm start" draws a demo avatar, "mouthpiece import" and "mouthpiece publish" add yours, --root names another place';
    return [warn("avatars", `none in ${name}`, advice)];
  }
  const findings: Finding[] = [];
  for (let first = 0; first < ids.length; first += PARALLEL) {
    const some = ids.slice(first, first + PARALLEL);
    const problems = await Promise.all(some.map((id) => findProblem(store, id)));
    for (const [i, problem] of problems.entries()) {
      if (problem) findings.push(fail(`avatar ${some[i]}`, problem, "import or publish it again"));
    }
  }
  const good = ids.length - findings.length;
  if (good > 0) findings.unshift(ok("avatars", `${good} of ${ids.length} in ${name} are whole`));
  return findings;
}

/** Null for an avatar whose pointer, manifest and model files are there, the files in their full length. */
async function findProblem(store: ObjectStore, id: string): Promise<string | null> {
  try {
    const { manifest, prefix } = await readAvatar(store, id);
    for (const { file, bytes } of filesOf(manifest)) {
      const key = `${prefix}${file}`;
      // The last byte, and the one after it.
      const end = await store.read(key, { range: { start: bytes - 1, end: bytes + 1 } });
      if (!end) return `${key} is missing`;
      if (end.length !== 1) return `${key} does not have the ${bytes} bytes of the manifest`;
    }
    return null;
  } catch (error) {
    return whyOf(error);
  }
}

function filesOf({ model, audioEncoder, reference }: Manifest) {
  return [model, audioEncoder, reference];
}
