import type { BinaryHeader } from "../../edge/live/socket/binary-frame.ts";
import type { Joined } from "./live-connection.ts";
import type { LivePicture } from "./live-pictures.ts";

/** How sound and pictures of a session come, and are shown and played. */
export interface SessionMedia {
  readonly transport: "websocket" | "webrtc";
  readonly framesPerSecond: number;
  /** Pictures that came and were not drawn, in all. */
  readonly skippedFrames: number;
  /** How far ahead of its time what comes is; null where that is not known. */
  readonly leadMs: number | null;
  /** The browser lets no sound out before a click or key press. */
  readonly isSoundBlocked: boolean;
  /** What has come in beside the WebSocket. */
  readonly receivedBytes: number;
  volume: number;
  /** A WebSocket has joined. */
  begin(joined: Joined): void;
  /** It has gone. */
  end(): void;
  /** What has come over the WebSocket. */
  receive(header: BinaryHeader, data: Uint8Array<ArrayBuffer>): void;
  /** Sound of segments up to `segment` is void. */
  interrupt(segment: number): void;
  /** Silence before the edge has heard of it: what is under way is void, too. */
  hush(): void;
  /** Does something when `timeMs` of the session is heard. */
  when(timeMs: number, act: () => void): void;
  /** Does something when all sound that has arrived has been heard. */
  whenSilent(act: () => void): void;
  /** Call it for each screen refresh. */
  tick(): LivePicture | null;
  close(): void;
}
