import { AwsClient } from "aws4fetch";
import { AvatarError } from "../avatar-error.ts";
import { parseRefusal, refusalError, type S3Refusal } from "./s3-error.ts";

export interface S3Credentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
}

export type S3Addressing = "path" | "virtual";

export interface S3Options {
  /** Base URL of the store, without the bucket, e.g. `https://s3.eu-central-1.amazonaws.com`. */
  readonly endpoint: string;
  /** As signatures carry it. R2 takes `auto`. */
  readonly region: string;
  readonly bucket: string;
  /** Where the bucket's name goes: into the host (virtual-hosted-style) or the path. Default `path`. */
  readonly addressing?: S3Addressing;
  /** Before every key; empty or ending in `/`. */
  readonly prefix: string;
  readonly credentials: S3Credentials;
  /** Requests at the same time. Default 6, what a Worker may have. */
  readonly parallel?: number;
  /** Longest wait for an answer that has no body to speak of. Default 30 s. */
  readonly timeoutMs?: number;
  /** Tries of a request that the network or the store let down. Default 5. */
  readonly attempts?: number;
  readonly fetch?: (request: Request) => Promise<Response>;
  readonly sleep?: (ms: number) => Promise<void>;
  /** 0 to 1. */
  readonly random?: () => number;
}

export interface S3Request {
  readonly method: "GET" | "HEAD" | "PUT" | "POST" | "DELETE";
  /** What it does, for errors: "read avatars/ada/avatar.json". */
  readonly what: string;
  /** Without the prefix; empty for the bucket itself. */
  readonly key: string;
  readonly query?: Readonly<Record<string, string>>;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array<ArrayBuffer>;
  /** Longest body of the answer. */
  readonly maxBytes: number;
  /** Refusals that the caller takes, by status. Others are thrown. */
  readonly expected?: readonly number[];
  readonly signal?: AbortSignal | undefined;
}

/** An answer that has been read in whole. */
export interface S3Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: Uint8Array<ArrayBuffer>;
  /** Null for a success. */
  readonly refusal: S3Refusal | null;
}

const DEFAULT_PARALLEL = 6;
const DEFAULT_TIMEOUT_MS = 30_000;
const DEFAULT_ATTEMPTS = 5;
/** A transfer that is slower than 64 KB/s is taken for one that hangs. */
const SLOWEST_BYTES_PER_MS = 64;
const FIRST_DELAY_MS = 200;
const LONGEST_DELAY_MS = 10_000;
const MAX_ERROR_BYTES = 64 * 1024;

/** Sends signed requests, each with a limit in time, and again when that can help. */
export class S3Client {
  readonly #options: S3Options;
  readonly #aws: AwsClient;
  readonly #base: string;
  #free: number;
  readonly #waiting: (() => void)[] = [];

  constructor(options: S3Options) {
    const { region, credentials } = options;
    this.#options = options;
    this.#aws = new AwsClient({ ...credentials, region, service: "s3", retries: 0 });
    this.#base = baseUrl(options);
    this.#free = options.parallel ?? DEFAULT_PARALLEL;
  }

  /** @throws AvatarError `store_unavailable`; what aborted the signal */
  async send(request: S3Request): Promise<S3Answer> {
    return this.withSlot(() => this.sendNow(request));
  }

  /** What to throw for a refusal that was expected and is not welcome. */
  refused(what: string, refusal: S3Refusal): AvatarError {
    return refusalError(what, this.#options.bucket, refusal);
  }

  /** Waits for one of the places for requests that run at the same time. */
  async withSlot<T>(work: () => Promise<T>): Promise<T> {
    if (this.#free > 0) this.#free--;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    try {
      return await work();
    } finally {
      const next = this.#waiting.shift();
      if (next) next();
      else this.#free++;
    }
  }

  /** Sends where a slot is held already. @throws as `send` */
  async sendNow(request: S3Request): Promise<S3Answer> {
    const { attempts = DEFAULT_ATTEMPTS } = this.#options;
    for (let attempt = 1; ; attempt++) {
      const isLast = attempt >= attempts;
      request.signal?.throwIfAborted();
      try {
        const answer = await this.#sendOnce(request);
        const { refusal } = answer;
        if (!refusal || request.expected?.includes(refusal.status)) return answer;
        if (isLast || !isPassing(refusal.status)) {
          throw this.refused(request.what, refusal);
        }
        await this.#wait(attempt, answer.headers.get("retry-after"), request.signal);
      } catch (error) {
        request.signal?.throwIfAborted();
        if (error instanceof AvatarError) throw error;
        if (isLast) throw this.#unreachable(request, error);
        await this.#wait(attempt, null, request.signal);
      }
    }
  }

  async #sendOnce(request: S3Request): Promise<S3Answer> {
    const { method, key, query = {}, headers = {}, body, maxBytes, signal } = request;
    const { prefix, timeoutMs = DEFAULT_TIMEOUT_MS } = this.#options;
    const url = new URL(key === "" ? this.#base.slice(0, -1) : `${this.#base}${prefix}${key}`);
    for (const [name, value] of Object.entries(query)) url.searchParams.set(name, value);
    const signed = await this.#aws.sign(url, {
      method,
      headers: { "x-amz-content-sha256": await hashHex(body ?? new Uint8Array(0)), ...headers },
      redirect: "manual",
      ...(body && { body }),
    });
    // Packs do not become smaller, and a length that is compressed says nothing.
    // Unsigned: proxies change it.
    signed.headers.set("accept-encoding", "identity");
    const limit = new AbortController();
    const within = (bytes: number) =>
      setTimeout(
        () => limit.abort(new DOMException("no answer in time", "TimeoutError")),
        timeoutMs + bytes / SLOWEST_BYTES_PER_MS,
      );
    let timer = within(body?.length ?? 0);
    try {
      const limited = new Request(signed, {
        signal: signal ? AbortSignal.any([signal, limit.signal]) : limit.signal,
      });
      const response = await (this.#options.fetch ?? fetch)(limited);
      clearTimeout(timer);
      const isSuccess = response.status >= 200 && response.status < 300;
      const longest = isSuccess ? maxBytes : MAX_ERROR_BYTES;
      timer = within(Math.min(longest, Number(response.headers.get("content-length") ?? longest)));
      const received = await readBody(response, longest);
      const refusal = readRefusal(request, response.status, received);
      return { status: response.status, headers: response.headers, body: received, refusal };
    } finally {
      clearTimeout(timer);
    }
  }

