import type { PublishedAvatar } from "../../avatar/catalogue.ts";
import type { Clock } from "../../avatar/clock.ts";
import type { Logger } from "../../avatar/logger.ts";
import { SAMPLE_RATE } from "../../avatar/speech-timing.ts";
import type { CoreClient, MouthRegion } from "../core/core-client.ts";
import type { FrameComposer } from "../speak/frame-composer.ts";
import { FrameLoop } from "./frame-loop.ts";
import { LeadEstimate } from "./lead-estimate.ts";
import { LiveAudience } from "./live-audience.ts";
import { LiveComposers } from "./live-composers.ts";
import { LiveError } from "./live-error.ts";
import type { LiveFormat, LiveViewer, ViewerControl } from "./live-media.ts";
import { blendMouth, type OwnMouth } from "./mouth-blend.ts";
import type { SessionListener } from "./session-listener.ts";
import { SpeechIntake } from "./speech-intake.ts";
import { SpeechTrack, type SpokenMoment } from "./speech-track.ts";

/** After so many frames in a row that could not be made, there is no avatar to be shown: 5 s. */
const MAX_LOST_FRAMES = 125;

export interface LiveSessionOptions {
  /** Names the session in logs, and its calls at the core. */
  readonly id: string;
  readonly avatar: PublishedAvatar;
  /** A composer of its own for each format in use. @throws when the avatar has no such track */
  readonly composer: (format: LiveFormat) => Promise<FrameComposer>;
  readonly core: CoreClient;
  /** The background's own pixels under a mouth. */
  readonly ownMouth: OwnMouth;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly limits: LiveSessionLimits;
  /** What is known of the core's time for this avatar; default nothing. */
  readonly lead?: LeadEstimate;
}

export interface LiveSessionLimits {
  /** Seconds of speech that may wait to be heard. */
  readonly maxSpeechAheadS: number;
}

/** What a session has done, for metrics and whoever asks. */
export interface LiveSessionStats {
  readonly viewers: number;
  readonly timeMs: number;
  /** Moments that were shown. */
  readonly shownFrames: number;
  /** Frames that came too late and were skipped. */
  readonly skippedFrames: number;
  /** Frames that could not be made. */
  readonly lostFrames: number;
}

/**
 * A talking avatar on one clock: its background goes round for as long as
 * somebody watches, and speech lies on it. Knows nothing of how pictures and
 * sound get to those who watch.
 */
export class LiveSession {
  readonly #options: LiveSessionOptions;
  readonly #originMs: number;
  readonly #loop: FrameLoop;
  readonly #composers: LiveComposers;
  readonly #track: SpeechTrack;
  readonly #intake: SpeechIntake;
  readonly #audience = new LiveAudience();
  readonly #listeners = new Set<SessionListener>();
  /** The next one of the background's loop to be shown. */
  #position = 0;
  /** Nobody has seen anything since somebody watches again: the loop may begin nearby. */
  #isFresh = false;
  /** Counts times in which somebody watches. */
  #watch = 0;
  #shownFrames = 0;
  #lostFrames = 0;
  #lostInARow = 0;
  #ended: string | null = null;

