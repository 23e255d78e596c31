import assert from "node:assert/strict";
import { after, afterEach, before, describe, test } from "node:test";
import { createDecoder } from "libopus-wasm";
import { BufferSource, EncodedPacketSink, Input, MP4 } from "mediabunny";
import { createImageCodecs } from "../avatar/image/codecs.ts";
import { silentLogger } from "../avatar/logger.ts";
import { main } from "../cli/main.ts";
import { parseCoreConfig } from "../gpu-core/config.ts";
import { type RunningCore, startCore } from "../gpu-core/main.ts";
import { RUNTIMES, type TestEdge } from "./support/edges.ts";
import { LiveClient } from "./support/live-client.ts";
import { likeness, sampleSpeech } from "./support/sample-speech.ts";
import { type ReceivedPart, readParts } from "./support/system.ts";
import {
  TINY_HEIGHT,
  TINY_WIDTH,
  temporaryFolder,
  wavFile,
  writeTinyAvatar,
} from "./support/tiny-avatar.ts";

/** The live protocol, which every runtime has to speak alike, against one real core. */

const LIMIT_MS = 20_000;
const codecs = createImageCodecs();

/** Two seconds without a pause, so that every mouth is seen. */
const SPEECH = Int16Array.from({ length: 32_000 }, (_, n) =>
  Math.round(9000 * Math.sin((n * (1 + n / 150_000)) / 7)),
);

/** Without a listing of thousands of samples where they differ. */
function assertSame(heard: Int16Array, speech: Int16Array): void {
  assert.equal(heard.length, speech.length);
  assert.ok(heard.every((sample, n) => sample === speech[n]));
}

interface Opened {
  readonly id: string;
  readonly token: string;
  readonly speakerToken: string;
  readonly urls: { readonly socket: string };
}

let root: string;
let core: RunningCore;
const ends: (() => Promise<void>)[] = [];

before(async () => {
  const folder = () => temporaryFolder({ after: (end) => ends.push(end) });
  const imported = await folder();
  await writeTinyAvatar(imported, "ada");
  root = await folder();
  const publish = ["publish", "ada", "--to", root, "--root", imported, "--json"];
  assert.equal(await main([...publish, "--formats", "png,jpeg,h264"]), 0);
  const config = {
    models_root: root,
    server: { port: 0 },
    gpus: { cpu_threads_per_worker: 1 },
  };
  core = await startCore(parseCoreConfig(config, "test"), silentLogger);
});
after(async () => {
  await core?.stop();
  for (const end of ends) await end();
});

