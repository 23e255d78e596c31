import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { createGrpcTransport, Http2SessionManager } from "@connectrpc/connect-node";
import { createApiKey, hashOfKey } from "../edge/access/api-key.ts";
import {
  FinishReason,
  LiveService,
  type PushSpeechRequestSchema,
  type PushSpeechResponse,
} from "../proto/gen/mouthpiece/live/v1/live_pb.js";
import { LiveClient } from "./support/live-client.ts";
import { startSystem, type TestSystem } from "./support/system.ts";
import { temporaryFolder, tone, writeTinyAvatar } from "./support/tiny-avatar.ts";

/** An agent that speaks over gRPC in a session which somebody watches over a WebSocket. */

const LIMIT_MS = 15_000;
const CHUNK = 3200;
const SPEECH = tone(32_000);

type Request = MessageInitShape<typeof PushSpeechRequestSchema>;
type Case = NonNullable<PushSpeechResponse["event"]["case"]>;

interface Opened {
  readonly id: string;
  readonly token: string;
  readonly speakerToken: string;
  readonly urls: { readonly socket: string };
}

/** A side of a call that is told one thing after the other. */
class Requests implements AsyncIterable<Request> {
  readonly #waiting: Request[] = [];
  #wake = Promise.withResolvers<void>();
  #isOver = false;

  send(action: NonNullable<Request["action"]>): void {
    this.#waiting.push({ action });
    this.#wake.resolve();
  }

  say(samples: Int16Array, epoch = 0): void {
    for (let at = 0; at < samples.length; at += CHUNK) {
      const part = samples.slice(at, at + CHUNK);
      this.send({ case: "speech", value: { samples: new Uint8Array(part.buffer), epoch } });
    }
  }