  constructor(options: LiveSessionOptions) {
    const { avatar, core, clock, id: requestId, limits } = options;
    this.#options = options;
    this.#originMs = clock.now();
    this.#loop = new FrameLoop({
      clock,
      originMs: this.#originMs,
      onFrame: (timestampMs) => this.#show(timestampMs),
    });
    this.#composers = new LiveComposers(options.composer);
    const events = {
      started: (segment: number, timestampMs: number) =>
        this.#tell((each) => each.started?.(segment, timestampMs)),
      position: (segment: number, playedMs: number, timestampMs: number) =>
        this.#tell((each) => each.position?.(segment, playedMs, timestampMs)),
      finished: (...of: Parameters<Required<SessionListener>["finished"]>) => {
        this.#logFailure(of[3]);
        this.#tell((each) => each.finished?.(...of));
      },
    };
    const { lead = new LeadEstimate() } = options;
    this.#track = new SpeechTrack({ avatar, core, clock, requestId, events, lead });
    this.#intake = new SpeechIntake({
      track: this.#track,
      clock,
      maxSamples: Math.round(limits.maxSpeechAheadS * SAMPLE_RATE),
    });
  }

  get id(): string {
    return this.#options.id;
  }

  get avatar(): PublishedAvatar {
    return this.#options.avatar;
  }

  /** Milliseconds since the session began: what its timestamps count. */
  get timeMs(): number {
    return this.#options.clock.now() - this.#originMs;
  }

  /** Grows with each interruption; speech from before one is void. */
  get epoch(): number {
    return this.#intake.epoch;
  }

  /** Samples of speech that may be sent now. */
  get roomSamples(): number {
    return this.#intake.roomSamples;
  }

  /** Whether anything is said, or waits to be. */
  get isSpeaking(): boolean {
    return !this.#track.isEmpty;
  }

  /** Why it is over; null while it is not. */
  get ended(): string | null {
    return this.#ended;
  }

  get stats(): LiveSessionStats {
    return {
      viewers: this.#audience.size,
      timeMs: this.timeMs,
      shownFrames: this.#shownFrames,
      skippedFrames: this.#loop.skipped,
      lostFrames: this.#lostFrames,
    };
  }

  /** Who watches, for operators. */
  get viewers(): LiveAudience["reports"] {
    return this.#audience.reports;
  }

  /** @returns stops telling */
  listen(listener: SessionListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Shows the session to somebody, from a key frame on. @throws LiveError `ended`, `too_many` */
  attach(viewer: LiveViewer): ViewerControl {
    this.#checkAlive();
    this.#audience.add(viewer);
    this.#viewersChanged();
    this.#composers.requestKeyFrame(viewer.format);
    this.keepGoing();
    const isHere = () => this.#audience.has(viewer);
    return {
      requestKeyFrame: () => {
        if (isHere()) this.#composers.requestKeyFrame(viewer.format);
      },
      setVideoKilobits: (limit) => {
        this.#audience.limit(viewer, limit);
        this.#limitRates();
      },
      leave: () => {
        if (isHere()) this.#leave(viewer);
      },
    };
  }

  /**
   * Goes on, if anybody watches, where the loop has stopped or died with the
   * request that ran it: in Workers each connection has to see to that.
   */
  keepGoing(): void {
    if (this.#audience.size === 0 || this.#loop.isRunning) return;
    // The background has gone on while nobody watched.
    this.#position += Math.max(0, this.#loop.now - this.#loop.frame);
    this.#isFresh = true;
    this.#watch++;
    this.#track.rest();
    this.#composers.keep(new Set());
    this.#composers.keep(this.#audience.formats);
    this.#limitRates();
    this.#loop.start();
  }

  /**
   * Adds to what the avatar says; begins a segment unless one is open.
   * @param samples 16-bit mono, 16 kHz
   * @param epoch of whoever sends, where an interruption may cross with it
   * @returns the segment
   * @throws LiveError `ended`, `too_much_speech`, `old_epoch`; nothing of `samples` is taken then
   */
  pushSpeech(samples: Int16Array, epoch = this.epoch): number {
    this.#checkAlive();
    const segment = this.#intake.push(samples, epoch);
    this.#wakeTrack();
    return segment;
  }

  /** What was pushed is all of it: the segment that is open ends there. */
  endSpeech(epoch = this.epoch): void {
    this.#intake.end(epoch);
    this.#wakeTrack();
  }

  /** Silences the avatar, now. What has not been heard of any segment so far is void. */
  interrupt(): void {
    if (this.#ended !== null) return;
    const segment = this.#intake.interrupt();
    this.#audience.interrupted(segment);
    // First of all the epoch: whoever hears that he was cut short may go on at once.
    this.#tell((each) => each.interrupted?.(segment, this.epoch));
    this.#track.clear("interrupted", segment);
  }

  /** Tells all that the session will end. */
  announceEnd(reason: string, inMs: number): void {
    if (this.#ended === null) this.#tell((each) => each.ending?.(reason, inMs));
  }

  /** Ends it for all. */
  end(reason: string): void {
    if (this.#ended !== null) return;
    this.#ended = reason;
    this.#loop.stop();
    this.#track.clear("ended", Number.POSITIVE_INFINITY);
    this.#track.rest();
    this.#audience.ended(reason);
    this.#composers.keep(new Set());
    this.#tell((each) => each.ended?.(reason));
    this.#listeners.clear();
  }

  /** Mouths need not wait for the next frame to be asked for. */
  #wakeTrack(): void {
    if (this.#audience.size === 0 || this.#isFresh || !this.#loop.isRunning) return;
    this.#track.wake(this.#position, this.#loop.nextInMs);
  }

  #checkAlive(): void {
    if (this.#ended !== null) {
      throw new LiveError("ended", `the session is over: ${this.#ended}`);
    }
  }

  #leave(viewer: LiveViewer): void {
    this.#audience.remove(viewer);
    this.#viewersChanged();
    if (this.#audience.size > 0) return;
    this.#loop.stop();
    // Speech waits for somebody to hear it.
    this.#track.rest();
  }

  #viewersChanged(): void {
    this.#composers.keep(this.#audience.formats);
    this.#limitRates();
    this.#tell((each) => each.viewers?.(this.#audience.size));
  }

  #limitRates(): void {
    for (const format of this.#audience.formats) {
      this.#composers.setKilobits(format, this.#audience.kilobitsOf(format));
    }
  }

  async #show(timestampMs: number): Promise<void> {
    const watch = this.#watch;
    if (this.#isFresh) this.#position = await this.#composers.startFor(this.#position);
    if (watch !== this.#watch) return;
    this.#isFresh = false;
    const position = this.#position++;
    const moment = this.#track.at(position, timestampMs);
    const { segment, sound } = moment;
    if (sound && segment !== null) {
      this.#audience.sound({ samples: sound, timestampMs, segment });
    }
    const epoch = this.epoch;
    const mouth = await this.#mouth(moment, position);
    const frames = await this.#composers.compose(position, mouth, (format, error) => {
      this.#lose(format, position, error);
    });
    // All have left meanwhile; those who came since see another stream.
    if (watch !== this.#watch) return;
    // Interrupted meanwhile: the picture still is the next one of its stream, but nobody's words.
    const shown = epoch === this.epoch ? segment : null;
    if (this.#audience.show(frames, { timestampMs, position, segment: shown })) {
      this.#lostInARow = 0;
    }
    this.#shownFrames++;
    this.#tell((each) => each.frame?.(timestampMs));
  }

  async #mouth({ mouth }: SpokenMoment, position: number): Promise<MouthRegion | null> {
    if (!mouth) return null;
    const { avatar, ownMouth } = this.#options;
    try {
      return await blendMouth(mouth, avatar, position, ownMouth);
    } catch (error) {
      this.#options.logger.warn("a mouth could not be blended", { error: String(error) });
      return null;
    }
  }

  #lose(format: LiveFormat, position: number, error: unknown): void {
    this.#lostFrames++;
    this.#lostInARow++;
    if (this.#lostInARow === 1) {
      const fields = { session: this.id, format, position, error: String(error) };
      this.#options.logger.error("a live frame could not be made", fields);
    }
    if (this.#lostInARow >= MAX_LOST_FRAMES) this.end("unavailable");
  }

  #logFailure(error: unknown): void {
    if (error === null) return;
    const fields = { session: this.id, error: String(error) };
    this.#options.logger.warn("speech of a live session failed", fields);
  }

  #tell(call: (listener: SessionListener) => void): void {
    for (const listener of this.#listeners) call(listener);
  }
}
