import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { cp, readdir, readFile, rename, rm, truncate, writeFile } from "node:fs/promises";
import { connect as connectHttp2 } from "node:http2";
import { connect } from "node:net";
import { join } from "node:path";
import { Writable } from "node:stream";
import { after, before, describe, test } from "node:test";
import { crc32 } from "../avatar/image/crc32.ts";
import { silentLogger } from "../avatar/logger.ts";
import { frameCount } from "../avatar/speech-timing.ts";
import { main } from "../cli/main.ts";
import { parseCoreConfig } from "../gpu-core/config.ts";
import { type RunningCore, startCore } from "../gpu-core/main.ts";
import { RUNTIMES, type TestEdge } from "./support/edges.ts";
import { readParts } from "./support/system.ts";
import { temporaryFolder, tone, wavFile, writeTinyAvatar } from "./support/tiny-avatar.ts";

/** What comes over the wire and out of the bucket from people who mean no good. */

const WAV = wavFile(tone(1600));
const SPEAK = "/mouthpiece.compositing.v1.CompositingService/Speak";
/** The start of a message that says it has 100,000 bytes. */
const HALF_MESSAGE = Uint8Array.of(0, 0, 0x01, 0x86, 0xa0, 0x0a);
const LIMIT_MS = 20_000;
const IDLE_S = 0.5;
/** Of all of an upload, with IDLE_S: it may take as long as the longest speech, and be silent once. */
const MAX_SPEECH_S = 0.5;
const DRIP_MS = 100;

let root: string;
let core: RunningCore;
const ends: (() => Promise<void>)[] = [];

before(async () => {
  const folder = () => temporaryFolder({ after: (end) => ends.push(end) });
  const imported = await folder();
  root = await folder();
  const damages: Record<string, (home: string) => Promise<void>> = {
    cut: (home) => cut(home, "jpeg", 5000),
    flipped: async (home) => flip(join(await version(home), "jpeg.pack"), -100),
    index: async (home) => flip(join(await version(home), "jpeg.pack"), 30),
    missing: async (home) => rm(join(await version(home), "jpeg.pack")),
    "png-cut": (home) => cut(home, "png", 5000),
    "png-flipped": async (home) => flip(join(await version(home), "png.pack"), -100),
    // Right hashes, and an index that leads out of the pack, or into another entry.
    "png-far": (home) => forgeIndex(home, "png", (index) => index.setUint32(24 + 4, 1 << 20, true)),
    "png-twice": (home) =>
      forgeIndex(home, "png", (index) => index.setUint32(24 + 16, index.getUint32(24, true), true)),
    "png-jpeg": (home) => forge(home, (m) => ({ ...m, tracks: [{ ...m.tracks[1], kind: "png" }] })),
    "h264-cut": (home) => cut(home, "h264", 1000),
    "h264-flipped": async (home) => flip(join(await version(home), "h264.pack"), 200),
    "h264-missing": async (home) => rm(join(await version(home), "h264.pack")),
    "h264-vast": (home) =>
      forgeIndex(home, "h264", (index) => index.setUint32(12, 2 ** 32 - 1, true)),
    "h264-png": (home) =>
      forge(home, ({ tracks: [png, , , h264], ...m }) => ({
        ...m,
        tracks: [{ ...h264, ...named(png) }],
      })),
    "h264-short": (home) =>
      forge(home, ({ tracks: [, , , { options, ...h264 }], ...m }) => ({
        ...m,
        tracks: [{ ...h264, options: { ...options, groupFrames: 2 } }],
      })),
    garbage: async (home) => writeFile(join(home, "avatar.json"), "{"),
    huge: async (home) => writeFile(join(home, "avatar.json"), " ".repeat(1024 * 1024)),
    swapped: async (home) => flip(join(await version(home), "manifest.json"), 200),
    outside: (home) => forge(home, (m) => ({ ...m, rectangles: [[900, 9, 9, 9]] })),
    escape: (home) => forge(home, (m) => ({ ...m, model: { ...m.model, file: "../../x" } })),
    endless: (home) => forge(home, (m) => ({ ...m, frameCount: 1e9 })),
    vast: (home) => forge(home, (m) => ({ ...m, width: 1e6, height: 1e6 })),
    prototype: (home) => forge(home, (m) => JSON.parse(`{"__proto__": ${JSON.stringify(m)}}`)),
  };
  await writeTinyAvatar(imported, "good");
  assert.equal(await main(["publish", "good", "--to", root, "--root", imported, "--json"]), 0);
  const good = join(root, "avatars", "good");
  for (const [id, damage] of Object.entries(damages)) {
    const home = join(root, "avatars", id);
    await cp(good, home, { recursive: true });
    await damage(home);
  }
  const config = { models_root: root, server: { port: 0 }, gpus: { cpu_threads_per_worker: 1 } };
  core = await startCore(parseCoreConfig(config, "test"), silentLogger);
});
after(async () => {
  await core?.stop();
  for (const end of ends) await end();
});

