/** The browser SDK: what `mouthpiece.js` exports. */
export { AvatarPlayer, type AvatarPlayerOptions, type SpeechOutcome } from "./avatar-player.ts";
export {
  type AvatarInfo,
  EdgeApi,
  type OpenedSession,
  type SpeakOptions,
  type SpeechFormat,
  type TokenSource,
} from "./edge-api.ts";
export type { SpeechFrame } from "./frame-buffer.ts";
export { AvatarSession, type AvatarSessionOptions } from "./live/avatar-session.ts";
export { Microphone, type MicrophoneOptions } from "./live/microphone.ts";
export type {
  DisconnectReason,
  SessionEnding,
  SessionEventMap,
  SessionReady,
  SessionState,
  SessionStats,
  SpeechEnded,
  SpeechStarted,
} from "./live/session-events.ts";
export type { SpeechInput } from "./live/speech-input.ts";
export { PlayerError, type PlayerErrorCode } from "./player-error.ts";
export type { DrawnFrame, FormatChange, PlayerState, PlayerStats } from "./player-events.ts";
export type { SpeechAudio } from "./speech-audio.ts";
export { encodeWav } from "./wav.ts";
