import type { AvatarError } from "../../avatar/avatar-error.ts";
import type { Manifest } from "../../avatar/manifest.ts";
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

/** The `models:` settings, by id. */
export type ModelSettings = Readonly<Record<string, ModelConfig>>;

/** Where models come from. */
export interface ModelSource {
  /** Every model that there is, sorted. */
  listIds(): Promise<string[]>;
  /**
   * The model's current version, its files on this machine until it is released.
   * @throws CoreError `not_found`, `failed_precondition`, `invalid_argument`,
   * `unavailable` (the store), `resource_exhausted` (the disk)
   */
  resolve(id: string): Promise<ModelVersion>;
  /** Whether there is such a model, without bringing its files here. @throws CoreError as `resolve` */
  check(id: string): Promise<void>;
  /** Replaces the settings. */
  reconfigure(models: ModelSettings): void;
  /** Ends downloads and gives back what is held of the machine. */
  close(): Promise<void>;
}

export function noModel(id: string, cause?: unknown): CoreError {
  const message = `there is no model ${id}: ListModels lists them, "mouthpiece import" adds one`;
  return new CoreError("not_found", message, { cause });
}

/** What an avatar that cannot be read is to a caller of the core. */
export function asCoreError(error: AvatarError, id: string): CoreError {
  const options = { cause: error };
  switch (error.code) {
    case "invalid_id":
      return new CoreError("invalid_argument", error.message, options);
    case "not_found":
      return noModel(id, error);
    case "store_unavailable":
      return new CoreError("unavailable", error.message, {
        ...options,
        reason: "store_unavailable",
      });
    case "invalid_avatar":
    case "damaged":
    case "invalid_source":
      return new CoreError("failed_precondition", error.message, options);
  }
}
