import type { Clock } from "../../../avatar/clock.ts";
import type {
  LiveFrame,
  LiveSound,
  LiveViewer,
  ViewerControl,
  ViewerReport,
} from "../live-media.ts";
import { packetiseAccessUnit } from "./h264-packetiser.ts";
import { KeyFrameRequests } from "./key-frame-requests.ts";
import { compactNtp, MediaClock, rtpTimestamp } from "./media-clock.ts";
import { Pacer } from "./pacer.ts";
import { RateController, type RateControllerOptions } from "./rate-controller.ts";
import { Retransmissions } from "./retransmissions.ts";
import { type Random32, type RtpPacket, RtpStream, type RtpStreamCounts } from "./rtp-packet.ts";
import { SentPackets } from "./sent-packets.ts";
import { SpeechQueue } from "./speech-queue.ts";
import { type PayloadPlace, VideoQueue } from "./video-queue.ts";

/** A sender report (RFC 3550, 6.4.1) but for its header. */
export interface SenderReport extends RtpStreamCounts {
  readonly ssrc: number;
  readonly ntp: bigint;
  readonly rtpTimestamp: number;
}

/** A report block about one of the streams, as it came. */
export interface ReportBlock {
  readonly ssrc: number;
  readonly highestSequence: number;
  readonly lost: number;
  /** Middle bits of the NTP time of the last sender report, and how long ago it came, in 1/65536 s; 0 for none. */
  readonly lastReport: number;
  readonly sinceLastReport: number;
}

/** The way to one receiver. Neither method may throw or block. */
export interface RtpLink {
  send(packet: RtpPacket): void;
  report(reports: readonly SenderReport[]): void;
}

/** Codes 20 ms of sound, 320 samples of 16 kHz, as one Opus packet. */
export interface SpeechCoder {
  encode(samples: Int16Array): Uint8Array;
  /** It is not used any more. May be called again. */
  free(): void;
}

/** What was agreed upon for one direction of a medium. */
export interface StreamIds {
  readonly ssrc: number;
  readonly payloadType: number;
}

export interface MediaSenderOptions {
  readonly clock: Clock;
  /** Unix time in milliseconds. */
  readonly unixMs: () => number;
  readonly random32: Random32;
  readonly link: RtpLink;
  readonly video: StreamIds;
  /** For retransmissions; null when the receiver takes none. */
  readonly retransmission: StreamIds | null;
  /** Null when the receiver wants no sound. */
  readonly audio: (StreamIds & { readonly coder: SpeechCoder }) | null;
  readonly rate?: Omit<RateControllerOptions, "clock">;
  readonly onEnded: (reason: string) => void;
}

/** A sender's state, for statistics. */
export interface MediaSenderStats {
  readonly kilobits: number;
  readonly lossShare: number;
  /** Null while it is not known. */
  readonly roundTripMs: number | null;
  readonly framesSent: number;
  readonly framesDropped: number;
  readonly retransmitted: number;
  readonly keyFrameRequests: number;
  readonly queuedBytes: number;
}

const VIDEO_HZ = 90_000;
const AUDIO_HZ = 48_000;
const REPORT_INTERVAL_MS = 1000;
/** Sender reports that a round trip can still be told from. */
const REPORTS_KEPT = 8;
/** Of the estimate: a key frame may be sent faster than the mean, which leaves room for the rest (as libwebrtc does). */
const PACING_FACTOR = 2.5;
/** Opus and its headers, in kilobits per second. */
const AUDIO_KILOBITS = 40;
/** Smaller changes are not passed on. */
const CHANGE_SHARE = 0.05;

/**
 * A live session's viewer at the end of an RTP link: packets, pacing, repairs
 * and how much may be sent. Begins with `start`; what comes before is dropped.
 */
export class MediaSender implements LiveViewer {
  readonly format = "h264";
  readonly #options: MediaSenderOptions;
  readonly #mediaClock: MediaClock;
  readonly #rate: RateController;
  readonly #pacer: Pacer;
  readonly #queue: VideoQueue;
  readonly #speech: SpeechQueue | null;
  readonly #video: RtpStream;
  readonly #audio: RtpStream | null = null;
  readonly #videoOffset: number;
  readonly #audioOffset: number;
  readonly #sentPackets: SentPackets;
  readonly #retransmissions: Retransmissions | null = null;
  readonly #keyFrames: KeyFrameRequests;
  /** When sender reports went out, by the middle bits of their NTP time. */
  readonly #reportedAtMs = new Map<number, number>();
  #control: ViewerControl | null = null;
  #cancelReport: (() => void) | null = null;
  #toldKilobits = 0;
  #roundTripMs: number | null = null;
  #framesSent = 0;
  #isStopped = false;

