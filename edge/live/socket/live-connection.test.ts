import assert from "node:assert/strict";
import { test } from "node:test";
import { silentLogger } from "../../../avatar/logger.ts";
import { openStage } from "../../../test/support/live-stage.ts";
import { RequestError } from "../../http/request-error.ts";
import { LiveError } from "../live-error.ts";
import { LiveSessions } from "../live-sessions.ts";
import { liveSchema } from "../live-settings.ts";
import type { Joined } from "./join-session.ts";
import { LiveConnection } from "./live-connection.ts";
import { pcmCoder } from "./sound-coder.ts";

const JOIN = JSON.stringify({ type: "join", protocol: 1, token: "good" });

/** Connections to one session on a clock that the test moves. */
function openConnections(join?: () => Promise<Joined>) {
  const stage = openStage();
  const { clock, session, avatar } = stage;
  const settings = liveSchema.parse({});
  const open = () => session;
  const date = () => clock.now();
  const sessions = new LiveSessions({ settings, clock, date, logger: silentLogger, open });
  const caller = { kind: "anyone", tenant: null, avatarId: null, credential: null } as const;
  const known = sessions.open("session-1", avatar, caller);
  const connect = (tokenId: string) => {
    const sent: { type: string; code?: string }[] = [];
    const closed: [number, string][] = [];
    let binaries = 0;
    const connection = new LiveConnection(
      {
        send(message) {
          if (typeof message === "string") sent.push(JSON.parse(message));
          else binaries++;
        },
        close: (code, reason) => closed.push([code, reason]),
      },
      {
        clock,
        logger: silentLogger,
        requestId: "test",
        join: join ?? (async () => ({ known, role: "viewer", caller, tokenId })),
        participants: {
          clock,
          settings,
          logger: silentLogger,
          canShow: (_avatar, format) => format === "jpeg",
          openCoder: (codec) => (codec === "pcm" ? pcmCoder : null),
          explain: String,
        },
      },
    );
    return { connection, sent, closed, binaries: () => binaries };
  };
  return { ...stage, connect };
}

test("who does not join, or falls silent, is let go", async () => {
  const { clock, connect, session } = openConnections();
  const mute = connect("a");
  await clock.advanceTo(9999);
  assert.deepEqual(mute.closed, []);
  await clock.advanceTo(10_000);
  assert.equal(mute.closed[0]?.[0], 4408);
  const viewer = connect("b");
  viewer.connection.message(JOIN);
  await clock.advanceTo(20_000);
  assert.equal(session.stats.viewers, 1);
  viewer.connection.message('{"type":"ping"}');
  await clock.advanceTo(49_000);
  assert.equal(viewer.sent.at(-1)?.type, "pong");
  assert.deepEqual(viewer.closed, []);
  await clock.advanceTo(51_000);
  assert.equal(viewer.closed[0]?.[0], 4408);
  assert.equal(session.stats.viewers, 0);
});

test("speech that follows the join at once is not lost", async () => {
  const { clock, connect } = openConnections();
  const viewer = connect("a");
  viewer.connection.message(JOIN);
  const speech = new Uint8Array(16 + 2 * 16_000).fill(20);
  speech.set([1, 16, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
  viewer.connection.message(speech.buffer);
  viewer.connection.message('{"type":"speech_end"}');
  await clock.advanceTo(3000);
  const often = ["playback_position", "speech_window"];
  const types = viewer.sent.map(({ type }) => type).filter((type) => !often.includes(type));
  assert.deepEqual(types, ["joined", "segment_opened", "playback_started", "playback_finished"]);
});

test("who sends too much before he has joined is refused", async () => {
  const { clock, connect } = openConnections(() => new Promise(() => {}));
  const viewer = connect("a");
  viewer.connection.message(JOIN);
  for (let n = 0; n < 9; n++) viewer.connection.message(new ArrayBuffer(128 * 1024));
  await clock.advanceTo(100);
  assert.equal(viewer.closed[0]?.[0], 4413);
});

test("who leaves before the join is through does not stay", async () => {
  const { clock, connect, session } = openConnections();
  const viewer = connect("a");
  viewer.connection.message(JOIN);
  viewer.connection.closed();
  await clock.advanceTo(1000);
  assert.equal(session.stats.viewers, 0);
  assert.equal(viewer.binaries(), 0);
});

test("why a join fails is told, and decides the code", async () => {
  const failures: [Error, number, string][] = [
    [new RequestError(401, "the join token is refused"), 4401, "refused"],
    [new RequestError(403, "pages of x may not"), 4401, "refused"],
    [new RequestError(429, "too often", 3), 4429, "too_many"],
    [new LiveError("no_session", "not here"), 4404, "no_session"],
    [new LiveError("ended", "over"), 4404, "ended"],
    [new LiveError("too_many", "full"), 4429, "too_many"],
    [new Error("a defect"), 4500, "unavailable"],
  ];
  for (const [error, code, told] of failures) {
    const { clock, connect } = openConnections(() => Promise.reject(error));
    const viewer = connect("a");
    viewer.connection.message(JOIN);
    await clock.advanceTo(100);
    assert.equal(viewer.closed[0]?.[0], code, error.message);
    assert.equal(viewer.sent[0]?.code, told);
    assert.equal(JSON.stringify(viewer.sent).includes("defect"), false);
  }
  const { clock, connect } = openConnections();
  const viewer = connect("a");
  viewer.connection.message(JSON.stringify({ ...JSON.parse(JOIN), video: ["av1"] }));
  await clock.advanceTo(100);
  assert.equal(viewer.sent[0]?.code, "no_format");
});

test("the fifth viewer is told that four are there, and one that comes back is not the fifth", async () => {
  const { clock, connect, session } = openConnections();
  const viewers = ["a", "b", "c", "d"].map(connect);
  for (const { connection } of viewers) connection.message(JOIN);
  await clock.advanceTo(100);
  const fifth = connect("e");
  fifth.connection.message(JOIN);
  await clock.advanceTo(200);
  assert.equal(fifth.closed[0]?.[0], 4429);
  const again = connect("a");
  again.connection.message(JOIN);
  await clock.advanceTo(300);
  assert.equal(viewers[0]?.closed[0]?.[0], 4409);
  assert.equal(again.sent[0]?.type, "joined");
  assert.equal(session.stats.viewers, 4);
});
