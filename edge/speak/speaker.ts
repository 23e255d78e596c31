import type { Context as TraceContext } from "@opentelemetry/api";
import type { PublishedAvatar } from "../../avatar/catalogue.ts";
import { backgroundIndex } from "../../avatar/playback.ts";
import { FRAMES_PER_SECOND } from "../../avatar/speech-timing.ts";
import type { Caller, Tenant } from "../access/caller.ts";
import type { CoreClient, CoreTimes } from "../core/core-client.ts";
import { Leases } from "../core/leases.ts";
import { RequestError } from "../http/request-error.ts";
import type { Composers } from "./composers.ts";
import type { ComposedFrame, ComposeTimes, FrameComposer } from "./frame-composer.ts";
import type { FrameFormat } from "./image-format.ts";
import { streamMouths } from "./mouth-stream.ts";
import { cutSpeechWindows } from "./speech-windows.ts";

export interface SpeakerOptions {
  readonly core: CoreClient;
  readonly composers: Composers;
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
  readonly format: FrameFormat;
  readonly signal: AbortSignal;
  readonly requestId: string;
  /** See CallOptions. */
  readonly deadlineMs?: number | undefined;
  /** Trace that the work belongs to. */
  readonly trace?: TraceContext | undefined;
}

/** A complete frame of a talking avatar. */
export interface SpokenFrame {
  /**
   * Position in the utterance, in frames. Negative for video that is to be decoded
   * and not shown, so that a decoder can begin.
   */
  readonly frame: number;
  /** Time from the start of the utterance. */
  readonly timeMs: number;
  readonly backgroundIndex: number;
  /** A PNG or JPEG file or an access unit, in parts. Shared with other frames: do not write to them. */
  readonly parts: readonly Uint8Array<ArrayBuffer>[];
  /** Whether a decoder can begin here. */
  readonly isKeyFrame: boolean;
  /** What the frame cost here. */
  readonly times: ComposeTimes;
  /** What frames up to this one cost at the core; on some frames only. */
  readonly coreTimes: CoreTimes | null;
}

/** An utterance of which no frame was made for so long is counted no more. */
const LAPSE_MS = 120_000;

/** Makes avatars speak: speech in, complete frames out. */
export class Speaker {
  readonly #options: SpeakerOptions;
  readonly #speaking: Leases;
  /** By tenant: the configuration names them all. */
  readonly #byTenant = new Map<string, Leases>();

  constructor(options: SpeakerOptions) {
    this.#options = options;
    this.#speaking = new Leases(options.now, LAPSE_MS);
  }

  /** Utterances under way. */
  get speaking(): number {
    return this.#speaking.count;
  }

  /** Utterances under way of each tenant that has any; those of no tenant are not among them. */
  get speakingByTenant(): ReadonlyMap<string, number> {
    const counts = [...this.#byTenant].map(([id, leases]) => [id, leases.count] as const);
    return new Map(counts.filter(([, count]) => count > 0));
  }

  /**
   * The frames of an utterance, each made when it is asked for.
   * @throws RequestError 429, CoreCallError, AvatarError and what `speech` throws
   */
  async *speak(request: SpeakRequest): AsyncGenerator<SpokenFrame> {
    const { maxSpeaking, core, composers } = this.#options;
    if (this.#speaking.count >= maxSpeaking) {
      throw new RequestError(
        429,
        `${maxSpeaking} avatars are speaking here already (limits.max_speaking): try again shortly`,
        1,
      );
    }
    const own = this.#checkQuota(request.caller.tenant)?.begin();
    const lease = this.#speaking.begin();
    let composer: FrameComposer | null = null;
    try {
      const { avatar, start, format } = request;
      composer = await composers.open(avatar, format);
      composer.readAhead(start);
      const windows = cutSpeechWindows(request.speech);
      let next = await composer.startFor(start);
      for await (const mouth of streamMouths(core, avatar.summary, windows, start, request)) {
        lease.touch();
        own?.touch();
        // Before the first one, what a decoder needs to begin.
        for (; next < start + mouth.frame; next++) {
          yield toSpoken(request, next, await composer.compose(next, null), null);
        }
        composer.readAhead(++next);
        yield toSpoken(request, next - 1, await composer.compose(next - 1, mouth), mouth.times);
      }
    } finally {
      composer?.close();
      lease.end();
      own?.end();
    }
  }

  /** What counts the tenant's utterances; null where there is no tenant. @throws RequestError 429 */
  #checkQuota(tenant: Tenant | null): Leases | null {
    if (!tenant) return null;
    const { now } = this.#options;
    const known = this.#byTenant.get(tenant.id);
    const leases = known ?? new Leases(now, LAPSE_MS);
    if (!known) this.#byTenant.set(tenant.id, leases);
    if (tenant.maxSpeaking === null || leases.count < tenant.maxSpeaking) return leases;
    throw new RequestError(
      429,
      `${tenant.maxSpeaking} avatars of ${tenant.id} are speaking already: try again shortly`,
      1,
    );
  }
}

function toSpoken(
  { avatar, start }: SpeakRequest,
  position: number,
  { parts, isKeyFrame, times }: ComposedFrame,
  coreTimes: CoreTimes | null,
): SpokenFrame {
  const frame = position - start;
  return {
    frame,
    timeMs: Math.round((frame * 1000) / FRAMES_PER_SECOND),
    backgroundIndex: backgroundIndex(position, avatar.summary.frameCount),
    parts,
    isKeyFrame,
    times,
    coreTimes,
  };
}
