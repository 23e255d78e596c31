import { existsSync } from "node:fs";
import { isAbsolute } from "node:path";
import { AvatarError } from "../../avatar/avatar-error.ts";
import { checkAvatarId } from "../../avatar/avatar-id.ts";
import { listAvatarIds, readAvatar } from "../../avatar/catalogue.ts";
import type { ObjectStore } from "../../avatar/object-store.ts";
import { CoreError } from "../core-error.ts";
import type { HeldFile, ModelCache } from "./model-cache.ts";
import { asCoreError, type ModelSettings, type ModelSource, noModel } from "./model-source.ts";

/** What is known of a bucket is believed for so long. */
const BELIEF_MS = 5000;

export interface BucketSourceOptions {
  readonly store: ObjectStore;
  readonly cache: ModelCache;
  readonly models: ModelSettings;
  /** Milliseconds. */
  readonly now: () => number;
  /** Called by `close`: ends what the store does. */
  readonly abort: () => void;
}

/**
 * The avatars of a bucket, their files in a local cache, and bare models on
 * this machine that the configuration names.
 */
export function createBucketSource(options: BucketSourceOptions): ModelSource {
  const { store, cache, now } = options;
  let { models } = options;
  let listed: { readonly ids: Promise<string[]>; readonly atMs: number } | null = null;

  const idsOfBucket = (): Promise<string[]> => {
    if (listed && now() - listed.atMs < BELIEF_MS) return listed.ids;
    const ids = listAvatarIds(store);
    listed = { ids, atMs: now() };
    // A failure is not believed.
    ids.catch(() => {
      listed = null;
    });
    return ids;
  };

  return {
    async listIds() {
      const ids = await guarded("", idsOfBucket);
      return [...new Set([...ids, ...Object.keys(models)])].sort();
    },

    async check(id) {
      if (modelPath(id, models)) return;
      const ids = await guarded(id, async () => {
        checkAvatarId(id);
        return idsOfBucket();
      });
      if (!ids.includes(id)) throw noModel(id);
    },

    async resolve(id) {
      const override = modelPath(id, models);
      const avatar = await guarded(id, async () => {
        try {
          return await readAvatar(store, checkAvatarId(id));
        } catch (error) {
          const isBare = error instanceof AvatarError && error.code === "not_found" && override;
          if (isBare) return null;
          throw error;
        }
      });
      if (!avatar) {
        const files = { unetPath: override!, speech: null };
        return { id, version: "", manifest: null, files, release: () => {} };
      }
      const { manifest, prefix, summary } = avatar;
      const held: HeldFile[] = [];
      const release = () => {
        for (const file of held) file.release();
      };
      const hold = async (stored: { file: string; bytes: number; sha256: string }) => {
        const { bytes, sha256 } = stored;
        const file = await cache.hold({ key: `${prefix}${stored.file}`, bytes, sha256 });
        held.push(file);
        return file.path;
      };
      try {
        return await guarded(id, async () => ({
          id,
          version: summary.version,
          manifest,
          release,
          files: {
            unetPath: override ?? (await hold(manifest.model)),
            speech: {
              encoderPath: await hold(manifest.audioEncoder),
              encoderHash: manifest.audioEncoder.sha256,
              referencePath: await hold(manifest.reference),
              reference: manifest.reference,
            },
          },
        }));
      } catch (error) {
        release();
        throw error;
      }
    },

    reconfigure(next) {
      models = next;
    },

    async close() {
      options.abort();
    },
  };
}

async function guarded<T>(id: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw error instanceof AvatarError ? asCoreError(error, id) : error;
  }
}

/** @throws CoreError `failed_precondition` */
function modelPath(id: string, models: ModelSettings): string | null {
  const path = models[id]?.model_path;
  if (path === undefined) return null;
  if (isAbsolute(path) && existsSync(path)) return path;
  throw new CoreError(
    "failed_precondition",
    `models.${id}.model_path: ${path} is no file of this machine: with a bucket as models_root it is an absolute path, and avatars come from the bucket`,
  );
}
