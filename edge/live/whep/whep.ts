import { joinBytes } from "../../compositor/join-bytes.ts";
import { type BodyLimits, limitBody } from "../../http/limit-body.ts";
import { RequestError } from "../../http/request-error.ts";
import type { LiveViewer, ViewerControl } from "../live-media.ts";
import { type IceServers, iceServerLinks } from "./ice-server-links.ts";
import { MAX_OFFER_CHARACTERS } from "./offer.ts";

/** Attaches a viewer to its session. */
export type Attach = (viewer: LiveViewer) => ViewerControl;

/** Those who watch by WebRTC; a runtime that has UDP implements it. */
export interface WhepPeers {
  /**
   * Answers an offer. The viewer is attached when the peer is connected.
   * @throws RequestError 400, 406 or 429
   */
  accept(offer: string, attach: Attach): Promise<{ readonly id: string; readonly answer: string }>;
  /** @returns whether there was such a peer */
  close(id: string): Promise<boolean>;
}

export interface WhepOptions {
  readonly peers: WhepPeers;
  readonly iceServers: IceServers;
  /** Unix time in milliseconds. */
  readonly unixMs: () => number;
}

const SDP_TYPE = "application/sdp";
const TRICKLE_TYPE = "application/trickle-ice-sdpfrag";
const BODY_LIMITS: BodyLimits = {
  maxBytes: MAX_OFFER_CHARACTERS,
  idleMs: 5000,
  totalMs: 15_000,
  advice: "",
};

/**
 * `POST` of WHEP (draft-ietf-wish-whep): an offer in, 201 with the answer out.
 * @param location the path of the peer that `endPeer` ends, from its id
 * @throws RequestError 400, 406, 408, 413, 415 or 429
 */
export async function answerOffer(
  { peers, iceServers, unixMs }: WhepOptions,
  request: Request,
  attach: Attach,
  location: (id: string) => string,
): Promise<Response> {
  checkType(request, SDP_TYPE);
  const chunks: Uint8Array[] = [];
  for await (const chunk of limitBody(request, BODY_LIMITS)) chunks.push(chunk);
  const offer = new TextDecoder().decode(joinBytes(chunks));
  const { id, answer } = await peers.accept(offer, attach);
  const headers = new Headers({ "content-type": SDP_TYPE, location: location(id) });
  for (const link of await iceServerLinks(iceServers, id, unixMs())) headers.append("link", link);
  return new Response(answer, { status: 201, headers });
}

/** `OPTIONS` of WHEP: the ICE servers, for who wants them before his offer. */
export async function describeIceServers(
  { iceServers, unixMs }: WhepOptions,
  id: string,
): Promise<Response> {
  const headers = new Headers({ "accept-post": SDP_TYPE });
  for (const link of await iceServerLinks(iceServers, id, unixMs())) headers.append("link", link);
  return new Response(null, { status: 204, headers });
}

/**
 * `DELETE` of WHEP: ends a peer.
 * @throws RequestError 404 when there is none
 */
export async function endPeer({ peers }: WhepOptions, id: string): Promise<Response> {
  if (!(await peers.close(id))) throw new RequestError(404, "there is no such peer, or no more");
  return new Response(null, { status: 200 });
}

/**
 * `PATCH` of WHEP: candidates that come later (RFC 8840). An ICE-lite agent
 * has no use for them, it answers whoever knows the password; so they are
 * taken and dropped. ICE restarts are refused: offer again.
 * @throws RequestError 400 or 415
 */
export async function takeCandidates(request: Request): Promise<Response> {
  checkType(request, TRICKLE_TYPE);
  if (request.headers.get("if-match") === "*") {
    throw new RequestError(400, "ICE is not restarted here: end this peer and offer again");
  }
  await request.body?.cancel();
  return new Response(null, { status: 204 });
}

function checkType(request: Request, expected: string): void {
  const type = request.headers.get("content-type")?.split(";")[0]?.trim().toLowerCase();
  if (type !== expected) throw new RequestError(415, `the body must be ${expected}`);
}
