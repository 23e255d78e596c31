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

/** `format=`; JPEG if left out. @throws RequestError 400 */
export function readFormat(format = "jpeg"): FrameFormat {
  if (format === "png" || format === "jpeg" || format === "h264") return format;
  throw new RequestError(400, `format=${format.slice(0, 40)} is not known: use png, jpeg or h264`);
}

/** `format=` of speech; JPEG if left out. @throws RequestError 400 */
export function readSpeechFormat(format = "jpeg"): FrameFormat | "mp4" {
  if (format === "mp4") return format;
  if (format === "png" || format === "jpeg" || format === "h264") return format;
  throw new RequestError(
    400,
    `format=${format.slice(0, 40)} is not known: use png, jpeg, h264 or mp4`,
  );
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
