import type { Page } from "playwright-core";
import { STAMP_BITS, STAMP_SQUARE } from "../support/synthetic-session.ts";

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

/** Of Chromium's mediacapture-transform. */
declare class MediaStreamTrackProcessor {
  readonly readable: ReadableStream<VideoFrame>;
  constructor(init: { readonly track: MediaStreamTrack });
}

declare global {
  interface VideoFrame {
    metadata(): object;
  }
  var watching: Watching;
}

/**
 * Watches by WHEP, as a page does.
 * @param nack false: lost packets are not asked for again
 * @returns milliseconds to the first frame
 */
export function watch(page: Page, { nack = true } = {}): Promise<number> {
  const layout = { bits: STAMP_BITS, square: STAMP_SQUARE, nack };
  return page.evaluate(async ({ bits, square, nack }) => {
    const startedAt = performance.now();
    const peer = new RTCPeerConnection();
    peer.addTransceiver("video", { direction: "recvonly" });
    peer.addTransceiver("audio", { direction: "recvonly" });
    const shown: { stamp: number | null; rtpTimestamp: number }[] = [];
    const first = Promise.withResolvers<number>();
    const take = async (track: MediaStreamTrack) => {
      for await (const frame of new MediaStreamTrackProcessor({ track }).readable) {
        first.resolve(performance.now() - startedAt);
        const luma = new Uint8Array(frame.allocationSize());
        const [{ stride }] = (await frame.copyTo(luma)) as [PlaneLayout];
        let stamp = 0;
        let check = 0;
        for (let n = 0; n < 2 * bits; n++) {
          const bit = luma[(square / 2) * stride + n * square + square / 2]! > 128 ? 1 : 0;
          if (n < bits) stamp |= bit << n;
          else check |= (1 - bit) << (n - bits);
        }
        const { rtpTimestamp } = frame.metadata() as { rtpTimestamp: number };
        shown.push({ stamp: stamp === check ? stamp : null, rtpTimestamp });
        frame.close();
      }
    };
    // The element plays sound and picture together; the frames are read beside it.
    const video = document.createElement("video");
    const stream = new MediaStream();
    video.srcObject = stream;
    video.autoplay = true;
    document.body.append(video);
    peer.ontrack = ({ track }) => {
      stream.addTrack(track);
      if (track.kind === "video") take(track).catch(first.reject);
    };
    const { sdp: offered = "" } = await peer.createOffer();
    const offer = nack ? offered : offered.replace(/a=rtcp-fb:\d+ nack\r\n/g, "");
    await peer.setLocalDescription({ type: "offer", sdp: offer });
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
    const firstMs = await first.promise;
    clearTimeout(timeout);
    return firstMs;
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