  /** Exponential, with jitter, so that many who were let down together do not come back together. */
  async #wait(attempt: number, retryAfter: string | null, signal: AbortSignal | undefined) {
    const { sleep = defaultSleep, random = Math.random } = this.#options;
    const longest = Math.min(FIRST_DELAY_MS * 2 ** (attempt - 1), LONGEST_DELAY_MS);
    const askedMs = /^[0-9]{1,4}$/.test(retryAfter ?? "") ? Number(retryAfter) * 1000 : 0;
    await sleep(Math.max(longest * (0.5 + 0.5 * random()), Math.min(askedMs, LONGEST_DELAY_MS)));
    signal?.throwIfAborted();
  }

  #unreachable({ what }: S3Request, cause: unknown): AvatarError {
    const { endpoint, bucket, attempts = DEFAULT_ATTEMPTS } = this.#options;
    const isTimeout = cause instanceof Error && cause.name === "TimeoutError";
    const why = isTimeout ? "no answer in time" : rootMessage(cause);
    return new AvatarError(
      "store_unavailable",
      `cannot ${what} in ${bucket}: ${why}, ${attempts} times; is ${endpoint} the right endpoint?`,
      { cause },
    );
  }
}

function baseUrl({ endpoint, bucket, addressing = "path" }: S3Options): string {
  const base = endpoint.replace(/\/+$/, "");
  return addressing === "path" ? `${base}/${bucket}/` : `${base.replace("://", `://${bucket}.`)}/`;
}

/**
 * What an answer refuses. A POST that takes long is answered with 200 before it
 * is known whether it will succeed (CompleteMultipartUpload, S3 API reference).
 */
function readRefusal({ method }: S3Request, status: number, body: Uint8Array): S3Refusal | null {
  const isSuccess = status >= 200 && status < 300;
  if (isSuccess && method !== "POST") return null;
  const text = new TextDecoder().decode(body);
  if (!isSuccess) return parseRefusal(status, text);
  return /^\s*(<\?[^>]*>\s*)?<Error>/.test(text) ? parseRefusal(500, text) : null;
}

/** Whether the same request may succeed a moment later. */
function isPassing(status: number): boolean {
  return status === 429 || status === 408 || (status >= 500 && status !== 501);
}

/** Reads no more than the limit, whatever the headers say. */
async function readBody(response: Response, maxBytes: number): Promise<Uint8Array<ArrayBuffer>> {
  const announced = Number(response.headers.get("content-length") ?? 0);
  const tooLong = () =>
    new AvatarError("store_unavailable", "the store sends more than was asked for");
  const { body } = response;
  if (!body) return new Uint8Array(0);
  if (announced > maxBytes) {
    body.cancel().catch(() => {});
    throw tooLong();
  }
  const chunks: Uint8Array[] = [];
  let length = 0;
  const reader = body.getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    length += value.length;
    if (length > maxBytes) {
      reader.cancel().catch(() => {});
      throw tooLong();
    }
    chunks.push(value);
  }
  const bytes = new Uint8Array(length);
  let at = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, at);
    at += chunk.length;
  }
  return bytes;
}

/** SHA-256 in hexadecimal, by the platform: parts are megabytes. */
export async function hashHex(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function rootMessage(error: unknown): string {
  let deepest = error;
  while (deepest instanceof Error && deepest.cause instanceof Error) deepest = deepest.cause;
  return deepest instanceof Error ? deepest.message || deepest.name : String(deepest);
}

function defaultSleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
