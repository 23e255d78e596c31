import assert from "node:assert/strict";
import { test } from "node:test";
import { AvatarError } from "../avatar-error.ts";
import { contentOf } from "../publish/content.ts";
import type { S3Options } from "./s3-client.ts";
import { readAddressing } from "./s3-environment.ts";
import { createS3Store } from "./s3-store.ts";

type Answer = Response | Error | "never";

/** A store that gives these answers in turn, the last one for good. */
function scripted(
  answers: readonly (Answer | (() => Response))[],
  changes: Partial<S3Options> = {},
) {
  const requests: Request[] = [];
  const delays: number[] = [];
  const store = createS3Store({
    endpoint: "http://127.0.0.1:9",
    region: "auto",
    bucket: "avatars",
    prefix: "some/where/",
    credentials: { accessKeyId: "key", secretAccessKey: "secret" },
    random: () => 1,
    sleep: async (ms) => {
      delays.push(ms);
    },
    fetch: async (request) => {
      const next = answers[Math.min(requests.length, answers.length - 1)]!;
      requests.push(request);
      if (typeof next === "function") return next();
      const answer = next;
      if (answer instanceof Error) throw answer;
      if (answer !== "never") return answer.clone();
      return new Promise((_, reject) => {
        request.signal.addEventListener("abort", () => reject(request.signal.reason));
      });
    },
    ...changes,
  });
  return { store, requests, delays };
}

const xml = (body: string, status = 200, headers = {}) => new Response(body, { status, headers });
const failure = (status: number, code: string, headers = {}) =>
  xml(`<Error><Code>${code}</Code><Message>told so</Message></Error>`, status, headers);
const unavailable = (message: RegExp) => (error: unknown) => {
  assert.ok(error instanceof AvatarError, String(error));
  assert.equal(error.code, "store_unavailable");
  assert.match(error.message, message);
  return true;
};

test("absence is null; a range beyond the end is no bytes, as in a folder", async () => {
  assert.equal(await scripted([failure(404, "NoSuchKey")]).store.read("a"), null);
  const { store, requests } = scripted([failure(416, "InvalidRange")]);
  assert.deepEqual(await store.read("a/b", { range: { start: 5, end: 9 } }), new Uint8Array(0));
  assert.equal(requests[0]!.headers.get("range"), "bytes=5-8");
  assert.equal(requests[0]!.url, "http://127.0.0.1:9/avatars/some/where/a/b");
  assert.match(
    requests[0]!.headers.get("authorization") ?? "",
    /^AWS4-HMAC-SHA256 Credential=key\//,
  );
});

test("what passes is tried again, with growing waits; what does not is told at once", async () => {
  const good = new Response("yes");
  const { store, delays, requests } = scripted([
    failure(503, "SlowDown"),
    new TypeError("fetch failed", { cause: new Error("ECONNRESET") }),
    failure(429, "SlowDown", { "retry-after": "2" }),
    good,
  ]);
  assert.equal(new TextDecoder().decode((await store.read("a"))!), "yes");
  assert.deepEqual(delays, [200, 400, 2000]);
  assert.equal(requests.length, 4);

  const down = scripted([new TypeError("fetch failed", { cause: new Error("ECONNREFUSED") })]);
  await assert.rejects(
    down.store.read("a"),
    unavailable(
      /cannot read a in avatars: ECONNREFUSED, 5 times; is http:\/\/127.0.0.1:9 the right/,
    ),
  );
  const broken = scripted([failure(500, "InternalError")], { attempts: 2 });
  await assert.rejects(broken.store.read("a"), unavailable(/500 \(InternalError: told so\)/));
  assert.equal(broken.requests.length, 2);
  const denied = scripted([failure(403, "AccessDenied")]);
  await assert.rejects(denied.store.read("a"), unavailable(/give it read and write access/));
  assert.equal(denied.requests.length, 1);
  const nowhere = scripted([failure(404, "NoSuchBucket")]);
  await assert.rejects(nowhere.store.read("a"), unavailable(/no bucket avatars/));
});

test("nothing is waited for without a limit, and the caller can stop", async () => {
  const silent = scripted(["never"], { timeoutMs: 20, attempts: 2 });
  await assert.rejects(
    silent.store.read("a", { range: { start: 0, end: 1 } }),
    unavailable(/no answer in time, 2 times/),
  );
  const controller = new AbortController();
  const reading = scripted(["never"]).store.read("a", { signal: controller.signal });
  setTimeout(() => controller.abort(new Error("enough")), 10);
  await assert.rejects(reading, /enough/);
});

test("no more is read than was asked for", async () => {
  const endless = () =>
    new Response(
      new ReadableStream({
        pull: (controller) => controller.enqueue(new Uint8Array(1000)),
      }),
      { status: 206 },
    );
  const range = { start: 0, end: 5000 };
  await assert.rejects(
    scripted([endless]).store.read("a", { range }),
    unavailable(/more than was/),
  );
  const ignoring = scripted([new Response("x")]);
  await assert.rejects(
    ignoring.store.read("a", { range: { start: 2, end: 9 } }),
    unavailable(/ignores ranges/),
  );
});

