import type { PublishedAvatar } from "../../avatar/catalogue.ts";
import type { Clock } from "../../avatar/clock.ts";
import { FRAMES_PER_SECOND } from "../../avatar/speech-timing.ts";
import type { CoreClient } from "../core/core-client.ts";
import type { LeadEstimate } from "./lead-estimate.ts";
import type { WeighedMouth } from "./mouth-blend.ts";
import { MouthFeed } from "./mouth-feed.ts";
import { mouthWeight } from "./mouth-weight.ts";
import { SpareTime } from "./spare-time.ts";
import type { FinishReason, SpeechEvents } from "./speech-events.ts";
import type { SpeechSegment } from "./speech-segment.ts";

const FRAME_MS = 1000 / FRAMES_PER_SECOND;
/** Speech that nothing more comes of for so long has ended, whether it says so or not. */
const STARVED_MS = 1000;
/** How often those who gave speech are told how far it is: five times a second. */
const POSITION_FRAMES = 5;
/** Who is cut short shuts his mouth within two frames: half of it, and all of it. */
const INTERRUPTED_STEP = 2;

export interface SpeechTrackOptions {
  readonly avatar: PublishedAvatar;
  readonly core: CoreClient;
  readonly clock: Clock;
  readonly requestId: string;
  readonly events: SpeechEvents;
  /** How long the core takes for mouths of this avatar, as others have seen it. */
  readonly lead: LeadEstimate;
}

/** What is spoken at one position of the background. */
export interface SpokenMoment {
  /** Null where nobody speaks. */
  readonly segment: number | null;
  readonly sound: Int16Array<ArrayBuffer> | null;
  /** Null: the background's own mouth. */
  readonly mouth: WeighedMouth | null;
}

/** Frames of a segment on their way, from one of them on without a gap. */
interface Run {
  readonly segment: SpeechSegment;
  readonly feed: MouthFeed;
  readonly from: number;
  /** Position of frame 0. */
  readonly start: number;
  readonly spare: SpareTime;
}

/**
 * Speech on the background's loop: segments one after the other, each placed
 * so far ahead that its mouths can be there. A mouth belongs to one position;
 * when it is late, or there is no speech to make it from, the segment pauses,
 * sound and mouth alike, and is placed anew.
 */
export class SpeechTrack {
  readonly #options: SpeechTrackOptions;
  /** Segments in order; the first is the one that is or will be spoken. */
  readonly #queue: SpeechSegment[] = [];
  #run: Run | null = null;
  /** Placed behind the one that is ending, so that there is no gap between them. */
  #following: Run | null = null;
  /** The next frame of the first segment. */
  #next = 0;
  /** What was seen last, while the mouth closes. */
  #closing: WeighedMouth | null = null;
  /** How much of it goes with each frame. */
  #closingStep = 1;

  constructor(options: SpeechTrackOptions) {
    this.#options = options;
  }

  /** Samples that wait to be heard. */
  get waitingSamples(): number {
    return this.#queue.reduce(
      (sum, segment, n) => sum + segment.samplesFrom(n === 0 ? this.#next : 0),
      0,
    );
  }

  get isEmpty(): boolean {
    return this.#queue.length === 0;
  }

  get segments(): number {
    return this.#queue.length;
  }

  add(segment: SpeechSegment): void {
    this.#queue.push(segment);
  }

