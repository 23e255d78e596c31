import { resolve } from "node:path";
import type { WritableStore } from "../avatar/object-store.ts";
import { createFolderStore } from "../avatar/runtime/folder-store.ts";
import { type Environment, openBucket } from "../avatar/s3/s3-environment.ts";
import { SettingsError } from "../avatar/settings.ts";
import { CommandError } from "./command-error.ts";

/** Where a publish goes. */
export interface PublishTarget {
  readonly store: WritableStore;
  /** For people, and to tell targets apart. */
  readonly name: string;
  /** Absolute path of a folder; null for a bucket. */
  readonly folder: string | null;
}

export interface TargetOptions {
  /** That named it, for errors. */
  readonly option: "--to" | "--root";
  readonly endpoint?: string | undefined;
  /** Requests at the same time. */
  readonly parallel: number;
}

/**
 * `s3://bucket[/prefix]` or a folder. Keys, region and endpoint come from the
 * variables that every S3 tool reads.
 * @throws CommandError (usage) when something is missing
 */
export function openTarget(
  target: string,
  options: TargetOptions,
  environment: Environment,
): PublishTarget {
  try {
    const bucket = openBucket(target, environment, { ...options, otherWays: "--endpoint or " });
    if (bucket) return { ...bucket, folder: null };
  } catch (error) {
    if (error instanceof SettingsError) throw usage(error.message);
    throw error;
  }
  if (/^[a-z0-9+.-]+:\/\//i.test(target)) {
    throw usage(`${options.option} ${target}: use s3://bucket[/prefix] or a folder`);
  }
  const folder = resolve(target);
  return { store: createFolderStore(folder), name: folder, folder };
}

function usage(message: string): CommandError {
  return new CommandError(message, { isUsage: true });
}
