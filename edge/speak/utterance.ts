import type { Context as TraceContext } from "@opentelemetry/api";
import type { PublishedAvatar } from "../../avatar/catalogue.ts";
import type { Logger } from "../../avatar/logger.ts";
import { SAMPLE_RATE } from "../../avatar/speech-timing.ts";
import { traceFields } from "../../avatar/tracing/tracing.ts";
import { type Caller, callerFields } from "../access/caller.ts";
import { decodeSpeech } from "../audio/decode-audio.ts";
import { readAhead } from "../audio/read-ahead.ts";
import { tap } from "../audio/tap.ts";
import type { EdgeConfig } from "../config.ts";
import type { FrameFormat } from "./image-format.ts";
import type { Speaker, SpokenFrame } from "./speaker.ts";

export interface UtteranceOptions {
  readonly speaker: Speaker;
  readonly limits: EdgeConfig["limits"];
  readonly logger: Logger;
  readonly now: () => number;
}

export interface UtteranceRequest {
  readonly caller: Caller;
  readonly avatar: PublishedAvatar;
  readonly audio: AsyncIterable<Uint8Array>;
  /** Of the audio, with its parameters. */
  readonly contentType: string;
  /** Of the audio, in bytes; undefined when it is not known. */
  readonly contentLength?: number | undefined;
  /** Playback position of the first frame, in frames. */
  readonly start: number;
  readonly format: FrameFormat;
  readonly signal: AbortSignal;
  readonly requestId: string;
  /** When the caller will have gone, as `now` counts; undefined while he waits for ever. */
  readonly deadlineMs?: number | undefined;
  readonly trace: TraceContext | undefined;
}

export interface UtteranceOutputs {
  /** Whether the speech is wanted, too. Default no. */
  readonly speech?: boolean;
}

/** One utterance that is being spoken, whatever protocol asks for it. */
export interface Utterance {
  /**
   * Each made when it is asked for.
   * @throws AudioError, RequestError 429, CoreCallError, AvatarError
   */
  readonly frames: AsyncGenerator<SpokenFrame>;
  /**
   * What is spoken: 16-bit mono, 16 kHz, as far as the frames have come and a few
   * seconds more. Null unless it was wanted; then it has to be read or returned.
   */
  readonly speech: AsyncGenerator<Int16Array> | null;
  /** Ends what is under way; the frames end with an error. */
  leave(): void;
}

/** Audio in, frames out, and a line in the log at the end. */
export function startUtterance(
  options: UtteranceOptions,
  request: UtteranceRequest,
  outputs: UtteranceOutputs = {},
): Utterance {
  const { speaker, limits, logger, now } = options;
  const { avatar, requestId, trace } = request;
  const started = now();
  const leaving = new AbortController();
  const signal = AbortSignal.any([request.signal, leaving.signal]);

  const decoded = decodeSpeech(request.audio, request.contentType, {
    maxSamples: Math.round(limits.max_speech_s * SAMPLE_RATE),
    ...(request.contentLength !== undefined && { contentLength: request.contentLength }),
  });
  const taken = readAhead(decoded, signal);
  const { main, copy } = outputs.speech ? tap(taken) : { main: taken, copy: null };

  async function* speak(): AsyncGenerator<SpokenFrame> {
    let count = 0;
    let firstFrameMs = 0;
    let complete = false;
    try {
      const spoken = speaker.speak({ ...request, speech: main, signal });
      for await (const frame of spoken) {
        if (count++ === 0) firstFrameMs = Math.round(now() - started);
        yield frame;
      }
      complete = true;
    } finally {
      // The upload may still be on its way, and nobody will read it.
      leaving.abort();
      // Where nothing was spoken, nobody has read it; who reads the copy learns that it ends.
      main.return(undefined).catch(() => {});
      logger.info("spoken", {
        requestId,
        ...traceFields(trace),
        ...callerFields(request.caller),
        avatar: avatar.summary.id,
        frames: count,
        complete,
        firstFrameMs,
        ms: Math.round(now() - started),
      });
    }
  }

  return { frames: speak(), speech: copy, leave: () => leaving.abort() };
}
