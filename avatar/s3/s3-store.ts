import { AvatarError } from "../avatar-error.ts";
import type { ObjectContent, ReadOptions, WritableStore, WriteOptions } from "../object-store.ts";
import { MultipartUpload } from "./multipart-upload.ts";
import { hashHex, type S3Answer, S3Client, type S3Options } from "./s3-client.ts";
import { parseAnswer } from "./s3-error.ts";
import { childText } from "./xml.ts";

/** Keys are those of avatars; anything else never reaches the store. */
const SAFE_KEY = /^(?!.*(?:^|\/)\.{0,2}(?:\/|$))[A-Za-z0-9._/-]{1,900}$/;
const BUCKET = /^[a-z0-9][a-z0-9.-]{1,62}$/;
const PREFIX = /^(?:[A-Za-z0-9_-][A-Za-z0-9._-]*\/)*$/;

/** Of an object that is read in whole: manifests and single frames. */
const MAX_WHOLE_BYTES = 256 * 1024 * 1024;
const MAX_XML_BYTES = 8 * 1024 * 1024;
/** Pages of 1,000 names; more are no folder of avatars. */
const MAX_PAGES = 1000;

/** Larger objects go up in parts of at least this size; S3 wants 5 MiB, and all alike but the last. */
const PART_BYTES = 8 * 1024 * 1024;
const MAX_PARTS = 10_000;

const CONTENT_TYPES: readonly (readonly [extension: string, type: string])[] = [
  [".json", "application/json"],
  [".png", "image/png"],
  [".jpg", "image/jpeg"],
];
/** Versions are named by their content; the pointer is what changes. */
const IMMUTABLE = "public, max-age=31536000, immutable";

/**
 * Avatars in a bucket of S3, R2 or anything that speaks their protocol; in
 * every runtime.
 * @throws AvatarError `store_unavailable` when the options cannot be
 */
