import type { Browser, Page } from "playwright-core";
import { installProbe, type Probe } from "./page-probe.ts";

export type Transport = "WebSocket" | "WebRTC";

/** What `POST .../sessions` answers. */
export interface OpenedSession {
  readonly id: string;
  readonly token: string;
  readonly speakerToken: string;
  readonly urls: { readonly socket: string; readonly whep: string };
}

/** A page that shows a session. */
export interface ViewerPage {
  readonly page: Page;
  /** From asking to join to the first picture on the screen, milliseconds. */
  readonly firstMs: number;
}

const LIMIT_MS = 30_000;

/**
 * Opens a page and joins: by the SDK over the WebSocket, or by WHEP as any player does.
 * @param site serves an empty page and the SDK
 * @param relay UDP port to send to instead of the edge's own
 */
export async function openViewer(
  browser: Browser,
  site: string,
  transport: Transport,
  edge: string,
  { token, urls }: OpenedSession,
  relay: number | null = null,
): Promise<ViewerPage> {
  const page = await browser.newPage();
  page.setDefaultTimeout(LIMIT_MS);
  await installProbe(page);
  await page.goto(site);
  const at = { token, relay, socket: edge + urls.socket, whep: edge + urls.whep };
  const join = transport === "WebSocket" ? joinBySocket : joinByWhep;
  return { page, firstMs: await page.evaluate(join, at) };
}

interface JoinAt {
  readonly token: string;
  readonly socket: string;
  readonly whep: string;
  readonly relay: number | null;
}

async function joinBySocket({ socket, token }: JoinAt): Promise<number> {
  const { probe } = globalThis as unknown as { probe: Probe };
  const sdk = "/mouthpiece.js";
  const { AvatarSession } = (await import(sdk)) as typeof import("../../../client/index.ts");
  const element = document.createElement("canvas");
  document.body.append(element);
  const session = new AvatarSession({ url: socket, token, element });
  Object.assign(globalThis, { session });
  const startedMs = performance.now();
  await session.start();
  const firstMs = performance.now() - startedMs;
  const refresh = () => {
    requestAnimationFrame(refresh);
    probe.look(element, performance.now());
  };
  refresh();
  return firstMs;
}

async function joinByWhep({ whep, token, relay }: JoinAt): Promise<number> {
  const { probe } = globalThis as unknown as { probe: Probe };
  const startedMs = performance.now();
  const peer = new RTCPeerConnection();
  Object.assign(globalThis, { peer });
  for (const kind of ["video", "audio"]) peer.addTransceiver(kind, { direction: "recvonly" });
  const video = document.createElement("video");
  const stream = new MediaStream();
  video.srcObject = stream;
  video.autoplay = true;
  document.body.append(video);
  const first = Promise.withResolvers<number>();
  const shown: VideoFrameRequestCallback = (now, { expectedDisplayTime }) => {
    first.resolve(performance.now() - startedMs);
    probe.look(video, Math.max(now, expectedDisplayTime));
    video.requestVideoFrameCallback(shown);
  };
  video.requestVideoFrameCallback(shown);
  peer.ontrack = ({ track }) => {
    stream.addTrack(track);
    if (track.kind !== "audio") return;
    const context = new AudioContext();
    void probe.listen(
      new MediaStreamAudioSourceNode(context, { mediaStream: new MediaStream([track]) }),
    );
  };
  await peer.setLocalDescription(await peer.createOffer());
  const answer = await fetch(whep, {
    method: "POST",
    headers: { "content-type": "application/sdp", authorization: `Bearer ${token}` },
    body: peer.localDescription!.sdp,
  });
  let sdp = await answer.text();
  if (answer.status !== 201) throw new Error(sdp);
  if (relay !== null) sdp = sdp.replace(/ (\d+) typ host/g, ` ${relay} typ host`);
  await peer.setRemoteDescription({ type: "answer", sdp });
  setTimeout(() => first.reject(new Error(`no picture: ${peer.connectionState}`)), 20_000);
  return first.promise;
}
