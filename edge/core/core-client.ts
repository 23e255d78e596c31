import type { Context as TraceContext } from "@opentelemetry/api";
import type { Rectangle } from "../../avatar/rectangle.ts";

/** Speech for consecutive frames of an utterance, and the backgrounds under them. */
export interface SpeechCall {
  readonly avatarId: string;
  /** The version that the edge composites with. */
  readonly version: string;
  /** 16-bit mono, 16 kHz. */
  readonly samples: Int16Array;
  /** Position of the first sample in the utterance. */
  readonly start: number;
  /** Length of the utterance in samples; null while it is not known. */
  readonly utteranceSamples: number | null;
  readonly firstFrame: number;
  /** One per frame asked for. */
  readonly backgroundIndices: readonly number[];
}

/** A mouth on its way into a background frame. */
export interface MouthRegion {
  /** Position in the utterance, in frames. */
  readonly frame: number;
  readonly backgroundIndex: number;
  /** Where it goes; within the frame. */
  readonly region: Rectangle;
  /** 8-bit RGB [region.height, region.width, 3] */
  readonly pixels: Uint8Array;
  /** Milliseconds the core spent in each stage on `frames` frames; on some regions only. */
  readonly times: CoreTimes | null;
}

/** What a batch of frames cost at the core, in milliseconds. */
export interface CoreTimes {
  readonly frames: number;
  readonly queueMs: number;
  readonly melMs: number;
  readonly encoderMs: number;
  readonly prepareMs: number;
  readonly unetMs: number;
  readonly fitMs: number;
}

/** What went wrong at the core. Closed: `http/problem.ts` maps each to a status. */
export type CoreCallErrorCode =
  /** No core answers. */
  | "unreachable"
  /** A core answers that it cannot serve now: it is stopping, or the model cannot be had. */
  | "unavailable"
  /** Token, certificate or protocol of the two do not fit. */
  | "access"
  /** The core's queue or memory is full. */
  | "busy"
  /** The core does not know the avatar, or cannot serve its model. */
  | "model"
  /** The core did not answer in time. */
  | "timeout"
  /** The caller went away. */
  | "cancelled"
  /** A defect of the core or of ours. */
  | "internal";

/** The core could not do what it was asked. */
export class CoreCallError extends Error {
  override readonly name = "CoreCallError";
  readonly code: CoreCallErrorCode;

  constructor(code: CoreCallErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.code = code;
  }
}

/** What the edge needs of the core. */
export interface CoreClient {
  /**
   * The mouths of a call, in frame order. Leaving the loop stops the work.
   * @throws CoreCallError
   */
  inferSpeech(call: SpeechCall, options: CallOptions): AsyncIterable<MouthRegion>;
  /**
   * Has a model brought into memory, and ends when it is there.
   * @returns milliseconds that it took; 0 when it was there
   * @throws CoreCallError
   */
  loadModel(avatarId: string, options: CallOptions): Promise<number>;
  /** Whether a core answers and has a device. @throws CoreCallError */
  checkHealth(signal: AbortSignal): Promise<void>;
}

export interface CallOptions {
  readonly signal: AbortSignal;
  /** Joins the logs of edge and core. */
  readonly requestId: string;
  /** When nobody will want the answer any more, as `performance.now()` counts; the core is told. */
  readonly deadlineMs?: number | undefined;
  /** Trace that the call belongs to; undefined when there is none. */
  readonly trace?: TraceContext | undefined;
}