  end(): void {
    this.#isOver = true;
    this.#wake.resolve();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Request> {
    for (;;) {
      for (let next = this.#waiting.shift(); next; next = this.#waiting.shift()) yield next;
      if (this.#isOver) return;
      this.#wake = Promise.withResolvers();
      await this.#wake.promise;
    }
  }
}

describe("speech over gRPC", { timeout: 120_000 }, () => {
  const ends: (() => Promise<void>)[] = [];
  let system: TestSystem;
  let manager: Http2SessionManager;
  let root: string;
  const clients: LiveClient[] = [];

  before(async () => {
    root = await temporaryFolder({ after: (end) => ends.push(end) });
    await writeTinyAvatar(root, "ada");
    system = await startSystem(root, { edge: { live: { max_speech_ahead_s: 10 } } });
    manager = new Http2SessionManager(system.edge.url);
  });
  after(async () => {
    for (const { socket } of clients) socket.close();
    manager.abort();
    await system?.stop();
    for (const end of ends) await end();
  });

  const open = async (isWatched = true) => {
    const response = await fetch(`${system.edge.url}/v1/avatars/ada/sessions`, {
      method: "POST",
      signal: AbortSignal.timeout(LIMIT_MS),
    });
    const session = (await response.json()) as Opened;
    if (!isWatched) return { session, viewer: null };
    const viewer = await LiveClient.join(system.edge.url, session, session.token, {
      video: ["jpeg"],
      audio: ["pcm"],
    });
    clients.push(viewer);
    await viewer.until("a picture", () => viewer.pictures()[0] ?? null);
    return { session, viewer };
  };
  const push = (token: string | null, requests: Requests, signal?: AbortSignal) => {
    const transport = createGrpcTransport({ baseUrl: system.edge.url, sessionManager: manager });
    const headers: HeadersInit = token === null ? {} : { authorization: `Bearer ${token}` };
    const responses = createClient(LiveService, transport).pushSpeech(requests, {
      headers,
      timeoutMs: LIMIT_MS,
      ...(signal && { signal }),
    });
    return responses;
  };
  /** All that comes, with a look at each. */
  const collect = async (
    responses: AsyncIterable<PushSpeechResponse>,
    look: (event: PushSpeechResponse["event"]) => void = () => {},
  ) => {
    const events: PushSpeechResponse["event"][] = [];
    for await (const { event } of responses) {
      events.push(event);
      look(event);
    }
    return events;
  };
  const only = <T extends Case>(events: PushSpeechResponse["event"][], which: T) =>
    events.filter((each): each is Extract<typeof each, { case: T }> => each.case === which);
  const refused = async (token: string | null) => {
    const requests = new Requests();
    requests.end();
    try {
      await collect(push(token, requests));
    } catch (error) {
      return ConnectError.from(error);
    }
    throw new Error("it was let in");
  };

  test("what is said is heard whole, and the call ends when it has been", async () => {
    const { session, viewer } = await open();
    const requests = new Requests();
    requests.say(SPEECH);
    requests.end();
    const events = await collect(push(session.speakerToken, requests));
    const [joined] = only(events, "joined");
    assert.equal(events[0], joined);
    assert.deepEqual([joined?.value.sessionId, joined?.value.avatarId], [session.id, "ada"]);
    assert.equal(joined?.value.speechWindow, 160_000n);
    assert.deepEqual(
      only(events, "segmentOpened").map(({ value }) => value.segment),
      [1],
    );
    assert.equal(only(events, "playbackStarted").length, 1);
    assert.ok(only(events, "playbackPosition").length >= 9);
    const finished = only(events, "playbackFinished");
    assert.equal(finished.length, 1);
    assert.equal(finished[0]?.value.reason, FinishReason.COMPLETE);
    assert.equal(finished[0]?.value.playedMs, 2000n);
    assert.equal(events.at(-1), finished[0]);
    const heard = viewer!.heard(1);
    assert.equal(heard.length, SPEECH.length);
    assert.ok(heard.every((sample, n) => sample === SPEECH[n]));
  });

  test("segments follow each other, each told of exactly once", async () => {
    const { session } = await open();
    const requests = new Requests();
    for (let n = 0; n < 3; n++) {
      requests.say(SPEECH.subarray(0, 9600));
      requests.send({ case: "endSegment", value: { epoch: 0 } });
    }
    requests.end();
    const events = await collect(push(session.speakerToken, requests));
    const finished = only(events, "playbackFinished").map(({ value }) => value);
    assert.deepEqual(
      finished.map(({ segment, reason, playedMs }) => [segment, reason, playedMs]),
      [1, 2, 3].map((segment) => [segment, FinishReason.COMPLETE, 600n]),
    );
  });

  test("an interruption silences, and speech of before it is dropped", async () => {
    const { session } = await open();
    const requests = new Requests();
    requests.say(SPEECH);
    let isInterrupted = false;
    const events = await collect(push(session.speakerToken, requests), (event) => {
      if (event.case === "playbackPosition" && !isInterrupted) {
        isInterrupted = true;
        requests.send({ case: "interrupt", value: {} });
        // It had been under way.
        requests.say(SPEECH, 0);
      }
      if (event.case === "interrupted") {
        requests.say(SPEECH.subarray(0, 9600), event.value.epoch);
        requests.end();
      }
    });
    const finished = only(events, "playbackFinished").map(({ value }) => value);
    assert.deepEqual(
      finished.map(({ segment, reason }) => [segment, reason]),
      [
        [1, FinishReason.INTERRUPTED],
        [2, FinishReason.COMPLETE],
      ],
    );
    assert.ok(finished[0]!.playedMs < 2000n);
    assert.equal(finished[1]!.playedMs, 600n);
    assert.equal(only(events, "speechRefused").length, 0);
  });

  test("more than the window allows is refused, and the call goes on", async () => {
    const { session } = await open();
    const requests = new Requests();
    const eleven = tone(11 * 16_000);
    requests.say(eleven);
    const events = await collect(push(session.speakerToken, requests), (event) => {
      if (event.case === "speechRefused") requests.send({ case: "interrupt", value: {} });
      if (event.case === "interrupted") requests.end();
    });
    const [first] = only(events, "speechRefused");
    assert.equal(first?.value.code, "too_much_speech");
    const opened = only(events, "segmentOpened").map(({ value }) => value.segment);
    const finished = only(events, "playbackFinished").map(({ value }) => value.segment);
    assert.deepEqual(finished, opened);
  });

  test("the end of the session ends the call", async () => {
    const { session } = await open();
    const requests = new Requests();
    requests.say(SPEECH);
    const events = await collect(push(session.speakerToken, requests), (event) => {
      if (event.case !== "playbackStarted") return;
      const url = `${system.edge.url}/v1/sessions/${session.id}`;
      void fetch(url, { method: "DELETE", signal: AbortSignal.timeout(LIMIT_MS) });
    });
    const finished = only(events, "playbackFinished");
    assert.deepEqual(
      finished.map(({ value }) => value.reason),
      [FinishReason.ENDED],
    );
    assert.deepEqual(events.at(-1)?.value && only(events, "ended")[0]?.value.reason, "deleted");
    requests.end();
  });

  test("who comes again takes his own place; who leaves leaves none", async () => {
    const { session } = await open();
    const [first, second] = [new Requests(), new Requests()];
    const replaced = collect(push(session.speakerToken, first)).then(
      () => null,
      (error: unknown) => ConnectError.from(error).code,
    );
    await new Promise((resolve) => setTimeout(resolve, 200));
    const leave = new AbortController();
    const left = collect(push(session.speakerToken, second, leave.signal), (event) => {
      if (event.case === "joined") setTimeout(() => leave.abort(), 200);
    }).catch((error: unknown) => ConnectError.from(error).code);
    assert.equal(await replaced, Code.Aborted);
    assert.equal(await left, Code.Canceled);
    // Both have gone: the viewer's connection is the only one that takes part.
    const latest = performance.now() + LIMIT_MS;
    for (;;) {
      const response = await fetch(`${system.edge.url}/v1/operator`, {
        signal: AbortSignal.timeout(LIMIT_MS),
      });
      const { live } = (await response.json()) as {
        live: { sessions: { id: string; participants: number }[] };
      };
      if (live.sessions.find(({ id }) => id === session.id)?.participants === 1) break;
      assert.ok(performance.now() < latest, "somebody is left");
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    first.end();
    second.end();
  });

  test("where keys are asked for, the session's token is enough, and a key is not", async (t) => {
    const key = createApiKey();
    const access = { tenants: [{ id: "acme", keys: [hashOfKey(key)] }] };
    const closed = await startSystem(root, { edge: { access } });
    t.after(() => closed.stop());
    const sessionManager = new Http2SessionManager(closed.edge.url);
    t.after(() => sessionManager.abort());
    const transport = createGrpcTransport({ baseUrl: closed.edge.url, sessionManager });
    const response = await fetch(`${closed.edge.url}/v1/avatars/ada/sessions`, {
      method: "POST",
      headers: { authorization: `Bearer ${key}` },
      signal: AbortSignal.timeout(LIMIT_MS),
    });
    const session = (await response.json()) as Opened;
    const call = (token: string) => {
      const requests = new Requests();
      requests.end();
      const headers = { authorization: `Bearer ${token}` };
      const options = { headers, timeoutMs: LIMIT_MS };
      return collect(createClient(LiveService, transport).pushSpeech(requests, options));
    };
    const [joined] = only(await call(session.speakerToken), "joined");
    assert.equal(joined?.value.sessionId, session.id);
    await assert.rejects(call(key), (error) => {
      return ConnectError.from(error).code === Code.Unauthenticated;
    });
  });

  test("only the session's own speaker gets in, and only well-formed speech", async () => {
    const { session } = await open();
    assert.equal((await refused(null)).code, Code.Unauthenticated);
    assert.equal((await refused("nonsense")).code, Code.Unauthenticated);
    const asViewer = await refused(session.token);
    assert.equal(asViewer.code, Code.Unauthenticated);
    assert.match(asViewer.rawMessage, /viewer's token/);
    const unwatched = await open(false);
    const url = `${system.edge.url}/v1/sessions/${unwatched.session.id}`;
    await fetch(url, { method: "DELETE", signal: AbortSignal.timeout(LIMIT_MS) });
    assert.equal((await refused(unwatched.session.speakerToken)).code, Code.NotFound);
    for (const bytes of [0, 3]) {
      const requests = new Requests();
      requests.send({ case: "speech", value: { samples: new Uint8Array(bytes), epoch: 0 } });
      await assert.rejects(
        collect(push(session.speakerToken, requests)),
        (error) => ConnectError.from(error).code === Code.InvalidArgument,
      );
      requests.end();
    }
    const requests = new Requests();
    const samples = new Uint8Array(200_000);
    requests.send({ case: "speech", value: { samples, epoch: 0 } });
    await assert.rejects(
      collect(push(session.speakerToken, requests)),
      (error) => ConnectError.from(error).code === Code.ResourceExhausted,
    );
    requests.end();
  });
});