export function createS3Store(options: S3Options): WritableStore {
  checkOptions(options);
  const client = new S3Client(options);

  async function read(key: string, { range, signal }: ReadOptions = {}) {
    checkKey(key);
    const what = `read ${key}`;
    if (!range) {
      const maxBytes = MAX_WHOLE_BYTES;
      const request = { method: "GET", what, key, maxBytes, signal } as const;
      const answer = await client.send({ ...request, expected: [404] });
      return isAbsent(answer, what) ? null : answer.body;
    }
    const { start, end } = range;
    if (end <= start) return new Uint8Array(0);
    const answer = await client.send({
      method: "GET",
      what,
      key,
      headers: { range: `bytes=${start}-${end - 1}` },
      maxBytes: end - start,
      // Nothing of it lies in the range: as a file would say, that is no bytes.
      expected: [404, 416],
      signal,
    });
    if (answer.status === 416) return new Uint8Array(0);
    if (isAbsent(answer, what)) return null;
    if (answer.status !== 206 && start > 0) {
      throw new AvatarError("store_unavailable", `cannot ${what}: the store ignores ranges`);
    }
    return answer.body;
  }

  /** Whether a 404 is about the object. @throws AvatarError when it is about the bucket */
  function isAbsent({ refusal }: S3Answer, what: string): boolean {
    if (refusal?.code === "NoSuchBucket") throw client.refused(what, refusal);
    return refusal !== null;
  }

  async function list(prefix: string, signal?: AbortSignal) {
    const whole = `${options.prefix}${checkPrefix(prefix)}`;
    const what = `list ${prefix}`;
    const names: string[] = [];
    let token: string | null = null;
    for (let page = 0; page < MAX_PAGES; page++) {
      const query: Record<string, string> = { "list-type": "2", prefix: whole, delimiter: "/" };
      if (token !== null) query["continuation-token"] = token;
      const request = { method: "GET", what, key: "", query, signal } as const;
      const { body } = await client.send({ ...request, maxBytes: MAX_XML_BYTES });
      const result = parseAnswer(body, "ListBucketResult", what);
      for (const entry of result.children) {
        const isFolder = entry.name === "CommonPrefixes";
        if (!isFolder && entry.name !== "Contents") continue;
        const key = childText(entry, isFolder ? "Prefix" : "Key") ?? "";
        if (key.startsWith(whole)) names.push(key.slice(whole.length).replace(/\/$/, ""));
      }
      if (childText(result, "IsTruncated") !== "true") return names.filter(Boolean).sort();
      token = childText(result, "NextContinuationToken");
      if (token === null) break;
    }
    throw new AvatarError("store_unavailable", `cannot ${what}: the list does not end`);
  }

  /** By length and by the hash that was written beside it. */
  async function holds(key: string, content: ObjectContent, signal?: AbortSignal) {
    checkKey(key);
    const what = `look at ${key}`;
    const request = { method: "HEAD", what, key, maxBytes: 0, signal } as const;
    const { refusal, headers } = await client.send({ ...request, expected: [404] });
    return (
      refusal === null &&
      headers.get("content-length") === String(content.bytes) &&
      headers.get("x-amz-meta-sha256") === content.sha256
    );
  }

  async function write(key: string, content: ObjectContent, writeOptions: WriteOptions) {
    checkKey(key);
    const isPointer = key.endsWith("/avatar.json");
    const headers = {
      "content-type":
        CONTENT_TYPES.find(([end]) => key.endsWith(end))?.[1] ?? "application/octet-stream",
      "cache-control": isPointer ? "no-cache" : IMMUTABLE,
      "x-amz-meta-sha256": content.sha256,
    };
    if (content.bytes > PART_BYTES) {
      const smallest = Math.ceil(content.bytes / MAX_PARTS / PART_BYTES) * PART_BYTES;
      const partBytes = Math.max(PART_BYTES, smallest);
      const isThere = (signal: AbortSignal | undefined) => holds(key, content, signal);
      const upload = new MultipartUpload({ client, key, headers, content, partBytes, isThere });
      await upload.run(writeOptions);
    } else {
      await writeWhole(key, content, headers, writeOptions);
    }
    if (await holds(key, content, writeOptions.signal)) return;
    throw new AvatarError(
      "store_unavailable",
      `${key} was written and is not there as it was written: does the store keep metadata?`,
    );
  }

  /** The signature holds the hash of the body, and the store refuses a body with another one. */
  async function writeWhole(
    key: string,
    content: ObjectContent,
    headers: Readonly<Record<string, string>>,
    { onBytes, signal }: WriteOptions,
  ) {
    const body = await content.read(0, content.bytes);
    if ((await hashHex(body)) !== content.sha256) {
      throw new AvatarError(
        "store_unavailable",
        `${key} changed while it was written: run it again`,
      );
    }
    const what = `write ${key}`;
    await client.send({ method: "PUT", what, key, headers, body, maxBytes: MAX_XML_BYTES, signal });
    onBytes(body.length);
  }

  return { read, list, holds, write };
}

function checkOptions({ endpoint, bucket, prefix }: S3Options): void {
  const refuse = (message: string) => new AvatarError("store_unavailable", message);
  if (!URL.canParse(endpoint) || !/^https?:$/.test(new URL(endpoint).protocol)) {
    throw refuse(`the endpoint ${endpoint} is not an http or https address`);
  }
  if (!BUCKET.test(bucket)) throw refuse(`${bucket} cannot name a bucket`);
  if (!PREFIX.test(prefix)) throw refuse(`${prefix} is no prefix: use folder names and end with /`);
}

function checkPrefix(prefix: string): string {
  checkKey(prefix.replace(/\/$/, ""));
  return prefix;
}

function checkKey(key: string): string {
  if (SAFE_KEY.test(key)) return key;
  throw new AvatarError("invalid_id", `${JSON.stringify(key.slice(0, 80))} cannot name an object`);
}
