import { execFile } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import {
  WEBCODECS_PACKAGE,
  WEBCODECS_VERSION,
} from "../../edge/runtime/webcodecs/webcodecs-module.ts";

const INSTALL_LIMIT_MS = 180_000;

export interface InstalledPackage {
  load(): Promise<unknown>;
  remove(): Promise<void>;
}

/** @napi-rs/webcodecs from the registry, in a folder of its own: it does not come with this package. */
export async function installWebCodecs(): Promise<InstalledPackage> {
  const folder = await mkdtemp(join(tmpdir(), "mouthpiece-webcodecs-"));
  const remove = () => rm(folder, { recursive: true, force: true });
  try {
    const what = `${WEBCODECS_PACKAGE}@${WEBCODECS_VERSION}`;
    const args = [
      "install",
      "--prefix",
      folder,
      "--no-audit",
      "--no-fund",
      "--ignore-scripts",
      what,
    ];
    await promisify(execFile)("npm", args, { cwd: folder, timeout: INSTALL_LIMIT_MS });
  } catch (error) {
    await remove();
    throw error;
  }
  const require = createRequire(join(folder, "index.js"));
  return { load: async () => require(WEBCODECS_PACKAGE) as unknown, remove };
}
