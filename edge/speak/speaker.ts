import type { Context as TraceContext } from "@opentelemetry/api";
import type { PublishedAvatar } from "../../avatar/catalogue.ts";
import { backgroundIndex } from "../../avatar/playback.ts";
import { FRAMES_PER_SECOND } from "../../avatar/speech-timing.ts";
import type { Caller, Tenant } from "../access/caller.ts";
import type { PreparedFrames } from "../background/prepared-frames.ts";
import type { PreparedFrame, Splicer } from "../compositor/splicer.ts";
import {
  CoreCallError,
  type CoreClient,
  type CoreTimes,
  type MouthRegion,
} from "../core/core-client.ts";
import { Leases } from "../core/leases.ts";
import { RequestError } from "../http/request-error.ts";
import type { ImageFormat } from "./image-format.ts";
import { streamMouths } from "./mouth-stream.ts";
import { cutSpeechWindows } from "./speech-windows.ts";

export interface SpeakerOptions {
  readonly core: CoreClient;
  readonly prepared: PreparedFrames;
  readonly splicer: Splicer;
  /** Utterances at the same time. */
  readonly maxSpeaking: number;
  readonly now: () => number;
}

export interface SpeakRequest {
  /** On whose account it goes. */
  readonly caller: Caller;
  readonly avatar: PublishedAvatar;
  /** 16-bit mono, 16 kHz. */
  readonly speech: AsyncIterable<Int16Array>;
  /** Playback position of the first frame, in frames. */
  readonly start: number;
  readonly format: ImageFormat;
  readonly signal: AbortSignal;
  readonly requestId: string;
  /** See CallOptions. */
  readonly deadlineMs?: number | undefined;
  /** Trace that the work belongs to. */
  readonly trace?: TraceContext | undefined;
}

/** A complete frame of a talking avatar. */
export interface SpokenFrame {
  /** Position in the utterance, in frames. */
  readonly frame: number;
  /** Time from the start of the utterance. */
  readonly timeMs: number;
  readonly backgroundIndex: number;
  /** A PNG or JPEG file, in parts. Shared with other frames: do not write to them. */
  readonly image: readonly Uint8Array<ArrayBuffer>[];
  /** What the frame cost here, in milliseconds. */
  readonly times: EdgeTimes;
  /** What frames up to this one cost at the core; on some frames only. */
  readonly coreTimes: CoreTimes | null;
}

export interface EdgeTimes {
  /** Waiting for the prepared frame. */
  readonly backgroundMs: number;
  readonly spliceMs: number;
}

/** Two reads of a pack, or some time for frames that have to be prepared. */
const AHEAD_FRAMES = 12;
/** An utterance of which no frame was made for so long is counted no more. */
const LAPSE_MS = 120_000;

/** Makes avatars speak: speech in, complete frames out. */
export class Speaker {
  readonly #options: SpeakerOptions;
  readonly #speaking: Leases;
  /** By tenant, for those with a limit of their own. */
  readonly #byTenant = new Map<string, Leases>();

  constructor(options: SpeakerOptions) {
    this.#options = options;
    this.#speaking = new Leases(options.now, LAPSE_MS);
  }

  /** Utterances under way. */
  get speaking(): number {
    return this.#speaking.count;
  }

  /**
   * The frames of an utterance, each made when it is asked for.
   * @throws RequestError 429, CoreCallError, AvatarError and what `speech` throws
   */
  async *speak(request: SpeakRequest): AsyncGenerator<SpokenFrame> {
    const { maxSpeaking, core } = this.#options;
    if (this.#speaking.count >= maxSpeaking) {
      throw new RequestError(
        429,
        `${maxSpeaking} avatars are speaking here already (limits.max_speaking): try again shortly`,
        1,
      );
    }
    const own = this.#checkQuota(request.caller.tenant)?.begin();
    const lease = this.#speaking.begin();
    try {
      const { avatar, start } = request;
      const windows = cutSpeechWindows(request.speech);
      this.#readAhead(request, start);
      for await (const mouth of streamMouths(core, avatar.summary, windows, start, request)) {
        lease.touch();
        own?.touch();
        this.#readAhead(request, start + mouth.frame + 1);
        yield await this.#compose(request, mouth);
      }
    } finally {
      lease.end();
      own?.end();
    }
  }

  /** What counts the tenant's utterances; null when nothing does. @throws RequestError 429 */
  #checkQuota(tenant: Tenant | null): Leases | null {
    if (!tenant || tenant.maxSpeaking === null) return null;
    const { now } = this.#options;
    const known = this.#byTenant.get(tenant.id);
    const leases = known ?? new Leases(now, LAPSE_MS);
    if (!known) this.#byTenant.set(tenant.id, leases);
    if (leases.count < tenant.maxSpeaking) return leases;
    throw new RequestError(
      429,
      `${tenant.maxSpeaking} avatars of ${tenant.id} are speaking already: try again shortly`,
      1,
    );
  }

  async #compose({ avatar, format }: SpeakRequest, mouth: MouthRegion): Promise<SpokenFrame> {
    const { prepared, splicer, now } = this.#options;
    const started = now();
    const frame = await prepared.get(avatar, mouth.backgroundIndex, format);
    checkRegion(frame, mouth);
    const splicing = now();
    const image = splicer.splice(frame, mouth.pixels);
    return {
      frame: mouth.frame,
      timeMs: Math.round((mouth.frame * 1000) / FRAMES_PER_SECOND),
      backgroundIndex: mouth.backgroundIndex,
      image,
      times: { backgroundMs: splicing - started, spliceMs: now() - splicing },
      coreTimes: mouth.times,
    };
  }

  #readAhead({ avatar, format }: SpeakRequest, position: number): void {
    const { frameCount } = avatar.summary;
    const indices = Array.from({ length: AHEAD_FRAMES }, (_, n) =>
      backgroundIndex(position + n, frameCount),
    );
    this.#options.prepared.readAhead(avatar, indices, format);
  }
}

function checkRegion({ entry }: PreparedFrame, { region, frame }: MouthRegion): void {
  const { x, y, width, height } = entry.region;
  const fits =
    region.x === x && region.y === y && region.width === width && region.height === height;
  if (fits) return;
  throw new CoreCallError(
    "internal",
    `the core placed the mouth of frame ${frame} elsewhere than the avatar does: run the same version of core and edge`,
  );
}
