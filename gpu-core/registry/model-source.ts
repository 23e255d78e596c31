import { existsSync } from "node:fs";
import { isAbsolute, join } from "node:path";
import { AvatarError } from "../../avatar/avatar-error.ts";
import { checkAvatarId } from "../../avatar/avatar-id.ts";
import { listAvatarIds, readAvatar } from "../../avatar/catalogue.ts";
import type { Manifest } from "../../avatar/manifest.ts";
import { createFolderStore } from "../../avatar/runtime/folder-store.ts";
import type { ModelConfig } from "../config.ts";
import { CoreError } from "../core-error.ts";
import type { ModelFiles } from "../engine/messages.ts";

/** A model that can be loaded: its files as they are now. */
export interface ModelVersion {
  readonly id: string;
  /** Content hash of the avatar's version; empty for a bare model. */
  readonly version: string;
  /** Null for a bare model, which has no background frames. */
  readonly manifest: Manifest | null;
  readonly files: ModelFiles;
  /** The files may leave the disk. Call it once, when the model has left memory. */
  release(): void;
}

/** Where models come from. */
export interface ModelSource {
  /** Every model that there is, sorted. */
  listIds(): Promise<string[]>;
  /** @throws CoreError `not_found`, `failed_precondition`, `invalid_argument` */
  resolve(id: string): Promise<ModelVersion>;
  /** Whether `resolve` would find it, without bringing its files here. @throws as `resolve` */
  check(id: string): Promise<void>;
  /** Replaces the `models:` settings. */
  reconfigure(models: Readonly<Record<string, ModelConfig>>): void;
}

/**
 * The avatars below `root`, and the models that the configuration names: a
 * bare ONNX file, or another file for an avatar's model.
 */
export function createFolderModelSource(
  root: string,
  configured: Readonly<Record<string, ModelConfig>>,
): ModelSource {
  const store = createFolderStore(root);
  let models = configured;

  return {
    async listIds() {
      const ids = new Set([...(await listAvatarIds(store)), ...Object.keys(models)]);
      return [...ids].sort();
    },

    async resolve(id) {
      const override = modelPath(root, id, models[id]);
      try {
        const { manifest, prefix, summary } = await readAvatar(store, checkAvatarId(id));
        const folder = join(root, prefix);
        return {
          id,
          version: summary.version,
          manifest,
          release: () => {},
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
        if (error.code === "not_found" && override) {
          const files = { unetPath: override, speech: null };
          return { id, version: "", manifest: null, files, release: () => {} };
        }
        throw asCoreError(error, id);
      }
    },

    async check(id) {
      await this.resolve(id);
    },

    reconfigure(next) {
      models = next;
    },
  };
}

function modelPath(root: string, id: string, config: ModelConfig | undefined): string | null {
  if (!config?.model_path) return null;
  const path = isAbsolute(config.model_path) ? config.model_path : join(root, config.model_path);
  if (existsSync(path)) return path;
  throw new CoreError("failed_precondition", `models.${id}.model_path: there is no file ${path}`);
}

function asCoreError(error: AvatarError, id: string): CoreError {
  const options = { cause: error };
  switch (error.code) {
    case "invalid_id":
      return new CoreError("invalid_argument", error.message, options);
    case "not_found":
      return new CoreError(
        "not_found",
        `there is no model ${id}: ListModels lists them, "mouthpiece import" adds one`,
        options,
      );
    case "store_unavailable":
      return new CoreError("unavailable", error.message, options);
    case "invalid_avatar":
    case "invalid_source":
      return new CoreError("failed_precondition", error.message, options);
  }
}
