import { resolve } from "node:path";
import type { WritableStore } from "../avatar/object-store.ts";
import { createFolderStore } from "../avatar/runtime/folder-store.ts";
import { createS3Store } from "../avatar/s3/s3-store.ts";
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
  readonly endpoint?: string | undefined;
  /** Requests at the same time. */
  readonly parallel: number;
}

type Environment = Readonly<Record<string, string | undefined>>;

const BUCKET_URL = /^s3:\/\/([^/]+)(?:\/(.*))?$/;

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
  const url = BUCKET_URL.exec(target);
  if (!url) {
    if (/^[a-z0-9+.-]+:\/\//i.test(target)) {
      throw usage(`--to ${target}: use s3://bucket[/prefix] or a folder`);
    }
    const folder = resolve(target);
    return { store: createFolderStore(folder), name: folder, folder };
  }
  const bucket = url[1]!;
  const path = (url[2] ?? "").replace(/\/+$/, "");
  const region = environment.AWS_REGION || environment.AWS_DEFAULT_REGION || "auto";
  const endpoint = options.endpoint ?? environment.AWS_ENDPOINT_URL ?? amazonEndpoint(region);
  const accessKeyId = required(environment, "AWS_ACCESS_KEY_ID");
  const secretAccessKey = required(environment, "AWS_SECRET_ACCESS_KEY");
  const sessionToken = environment.AWS_SESSION_TOKEN;
  const store = createS3Store({
    endpoint,
    region,
    bucket,
    prefix: path && `${path}/`,
    credentials: { accessKeyId, secretAccessKey, ...(sessionToken && { sessionToken }) },
    parallel: options.parallel,
  });
  return { store, name: `s3://${bucket}${path && `/${path}`} at ${endpoint}`, folder: null };
}

function amazonEndpoint(region: string): string {
  if (region !== "auto") return `https://s3.${region}.amazonaws.com`;
  throw usage(
    "which store? Set --endpoint or AWS_ENDPOINT_URL (R2: https://ACCOUNT.r2.cloudflarestorage.com), or AWS_REGION for Amazon S3",
  );
}

function required(environment: Environment, name: string): string {
  const value = environment[name];
  if (value) return value;
  throw usage(`${name} is not set: s3:// needs AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY`);
}

function usage(message: string): CommandError {
  return new CommandError(message, { isUsage: true });
}
