import { randomBytes } from "node:crypto";
import type { Clock } from "../../../avatar/clock.ts";
import type { Logger } from "../../../avatar/logger.ts";
import { createOpusEncoder } from "../../audio/opus-encoder.ts";
import type { ViewerControl } from "../../live/live-media.ts";
import { MediaSender, type MediaSenderStats } from "../../live/rtp/media-sender.ts";
import type { RateControllerOptions } from "../../live/rtp/rate-controller.ts";
import { type HostCandidate, writeAnswer } from "../../live/whep/answer.ts";
import type { Offer } from "../../live/whep/offer.ts";
import type { Attach } from "../../live/whep/whep.ts";
import { DtlsLink, type ExtensionIds } from "./dtls-link.ts";
import { IceLiteAgent } from "./ice-lite-agent.ts";
import { takeFeedback } from "./rtcp-feedback.ts";

export interface WebRtcPeerOptions {
  readonly offer: Offer;
  readonly attach: Attach;
  readonly clock: Clock;
  readonly unixMs: () => number;
  readonly logger: Logger;
  readonly candidates: readonly HostCandidate[];
  /** SHA-256 of our certificate. */
  readonly fingerprint: string;
  readonly rate: Omit<RateControllerOptions, "clock">;
  /** It is over, and all of it is given back. */
  readonly onClosed: (peer: WebRtcPeer) => void;
}

/** From the offer to the first picture; whoever needs longer will not make it. */
const CONNECT_LIMIT_MS = 15_000;
/** Checks come every few seconds; without them nobody consents to be sent to (RFC 7675, 5.1). */
const CONSENT_LIMIT_MS = 30_000;
const LOOK_INTERVAL_MS = 1000;

export type WebRtcPeerState = "connecting" | "connected" | "closed";

/** Somebody who watches by WebRTC. */
export class WebRtcPeer {
  readonly id = randomBytes(16).toString("base64url");
  readonly agent: IceLiteAgent;
  readonly answer: string;
  readonly #options: WebRtcPeerOptions;
  readonly #link: DtlsLink;
  readonly #sender: MediaSender;
  #control: ViewerControl | null = null;
  #state: WebRtcPeerState = "connecting";
  #cancel: () => void;

  constructor(options: WebRtcPeerOptions) {
    this.#options = options;
    const { offer, clock, unixMs, candidates, fingerprint, rate } = options;
    this.agent = new IceLiteAgent({
      clock,
      remoteUfrag: offer.iceUfrag,
      onConnected: () => this.#open(),
    });
    const [videoSsrc, retransmissionSsrc, audioSsrc] = threeSsrcs();
    const cname = randomBytes(9).toString("base64url");
    const { video, audio } = offer;
    const extensions = new Map<number, ExtensionIds>([
      [videoSsrc, video],
      [retransmissionSsrc, video],
    ]);
    if (audio) extensions.set(audioSsrc, audio);
    this.#link = new DtlsLink({
      clock,
      agent: this.agent,
      fingerprint: offer.fingerprint,
      cname,
      extensions,
      onRtcp: (packet) => takeFeedback(packet, this.#sender),
      onClosed: (reason) => this.close(reason),
    });
    const again = video.retransmissionType;
    this.#sender = new MediaSender({
      clock,
      unixMs,
      random32,
      link: this.#link,
      video: { ssrc: videoSsrc, payloadType: video.payloadType },
      retransmission: again === null ? null : { ssrc: retransmissionSsrc, payloadType: again },
      audio: audio && {
        ssrc: audioSsrc,
        payloadType: audio.payloadType,
        coder: createOpusEncoder(),
      },
      rate,
      onEnded: (reason) => this.close(reason),
    });
    this.answer = writeAnswer(offer, {
      sessionId: String(random32()),
      iceUfrag: this.agent.ufrag,
      icePassword: this.agent.password,
      fingerprint,
      candidates,
      cname,
      videoSsrc,
      retransmissionSsrc,
      audioSsrc,
    });
    this.#cancel = clock.after(CONNECT_LIMIT_MS, () => this.close("it did not connect in time"));
  }

  get state(): WebRtcPeerState {
    return this.#state;
  }

  get stats(): MediaSenderStats {
    return this.#sender.stats;
  }

  close(reason: string): void {
    if (this.#state === "closed") return;
    this.#state = "closed";
    this.#cancel();
    this.#sender.stop();
    this.#link.close();
    this.#options.onClosed(this);
    this.agent.close();
    this.#control?.leave();
    this.#control = null;
    this.#options.logger.info("a WebRTC peer has left", { peer: this.id, reason });
  }

  /** ICE has a path. */
  async #open(): Promise<void> {
    try {
      await this.#link.open();
      if (this.#state !== "connecting") return;
      this.#state = "connected";
      this.#cancel();
      this.#watch();
      this.#control = this.#options.attach(this.#sender);
      // Whoever attached may have ended it at once.
      if (this.state === "connected") this.#sender.start(this.#control);
      this.#options.logger.info("a WebRTC peer is connected", { peer: this.id });
    } catch (error) {
      this.close(`it could not be connected: ${error instanceof Error ? error.message : error}`);
    }
  }

  #watch(): void {
    this.#cancel = this.#options.clock.after(LOOK_INTERVAL_MS, () => {
      if (this.agent.silenceMs > CONSENT_LIMIT_MS) this.close("nothing is heard of it any more");
      else this.#watch();
    });
  }
}

function random32(): number {
  return randomBytes(4).readUInt32BE();
}

/** Different from each other, and not 0. */
function threeSsrcs(): [video: number, retransmission: number, audio: number] {
  const first = (random32() & 0x3fff_ffff) + 1;
  return [first, first + 1, first + 2];
}