for (const runtime of ["node", "deno", "workerd"] as const) {
  describe(`live sessions on ${runtime}`, { timeout: 120_000 }, () => {
    let edge: TestEdge;
    const clients: LiveClient[] = [];
    before(async () => {
      const live = { max_sessions: 4, resume_s: 5, max_speech_ahead_s: 10 };
      edge = await RUNTIMES[runtime]({ root, config: { core: { url: core.url }, live } });
    });
    after(async () => {
      for (const { socket } of clients) socket.close();
      await edge?.stop();
    });

    const call = (method: string, path: string, body?: object) =>
      fetch(edge.url + path, {
        method,
        signal: AbortSignal.timeout(LIMIT_MS),
        ...(body && { body: JSON.stringify(body) }),
      });
    const opened: Opened[] = [];
    const open = async (): Promise<Opened> => {
      const response = await call("POST", "/v1/avatars/ada/sessions");
      assert.equal(response.status, 201, await response.clone().text());
      const session = (await response.json()) as Opened;
      opened.push(session);
      return session;
    };
    // One test that fails is to leave no session to the others.
    afterEach(async () => {
      for (const { id } of opened.splice(0)) {
        await (await call("DELETE", `/v1/sessions/${id}`)).body?.cancel();
      }
    });
    const join = async (session: Opened, offer: object = {}, token = session.token) => {
      const client = await LiveClient.join(edge.url, session, token, {
        video: ["jpeg"],
        audio: ["pcm"],
        ...offer,
      });
      clients.push(client);
      return client;
    };
    const end = async ({ id }: Opened) => {
      assert.equal((await call("DELETE", `/v1/sessions/${id}`)).status, 204);
    };

    test("whoever joins sees the background go round", async () => {
      const session = await open();
      const client = await join(session);
      const [joined] = client.all("joined");
      assert.equal(joined?.session, session.id);
      assert.equal(joined?.video, "jpeg");
      await client.until("a second", () => client.pictures()[24] ?? null);
      const pictures = client.pictures();
      for (const [n, { timestampMs, isKeyFrame, segment }] of pictures.entries()) {
        assert.equal(timestampMs % 40, 0);
        assert.ok(n === 0 || timestampMs > pictures[n - 1]!.timestampMs);
        assert.ok(isKeyFrame);
        assert.equal(segment, 0);
      }
      const image = await codecs.decode(pictures[3]!.body);
      assert.deepEqual([image.width, image.height], [TINY_WIDTH, TINY_HEIGHT]);
      client.send({ type: "ping", id: 7 });
      const pong = await client.told("pong");
      assert.equal(pong.id, 7);
      assert.ok(pong.timeMs >= pictures.at(-1)!.timestampMs);
      await end(session);
      assert.equal((await client.told("ended")).reason, "deleted");
      assert.equal((await client.ended()).code, 1000);
    });

    test("speech is heard whole, with the pictures of offline rendering", async (t) => {
      const session = await open();
      const client = await join(session);
      await client.until("a picture", () => client.pictures()[0] ?? null);
      client.say(SPEECH);
      const finished = await client.told("playback_finished");
      assert.deepEqual(finished, {
        type: "playback_finished",
        segment: 1,
        playedMs: 2000,
        reason: "complete",
      });
      assert.equal(client.all("segment_opened").length, 1);
      assert.equal(client.all("playback_started").length, 1);
      assert.ok(client.all("playback_position").length >= 9);
      assertSame(client.heard(1), SPEECH);
      const spoken = client.pictures().filter(({ segment }) => segment === 1);
      const sounds = client.binaries.filter(({ kind }) => kind === "pcm");
      assert.equal(sounds[0]?.timestampMs, client.all("playback_started")[0]?.timestampMs);
      // A sound for each frame, later than the one before; a machine that is busy makes pauses.
      assert.equal(sounds.length, 50);
      const times = sounds.map(({ timestampMs }) => timestampMs);
      const isGap = (frame: number) => times[frame]! - (times[frame - 1] ?? 0) !== 40;
      assert.ok(times.every((time, n) => n === 0 || time > times[n - 1]!));
      // The loop has 6 positions: at one of them lies the picture of each frame.
      const offline: ReceivedPart[][] = [];
      for (let start = 0; start < 6; start++) {
        const response = await fetch(
          `${edge.url}/v1/avatars/ada/speak?format=jpeg&start=${start}`,
          { method: "POST", headers: { "content-type": "audio/wav" }, body: wavFile(SPEECH) },
        );
        offline.push(await readParts(response));
      }
      let same = 0;
      for (const { timestampMs, body } of spoken) {
        const frame = times.indexOf(timestampMs);
        // Where speech begins, pauses and ends the mouth comes and goes.
        const near = [-3, -2, -1, 0, 1, 2, 3].map((n) => frame + n);
        if (near[0]! < 1 || near.some((n) => n > 48 || isGap(n))) continue;
        const bytes = Buffer.from(body);
        assert.ok(
          offline.some((parts) => bytes.equals(parts[frame]!.body)),
          `frame ${frame}`,
        );
        same++;
      }
      assert.ok(same > 0);
      t.diagnostic(`${same} of 49 frames are whole, and the same`);
    });

    test("H.264 begins with a key frame and goes on without a hole", async () => {
      const session = await open();
      const client = await join(session, { video: ["h264", "jpeg"] });
      assert.equal(client.all("joined")[0]?.video, "h264");
      client.say(SPEECH);
      await client.told("playback_finished");
      const pictures = client.pictures();
      assert.equal(pictures[0]?.isKeyFrame, true);
      assert.ok(pictures.every(({ body }) => body[0] === 0 && body[1] === 0));
      const sequences = client.binaries.map(({ sequence }) => sequence);
      assert.deepEqual(
        sequences,
        sequences.map((_, n) => n + 1),
      );
      client.send({ type: "key_frame" });
      const { length } = pictures;
      await client.until("a key frame", () => {
        return (
          client
            .pictures()
            .slice(length)
            .find(({ isKeyFrame }) => isKeyFrame) ?? null
        );
      });
      await end(session);
    });

    test("a session is recorded as a film", async () => {
      const session = await open();
      const path = `${edge.url}/v1/sessions/${session.id}/recording.mp4`;
      const record = (token: string) =>
        fetch(path, {
          headers: { authorization: `Bearer ${token}` },
          signal: AbortSignal.timeout(LIMIT_MS),
        });
      const refused = await record(session.speakerToken);
      assert.equal(refused.status, 403);
      await refused.body?.cancel();
      const response = await record(session.token);
      assert.equal(response.status, 200);
      assert.equal(response.headers.get("content-type"), "video/mp4");
      const whole = response.arrayBuffer();
      const client = await join(session, {}, session.speakerToken);
      client.say(SPEECH);
      await client.told("playback_finished");
      await end(session);

      const input = new Input({ source: new BufferSource(await whole), formats: [MP4] });
      const [video, audio] = [
        await input.getPrimaryVideoTrack(),
        await input.getPrimaryAudioTrack(),
      ];
      assert.ok(video && audio);
      const [seen, heard] = [await video.computeDuration(), await audio.computeDuration()];
      assert.ok(seen >= 2, `${seen} s`);
      // An AAC packet has 64 ms.
      assert.ok(heard >= seen - 0.04 && heard < seen + 0.2, `${seen} and ${heard} s`);
      const first = await new EncodedPacketSink(video).getFirstPacket();
      assert.equal(first?.type, "key");
      assert.equal(first?.timestamp, 0);
    });

    test("sound comes as Opus to whom can play it", async () => {
      const session = await open();
      const client = await join(session, { audio: ["flac", "opus", "pcm"] });
      const { audio } = client.all("joined")[0]!;
      assert.equal(audio?.codec, "opus");
      const speech = (await sampleSpeech()).subarray(0, 32_000);
      client.say(speech);
      await client.told("playback_finished");
      const packets = client.binaries.filter(({ kind }) => kind === "opus");
      assert.equal(packets.length, 100);
      const times = packets.map(({ timestampMs }) => timestampMs);
      assert.ok(times.every((time, n) => n === 0 || time - times[n - 1]! >= 20));
      const decoder = await createDecoder({ sampleRate: 16_000, channels: 1 });
      const decoded = Int16Array.from(packets.flatMap(({ body }) => [...decoder.decode(body)]));
      decoder.free();
      assert.ok(likeness(decoded, speech, audio!.preSkip / 3) > 0.9);
      await end(session);
    });

    test("a speaker of its own, and an interruption by the viewer", async () => {
      const session = await open();
      const viewer = await join(session);
      const speaker = await join(session, {}, session.speakerToken);
      assert.equal(speaker.all("joined")[0]?.video, null);
      for (let n = 0; n < 3; n++) speaker.say(SPEECH);
      await speaker.told("playback_started");
      await speaker.told("playback_position", ({ playedMs }) => playedMs >= 400);
      viewer.send({ type: "interrupt" });
      const { segment, epoch } = await viewer.told("interrupted");
      const { length: heard } = viewer.binaries;
      assert.deepEqual([segment, epoch], [3, 1]);
      await speaker.told("playback_finished", (each) => each.segment === 3);
      assert.deepEqual(
        speaker.all("playback_finished").map((each) => [each.segment, each.reason]),
        [
          [1, "interrupted"],
          [2, "interrupted"],
          [3, "interrupted"],
        ],
      );
      // What was on its way is of the old epoch.
      speaker.say(SPEECH, 0);
      speaker.say(SPEECH, 1);
      const next = await speaker.told("playback_finished", (each) => each.segment === 4);
      assert.equal(next.reason, "complete");
      const since = viewer.binaries.slice(heard);
      assert.ok(!since.some(({ kind, segment: of }) => kind === "pcm" && of <= 3));
      assertSame(viewer.heard(4), SPEECH);
      assert.equal(speaker.pictures().length, 0);
      await end(session);
    });

    test("who comes back with the same token goes on where he was", async () => {
      const session = await open();
      const one = await join(session);
      one.say(SPEECH);
      await one.told("playback_position", ({ playedMs }) => playedMs >= 600);
      one.socket.close();
      await one.ended();
      await new Promise((resolve) => setTimeout(resolve, 300));
      const two = await join(session);
      const finished = await two.told("playback_finished");
      assert.equal(finished.reason, "complete");
      const last = one.pictures().at(-1)!;
      assert.ok(two.pictures()[0]!.timestampMs > last.timestampMs);
      // Nothing that was said while nobody listened is lost but what was on its way.
      const heard = one.heard(1).length + two.heard(1).length;
      assert.ok(heard > SPEECH.length - 16_000 && heard <= SPEECH.length, `${heard}`);
      // The same token again, while the first is still there.
      const three = await join(session);
      assert.equal((await two.ended()).code, 4409);
      await three.until("a picture", () => three.pictures()[2] ?? null);
      await end(session);
    });

    test("when one viewer leaves, the other sees more", async () => {
      const session = await open();
      const body = { role: "viewer" };
      const more = await call("POST", `/v1/sessions/${session.id}/tokens`, body);
      const { token } = (await more.json()) as { token: string };
      const first = await join(session);
      const second = await join(session, {}, token);
      await second.until("a picture", () => second.pictures()[0] ?? null);
      first.socket.close();
      await first.ended();
      const { length } = second.pictures();
      // In Workers the session was the first one's: what the second says brings it back.
      const pings = setInterval(() => second.send({ type: "ping" }), 500);
      try {
        await second.until("pictures", () => second.pictures()[length + 30] ?? null);
      } finally {
        clearInterval(pings);
      }
      second.say(SPEECH);
      assert.equal((await second.told("playback_finished")).reason, "complete");
      assertSame(second.heard(1), SPEECH);
      await end(session);
    });

    test("who does not acknowledge is sent no more, and then the newest", async () => {
      const session = await open();
      const client = await join(session);
      client.acknowledges = false;
      await client.until("a picture", () => client.pictures()[0] ?? null);
      await new Promise((resolve) => setTimeout(resolve, 1500));
      const { length } = client.pictures();
      assert.ok(length <= 25, `${length} pictures are under way`);
      client.acknowledges = true;
      client.send({ type: "ack", sequence: client.binaries.at(-1)!.sequence });
      const next = await client.until("a picture", () => client.pictures()[length] ?? null);
      const before = client.pictures()[length - 1]!;
      assert.ok(next.timestampMs - before.timestampMs > 400, "what was due meanwhile was dropped");
      await end(session);
    });

    test("bad input is named, and ends what cannot go on", async () => {
      const session = await open();
      const wrongToken = await LiveClient.open(edge.url, session.urls.socket);
      wrongToken.send({ type: "join", protocol: 1, token: `${session.token.slice(0, -4)}AAAA` });
      assert.match((await wrongToken.told("error")).message, /join token is refused/);
      assert.equal((await wrongToken.ended()).code, 4401);

      const other = await open();
      const elsewhere = await LiveClient.open(edge.url, session.urls.socket);
      elsewhere.send({ type: "join", protocol: 1, token: other.token });
      assert.equal((await elsewhere.ended()).code, 4401);
      await end(other);
      const over = await LiveClient.open(edge.url, other.urls.socket);
      over.send({ type: "join", protocol: 1, token: other.token });
      assert.equal((await over.ended()).code, 4404);

      const future = await LiveClient.open(edge.url, session.urls.socket);
      future.send({ type: "join", protocol: 2, token: session.token });
      assert.match((await future.told("error")).message, /protocol 2/);
      assert.equal((await future.ended()).code, 4400);

      const client = await LiveClient.open(edge.url, session.urls.socket);
      client.socket.send("no JSON");
      client.send({ type: "dance" });
      client.send({ type: "ack", sequence: 1 });
      client.send({
        type: "join",
        protocol: 1,
        token: session.token,
        video: ["jpeg"],
        audio: ["pcm"],
      });
      await client.told("joined");
      client.socket.send(new Uint8Array([1, 2, 3]));
      client.socket.send(new Uint8Array(17).fill(1));
      await client.until("five errors", () => client.all("error")[4] ?? null);
      const said = client.all("error").map(({ message }) => message);
      assert.match(said[0]!, /JSON/);
      assert.match(said[1]!, /dance.* is no type: use join, ack/);
      assert.match(said[2]!, /first message is join/);
      assert.match(said[3]!, /version 1 and kind 16/);
      for (let n = 0; n < 5; n++) client.send({ type: "ack", sequence: -1 });
      assert.equal((await client.ended()).code, 4400);

      const loud = await join(session);
      loud.socket.send(new Uint8Array(200_000));
      const { code } = await loud.ended();
      // Where the connection is cut while more is on its way, the code may be lost.
      const isTold = code === 1009 || loud.all("error").length === 1;
      assert.ok(isTold, `closed with ${code}`);
      const plain = await call("GET", session.urls.socket);
      assert.equal(plain.status, 400);
      await plain.arrayBuffer();
      await assert.rejects(LiveClient.open(edge.url, "/v1/sessions/no/such"));
      await end(session);
    });

    test("sessions are listed, read, counted and ended", async () => {
      const four = [await open(), await open(), await open(), await open()];
      const fifth = await call("POST", "/v1/avatars/ada/sessions");
      assert.equal(fifth.status, 429);
      assert.equal(fifth.headers.get("retry-after"), "5");
      await fifth.arrayBuffer();
      const list = (await (await call("GET", "/v1/sessions")).json()) as { sessions: Opened[] };
      assert.deepEqual(
        list.sessions.map(({ id }) => id),
        four.map(({ id }) => id),
      );
      const one = four[0]!;
      const read = (await (await call("GET", `/v1/sessions/${one.id}`)).json()) as {
        avatar: string;
        viewers: number;
      };
      assert.deepEqual([read.avatar, read.viewers], ["ada", 0]);
      const more = await call("POST", `/v1/sessions/${one.id}/tokens`, { role: "viewer" });
      const { token } = (await more.json()) as { token: string };
      const [first, second] = [await join(one), await join(one, {}, token)];
      await second.until("a picture", () => second.pictures()[0] ?? null);
      await first.until("a picture", () => first.pictures()[0] ?? null);
      assert.match(
        await (await call("GET", "/metrics")).text(),
        /^mouthpiece_edge_live_viewers 2$/m,
      );
      for (const each of four) await end(each);
      const gone = await call("GET", `/v1/sessions/${one.id}`);
      assert.equal(gone.status, 404);
      assert.match(await gone.text(), /it ended: deleted/);
      assert.equal((await call("POST", "/v1/avatars/nobody/sessions")).status, 404);
    });

    test("more speech than may wait is refused; the window says how much may", async () => {
      const session = await open();
      const client = await join(session);
      const { speechWindow } = client.all("joined")[0]!;
      assert.equal(speechWindow, 160_000);
      client.say(new Int16Array(160_000 + 3200).fill(8000));
      assert.equal((await client.told("error")).code, "too_much_speech");
      const { samples } = await client.told("speech_window");
      assert.ok(samples > 163_200, `${samples}`);
      client.send({ type: "interrupt" });
      await client.told("playback_finished");
      await end(session);
    });
  });
}
