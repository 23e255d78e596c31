import { readPreparedFrame, Splicer } from "../../edge/compositor/splicer.ts";

/**
 * A Worker that splices: the body is a prepared frame, of `?entry=` bytes, and a
 * mouth; it is spliced `?times=` times. Time is taken outside, because a Worker's
 * clock stands still while it computes.
 */
const splicer = new Splicer();

export default {
  async fetch(request: Request): Promise<Response> {
    const { searchParams } = new URL(request.url);
    const body = new Uint8Array(await request.arrayBuffer());
    const entryBytes = Number(searchParams.get("entry"));
    const frame = readPreparedFrame(body.slice(0, entryBytes));
    const mouth = body.subarray(entryBytes);
    let bytes = 0;
    for (let n = Number(searchParams.get("times")); n > 0; n--) {
      for (const part of splicer.splice(frame, mouth)) bytes += part.length;
    }
    return new Response(String(bytes));
  },
};
