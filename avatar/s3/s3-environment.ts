import type { WritableStore } from "../object-store.ts";
import { SettingsError } from "../settings.ts";
import type { S3Addressing } from "./s3-client.ts";
import { createS3Store } from "./s3-store.ts";

const BUCKET_URL = /^s3:\/\/([^/]+)(?:\/(.*))?$/;

const AMAZON = /^https:\/\/s3[.-][a-z0-9.-]+\.amazonaws\.com\/?$/;
const HOST_LABEL = /^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$/;

/** Variables of a process. */
export type Environment = Readonly<Record<string, string | undefined>>;

export interface BucketOptions {
  /** Instead of AWS_ENDPOINT_URL. */
  readonly endpoint?: string | undefined;
  /** Requests at the same time. */
  readonly parallel?: number;
  /** How the endpoint can be set otherwise, for errors; e.g. `--endpoint or `. */
  readonly otherWays?: string;
}

/** A bucket, or a part of one. */
export interface Bucket {
  readonly store: WritableStore;
  /** For people. */
  readonly name: string;
}

export function isBucketUrl(url: string): boolean {
  return BUCKET_URL.test(url);
}

/**
 * Opens `s3://bucket[/prefix]`. Keys, region and endpoint come from the
 * variables that every S3 tool reads.
 * @returns null when `url` is no such URL
 * @throws SettingsError naming the variable that is missing
 */
export function openBucket(
  url: string,
  environment: Environment,
  options: BucketOptions = {},
): Bucket | null {
  const match = BUCKET_URL.exec(url);
  if (!match) return null;
  const bucket = match[1]!;
  const path = (match[2] ?? "").replace(/\/+$/, "");
  const region = environment.AWS_REGION || environment.AWS_DEFAULT_REGION || "auto";
  const endpoint =
    options.endpoint ??
    environment.AWS_ENDPOINT_URL ??
    amazonEndpoint(region, options.otherWays ?? "");
  const addressing = readAddressing(environment, bucket, endpoint);
  const accessKeyId = required(environment, "AWS_ACCESS_KEY_ID");
  const secretAccessKey = required(environment, "AWS_SECRET_ACCESS_KEY");
  const sessionToken = environment.AWS_SESSION_TOKEN;
  const store = createS3Store({
    endpoint,
    region,
    bucket,
    addressing,
    prefix: path && `${path}/`,
    credentials: { accessKeyId, secretAccessKey, ...(sessionToken && { sessionToken }) },
    ...(options.parallel !== undefined && { parallel: options.parallel }),
  });
  return { store, name: `s3://${bucket}${path && `/${path}`} at ${endpoint}` };
}

/** Amazon's buckets have hosts; a name with dots is in no certificate's wildcard (S3 user guide). */
export function readAddressing(
  environment: Environment,
  bucket: string,
  endpoint: string,
): S3Addressing {
  const said = environment.AWS_S3_ADDRESSING_STYLE || "auto";
  if (said === "path" || said === "virtual") return said;
  if (said !== "auto") {
    throw new SettingsError(`AWS_S3_ADDRESSING_STYLE=${said}: use path, virtual or auto`);
  }
  const isAmazon = AMAZON.test(endpoint);
  return isAmazon && HOST_LABEL.test(bucket) ? "virtual" : "path";
}

function amazonEndpoint(region: string, otherWays: string): string {
  if (region !== "auto") return `https://s3.${region}.amazonaws.com`;
  throw new SettingsError(
    `which store? Set ${otherWays}AWS_ENDPOINT_URL (R2: https://ACCOUNT.r2.cloudflarestorage.com), or AWS_REGION for Amazon S3`,
  );
}

function required(environment: Environment, name: string): string {
  const value = environment[name];
  if (value) return value;
  throw new SettingsError(
    `${name} is not set: s3:// needs AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY`,
  );
}
