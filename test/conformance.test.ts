import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { after, before, describe, test } from "node:test";
import { Code, ConnectError, createClient, type Transport } from "@connectrpc/connect";
import {
  createConnectTransport,
  createGrpcTransport,
  createGrpcWebTransport,
  Http2SessionManager,
} from "@connectrpc/connect-node";
import { BufferSource, EncodedPacketSink, Input, type InputTrack, MP4 } from "mediabunny";
import { createImageCodecs } from "../avatar/image/codecs.ts";
import { rgbaToRgb } from "../avatar/image/crop.ts";
import { silentLogger } from "../avatar/logger.ts";
import { frameCount } from "../avatar/speech-timing.ts";
import { main } from "../cli/main.ts";
import { PictureConverter } from "../edge/compositor/h264/rgb-to-picture.ts";
import { parseCoreConfig } from "../gpu-core/config.ts";
import { type RunningCore, startCore } from "../gpu-core/main.ts";
import {
  CompositingService,
  ImageFormat,
} from "../proto/gen/mouthpiece/compositing/v1/compositing_pb.js";
import { RUNTIMES, type Runtime, type TestEdge } from "./support/edges.ts";
import { readParts, untilAnswered } from "./support/system.ts";
import { temporaryFolder, tone, wavFile, writeTinyAvatar } from "./support/tiny-avatar.ts";
import { TinyH264 } from "./support/tiny-h264.ts";

/** What every runtime has to do alike, against one real core. */

const SAMPLES = tone(20_000);
const WAV = wavFile(SAMPLES);
const MAX_BODY_MB = 1;
const LIMIT_MS = 30_000;

let root: string;
let core: RunningCore;
const ends: (() => Promise<void>)[] = [];
/** Of what each runtime delivered, by what it was. */
const delivered: Record<Runtime, Record<string, string>> = { node: {}, deno: {}, workerd: {} };

before(async () => {
  const folder = () => temporaryFolder({ after: (end) => ends.push(end) });
  // One avatar as it was imported, and one that was published.
  const imported = await folder();
  await writeTinyAvatar(imported, "packed");
  root = await folder();
  assert.equal(await main(["publish", "packed", "--to", root, "--root", imported, "--json"]), 0);
  await writeTinyAvatar(root, "plain");
  const config = {
    models_root: root,
    server: { port: 0 },
    gpus: { cpu_threads_per_worker: 1 },
    // Slow enough that an abort comes in the middle.
    faults: [{ point: "model.run", action: "delay", delay_ms: 20, count: 0, model: "plain" }],
  };
  core = await startCore(parseCoreConfig(config, "test"), silentLogger);
});
after(async () => {
  await core?.stop();
  for (const end of ends) await end();
});

