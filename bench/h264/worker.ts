import type { SliceMode } from "../../edge/compositor/h264/slice-map.ts";
import { speakSynthetically } from "./synthetic.ts";

/** A Worker that speaks `?frames=` frames; time is taken outside, as its own clock stands still. */
const speakers = new Map<string, Promise<(frames: number) => number>>();

export default {
  async fetch(request: Request): Promise<Response> {
    const { searchParams } = new URL(request.url);
    const mode: SliceMode = searchParams.get("mode") === "box" ? "box" : "band";
    let speaker = speakers.get(mode);
    if (!speaker) {
      speaker = speakSynthetically(mode);
      speakers.set(mode, speaker);
    }
    const speak = await speaker;
    return new Response(String(speak(Number(searchParams.get("frames")))));
  },
};
