import { existsSync } from "node:fs";
import { isAbsolute, join } from "node:path";
import { AvatarError } from "../../avatar/avatar-error.ts";
import { checkAvatarId } from "../../avatar/avatar-id.ts";
import { listAvatarIds, readAvatar } from "../../avatar/catalogue.ts";
import { createFolderStore } from "../../avatar/runtime/folder-store.ts";
import type { ModelConfig } from "../config.ts";
import { CoreError } from "../core-error.ts";
import { asCoreError, type ModelSettings, type ModelSource } from "./model-source.ts";

/**
 * The avatars below `root`, and the models that the configuration names: a
 * bare ONNX file, or another file for an avatar's model.
 */
export function createFolderSource(root: string, configured: ModelSettings): ModelSource {
  const store = createFolderStore(root);
  let models = configured;

  const source: ModelSource = {
    async listIds() {
      const ids = new Set([...(await listAvatarIds(store)), ...Object.keys(models)]);
      return [...ids].sort();
    },

    async resolve(id) {
      const override = modelPath(root, id, models[id]);
      // Nothing of a folder is kept elsewhere.
      const release = () => {};
      try {
        const { manifest, prefix, summary } = await readAvatar(store, checkAvatarId(id));
        const folder = join(root, prefix);
        return {
          id,
          version: summary.version,
          manifest,
          release,
          files: {
            unetPath: override ?? join(folder, manifest.model.file),
            speech: {
              encoderPath: join(folder, manifest.audioEncoder.file),
              encoderHash: manifest.audioEncoder.sha256,
              referencePath: join(folder, manifest.reference.file),
              reference: manifest.reference,
            },
          },
        };
      } catch (error) {
        if (!(error instanceof AvatarError)) throw error;
        if (error.code !== "not_found" || !override) throw asCoreError(error, id);
        const files = { unetPath: override, speech: null };
        return { id, version: "", manifest: null, files, release };
      }
    },

    async check(id) {
      await source.resolve(id);
    },

    reconfigure(next) {
      models = next;
    },

    async close() {},
  };
  return source;
}

function modelPath(root: string, id: string, config: ModelConfig | undefined): string | null {
  if (!config?.model_path) return null;
  const path = isAbsolute(config.model_path) ? config.model_path : join(root, config.model_path);
  if (existsSync(path)) return path;
  throw new CoreError(
    "failed_precondition",
    `models.${id}.model_path: ${path} does not exist: correct the configuration`,
  );
}
