import { createOpusEncoder, OPUS_FRAME_SAMPLES } from "../../edge/audio/opus-encoder.ts";
import type { Mp4Picture } from "../../edge/container/mp4-input.ts";
import { createMp4Stream, MP4_TYPE } from "../../edge/container/mp4-stream.ts";
import { SeededRandom } from "../fuzz/random.ts";
import { each, flashFilm, pieces } from "./films.ts";

/** Films without an end that were let go. */
let ended = 0;

/** For `runModule`. */
export default {
  async fetch(request: Request): Promise<Response> {
    const samples = new Int16Array(await request.arrayBuffer());
    switch (new URL(request.url).pathname) {
      case "/opus":
        return new Response(encodeOpus(samples));
      case "/mp4":
        return new Response(await makeFilm(samples, request.signal));
      case "/endless":
        return new Response(await makeEndlessFilm(request.signal), {
          headers: { "content-type": MP4_TYPE },
        });
      case "/ended":
        return new Response(String(ended));
      default:
        return new Response(null, { status: 404 });
    }
  },
};

/** The packets, 2 bytes of length before each. */
function encodeOpus(samples: Int16Array): Uint8Array<ArrayBuffer> {
  const encoder = createOpusEncoder();
  const answer: number[] = [];
  for (let n = 0; n + OPUS_FRAME_SAMPLES <= samples.length; n += OPUS_FRAME_SAMPLES) {
    const packet = encoder.encode(samples.subarray(n, n + OPUS_FRAME_SAMPLES));
    answer.push(packet.length >> 8, packet.length & 255, ...packet);
  }
  encoder.free();
  return new Uint8Array(answer);
}

/** A film that says it was made when the clocks began, so that two can be compared. */
async function makeFilm(
  speech: Int16Array,
  signal: AbortSignal,
): Promise<ReadableStream<Uint8Array>> {
  const film = await flashFilm({
    frames: 60,
    preRoll: 6,
    flashes: [20],
    noise: new SeededRandom(1),
  });
  const { width, height, pictures } = film;
  Date.now = () => 0;
  const input = { width, height, pictures: each(pictures), speech: each(pieces(speech, 1_600)) };
  return createMp4Stream(input, signal);
}

async function makeEndlessFilm(signal: AbortSignal): Promise<ReadableStream<Uint8Array>> {
  const { width, height, pictures } = await flashFilm({ frames: 50, preRoll: 0, flashes: [] });
  let n = 0;
  // No generator: in workerd nothing that waits goes on when a viewer has left.
  const endless: AsyncIterator<Mp4Picture> = {
    next: async () => {
      if (n % 25 === 24) await new Promise((resolve) => setTimeout(resolve, 20));
      const picture = pictures[n % pictures.length]!;
      return { done: false, value: { ...picture, timestampMs: 40 * n++ } };
    },
    return: async () => {
      ended++;
      return { done: true, value: undefined };
    },
  };
  return createMp4Stream(
    { width, height, pictures: { [Symbol.asyncIterator]: () => endless }, speech: null },
    signal,
  );
}
