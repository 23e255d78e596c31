import assert from "node:assert/strict";
import { test } from "node:test";
import { RequestError } from "../../http/request-error.ts";
import {
  answerOffer,
  describeIceServers,
  endPeer,
  takeCandidates,
  type WhepPeers,
} from "./whep.ts";

function open() {
  const present = new Set<string>();
  const peers: WhepPeers = {
    async accept(offer) {
      if (offer !== "offer") throw new RequestError(400, "no offer");
      present.add("p1");
      return { id: "p1", answer: "answer" };
    },
    close: async (id) => present.delete(id),
  };
  const iceServers = { stun: ["stun:a.example", "stun:b.example"], turn: null };
  return { present, options: { peers, iceServers, unixMs: () => 0 } };
}

const attach = () => {
  throw new Error("nobody is connected here");
};
const post = (body: string, type = "application/sdp") =>
  new Request("http://edge/v1/sessions/s1/whep", {
    method: "POST",
    headers: { "content-type": type },
    body,
  });
const refused = (status: number) => (error: unknown) =>
  error instanceof RequestError && error.status === status;

test("an offer is answered with 201, its place and the ICE servers", async () => {
  const { options } = open();
  const answer = await answerOffer(options, post("offer"), attach, (id) => `/v1/x/${id}`);
  assert.equal(answer.status, 201);
  assert.equal(answer.headers.get("location"), "/v1/x/p1");
  assert.equal(answer.headers.get("content-type"), "application/sdp");
  const links = '<stun:a.example>; rel="ice-server", <stun:b.example>; rel="ice-server"';
  assert.equal(answer.headers.get("link"), links);
  assert.equal(await answer.text(), "answer");
  assert.equal((await describeIceServers(options, "p")).headers.get("link"), links);
});

test("what is no SDP is refused", async () => {
  const { options } = open();
  const answer = (request: Request) => answerOffer(options, request, attach, (id) => id);
  await assert.rejects(answer(post("offer", "text/plain")), refused(415));
  await assert.rejects(answer(post("something")), refused(400));
  await assert.rejects(answer(post("x".repeat(70_000))), refused(413));
  assert.equal((await answer(post("offer", "Application/SDP; charset=utf-8"))).status, 201);
});

test("a peer is ended once", async () => {
  const { options, present } = open();
  await answerOffer(options, post("offer"), attach, (id) => id);
  assert.equal((await endPeer(options, "p1")).status, 200);
  assert.equal(present.size, 0);
  await assert.rejects(endPeer(options, "p1"), refused(404));
});

test("candidates are taken, restarts are not", async () => {
  const patch = (headers: Record<string, string>) =>
    new Request("http://edge/x", { method: "PATCH", headers, body: "a=candidate:1" });
  const type = { "content-type": "application/trickle-ice-sdpfrag" };
  assert.equal((await takeCandidates(patch(type))).status, 204);
  await assert.rejects(takeCandidates(patch({ ...type, "if-match": "*" })), refused(400));
  await assert.rejects(takeCandidates(patch({ "content-type": "text/plain" })), refused(415));
});