interface Track {
  readonly kind: string;
  readonly options: object;
}
type Json = Record<string, never> & { model: object; tracks: [Track, Track, Track, Track] };

async function version(home: string): Promise<string> {
  const pointer = JSON.parse(await readFile(join(home, "avatar.json"), "utf8"));
  return join(home, pointer.version);
}

async function cut(home: string, kind: string, bytes: number): Promise<void> {
  await truncate(join(await version(home), `${kind}.pack`), bytes);
}

async function flip(file: string, at: number): Promise<void> {
  const bytes = await readFile(file);
  const position = at < 0 ? bytes.length + at : at;
  bytes[position]! ^= 0x40;
  await writeFile(file, bytes);
}

/** A manifest that somebody has made, with its right hash. */
async function forge(home: string, edit: (manifest: Json) => object): Promise<void> {
  const folder = await version(home);
  const file = join(folder, "manifest.json");
  const manifest = JSON.stringify(edit(JSON.parse(await readFile(file, "utf8"))));
  await writeFile(file, manifest);
  const hash = createHash("sha256").update(manifest).digest("hex").slice(0, 32);
  await rename(folder, join(home, hash));
  const pointer = JSON.parse(await readFile(join(home, "avatar.json"), "utf8"));
  await writeFile(join(home, "avatar.json"), JSON.stringify({ ...pointer, version: hash }));
  assert.ok((await readdir(home)).includes(hash));
}

/** What a manifest says of a track beside what it is. */
function named({ kind: _, options: __, ...stored }: Track) {
  return stored;
}

/** An index that somebody has made, with its right checksums. */
async function forgeIndex(home: string, kind: string, edit: (index: DataView) => void) {
  const file = join(await version(home), `${kind}.pack`);
  const pack = new Uint8Array(await readFile(file));
  await forge(home, (manifest) => {
    const tracks = manifest.tracks.map((track) => {
      if (track.kind !== kind) return track;
      const { indexBytes } = track as Track & { indexBytes: number };
      const index = pack.subarray(0, indexBytes);
      const view = new DataView(pack.buffer);
      edit(view);
      view.setUint32(20, crc32(index, 24), true);
      return { ...track, indexSha256: createHash("sha256").update(index).digest("hex") };
    });
    return { ...manifest, tracks };
  });
  await writeFile(join(await version(home), `${kind}.pack`), pack);
}

