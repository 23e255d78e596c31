import type { AvatarSummary } from "../../../avatar/manifest.ts";
import type { LiveErrorCode } from "../live-error.ts";
import type { LiveFormat } from "../live-media.ts";
import type { FinishReason } from "../speech-events.ts";

/** What a token is for. */
export type LiveRole = "viewer" | "speaker";

export type SoundCodec = "opus" | "pcm";

/** What a client is told, as JSON. Times are milliseconds on the session's clock. */
export type ServerMessage =
  | {
      readonly type: "joined";
      readonly protocol: number;
      readonly session: string;
      readonly role: LiveRole;
      readonly avatar: AvatarSummary;
      /** Null for speakers. */
      readonly video: LiveFormat | null;
      /** Null for speakers. `preSkip`: what a decoder puts out too much at first, at 48 kHz. */
      readonly audio: { readonly codec: SoundCodec; readonly preSkip: number } | null;
      readonly epoch: number;
      readonly timeMs: number;
      /** Until the session ends, whatever happens. */
      readonly remainingMs: number;
      readonly idleTimeoutMs: number;
      readonly resumeMs: number;
      /** Samples that this connection may have sent in all. */
      readonly speechWindow: number;
    }
  | { readonly type: "speech_window"; readonly samples: number }
  | { readonly type: "segment_opened"; readonly segment: number }
  | {
      readonly type: "playback_started";
      readonly segment: number;
      readonly timestampMs: number;
    }
  | {
      readonly type: "playback_position";
      readonly segment: number;
      readonly playedMs: number;
      readonly timestampMs: number;
    }
  | {
      readonly type: "playback_finished";
      readonly segment: number;
      readonly playedMs: number;
      readonly reason: FinishReason;
      /** What failed. */
      readonly detail?: string;
    }
  | { readonly type: "interrupted"; readonly segment: number; readonly epoch: number }
  | { readonly type: "ending"; readonly reason: string; readonly inMs: number }
  | { readonly type: "ended"; readonly reason: string }
  | { readonly type: "pong"; readonly id?: number; readonly timeMs: number }
  | {
      readonly type: "error";
      readonly code: LiveErrorCode;
      readonly message: string;
      /** Seconds after which trying again makes sense. */
      readonly retryAfterS?: number;
    };

/** Why a connection is closed, beside 1000 and 1001 (RFC 6455, 7.4.2: 4000 to 4999 are ours). */
export const CLOSE_CODES = {
  badMessage: 4400,
  refused: 4401,
  noSession: 4404,
  silent: 4408,
  /** The same token has joined elsewhere. */
  replaced: 4409,
  tooLarge: 4413,
  tooMany: 4429,
  failed: 4500,
} as const;
