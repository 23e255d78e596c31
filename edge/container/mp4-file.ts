import { StreamTarget, type StreamTargetChunk } from "mediabunny";
import type { Mp4Input, Mp4Options, Mp4Sink } from "./mp4-input.ts";
import { Mp4Writer } from "./mp4-writer.ts";
import { writeFilm } from "./write-film.ts";

/**
 * A plain MP4, in which every player can seek: the film half a second by half a
 * second, then its index (`moov`). Resolves when all is written; on failure what
 * the sink has is no file.
 *
 * ```ts
 * const handle = await open(path, "w");
 * await writeMp4File({ width, height, pictures, speech }, {
 *   write: async (data, position) => {
 *     await handle.write(data, 0, data.length, position);
 *   },
 * }, signal);
 * ```
 * @param signal ends it early
 * @throws Mp4Error, CodecError, the signal's reason, or what the input or the sink ends with
 */
export async function writeMp4File(
  input: Mp4Input,
  sink: Mp4Sink,
  signal: AbortSignal,
  options: Mp4Options = {},
): Promise<void> {
  const target = new StreamTarget(
    new WritableStream<StreamTargetChunk>({
      write: ({ data, position }) => sink.write(data, position),
    }),
  );
  const open = (tracks: Parameters<typeof Mp4Writer.open>[2]) =>
    Mp4Writer.open(target, { fastStart: false }, tracks);
  for await (const _ of writeFilm(input, options, open, signal));
}