  constructor(options: MediaSenderOptions) {
    this.#options = options;
    const { clock, random32, link, video, retransmission, audio } = options;
    const send = (packet: RtpPacket) => link.send(packet);
    this.#mediaClock = new MediaClock(clock, options.unixMs);
    this.#rate = new RateController({ clock, ...options.rate });
    this.#keyFrames = new KeyFrameRequests(clock, () => this.#control?.requestKeyFrame());
    this.#sentPackets = new SentPackets(clock);
    this.#video = new RtpStream(video, random32, send);
    this.#videoOffset = random32();
    this.#audioOffset = random32();
    this.#queue = new VideoQueue({
      clock,
      send: (payload, place) => this.#sendVideo(payload, place),
      onNeedsKeyFrame: () => this.#keyFrames.request(),
    });
    const sources: (Retransmissions | VideoQueue)[] = [this.#queue];
    if (retransmission) {
      const stream = new RtpStream(retransmission, random32, send);
      this.#retransmissions = new Retransmissions(stream, (bytes) => this.#rate.sent(bytes));
      sources.unshift(this.#retransmissions);
    }
    this.#pacer = new Pacer({ clock, sources, rate: PACING_FACTOR * this.#rate.kilobits });
    this.#speech = audio && this.#openSpeech(audio.coder);
    if (audio) this.#audio = new RtpStream(audio, random32, send);
  }

  get report(): ViewerReport {
    return { transport: "webrtc", droppedFrames: this.#queue.dropped };
  }

  get stats(): MediaSenderStats {
    return {
      kilobits: this.#rate.kilobits,
      lossShare: this.#rate.lossShare,
      roundTripMs: this.#roundTripMs,
      framesSent: this.#framesSent,
      framesDropped: this.#queue.dropped,
      retransmitted: this.#retransmissions?.count ?? 0,
      keyFrameRequests: this.#keyFrames.passed,
      queuedBytes: this.#queue.bytes,
    };
  }

  /** The link is there: what the session makes from now on is sent. */
  start(control: ViewerControl): void {
    if (this.#isStopped) return;
    this.#control = control;
    this.#tellRate();
    this.#keyFrames.request();
    this.#report();
  }

  stop(): void {
    this.#isStopped = true;
    this.#control = null;
    this.#pacer.stop();
    this.#speech?.stop();
    this.#options.audio?.coder.free();
    this.#keyFrames.stop();
    this.#cancelReport?.();
  }

  frame({ format, parts, isKeyFrame, timestampMs }: LiveFrame): void {
    if (this.#control === null || format !== "h264" || parts.length === 0) return;
    const isFirst = !this.#mediaClock.isSet;
    this.#mediaClock.observe(timestampMs);
    // Receivers cannot put sound and picture together before they have one.
    if (isFirst) this.#report();
    if (isKeyFrame) {
      this.#keyFrames.answered();
      this.#retransmissions?.clear();
    }
    this.#orEnd(() => this.#queue.push(packetiseAccessUnit(parts), timestampMs, isKeyFrame));
    this.#pacer.wake();
  }

  sound(sound: LiveSound): void {
    if (this.#control === null || !this.#speech) return;
    if (!this.#mediaClock.isSet) this.#mediaClock.observe(sound.timestampMs);
    this.#speech.push(sound);
  }

  interrupted(segment: number): void {
    this.#speech?.drop(segment);
  }

  ended(reason: string): void {
    this.stop();
    this.#options.onEnded(reason);
  }

  /** Generic NACK (RFC 4585, 6.2.1). */
  lost(ssrc: number, sequenceNumbers: readonly number[]): void {
    if (ssrc !== this.#video.ssrc || !this.#retransmissions || this.#isStopped) return;
    for (const number of sequenceNumbers) {
      const packet = this.#sentPackets.take(number, this.#roundTripMs);
      if (packet === "gone") this.#keyFrames.request();
      else if (packet) this.#retransmissions.push(packet);
    }
    this.#pacer.wake();
  }

  /** PLI or FIR (RFC 4585, 6.3.1; RFC 5104, 4.3.1): nothing but a key frame helps. */
  pictureLost(): void {
    if (this.#control) this.#keyFrames.request();
  }

  /** REMB, in kilobits per second. */
  receiverEstimate(kilobits: number): void {
    this.#rate.receiverEstimate(kilobits);
    this.#tellRate();
  }

  reported({ ssrc, highestSequence, lost, lastReport, sinceLastReport }: ReportBlock): void {
    const reportedAtMs = this.#reportedAtMs.get(lastReport);
    if (reportedAtMs !== undefined) {
      const heldMs = (sinceLastReport / 65_536) * 1000;
      this.#roundTripMs = Math.max(0, this.#options.clock.now() - reportedAtMs - heldMs);
    }
    if (ssrc !== this.#video.ssrc) return;
    const roundTripMs = reportedAtMs === undefined ? null : this.#roundTripMs;
    this.#rate.report({ highestSequence, lost, roundTripMs });
    this.#tellRate();
  }

  #openSpeech(coder: SpeechCoder): SpeechQueue {
    const { clock } = this.#options;
    const send = (samples: Int16Array, timestampMs: number, isFirst: boolean) => {
      const timestamp = rtpTimestamp(timestampMs, AUDIO_HZ, this.#audioOffset);
      this.#orEnd(() => {
        // The marker begins a talkspurt (RFC 3551, 4.1).
        const { payload } = this.#audio!.send(coder.encode(samples), timestamp, isFirst);
        this.#pacer.debit(payload.length);
      });
    };
    return new SpeechQueue({ clock, mediaClock: this.#mediaClock, send });
  }

  /** What cannot be packed or coded ends this viewer, and nobody else. */
  #orEnd(call: () => void): void {
    try {
      call();
    } catch (error) {
      if (!this.#isStopped) this.ended(error instanceof Error ? error.message : String(error));
    }
  }

  #sendVideo(payload: Uint8Array, { timestampMs, isKeyStart, isLast }: PayloadPlace): number {
    const timestamp = rtpTimestamp(timestampMs, VIDEO_HZ, this.#videoOffset);
    const packet = this.#video.send(payload, timestamp, isLast);
    if (this.#retransmissions) this.#sentPackets.add(packet, isKeyStart);
    this.#rate.sent(payload.length);
    if (isLast) this.#framesSent++;
    return payload.length;
  }

  #tellRate(): void {
    const kilobits = this.#rate.kilobits;
    this.#pacer.setRate(PACING_FACTOR * kilobits);
    const told = this.#toldKilobits;
    if (Math.abs(kilobits - told) <= CHANGE_SHARE * told) return;
    this.#toldKilobits = kilobits;
    const audio = this.#audio ? AUDIO_KILOBITS : 0;
    this.#control?.setVideoKilobits(Math.round(kilobits - audio));
  }

  #report(): void {
    this.#cancelReport?.();
    this.#cancelReport = this.#options.clock.after(REPORT_INTERVAL_MS, () => this.#report());
    const moment = this.#mediaClock.moment();
    if (!moment) return;
    const { mediaMs, ntp } = moment;
    const { ssrc, counts } = this.#video;
    const videoTime = rtpTimestamp(mediaMs, VIDEO_HZ, this.#videoOffset);
    const reports = [{ ssrc, ntp, rtpTimestamp: videoTime, ...counts }];
    if (this.#audio) {
      const { ssrc, counts } = this.#audio;
      const audioTime = rtpTimestamp(mediaMs, AUDIO_HZ, this.#audioOffset);
      reports.push({ ssrc, ntp, rtpTimestamp: audioTime, ...counts });
    }
    this.#noteReport(compactNtp(ntp));
    this.#options.link.report(reports);
  }

  #noteReport(compact: number): void {
    this.#reportedAtMs.set(compact, this.#options.clock.now());
    if (this.#reportedAtMs.size <= REPORTS_KEPT) return;
    for (const oldest of this.#reportedAtMs.keys()) {
      this.#reportedAtMs.delete(oldest);
      break;
    }
  }
}
