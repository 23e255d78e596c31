import { BoundedWait } from "./bounded-wait.ts";
import { checkOptions, type Mp4Input, type Mp4Options } from "./mp4-input.ts";
import type { Mp4Tracks, Mp4Writer } from "./mp4-writer.ts";
import { PictureSamples } from "./picture-samples.ts";
import { SpeechPackets } from "./speech-packets.ts";

/**
 * Where the first fragments end: the pre-roll is one of its own, as its pictures
 * do not last until the next; then a short one, for an early start. Later ones
 * have to be worth a header of some 300 bytes.
 */
const FIRST_ENDS_S = [0, 0.2];
const FRAGMENT_S = 0.5;

/**
 * Puts pictures and sound into a file, in the order of their times.
 * @param open called when both tracks are known
 * @param signal ends all waits
 * @yields when all that belongs to the next fragment is in the writer
 */
export async function* writeFilm(
  input: Mp4Input,
  options: Mp4Options,
  open: (tracks: Mp4Tracks) => Promise<Mp4Writer>,
  signal: AbortSignal,
): AsyncGenerator<Mp4Writer> {
  const { frameMs, stallMs } = checkOptions(options);
  const wait = new BoundedWait(stallMs, signal);
  const pictures = new PictureSamples(input.pictures, wait, frameMs / 1_000);
  let speech: SpeechPackets | null = null;
  let writer: Mp4Writer | null = null;
  try {
    if (input.speech) speech = new SpeechPackets(input.speech, options.audioBitrate);
    // The first packet is the priming, before 0; speech without any has no track.
    const firstPacket = speech ? wait.for(speech.next(0), "speech") : null;
    const [sets, priming] = await Promise.all([pictures.begin(), firstPacket]);
    const { width, height } = input;
    const audioConfig = speech && priming ? speech.config : null;
    const film = await open({ ...sets, width, height, audioConfig });
    writer = film;
    if (priming) await film.sound(priming);

    const writePictures = async (untilS: number) => {
      for (let next = await pictures.next(untilS); next; next = await pictures.next(untilS)) {
        await film.picture(next);
      }
    };
    const writeSound = async (untilS: number) => {
      if (!speech) return;
      const take = () => wait.for(speech!.next(untilS), "speech");
      for (let next = await take(); next; next = await take()) await film.sound(next);
    };
    const isOver = () => pictures.isOver && (speech?.isOver ?? true);
    for (let n = 0; !isOver(); n++) {
      const untilS = FIRST_ENDS_S[n] ?? (n - 1) * FRAGMENT_S;
      await Promise.all([writePictures(untilS), writeSound(untilS)]);
      yield film;
    }
    await film.finish();
    writer = null;
  } finally {
    speech?.stop();
    pictures.stop();
    // What ended it is what counts: a sink that failed cannot be closed either.
    await writer?.cancel().catch(() => {});
  }
}
