import type { FrameFormat } from "../speak/image-format.ts";
import { RequestError } from "./request-error.ts";

/** Avatars of one answer: a Worker may ask its bucket a thousand times per request, twice for each. */
export const MAX_LIST_LIMIT = 400;
export const DEFAULT_LIST_LIMIT = 100;
const MAX_START = 2 ** 31;

/** `limit=` of a list. @throws RequestError 400 */
export function readLimit(limit = String(DEFAULT_LIST_LIMIT)): number {
  const count = Number(limit);
  if (/^[1-9][0-9]{0,3}$/.test(limit) && count <= MAX_LIST_LIMIT) return count;
  throw new RequestError(400, `limit=${limit.slice(0, 40)}: use 1 to ${MAX_LIST_LIMIT}`);
}

const FRAME_FORMATS = ["png", "jpeg", "h264"] as const satisfies readonly FrameFormat[];

/** `format=`; JPEG if left out. @throws RequestError 400 */
export function readFormat(format = "jpeg"): FrameFormat {
  return oneOf(format, FRAME_FORMATS);
}

/** `format=` of speech; JPEG if left out. @throws RequestError 400 */
export function readSpeechFormat(format = "jpeg"): FrameFormat | "mp4" {
  return oneOf(format, [...FRAME_FORMATS, "mp4"]);
}

function oneOf<Format extends string>(format: string, known: readonly Format[]): Format {
  const found = known.find((each) => each === format);
  if (found !== undefined) return found;
  const names = `${known.slice(0, -1).join(", ")} or ${known.at(-1)}`;
  throw new RequestError(400, `format=${format.slice(0, 40)} is not known: use ${names}`);
}

/** `start=`, a playback position in frames; 0 if left out. @throws RequestError 400 */
export function readStart(start = "0"): number {
  const position = Number(start);
  if (/^[0-9]{1,10}$/.test(start) && position <= MAX_START) return position;
  throw new RequestError(
    400,
    `start=${start.slice(0, 40)} is no playback position: use a whole number of frames from 0`,
  );
}
