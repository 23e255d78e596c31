import { LiveError } from "../live-error.ts";
import type { LiveFormat, ViewerControl } from "../live-media.ts";
import type { LiveSession } from "../live-session.ts";
import { decodeBinary } from "./binary-frame.ts";
import { type ClientMessage, PROTOCOL_VERSION } from "./client-message.ts";
import type { ParticipantOptions } from "./participant-options.ts";
import { CLOSE_CODES, type ServerMessage } from "./server-message.ts";
import { SocketViewer } from "./socket-viewer.ts";
import type { SoundCoder } from "./sound-coder.ts";
import { SpeechWindow } from "./speech-window.ts";

/** Somebody who has joined a session over a WebSocket: a viewer, or a speaker alone. */
export class Participant {
  readonly #options: ParticipantOptions;
  readonly #session: LiveSession;
  readonly #window: SpeechWindow;
  #viewer: SocketViewer | null = null;
  #control: ViewerControl | null = null;
  #coder: SoundCoder | null = null;
  #stopListening = () => {};
  /** The last segment that was opened from here. */
  #segment = 0;
  #hasLeft = false;

  private constructor(options: ParticipantOptions) {
    this.#options = options;
    this.#session = options.joined.known.session;
    this.#window = new SpeechWindow(() => this.#session.roomSamples);
  }

  /** @throws LiveError `no_format`, `ended`, `too_many`, `bad_message` */
  static async join(options: ParticipantOptions): Promise<Participant> {
    const { protocol } = options.offer;
    if (protocol !== PROTOCOL_VERSION) {
      throw new LiveError(
        "bad_message",
        `protocol ${protocol}: this edge speaks ${PROTOCOL_VERSION}`,
      );
    }
    const participant = new Participant(options);
    if (options.joined.role === "viewer") await participant.#watch();
    else participant.#begin(null);
    return participant;
  }

  handle(message: Exclude<ClientMessage, { type: "join" }>): void {
    this.#session.keepGoing();
    switch (message.type) {
      case "ack":
        this.#viewer?.acknowledge(message.sequence);
        break;
      case "key_frame":
        this.#control?.requestKeyFrame();
        break;
      case "bitrate":
        this.#control?.setVideoKilobits(message.kilobits);
        break;
      case "speech_end":
        this.#session.endSpeech(message.epoch);
        break;
      case "interrupt":
        this.#session.interrupt();
        break;
      case "ping": {
        const id = message.id === undefined ? {} : { id: message.id };
        this.#send({ type: "pong", ...id, timeMs: Math.round(this.#session.timeMs) });
        break;
      }
      case "leave":
        this.#options.close(1000, "left");
        break;
    }
  }

  /** @returns what is wrong with a binary message; null when nothing is */
  speech(data: ArrayBuffer): string | null {
    const message = decodeBinary(data);
    if (message?.header.kind !== "speech") {
      return "a binary message from a client is of version 1 and kind 16, speech";
    }
    const { body, header } = message;
    if (body.length % 2 !== 0 || body.length === 0) {
      return "speech has whole samples of 16 bits, and at least one";
    }
    const { byteOffset, length } = body;
    // The header's length is even, so the samples are aligned.
    const samples = new Int16Array(data, byteOffset, length / 2);
    this.#window.received(samples.length);
    try {
      this.#opened(this.#session.pushSpeech(samples, header.segment));
    } catch (error) {
      if (!(error instanceof LiveError)) throw error;
      const { code, message } = error;
      // What crosses with an interruption is nobody's mistake.
      if (code !== "old_epoch") this.#send({ type: "error", code, message });
    }
    return null;
  }