for (const runtime of ["node", "deno", "workerd"] as const) {
  describe(`an edge on ${runtime}`, { timeout: 120_000 }, () => {
    let edge: TestEdge;
    before(async () => {
      const limits = { max_body_mb: MAX_BODY_MB, max_speech_s: 20, max_speaking: 4 };
      const config = { core: { url: core.url }, limits, log_level: "info" };
      edge = await RUNTIMES[runtime]({ root, config });
    });
    const sessions: Http2SessionManager[] = [];
    after(async () => {
      for (const session of sessions) session.abort();
      await edge?.stop();
    });

    const get = (path: string, headers: Record<string, string> = {}) =>
      fetch(edge.url + path, { headers, signal: AbortSignal.timeout(LIMIT_MS) });
    const post = (path: string, body: BodyInit, type = "audio/wav", signal?: AbortSignal) =>
      fetch(`${edge.url}/v1/avatars/${path}`, {
        method: "POST",
        headers: { "content-type": type },
        body,
        duplex: "half",
        signal: signal ?? AbortSignal.timeout(LIMIT_MS),
      } as RequestInit);
    const problem = async (response: Response) => {
      assert.equal(response.headers.get("content-type"), "application/problem+json");
      const body = (await response.json()) as Record<string, unknown>;
      assert.equal(body.status, response.status);
      assert.equal(body.requestId, response.headers.get("x-request-id"));
      return [response.status, body.detail] as const;
    };
    const keep = (what: string, bytes: Uint8Array) => {
      delivered[runtime][what] = createHash("sha256").update(bytes).digest("hex");
    };
    const requestsAtCore = () =>
      core.core.engine.devices.reduce((sum, { index }) => sum + core.core.queuedOn(index), 0);

    test("probes and the list", async () => {
      assert.equal((await get("/livez")).status, 200);
      const ready = await get("/readyz");
      assert.equal(ready.status, 200, await ready.text());
      const list = (await (await get("/v1/avatars")).json()) as { avatars: { id: string }[] };
      assert.deepEqual(
        list.avatars.map(({ id }) => id),
        ["packed", "plain"],
      );
      const page = (await (await get("/v1/avatars?limit=1")).json()) as { next: string };
      assert.equal(page.next, "packed");
      assert.deepEqual(await (await get("/v1/avatars?after=plain")).json(), { avatars: [] });
      assert.match(await (await get("/metrics")).text(), /^mouthpiece_edge_speaking 0$/m);
    });

    test("idle frames: conditional and range requests", async () => {
      for (const id of ["packed", "plain"]) {
        for (const file of ["0.png", "3.jpg"]) {
          const path = `/v1/avatars/${id}/frames/${file}`;
          const whole = await get(path);
          assert.equal(whole.status, 200);
          const bytes = new Uint8Array(await whole.arrayBuffer());
          keep(`${id} ${file}`, bytes);
          const etag = whole.headers.get("etag") ?? "";
          assert.equal((await get(path, { "if-none-match": etag })).status, 304);
          const part = await get(path, { range: "bytes=10-19" });
          assert.equal(part.status, 206);
          assert.equal(part.headers.get("content-range"), `bytes 10-19/${bytes.length}`);
          assert.deepEqual(new Uint8Array(await part.arrayBuffer()), bytes.subarray(10, 20));
          const stale = await get(path, { range: "bytes=10-19", "if-range": '"old"' });
          assert.equal(stale.status, 200);
          await stale.arrayBuffer();
          assert.equal((await get(path, { range: "bytes=99999999-" })).status, 416);
        }
      }
      const head = await fetch(`${edge.url}/v1/avatars/plain/frames/0.png`, { method: "HEAD" });
      assert.equal(head.status, 200);
      assert.equal((await head.arrayBuffer()).byteLength, 0);
    });

    test("speech over HTTP", async () => {
      for (const id of ["packed", "plain"]) {
        for (const format of ["png", "jpeg"]) {
          const response = await post(`${id}/speak?format=${format}&start=2`, WAV);
          const parts = await readParts(response);
          assert.equal(parts.length, frameCount(SAMPLES.length));
          assert.deepEqual(
            parts.map(({ headers }) => Number(headers.get("frame-number"))),
            parts.map((_, n) => n),
          );
          keep(`${id} ${format}`, Buffer.concat(parts.map(({ body }) => body)));
        }
      }
    });

    test("video over HTTP", async () => {
      const summary = await (await get("/v1/avatars/packed")).json();
      assert.deepEqual((summary as { formats: string[] }).formats, ["png", "jpeg", "h264"]);
      const parts = await readParts(await post("packed/speak?format=h264&start=2", WAV));
      const count = frameCount(SAMPLES.length);
      // The loop has six positions, and a decoder can begin at the first.
      const numbers = Array.from({ length: count + 2 }, (_, n) => n - 2);
      const header = (name: string) => parts.map(({ headers }) => headers.get(name));
      assert.deepEqual(header("frame-number").map(Number), numbers);
      assert.deepEqual(
        header("frame-time"),
        numbers.map((n) => String(40 * n)),
      );
      assert.deepEqual(
        header("key-frame"),
        numbers.map((n) => ((n + 2) % 6 === 0 ? "1" : null)),
      );
      keep("packed h264", Buffer.concat(parts.map(({ body }) => body)));

      const pictures = await readParts(await post("packed/speak?format=png&start=2", WAV));
      const decoder = await TinyH264.open();
      const decoded = parts.map(({ body }) => decoder.decode(body));
      const codecs = createImageCodecs();
      const converter = new PictureConverter();
      for (const [n, { body }] of pictures.entries()) {
        const image = await codecs.decode(new Uint8Array(body));
        const { width, height, y } = converter.convert(rgbaToRgb(image));
        // All sides are whole macroblocks here.
        const shown = decoded[n + 2]!.subarray(0, width * height);
        const squares = y.reduce((sum, luma, i) => sum + (luma - shown[i]!) ** 2, 0);
        const psnr = 10 * Math.log10((255 ** 2 * y.length) / squares);
        assert.ok(psnr > 30, `frame ${n}: ${psnr.toFixed(1)} dB`);
      }

      const [status, detail] = await problem(await post("plain/speak?format=h264", WAV));
      assert.deepEqual(
        [status, /publish it with --formats h264/.test(String(detail))],
        [400, true],
      );
    });

    test("a film over HTTP", async () => {
      const response = await post("packed/speak?format=mp4&start=2", WAV);
      assert.equal(response.status, 200, response.statusText);
      assert.equal(response.headers.get("content-type"), "video/mp4");
      const source = new BufferSource(await response.arrayBuffer());
      const input = new Input({ source, formats: [MP4] });
      const [picture, sound] = [
        await input.getPrimaryVideoTrack(),
        await input.getPrimaryAudioTrack(),
      ];
      assert.ok(picture && sound);
      const read = async (track: InputTrack) => {
        const sink = new EncodedPacketSink(track);
        const packets: Uint8Array[] = [];
        for await (const packet of sink.packets()) packets.push(packet.data);
        return packets;
      };
      const pictures = await read(picture);
      const count = frameCount(SAMPLES.length);
      assert.equal(pictures.length, count + 2);
      assert.ok(Math.abs((await picture.computeDuration()) - count / 25) < 0.001);
      assert.ok((await sound.computeDuration()) >= SAMPLES.length / 16_000);
      keep("packed mp4", Buffer.concat([...pictures, ...(await read(sound))]));
      const [status] = await problem(await post("plain/speak?format=mp4", WAV));
      assert.equal(status, 400);
    });

    test("an upload that goes on while frames come", async () => {
      const pieces = [WAV.subarray(0, 30_000), WAV.subarray(30_000)];
      const body = new ReadableStream<Uint8Array>({
        async pull(controller) {
          const piece = pieces.shift();
          if (!piece) return controller.close();
          controller.enqueue(piece);
          await new Promise((resolve) => setTimeout(resolve, 100));
        },
      });
      const parts = await readParts(await post("packed/speak?format=jpeg&start=2", body));
      keep("packed jpeg", Buffer.concat(parts.map(({ body }) => body)));
    });

    const transports: Record<string, () => Transport> = {
      Connect: () => createConnectTransport({ baseUrl: edge.url, httpVersion: "1.1" }),
      "gRPC-Web": () => createGrpcWebTransport({ baseUrl: edge.url, httpVersion: "1.1" }),
      ...(runtime === "node" && {
        gRPC: () => {
          const sessionManager = new Http2SessionManager(edge.url);
          sessions.push(sessionManager);
          return createGrpcTransport({ baseUrl: edge.url, sessionManager });
        },
      }),
    };
    for (const [protocol, open] of Object.entries(transports)) {
      test(`CompositingService over ${protocol}`, async () => {
        const rpc = createClient(CompositingService, open());
        const timeoutMs = LIMIT_MS;
        const { avatars } = await rpc.listAvatars({}, { timeoutMs });
        assert.deepEqual(
          avatars.map(({ id, frameCount: frames }) => [id, frames]),
          [
            ["packed", 4],
            ["plain", 4],
          ],
        );
        const named = { avatarId: "packed" };
        assert.equal((await rpc.getAvatar(named, { timeoutMs })).avatar?.width, 96);
        const format = ImageFormat.PNG;
        const { image } = await rpc.getIdleFrame({ ...named, index: 0, format }, { timeoutMs });
        keep("packed 0.png", image);
        const { version } = await rpc.prewarm({ ...named, format }, { timeoutMs });
        assert.equal(version, avatars[0]?.version);
        const images: Uint8Array[] = [];
        const request = { ...named, audio: WAV, start: 2, format };
        for await (const frame of rpc.speak(request, { timeoutMs })) {
          assert.equal(frame.frame, images.length);
          images.push(frame.image);
        }
        keep("packed png", Buffer.concat(images));
        const raw = new Uint8Array(SAMPLES.buffer, SAMPLES.byteOffset, SAMPLES.byteLength);
        const same: Uint8Array[] = [];
        for await (const frame of rpc.speak({ ...request, audio: raw, sampleRate: 16_000 })) {
          same.push(frame.image);
        }
        keep("packed png", Buffer.concat(same));
        const video: Uint8Array[] = [];
        // Who never wants to give up is not told that he is late at once.
        const headers = { "grpc-timeout": "99999999H", "connect-timeout-ms": "9999999999" };
        for await (const frame of rpc.speak(
          { ...request, format: ImageFormat.H264 },
          { headers },
        )) {
          assert.equal(frame.frame, video.length - 2);
          assert.equal(frame.isKeyFrame, video.length % 6 === 0);
          video.push(frame.image);
        }
        keep("packed h264", Buffer.concat(video));

        for (const [call, code] of [
          [() => rpc.getAvatar({ avatarId: "nobody" }), Code.NotFound],
          [() => rpc.getAvatar({ avatarId: "../etc" }), Code.NotFound],
          [() => rpc.getIdleFrame({ ...named, index: 99 }), Code.NotFound],
          [() => rpc.listAvatars({ limit: 100_000 }), Code.InvalidArgument],
          [() => collect(rpc.speak({ ...named, audio: new Uint8Array(9) })), Code.InvalidArgument],
          [() => collect(rpc.speak({ avatarId: "nobody", audio: WAV })), Code.NotFound],
          [
            () =>
              collect(rpc.speak({ ...named, audio: new Uint8Array(MAX_BODY_MB * 1024 * 1024) })),
            Code.ResourceExhausted,
          ],
        ] as const) {
          await assert.rejects(call, (error) => {
            assert.equal(Code[ConnectError.from(error).code], Code[code]);
            return true;
          });
        }
      });

      test(`who leaves a stream over ${protocol} ends the work`, async () => {
        const rpc = createClient(CompositingService, open());
        const leaving = new AbortController();
        const call = { avatarId: "plain", audio: WAV };
        let frames = 0;
        await assert.rejects(async () => {
          for await (const _ of rpc.speak(call, { signal: leaving.signal })) {
            if (++frames === 2) leaving.abort();
          }
        });
        await nothingLeft();
      });
    }

    async function nothingLeft(): Promise<void> {
      const latest = performance.now() + LIMIT_MS;
      while (
        requestsAtCore() > 0 ||
        !/edge_speaking 0$/m.test(await (await get("/metrics")).text())
      ) {
        assert.ok(performance.now() < latest, "the work goes on");
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    }

    test("who leaves over HTTP ends the work, with and without a frame read", async () => {
      const leaving = new AbortController();
      const response = await post("plain/speak", WAV, "audio/wav", leaving.signal);
      const reader = response.body!.getReader();
      await reader.read();
      leaving.abort();
      await assert.rejects(reader.read());
      const early = new AbortController();
      const pending = post("plain/speak", WAV, "audio/wav", early.signal);
      setTimeout(() => early.abort(), 20);
      await pending.catch(() => {});
      await nothingLeft();
    });

    test("bad input gets its documented answer", async () => {
      for (const [call, status, detail] of [
        [() => get("/v1/avatars/nobody"), 404, /no avatar nobody/],
        [() => get("/v1/avatars/..%2f..%2fetc"), 404, /not an avatar id/],
        [() => get("/v1/avatars/packed/frames/99.png"), 404, /no frame 99/],
        [() => get("/v1/avatars/packed/frames/first.png"), 404, /frames are called/],
        [() => get("/v1/avatars?limit=0"), 400, /use 1 to/],
        [() => get("/nowhere"), 404, /nothing at/],
        [() => post("packed/speak?format=gif", WAV), 400, /png, jpeg, h264 or mp4/],
        [() => post("packed/speak?start=-1", WAV), 400, /playback position/],
        [() => post("nobody/speak", WAV), 404, /no avatar nobody/],
        [() => post("packed/speak", WAV, "text/plain"), 415, /not supported/],
        [() => post("packed/speak", WAV, "audio/l16"), 400, /needs its rate/],
        [() => post("packed/speak", new Uint8Array(0)), 400, /./],
        [() => post("packed/speak", WAV.subarray(0, 2000)), 400, /./],
        [() => post("packed/speak", new Uint8Array(5000).fill(7)), 400, /./],
        [
          () =>
            untilAnswered(() =>
              post("packed/speak", new Uint8Array(MAX_BODY_MB * 1024 * 1024 + 1)),
            ),
          413,
          /larger than/,
        ],
        [() => untilAnswered(() => post("packed/speak", wavFile(tone(16_000 * 21)))), 413, /./],
      ] as const) {
        const [got, text] = await problem(await call());
        assert.equal(got, status, String(text));
        assert.match(String(text), detail);
      }
      const wrongMethod = await fetch(`${edge.url}/v1/avatars/packed/speak`);
      assert.equal(wrongMethod.status, 404);
      await wrongMethod.arrayBuffer();
    });

    test("more at once than limits.max_speaking are told to come back", async () => {
      const leaving = new AbortController();
      const { signal } = leaving;
      const slow = await Promise.all(
        Array.from({ length: 4 }, () => post("plain/speak", WAV, "audio/wav", signal)),
      );
      const refused = await post("plain/speak", WAV);
      assert.equal(refused.status, 429);
      assert.ok(Number(refused.headers.get("retry-after")) > 0);
      await refused.arrayBuffer();
      leaving.abort();
      for (const { body } of slow) await body?.cancel().catch(() => {});
      await nothingLeft();
      await (await post("packed/speak", WAV)).arrayBuffer();
    });

    test("prewarm", async () => {
      const response = await post("packed/prewarm?format=jpeg&start=3", new Uint8Array(0));
      const answer = (await response.json()) as { id: string; framesMs: number };
      assert.equal(response.status, 200);
      assert.equal(answer.id, "packed");
      assert.ok(answer.framesMs >= 0);
    });

    test("other origins may read, and ask with what headers they like", async () => {
      for (const path of ["/v1/avatars", "/v1/avatars/nobody", "/nowhere"]) {
        const response = await get(path, { origin: "https://a.example" });
        assert.equal(response.headers.get("access-control-allow-origin"), "*", path);
        assert.match(response.headers.get("access-control-expose-headers") ?? "", /retry-after/);
        await response.arrayBuffer();
      }
      const preflight = await fetch(`${edge.url}/v1/avatars/packed/speak`, {
        method: "OPTIONS",
        headers: {
          origin: "https://a.example",
          "access-control-request-method": "POST",
          "access-control-request-headers": "content-type,connect-protocol-version",
        },
      });
      assert.equal(preflight.status, 204);
      assert.match(preflight.headers.get("access-control-allow-methods") ?? "", /POST/);
      assert.equal(
        preflight.headers.get("access-control-allow-headers"),
        "content-type,connect-protocol-version",
      );
    });

    test("a request keeps the id that its caller gave it, if it can be one", async () => {
      const idOf = async (id: string) => {
        const response = await get("/v1/avatars/packed", { "x-request-id": id });
        await response.arrayBuffer();
        return response.headers.get("x-request-id");
      };
      assert.equal(await idOf("asked-by-a-test"), "asked-by-a-test");
      for (const id of ["a b", "<script>", "x".repeat(300)]) {
        assert.match((await idOf(id)) ?? "", /^[0-9a-f-]{36}$/);
      }
    });
  });
}

test("what was delivered is the same in every runtime, and of packs as of plain frames", () => {
  assert.ok(Object.keys(delivered.node).length >= 8);
  assert.deepEqual(delivered.deno, delivered.node);
  assert.deepEqual(delivered.workerd, delivered.node);
  for (const what of ["png", "jpeg", "0.png", "3.jpg"]) {
    assert.equal(delivered.node[`packed ${what}`], delivered.node[`plain ${what}`], what);
  }
});

async function collect<T>(stream: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const each of stream) all.push(each);
  return all;
}