for (const runtime of ["node", "deno", "workerd"] as const) {
  describe(`an edge on ${runtime}`, { timeout: 120_000 }, () => {
    let edge: TestEdge;
    before(async () => {
      const limits = { max_body_mb: 1, max_speech_s: MAX_SPEECH_S, upload_idle_s: IDLE_S };
      edge = await RUNTIMES[runtime]({ root, config: { core: { url: core.url }, limits } });
    });
    after(() => edge?.stop());

    const get = (path: string, headers: Record<string, string> = {}) =>
      fetch(edge.url + path, { headers, signal: AbortSignal.timeout(LIMIT_MS) });
    const speak = (id: string, body: BodyInit = WAV, format = "jpeg") =>
      fetch(`${edge.url}/v1/avatars/${id}/speak?format=${format}`, {
        method: "POST",
        headers: { "content-type": "audio/wav" },
        body,
        duplex: "half",
        signal: AbortSignal.timeout(LIMIT_MS),
      } as RequestInit);
    /** It is none the worse for it. */
    const stillWorks = async () => {
      const parts = await readParts(await speak("good"));
      assert.equal(parts.length, frameCount(1600));
      assert.equal(parts[0]?.headers.get("content-type"), "image/jpeg");
    };

    for (const [id, status, detail] of [
      ["cut", 503, /./],
      ["flipped", 503, /./],
      ["index", 503, /./],
      ["missing", 503, /is missing/],
      ["garbage", 503, /not JSON/],
      ["huge", 500, /more than 16384 bytes/],
      ["swapped", 503, /not the one that was published/],
      ["outside", 500, /rectangle/],
      ["escape", 500, /model\.file/],
      ["endless", 500, /frameCount/],
      ["vast", 500, /width/],
      ["prototype", 500, /./],
      ["png-cut", 503, /it ends within entry/],
      ["png-flipped", 503, /entry 3 has changed/],
      ["png-far", 503, /entry 0 ends at/],
      ["png-twice", 503, /entry 1 overlaps/],
      ["png-jpeg", 500, /not that of its manifest/],
    ] as const) {
      test(`an avatar that is damaged or forged: ${id}`, async () => {
        const [file, format] = id.startsWith("png-") ? ["3.png", "png"] : ["3.jpg", "jpeg"];
        const last = await get(`/v1/avatars/${id}/frames/${file}`);
        const problem = (await last.json()) as { status: number; detail: string };
        assert.equal(last.status, status, problem.detail);
        assert.match(problem.detail, detail);
        const spoken = await speak(id, WAV, format);
        const text = await spoken.text();
        // Frames that are whole may come; one that is not never does.
        assert.match(text, /"status":50[0-9]/);
        await stillWorks();
      });
    }

    for (const [id, status, detail] of [
      ["h264-cut", 503, /it ends within entry 0/],
      ["h264-flipped", 503, /entry 0 has changed/],
      ["h264-missing", 503, /is missing/],
      ["h264-vast", 503, /larger than any pack's/],
      ["h264-png", 500, /groups for/],
      ["h264-short", 500, /groups for/],
    ] as const) {
      test(`a video that is damaged or forged: ${id}`, async () => {
        for (const format of ["h264", "mp4"]) {
          const spoken = await speak(id, WAV, format);
          const problem = (await spoken.json()) as { status: number; detail: string };
          assert.equal(spoken.status, status, problem.detail);
          assert.match(problem.detail, detail);
        }
        await stillWorks();
      });
    }

    test("a list leaves them out and goes on", async () => {
      const { avatars } = (await (await get("/v1/avatars")).json()) as {
        avatars: { id: string }[];
      };
      assert.deepEqual(
        avatars.map(({ id }) => id).filter((id) => !/^(png|h264)-/.test(id)),
        ["cut", "flipped", "good", "index", "missing"],
      );
    });

    test("an upload that falls silent ends with 408, before a frame and after", async () => {
      for (const bytes of [20, 44 + 100, WAV.length - 2]) {
        const cancelled = Promise.withResolvers<void>();
        const silent = new ReadableStream<Uint8Array>({
          start: (controller) => controller.enqueue(WAV.slice(0, bytes)),
          cancel: () => cancelled.resolve(),
        });
        const started = performance.now();
        const response = await speak("good", silent);
        assert.match(await response.text(), /"status":408/);
        const waitedS = (performance.now() - started) / 1000;
        assert.ok(waitedS > IDLE_S / 2, `after ${waitedS} s`);
      }
      await stillWorks();
    });

    for (const [what, dripMs, limitS] of [
      ["falls silent", null, IDLE_S],
      ["comes a byte at a time", DRIP_MS, IDLE_S + MAX_SPEECH_S],
    ] as const) {
      test(`a message that ${what} is given up`, async () => {
        const started = performance.now();
        const calls = [
          fetch(`${edge.url}/v1/avatars/good/speak`, {
            ...{ method: "POST", headers: { "content-type": "audio/wav" }, duplex: "half" },
            body: drip(WAV.subarray(0, 144), dripMs),
            signal: AbortSignal.timeout(LIMIT_MS),
          } as RequestInit).then((response) => response.text()),
          ...["application/connect+proto", "application/grpc-web+proto"].map((type) =>
            fetch(`${edge.url}${SPEAK}`, {
              ...{ method: "POST", headers: { "content-type": type }, duplex: "half" },
              body: drip(HALF_MESSAGE, dripMs),
              signal: AbortSignal.timeout(LIMIT_MS),
            } as RequestInit).then(async (response) => {
              const status = response.headers.get("grpc-status") ?? "";
              return `grpc-status:${status} ${await response.text()}`;
            }),
          ),
          ...(runtime === "node" ? [overGrpc(edge.url, drip(HALF_MESSAGE, dripMs))] : []),
        ];
        for (const answer of await Promise.all(calls)) {
          const end = answer.slice(-400);
          assert.match(end, /"status":408|deadline_exceeded|grpc-status: ?4/);
          assert.match(end, /send it again, faster|send%20it%20again/);
        }
        const waitedS = (performance.now() - started) / 1000;
        assert.ok(waitedS > limitS / 2, `after ${waitedS} s`);
        await stillWorks();
      });
    }

    test("headers that come slowly keep nobody else waiting", async () => {
      const { hostname, port } = new URL(edge.url);
      const slow = Array.from({ length: 100 }, () => {
        const socket = connect({ host: hostname, port: Number(port) });
        socket.on("error", () => {});
        socket.write("GET /livez HTTP/1.1\r\nhost: ed");
        return socket;
      });
      try {
        await stillWorks();
        for (const socket of slow) socket.write("g");
        await stillWorks();
      } finally {
        for (const socket of slow) socket.destroy();
      }
    });

    for (const [what, lines, body] of [
      ["two lengths", ["content-length: 5", "content-length: 60"], "hello"],
      ["a length and chunks", ["content-length: 5", "transfer-encoding: chunked"], "0\r\n\r\n"],
      ["no number for a length", ["content-length: 5, 60"], "hello"],
      ["a negative length", ["content-length: -5"], "hello"],
      ["an unknown coding", ["transfer-encoding: smuggled"], "0\r\n\r\n"],
      ["a chunk of no number", ["transfer-encoding: chunked"], "zz\r\nhello\r\n0\r\n\r\n"],
      ["a space before the colon", ["content-length : 5"], "hello"],
      ["a bare line feed", ["x: y\nx-smuggled: 1", "content-length: 5"], "hello"],
    ] as const) {
      test(`request smuggling: ${what}`, async () => {
        const smuggled = "GET /v1/avatars/smuggled HTTP/1.1\r\nhost: edge\r\n\r\n";
        const head = ["POST /v1/avatars/good/speak HTTP/1.1", "host: edge", ...lines].join("\r\n");
        const { statuses, isClosed } = await talk(edge.url, `${head}\r\n\r\n${body}${smuggled}`);
        // What is not understood is refused, and then nothing on the connection is believed.
        const isRefused = isClosed && statuses.length <= 1 && statuses.every((each) => each >= 400);
        // A line feed may end a line (RFC 9112, 2.2): then it is one request, and the next.
        const isUnderstood = what === "a bare line feed" && statuses.join() === "415,404";
        assert.ok(isRefused || isUnderstood, `${statuses}, closed: ${isClosed}`);
        await stillWorks();
      });
    }

    test("headers that do not end, and too many of them", async () => {
      const start = "GET /livez HTTP/1.1\r\nhost: edge\r\n";
      for (const fields of [`x: ${"y".repeat(4 * 1024 * 1024)}\r\n`, "x: y\r\n".repeat(20_000)]) {
        const { statuses, isClosed } = await talk(edge.url, `${start}${fields}\r\n`);
        // The answer may be lost to who is still sending (RFC 9112, 9.6).
        assert.match(statuses.join(), /^(400|431|)$/);
        assert.ok(isClosed);
        await stillWorks();
      }
    });

    test("URLs that mean to leave their folder, or to be something else", async () => {
      for (const path of [
        "/v1/avatars/..%2f..%2f..%2fetc%2fpasswd",
        "/v1/avatars/good/frames/..%2f..%2fmanifest.json",
        "/v1/avatars/good/frames/0.jpg%00.png",
        "/v1/avatars/good%2fframes%2f0.jpg",
        "/v1/avatars/%ff%fe",
        "/v1/avatars/__proto__",
        "/v1/avatars/constructor/frames/0.jpg",
        `/v1/avatars/${"a".repeat(4000)}`,
        "//evil.example/v1/avatars",
      ]) {
        const response = await get(path);
        assert.ok(response.status >= 400 && response.status < 500, `${path}: ${response.status}`);
        await response.body?.cancel();
      }
      await stillWorks();
    });
  });
}

/** `bytes`, and then nothing more, or a byte again and again: it does not end. */
function drip(bytes: Uint8Array, everyMs: number | null): ReadableStream<Uint8Array> {
  let timer: NodeJS.Timeout | undefined;
  return new ReadableStream({
    start(controller) {
      controller.enqueue(bytes);
      if (everyMs !== null) {
        timer = setInterval(() => controller.enqueue(new Uint8Array(1)), everyMs);
      }
    },
    cancel: () => clearInterval(timer),
  });
}

/** The trailers of a call whose message is `body`. */
async function overGrpc(url: string, body: ReadableStream<Uint8Array>): Promise<string> {
  const session = connectHttp2(url);
  const headers = { ":method": "POST", ":path": SPEAK, "content-type": "application/grpc" };
  const call = session.request(headers);
  let told = "";
  for (const event of ["response", "trailers"] as const) {
    call.on(event, (fields: object) => {
      for (const [name, value] of Object.entries(fields)) told += `${name}:${value} `;
    });
  }
  const limit = setTimeout(() => {
    told = "the stream stays open";
    call.destroy();
  }, LIMIT_MS);
  const sending = body.pipeTo(Writable.toWeb(call) as WritableStream<Uint8Array>);
  call.resume();
  await new Promise((resolve) => call.once("close", resolve));
  clearTimeout(limit);
  await sending.catch(() => {});
  session.destroy();
  return told;
}

/** Sends bytes as they are, and reads until the other side has said what it has to say. */
async function talk(url: string, text: string) {
  const { hostname, port } = new URL(url);
  const over = Promise.withResolvers<boolean>();
  let answer = "";
  const socket = connect({ host: hostname, port: Number(port) });
  // An edge may keep the connection.
  let quiet: NodeJS.Timeout | undefined;
  const limit = setTimeout(() => over.resolve(false), 5000);
  socket.on("data", (chunk) => {
    answer += chunk.toString("latin1");
    clearTimeout(quiet);
    quiet = setTimeout(() => over.resolve(false), 500);
  });
  for (const event of ["end", "close", "error"]) socket.on(event, () => over.resolve(true));
  socket.write(text);
  const isClosed = await over.promise;
  clearTimeout(limit);
  clearTimeout(quiet);
  socket.destroy();
  // Bodies end without a new line.
  const statuses = [...answer.matchAll(/HTTP\/1\.1 (\d{3}) /g)].map(([, code]) => Number(code));
  return { statuses, isClosed };
}