  /** Takes no further part. */
  leave(): void {
    if (this.#hasLeft) return;
    this.#hasLeft = true;
    this.#stopListening();
    this.#control?.leave();
    this.#coder?.free();
    const { logger, joined } = this.#options;
    const { known, tokenId, role } = joined;
    const droppedFrames = this.#viewer?.dropped ?? 0;
    logger.info("live session left", { session: this.#session.id, role, droppedFrames });
    if (known.participants.get(tokenId) === this) known.participants.delete(tokenId);
  }

  /** The same token has joined again. */
  replaced(): void {
    this.#options.close(CLOSE_CODES.replaced, "the same token has joined again");
  }

  async #watch(): Promise<void> {
    const { outbox, clock, offer } = this.#options;
    const format = this.#chooseFormat();
    this.#coder = this.#chooseCoder();
    if (format === null || !this.#coder) {
      this.#coder?.free();
      const wanted = format === null ? `video ${offer.video}` : `audio ${offer.audio}`;
      throw new LiveError(
        "no_format",
        `${wanted.slice(0, 80)}: this avatar can be had as jpeg, with the track also h264, and sound as pcm or opus`,
      );
    }
    const sound = this.#coder;
    const now = () => clock.now();
    const onError = (error: unknown) => {
      const fields = { session: this.#session.id, error: String(error) };
      this.#options.logger.error("sound could not be coded", fields);
    };
    const viewer = new SocketViewer({ format, outbox, sound, now, onError });
    this.#begin(viewer);
  }

  /** Takes part from now on: first of all it is told so. @throws LiveError */
  #begin(viewer: SocketViewer | null): void {
    const { known, tokenId } = this.#options.joined;
    // Whoever comes back takes the place that he has had.
    known.participants.get(tokenId)?.replaced();
    if (viewer) {
      const control = this.#session.attach(viewer);
      viewer.watch(control);
      this.#viewer = viewer;
      this.#control = control;
    }
    known.participants.set(tokenId, this);
    this.#greet();
    this.#listen();
  }

  #greet(): void {
    const { joined, settings } = this.#options;
    const { session, lifetime } = joined.known;
    const coder = this.#coder;
    this.#send({
      type: "joined",
      protocol: PROTOCOL_VERSION,
      session: session.id,
      role: joined.role,
      avatar: session.avatar.summary,
      video: this.#viewer?.format ?? null,
      audio: coder ? { codec: coder.codec, preSkip: coder.preSkip } : null,
      epoch: session.epoch,
      timeMs: Math.round(session.timeMs),
      remainingMs: Math.round(lifetime.remainingMs),
      idleTimeoutMs: 1000 * settings.idle_timeout_s,
      resumeMs: 1000 * settings.resume_s,
      speechWindow: this.#window.open(),
    });
  }

  #listen(): void {
    this.#stopListening = this.#session.listen({
      started: (segment, timestampMs) =>
        this.#send({ type: "playback_started", segment, timestampMs }),
      position: (segment, playedMs, timestampMs) =>
        this.#send({ type: "playback_position", segment, playedMs, timestampMs }),
      finished: (segment, playedMs, reason, error) => {
        const detail = error === null ? {} : { detail: this.#options.explain(error) };
        this.#send({ type: "playback_finished", segment, playedMs, reason, ...detail });
      },
      interrupted: (segment, epoch) => this.#send({ type: "interrupted", segment, epoch }),
      frame: () => this.#widen(),
      ending: (reason, inMs) => this.#send({ type: "ending", reason, inMs }),
      ended: (reason) => {
        this.#send({ type: "ended", reason });
        this.#options.close(reason === "going_away" ? 1001 : 1000, reason);
      },
    });
  }

  #opened(segment: number): void {
    if (segment === this.#segment) return;
    this.#segment = segment;
    this.#send({ type: "segment_opened", segment });
  }

  /** More may be sent when some has been heard. */
  #widen(): void {
    const samples = this.#window.widen();
    if (samples !== null) this.#send({ type: "speech_window", samples });
  }

  #chooseFormat(): LiveFormat | null {
    const { offer, canShow } = this.#options;
    for (const each of offer.video) {
      const isKnown = each === "h264" || each === "jpeg";
      if (isKnown && canShow(this.#session.avatar, each)) return each;
    }
    return null;
  }

  #chooseCoder(): SoundCoder | null {
    const { offer, openCoder } = this.#options;
    for (const each of offer.audio) {
      const coder = each === "opus" || each === "pcm" ? openCoder(each) : null;
      if (coder) return coder;
    }
    return null;
  }

  #send(message: ServerMessage): void {
    this.#options.outbox.push(JSON.stringify(message));
  }
}
