import { readdir, readFile } from "node:fs/promises";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";

/** How the store behaves. */
export type StoreState =
  | "sound"
  /** Takes longer than anyone waits. */
  | "silent"
  /** A second each, which is within the limit for one request. */
  | "slow"
  /** 503 SlowDown. */
  | "refusing"
  /** 403, as after keys were withdrawn. */
  | "forbidden"
  /** Announces all of it and ends in the middle. */
  | "cut"
  /** The right length, and something else in it. */
  | "wrong"
  /** Another object of the same avatar. */
  | "mixed"
  /** Connections are reset. */
  | "gone";

export interface FaultyS3 {
  readonly environment: Readonly<Record<string, string>>;
  /** Requests since the start. */
  readonly requests: number;
  set(state: StoreState): void;
  close(): Promise<void>;
}

const BUCKET = "avatars";
const SLOW_MS = 200;

/** A folder as a bucket, over S3's GetObject and ListObjectsV2, with faults. It checks no signature. */
export async function startFaultyS3(root: string): Promise<FaultyS3> {
  let state: StoreState = "sound";
  let requests = 0;

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    requests++;
    const { pathname, searchParams } = new URL(request.url ?? "/", "http://store");
    if (state === "gone") return void request.socket.resetAndDestroy();
    if (state === "silent") return;
    if (state === "slow") await new Promise((resolve) => setTimeout(resolve, SLOW_MS));
    if (state === "refusing") return refuse(response, 503, "SlowDown");
    if (state === "forbidden") return refuse(response, 403, "AccessDenied");
    if (searchParams.get("list-type") === "2") return list(searchParams, response);
    const key = decodeURIComponent(pathname.slice(`/${BUCKET}/`.length));
    let bytes: Buffer;
    try {
      bytes = await readFile(join(root, state === "mixed" ? neighbourOf(key) : key));
    } catch {
      return refuse(response, 404, "NoSuchKey");
    }
    const range = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? "");
    if (range && Number(range[1]) >= bytes.length) return refuse(response, 416, "InvalidRange");
    const body = range ? bytes.subarray(Number(range[1]), Number(range[2]) + 1) : bytes;
    response.writeHead(range ? 206 : 200, { "content-length": body.length });
    if (state === "cut") {
      response.write(body.subarray(0, body.length / 2));
      setTimeout(() => response.destroy(), 10);
    } else {
      response.end(state === "wrong" ? scrambled(body) : body);
    }
  }

  async function list(query: URLSearchParams, response: ServerResponse): Promise<void> {
    const prefix = query.get("prefix") ?? "";
    const names = (await readdir(join(root, prefix), { withFileTypes: true })).map((entry) =>
      entry.isDirectory()
        ? `<CommonPrefixes><Prefix>${prefix}${entry.name}/</Prefix></CommonPrefixes>`
        : `<Contents><Key>${prefix}${entry.name}</Key></Contents>`,
    );
    response.end(
      `<ListBucketResult><IsTruncated>false</IsTruncated>${names.join("")}</ListBucketResult>`,
    );
  }

  const server = createServer((request, response) => {
    answer(request, response).catch((error: unknown) => {
      response.destroy(error as Error);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    environment: {
      AWS_ENDPOINT_URL: `http://127.0.0.1:${port}`,
      AWS_REGION: "auto",
      AWS_ACCESS_KEY_ID: "key",
      AWS_SECRET_ACCESS_KEY: "secret",
    },
    get requests() {
      return requests;
    },
    set(next) {
      state = next;
    },
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function refuse(response: ServerResponse, status: number, code: string): void {
  response.writeHead(status, { "content-type": "application/xml" });
  response.end(`<Error><Code>${code}</Code><Message>as told</Message></Error>`);
}

function scrambled(bytes: Buffer): Buffer {
  return Buffer.from(bytes.map((byte, n) => (n % 97 === 50 ? byte ^ 0x15 : byte)));
}

/** Frame 1 for frame 0 and so on; another pack for a pack. */
function neighbourOf(key: string): string {
  return key
    .replace(/(\d{6})\.png$/, (_, n: string) => `${String(Number(n) ^ 1).padStart(6, "0")}.png`)
    .replace(/(png|jpeg|h264)\.pack$/, (_, kind) => (kind === "png" ? "jpeg.pack" : "png.pack"));
}