  /**
   * Something has come, or has ended: asks for mouths at once where that makes them sooner.
   * @param position the next one to be shown
   * @param inMs when that will be
   */
  wake(position: number, inMs: number): void {
    this.#place(position, inMs);
    if (!this.#run) return;
    const { segment, start, spare } = this.#run;
    const newest = segment.mouthFrames - 1;
    spare.observe(newest, start + newest - position - this.#leadFrames(inMs));
  }

  /** What is spoken at a position; they come one after the other. */
  at(position: number, timestampMs: number): SpokenMoment {
    this.#endStarved();
    this.#pause(position);
    this.#place(position, 0);
    const run = this.#run;
    if (!run) return this.#silence();
    const { segment, feed, start } = run;
    const due = this.#next;
    const frame = position - start;
    if (frame >= due && due >= (segment.frames ?? Number.POSITIVE_INFINITY)) {
      this.#finish("complete", null);
      return this.at(position, timestampMs);
    }
    const isReady = feed.has(due) || (segment.isEnded && due >= segment.mouthFrames);
    if (!isReady && feed.error !== null) {
      this.#finish("failed", feed.error);
      return this.#silence();
    }
    if (!isReady || frame !== due) return this.#silence();
    return this.#speak(run, frame, timestampMs);
  }

  /** Ends segments up to one of them, at once; the mouth closes over the next frames. */
  clear(reason: FinishReason, last: number): void {
    // Whoever hears of it may have something else to say already.
    while (this.#queue.length > 0 && this.#queue[0]!.id <= last) this.#finish(reason, null);
    if (reason === "interrupted") this.#closingStep = INTERRUPTED_STEP;
  }

  /** Nobody watches: what was placed is placed anew when somebody does. */
  rest(): void {
    this.#stopRuns();
    this.#closing = null;
  }

  #speak(run: Run, frame: number, timestampMs: number): SpokenMoment {
    const { events } = this.#options;
    const { segment, feed, from } = run;
    const sound = segment.sound(frame);
    const weight = mouthWeight(segment, frame, from);
    const region = feed.take(frame);
    const mouth = region && weight > 0 ? { mouth: region, weight } : null;
    if (mouth) {
      this.#closing = mouth;
      this.#closingStep = 1;
    }
    if (frame === 0) events.started(segment.id, timestampMs);
    else if (frame % POSITION_FRAMES === 0) {
      events.position(segment.id, frame * FRAME_MS, timestampMs);
    }
    this.#next = frame + 1;
    segment.forgetBefore(this.#next);
    return {
      segment: segment.id,
      sound: sound.length > 0 ? sound : null,
      mouth: mouth ?? this.#silence().mouth,
    };
  }

  /** Nothing is said; a mouth that was open closes over a few frames. */
  #silence(): SpokenMoment {
    const last = this.#closing;
    const weight = last ? last.weight - this.#closingStep : 0;
    this.#closing = last && weight > 0 ? { mouth: last.mouth, weight } : null;
    return { segment: null, sound: null, mouth: this.#closing };
  }

  /**
   * Sees to it that what can be spoken has its place, and that its mouths are asked for.
   * @param inMs until the position is shown
   */
  #place(position: number, inMs: number): void {
    const [segment, after] = this.#queue;
    if (!segment) return;
    const earliest = position + this.#leadFrames(inMs);
    if (!this.#run && this.#canBegin(segment, this.#next)) {
      this.#run = this.#begin(segment, this.#next, earliest - this.#next);
    }
    // Those cannot wait that would be late if they were asked for a frame from now.
    if (this.#run) this.#run.feed.pump(this.#next, earliest + 1 - this.#run.start);
    const end = this.#run && segment.frames !== null ? this.#run.start + segment.frames : null;
    if (end === null || !after || end > earliest) return;
    if (!this.#following && this.#canBegin(after, 0)) {
      this.#following = this.#begin(after, 0, earliest);
    }
    this.#following?.feed.pump(0, earliest + 1 - this.#following.start);
  }

  /** Frames that pass, from one on that is shown in so many milliseconds, until the core has answered. */
  #leadFrames(inMs: number): number {
    return Math.max(0, Math.ceil((this.#options.lead.ms - inMs) / FRAME_MS));
  }

  /** A run that has missed its place, or is later than it need be, ends: it is placed anew. */
  #pause(position: number): void {
    const run = this.#run;
    if (!run) return;
    if (this.#mustPause(run, position)) {
      this.#stopRuns();
      return;
    }
    const skipped = this.#skippable(run);
    if (skipped <= 0) return;
    this.#stopRuns();
    this.#next += skipped;
    this.#run = this.#begin(run.segment, this.#next, position - this.#next);
  }

  /**
   * Frames of silence that can be left out. Speech that comes as it is spoken need not be
   * later than the core's time makes it, unless something was late: pauses that were made
   * then are taken back here, so that a conversation does not become slower and slower.
   */
  #skippable({ segment, feed, spare }: Run): number {
    const most = segment.isEnded || !segment.isInRealTime ? 0 : spare.frames;
    if (most === 0 || this.#closing !== null) return 0;
    // The mouths behind the silence have to be asked for yet.
    const lead = this.#leadFrames(0) + 1;
    let silent = 0;
    while (silent < most + lead && feed.isSilent(this.#next + silent)) silent++;
    return Math.min(most, silent - lead);
  }

  /** Whether the run has missed its place, and what it waited for is there: it is placed anew. */
  #mustPause({ segment, feed, start }: Run, position: number): boolean {
    const due = this.#next;
    const frame = position - start;
    if (frame < due) return false;
    // There is nothing to make it from.
    if (!segment.isEnded && due >= segment.mouthFrames) return true;
    // What the core is late with is waited for, so that a slow core is not asked for more.
    const isPastMouths = segment.isEnded && due >= segment.mouthFrames;
    return frame > due && (feed.has(due) || isPastMouths);
  }

  #canBegin(segment: SpeechSegment, frame: number): boolean {
    return segment.isEnded || segment.mouthFrames > frame;
  }

  #begin(segment: SpeechSegment, from: number, start: number): Run {
    const { core, avatar, clock, requestId } = this.#options;
    const onLatency = (ms: number) => this.#options.lead.observe(ms, clock.now());
    const options = { core, avatar, clock, requestId, segment, from, start, onLatency };
    return { segment, feed: new MouthFeed(options), from, start, spare: new SpareTime() };
  }

  #endStarved(): void {
    const [segment] = this.#queue;
    if (!segment || segment.isEnded) return;
    const { clock } = this.#options;
    if (clock.now() - segment.lastPushMs < STARVED_MS) return;
    if (this.#next >= segment.mouthFrames) segment.end();
  }

  #finish(reason: FinishReason, error: unknown): void {
    const segment = this.#queue.shift();
    if (!segment) return;
    const playedMs = Math.min(this.#next * FRAME_MS, segment.samples / 16);
    if (reason === "failed") segment.discard();
    else segment.end();
    this.#run?.feed.stop();
    this.#run = reason === "complete" ? this.#following : null;
    if (this.#run === null) this.#following?.feed.stop();
    this.#following = null;
    this.#next = 0;
    this.#options.events.finished(segment.id, Math.round(playedMs), reason, error);
  }

  #stopRuns(): void {
    this.#run?.feed.stop();
    this.#following?.feed.stop();
    this.#run = null;
    this.#following = null;
  }
}
