import type { Page } from "playwright-core";
import { STAMP_BITS, STAMP_SIZE, STAMP_SQUARE } from "../support/synthetic-session.ts";

/** A frame that the page has shown. */
export interface ShownFrame {
  /** Null when it cannot be read. */
  readonly stamp: number | null;
  readonly rtpTimestamp: number;
}

/** What the test reads of `RTCInboundRtpStreamStats`. */
export interface InboundStats {
  readonly framesDecoded: number;
  readonly freezeCount: number;
  readonly packetsLost: number;
  readonly packetsReceived: number;
  readonly pliCount: number;
  readonly nackCount: number;
  readonly retransmittedPacketsReceived: number;
  readonly keyFramesDecoded: number;
  readonly totalAudioEnergy: number;
  readonly concealedSamples: number;
  readonly totalSamplesReceived: number;
  /** When what is played now was recorded, by the sender's clock. */
  readonly estimatedPlayoutTimestamp: number;
}

interface Watching {
  readonly peer: RTCPeerConnection;
  readonly location: string;
  readonly shown: ShownFrame[];
}

declare global {
  var watching: Watching;
}

/** Watches by WHEP, as a page does. @returns milliseconds to the first frame */
export function watch(page: Page): Promise<number> {
  const layout = { bits: STAMP_BITS, square: STAMP_SQUARE, ...STAMP_SIZE };
  return page.evaluate(async ({ bits, square, width, height }) => {
    const startedAt = performance.now();
    const peer = new RTCPeerConnection();
    peer.addTransceiver("video", { direction: "recvonly" });
    peer.addTransceiver("audio", { direction: "recvonly" });
    const stream = new MediaStream();
    peer.ontrack = ({ track }) => stream.addTrack(track);
    const video = document.createElement("video");
    video.srcObject = stream;
    video.autoplay = true;
    document.body.append(video);
    const shown: { stamp: number | null; rtpTimestamp: number }[] = [];
    let firstMs: number | null = null;
    const canvas = new OffscreenCanvas(width, square);
    const context = canvas.getContext("2d", { willReadFrequently: true })!;
    const first = Promise.withResolvers<void>();
    const take = (_: number, { rtpTimestamp }: VideoFrameCallbackMetadata) => {
      video.requestVideoFrameCallback(take);
      if (firstMs === null) {
        // There is nothing to draw yet.
        firstMs = performance.now() - startedAt;
        first.resolve();
        return;
      }
      context.drawImage(video, 0, 0, width, height);
      const { data } = context.getImageData(0, 0, width, square);
      let stamp = 0;
      let check = 0;
      for (let n = 0; n < 2 * bits; n++) {
        const at = 4 * ((square / 2) * width + n * square + square / 2);
        const bit = data[at]! > 128 ? 1 : 0;
        if (n < bits) stamp |= bit << n;
        else check |= (1 - bit) << (n - bits);
      }
      shown.push({ stamp: stamp === check ? stamp : null, rtpTimestamp: rtpTimestamp ?? -1 });
    };
    video.requestVideoFrameCallback(take);
    await peer.setLocalDescription();
    const answer = await fetch("/whep", {
      method: "POST",
      headers: { "content-type": "application/sdp" },
      body: peer.localDescription!.sdp,
    });
    if (answer.status !== 201) throw new Error(await answer.text());
    const sdp = await answer.text();
    await peer.setRemoteDescription({ type: "answer", sdp });
    const location = answer.headers.get("location")!;
    globalThis.watching = { peer, location, shown };
    const timeout = setTimeout(
      () => first.reject(new Error(`no frame; the connection is ${peer.connectionState}`)),
      20_000,
    );
    await first.promise;
    clearTimeout(timeout);
    return firstMs!;
  }, layout);
}

/** The frames shown since the last call. */
export function takeShown(page: Page): Promise<ShownFrame[]> {
  return page.evaluate(() => globalThis.watching.shown.splice(0));
}

export function inboundStats(page: Page, kind: "video" | "audio"): Promise<InboundStats> {
  return page.evaluate(async (kind) => {
    for (const stats of (await globalThis.watching.peer.getStats()).values()) {
      if (stats.type === "inbound-rtp" && stats.kind === kind) return stats as InboundStats;
    }
    throw new Error(`nothing comes in of ${kind}`);
  }, kind);
}
