import { PlayerError, type SessionEnding } from "../index.ts";

/** Something to be read, and whether trying again may help. */
export interface Notice {
  readonly text: string;
  /** A limit that is near, for example, is no error. */
  readonly isError: boolean;
  readonly canRetry: boolean;
  /** It is no longer true when something is said. */
  readonly isOverWithSpeech?: boolean;
}

/** An error in words. Those of `PlayerError` are made for readers. */
export function noticeOfError(error: unknown): Notice {
  const text =
    error instanceof PlayerError ? error.message : "Something went wrong on this page. Reload it.";
  const canRetry = error instanceof PlayerError && RETRIED.has(error.code);
  return { text, isError: true, canRetry };
}

/** Why clips are shown where a live session was wanted. */
export function noticeOfFallback(error: unknown): Notice {
  const { status, code, message } =
    error instanceof PlayerError ? error : { status: undefined, code: null, message: "" };
  let why = message;
  if (status === 404 || status === 405) why = "This server has no live sessions.";
  if (status === 403) why = `What you have signed in with opens no live session: ${message}`;
  if (code === null) why = "A live session could not be opened.";
  const text = `${stop(why)} Meanwhile it speaks in clips: what you say is repeated when you let go.`;
  return { text, isError: true, canRetry: true };
}

/** @param reason of the event `disconnected` */
export function noticeOfEnd(reason: string): Notice {
  const text = ENDS[reason] ?? `The session has ended (${reason.replaceAll("_", " ")}).`;
  return { text, isError: !CALM_ENDS.has(reason), canRetry: true };
}

export function noticeOfEnding({ reason, inMs }: SessionEnding): Notice {
  const seconds = Math.max(1, Math.round(inMs / 1000));
  const text =
    reason === "idle_timeout"
      ? `The session ends in ${seconds} s, unless something is said.`
      : `The session ends in ${seconds} s: it has reached its longest time.`;
  const isOverWithSpeech = reason === "idle_timeout";
  return { text, isError: false, canRetry: false, isOverWithSpeech };
}

function stop(sentence: string): string {
  return /[.!?]$/.test(sentence) ? sentence : `${sentence}.`;
}

const RETRIED: ReadonlySet<string> = new Set(["unreachable", "lost", "broken_stream"]);
const CALM_ENDS: ReadonlySet<string> = new Set(["idle_timeout", "max_duration", "stopped"]);
const ENDS: Readonly<Record<string, string>> = {
  idle_timeout: "Nothing was said for a while, so the session has ended.",
  max_duration: "The session has reached its longest time and has ended.",
  lost: "The connection was lost, and could not be had again in time.",
  replaced: "This session goes on in another window.",
  no_session: "The server does not know this session any more.",
  deleted: "Somebody has ended this session.",
  republished: "There is a newer version of this avatar.",
  unavailable: "The server cannot show this avatar now.",
  going_away: "The server is being restarted.",
};
