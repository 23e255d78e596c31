import { AvatarError } from "../avatar-error.ts";
import { hashContent } from "../hash-content.ts";
import type { ObjectContent, UploadState, WriteOptions } from "../object-store.ts";
import type { S3Client } from "./s3-client.ts";
import { parseAnswer } from "./s3-error.ts";
import { childText, escapeXml } from "./xml.ts";

export interface MultipartUploadOptions {
  readonly client: S3Client;
  readonly key: string;
  /** Of the object. */
  readonly headers: Readonly<Record<string, string>>;
  readonly content: ObjectContent;
  /** Length of every part but the last. */
  readonly partBytes: number;
  /** Whether the store has the object, complete. */
  readonly isThere: (signal: AbortSignal | undefined) => Promise<boolean>;
}

const MAX_ANSWER_BYTES = 1024 * 1024;

/**
 * Writes a large object in parts, several at the same time. Each part is
 * checked by the store against the SHA-256 in its signature. What has arrived
 * is noted in the journal, and not sent again by whoever goes on.
 */
export class MultipartUpload {
  readonly #options: MultipartUploadOptions;
  readonly #count: number;

  constructor(options: MultipartUploadOptions) {
    this.#options = options;
    this.#count = Math.ceil(options.content.bytes / options.partBytes);
  }

  /** @throws AvatarError `store_unavailable` */
  async run(options: WriteOptions): Promise<void> {
    const known = (await options.journal?.read()) ?? null;
    if (known?.partBytes === this.#options.partBytes && (await this.#goOn(known, options))) return;
    // The store has forgotten the upload, as they do after some days; or there was none.
    const fresh = { uploadId: await this.#create(options), partBytes: this.#options.partBytes };
    const state = { ...fresh, parts: {} };
    await options.journal?.write(state);
    if (await this.#goOn(state, options)) return;
    throw new AvatarError(
      "store_unavailable",
      `cannot write ${this.#options.key}: the store gave the upload up while it ran; run it again`,
    );
  }

  async #create({ signal }: WriteOptions): Promise<string> {
    const { client, key, headers } = this.#options;
    const what = `begin to write ${key}`;
    const request = { method: "POST", what, key, query: { uploads: "" }, headers, signal } as const;
    const { body } = await client.send({ ...request, maxBytes: MAX_ANSWER_BYTES });
    const id = childText(parseAnswer(body, "InitiateMultipartUploadResult", what), "UploadId");
    if (id) return id;
    throw new AvatarError("store_unavailable", `cannot ${what}: the store names no upload`);
  }

  /** @returns false when the store does not know the upload or a part of it any more */
  async #goOn(state: UploadState, options: WriteOptions): Promise<boolean> {
    const parts: Record<string, string> = { ...state.parts };
    let isForgotten = false;
    let hasFailed = false;
    let noted = Promise.resolve();
    const finishPart = async (number: number) => {
      if (parts[number] === undefined) {
        const isGivenUp = () => isForgotten || hasFailed;
        const tag = await this.#sendPart(number, state.uploadId, options, isGivenUp);
        if (tag === null) {
          isForgotten = true;
          return;
        }
        parts[number] = tag;
        // One after the other, so that an older note never covers a newer one.
        noted = noted.then(() => options.journal?.write({ ...state, parts: { ...parts } }));
        await noted;
      }
      const { start, end } = this.#range(number);
      options.onBytes(end - start);
    };
    // All at once: the client lets only so many through, and a part is read when its turn comes.
    const results = await Promise.allSettled(
      Array.from({ length: this.#count }, (_, i) =>
        finishPart(i + 1).catch((error: unknown) => {
          hasFailed = true;
          throw error;
        }),
      ),
    );
    const failed = results.find((result) => result.status === "rejected");
    if (failed) throw failed.reason;
    if (isForgotten) return false;
    await this.#checkContent();
    return this.#complete(state.uploadId, parts, options);
  }

  /** The parts were read one by one: together they have to be what was promised. */
  async #checkContent(): Promise<void> {
    const { key, content } = this.#options;
    if ((await hashContent(content)) === content.sha256) return;
    throw new AvatarError("store_unavailable", `${key} changed while it was written: run it again`);
  }

  /** @returns what the store calls the part; null when it does not know the upload */
  async #sendPart(
    number: number,
    uploadId: string,
    { signal }: WriteOptions,
    isGivenUp: () => boolean,
  ): Promise<string | null> {
    const { client, key, content } = this.#options;
    const { start, end } = this.#range(number);
    const what = `write part ${number} of ${this.#count} of ${key}`;
    return client.withSlot(async () => {
      if (isGivenUp()) return null;
      const { refusal, headers } = await client.sendNow({
        method: "PUT",
        what,
        key,
        query: { partNumber: String(number), uploadId },
        body: await content.read(start, end),
        maxBytes: MAX_ANSWER_BYTES,
        expected: [404],
        signal,
      });
      if (refusal) return null;
      const tag = headers.get("etag");
      if (tag) return tag;
      throw new AvatarError("store_unavailable", `cannot ${what}: the store does not name it`);
    });
  }

  async #complete(
    uploadId: string,
    parts: Readonly<Record<string, string>>,
    { signal }: WriteOptions,
  ): Promise<boolean> {
    const { client, key } = this.#options;
    const what = `finish writing ${key}`;
    const list = Array.from({ length: this.#count }, (_, i) => {
      const tag = escapeXml(parts[i + 1]!);
      return `<Part><PartNumber>${i + 1}</PartNumber><ETag>${tag}</ETag></Part>`;
    });
    const xml = `<CompleteMultipartUpload xmlns="http://s3.amazonaws.com/doc/2006-03-01/">${list.join("")}</CompleteMultipartUpload>`;
    const { refusal, body } = await client.send({
      method: "POST",
      what,
      key,
      query: { uploadId },
      headers: { "content-type": "application/xml" },
      body: new Uint8Array(new TextEncoder().encode(xml)),
      maxBytes: MAX_ANSWER_BYTES,
      expected: [400, 404],
      signal,
    });
    if (!refusal) {
      parseAnswer(body, "CompleteMultipartUploadResult", what);
      return true;
    }
    // Completed before, by a request whose answer was lost.
    if (refusal.code === "NoSuchUpload") return this.#options.isThere(signal);
    if (refusal.code === "InvalidPart") return false;
    throw client.refused(what, refusal);
  }

  #range(number: number) {
    const { partBytes, content } = this.#options;
    const start = (number - 1) * partBytes;
    return { start, end: Math.min(start + partBytes, content.bytes) };
  }
}
