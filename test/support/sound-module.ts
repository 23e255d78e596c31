import { createOpusEncoder, OPUS_FRAME_SAMPLES } from "../../edge/audio/opus-encoder.ts";

/** For `runModule`: `POST /opus` takes samples and answers the packets, 2 bytes of length before each. */
export default {
  async fetch(request: Request): Promise<Response> {
    const samples = new Int16Array(await request.arrayBuffer());
    const encoder = createOpusEncoder();
    const answer: number[] = [];
    for (let n = 0; n + OPUS_FRAME_SAMPLES <= samples.length; n += OPUS_FRAME_SAMPLES) {
      const packet = encoder.encode(samples.subarray(n, n + OPUS_FRAME_SAMPLES));
      answer.push(packet.length >> 8, packet.length & 255, ...packet);
    }
    encoder.free();
    return new Response(new Uint8Array(answer));
  },
};
