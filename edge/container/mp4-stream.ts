import { NullTarget } from "mediabunny";
import { joinBytes } from "../compositor/join-bytes.ts";
import { checkOptions, type Mp4Input, type Mp4Options } from "./mp4-input.ts";
import { Mp4Writer } from "./mp4-writer.ts";
import { writeFilm } from "./write-film.ts";

/**
 * An MP4 that is read while it is made: fragmented (ISO/IEC 14496-12, 8.8), a
 * first piece with the header, one after 200 ms of film, then one each 500 ms.
 * Nothing is made that is not asked for, and no more than one fragment is held.
 * Cancelling it ends the reading of pictures and speech at once, and so does the
 * signal: a request's own may know before the stream that its reader has left.
 *
 * Answer it as `MP4_TYPE`: what has no type may be compressed on its way, and
 * held back for it. The stream ends with an `Mp4Error`, a `CodecError`, the
 * signal's reason or what its input ends with.
 *
 * ```ts
 * const body = createMp4Stream({ width, height, pictures, speech }, request.signal);
 * return new Response(body, { headers: { "content-type": MP4_TYPE } });
 * ```
 * @throws RangeError for options that cannot be
 */
export function createMp4Stream(
  input: Mp4Input,
  signal: AbortSignal,
  options: Mp4Options = {},
): ReadableStream<Uint8Array<ArrayBuffer>> {
  checkOptions(options);
  const ready: Uint8Array[] = [];
  const take = (bytes: Uint8Array) => {
    ready.push(bytes);
  };
  // mediabunny's index at the end would call the first picture of every fragment
  // a key picture, so what it writes itself is thrown away, and the boxes taken as they come.
  const format = {
    fastStart: "fragmented",
    minimumFragmentDuration: Number.POSITIVE_INFINITY,
    onFtyp: take,
    onMoov: take,
    onMoof: take,
    onMdat: take,
  } as const;
  const ended = new AbortController();
  const film = writeFilm(
    input,
    options,
    (tracks) => Mp4Writer.open(new NullTarget(), format, tracks),
    ended.signal,
  );
  const end = async (reason: unknown) => {
    signal.removeEventListener("abort", onAbort);
    ended.abort(reason);
    await film.return(undefined);
  };
  // The end is heard of by whoever reads on.
  const onAbort = () => void end(signal.reason).catch(() => {});
  if (signal.aborted) ended.abort(signal.reason);
  else signal.addEventListener("abort", onAbort, { once: true });
  return new ReadableStream<Uint8Array<ArrayBuffer>>(
    {
      async pull(controller) {
        // Times at which there is neither picture nor sound make no fragment.
        while (ready.length === 0) {
          ended.signal.throwIfAborted();
          const { done, value: writer } = await film.next();
          if (done) {
            // What was ended early is not whole.
            ended.signal.throwIfAborted();
            signal.removeEventListener("abort", onAbort);
            return controller.close();
          }
          await writer.endFragment();
        }
        controller.enqueue(joinBytes(ready.splice(0)));
      },
      cancel: end,
    },
    { highWaterMark: 0 },
  );
}

/** Of both tracks; browsers need no codecs for a file that they can look into. */
export const MP4_TYPE = "video/mp4";