test("a list goes on where a page ends, and knows folders", async () => {
  const page = (content: string, token: string) =>
    xml(
      `<?xml version="1.0"?><ListBucketResult xmlns="x">${content}<IsTruncated>${token !== ""}</IsTruncated>${token && `<NextContinuationToken>${token}</NextContinuationToken>`}</ListBucketResult>`,
    );
  const { store, requests } = scripted([
    page("<CommonPrefixes><Prefix>some/where/avatars/zoe/</Prefix></CommonPrefixes>", "a&amp;b"),
    page("<Contents><Key>some/where/avatars/ada</Key><Size>1</Size></Contents>", ""),
  ]);
  assert.deepEqual(await store.list("avatars/"), ["ada", "zoe"]);
  const queries = requests.map(({ url }) => new URL(url).searchParams);
  assert.equal(queries[0]!.get("prefix"), "some/where/avatars/");
  assert.equal(queries[1]!.get("continuation-token"), "a&b");
  await assert.rejects(
    scripted([xml("<html>")]).store.list("avatars/"),
    unavailable(/not that of/),
  );
});

test("what is written is signed with its hash, and looked at afterwards", async () => {
  const content = contentOf(new TextEncoder().encode("{}"));
  const isThere = new Response(null, {
    headers: { "content-length": "2", "x-amz-meta-sha256": content.sha256 },
  });
  const { store, requests } = scripted([new Response(null), isThere]);
  let told = 0;
  const onBytes = (bytes: number) => {
    told += bytes;
  };
  await store.write("avatars/ada/v/manifest.json", content, { journal: null, onBytes });
  assert.equal(told, 2);
  const [put, head] = requests;
  assert.equal(put!.headers.get("x-amz-content-sha256"), content.sha256);
  assert.match(put!.headers.get("cache-control") ?? "", /immutable/);
  assert.equal(head!.method, "HEAD");
  const lost = scripted([new Response(null), failure(404, "")]);
  await assert.rejects(
    lost.store.write("a", content, { journal: null, onBytes }),
    unavailable(/not there as it was written/),
  );
  const pointer = scripted([new Response(null), isThere]);
  await pointer.store.write("avatars/ada/avatar.json", content, { journal: null, onBytes });
  assert.equal(pointer.requests[0]!.headers.get("cache-control"), "no-cache");
});

test("keys and options that cannot be are refused", async () => {
  const { store, requests } = scripted([new Response("x")]);
  for (const key of ["", "/a", "a/../b", "a//b", "a b", "a?b", "x".repeat(1000)]) {
    await assert.rejects(store.read(key), AvatarError);
  }
  assert.equal(requests.length, 0);
  assert.throws(() => scripted([], { endpoint: "localhost" }), unavailable(/endpoint/));
  assert.throws(() => scripted([], { bucket: "a/b" }), unavailable(/bucket/));
  assert.throws(() => scripted([], { prefix: "../" }), unavailable(/prefix/));
});

test("a bucket in the path, or in the host, with the host in the signature", async () => {
  const ok = () => new Response("x");
  const inPath = scripted([ok]);
  await inPath.store.read("a/b");
  assert.equal(inPath.requests[0]?.url, "http://127.0.0.1:9/avatars/some/where/a/b");
  const endpoint = "https://s3.eu-central-1.amazonaws.com/";
  const inHost = scripted([ok], { endpoint, addressing: "virtual", region: "eu-central-1" });
  await inHost.store.read("a/b");
  const [request] = inHost.requests;
  assert.equal(request?.url, "https://avatars.s3.eu-central-1.amazonaws.com/some/where/a/b");
  assert.match(request?.headers.get("authorization") ?? "", /SignedHeaders=host;/);
  const again = scripted([ok], { endpoint, region: "eu-central-1" });
  await again.store.read("a/b");
  const signature = (each: Request | undefined) =>
    each?.headers.get("authorization")?.split("Signature=")[1];
  assert.notEqual(signature(request), signature(again.requests[0]));
});

test("Amazon's buckets have hosts of their own, others paths, unless it is said", () => {
  const amazon = "https://s3.eu-central-1.amazonaws.com";
  for (const [endpoint, bucket, style, expected] of [
    [amazon, "avatars", undefined, "virtual"],
    [amazon, "my.avatars", undefined, "path"],
    [amazon, "avatars", "path", "path"],
    ["https://x.r2.cloudflarestorage.com", "avatars", undefined, "path"],
    ["http://127.0.0.1:9000", "avatars", "virtual", "virtual"],
    ["https://s3.amazonaws.com.evil.example", "avatars", undefined, "path"],
  ] as const) {
    const environment = { AWS_S3_ADDRESSING_STYLE: style };
    assert.equal(readAddressing(environment, bucket, endpoint), expected, endpoint);
  }
  assert.throws(
    () => readAddressing({ AWS_S3_ADDRESSING_STYLE: "host" }, "b", amazon),
    /use path, virtual or auto/,
  );
});
