import { createOpusEncoder, OPUS_FRAME_SAMPLES } from "../../edge/audio/opus-encoder.ts";
import { createMp4Stream } from "../../edge/container/mp4-stream.ts";
import { SeededRandom } from "../fuzz/random.ts";
import { each, flashFilm, pieces } from "./films.ts";

/** For `runModule`. */
export default {
  async fetch(request: Request): Promise<Response> {
    const samples = new Int16Array(await request.arrayBuffer());
    switch (new URL(request.url).pathname) {
      case "/opus":
        return new Response(encodeOpus(samples));
      case "/mp4":
        return new Response(await makeFilm(samples));
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
async function makeFilm(speech: Int16Array): Promise<ReadableStream<Uint8Array>> {
  const film = await flashFilm({
    frames: 60,
    preRoll: 6,
    flashes: [20],
    noise: new SeededRandom(1),
  });
  const { width, height, pictures } = film;
  Date.now = () => 0;
  return createMp4Stream({
    ...{ width, height, pictures: each(pictures) },
    speech: each(pieces(speech, 1_600)),
  });
}
