/**
 * One range of bytes of a body that is all there, as RFC 9110 14.2 has it; any
 * other `Range` is ignored, as it allows.
 * @returns what to answer: status, bytes and headers
 */
export function answerRange(
  body: Uint8Array<ArrayBuffer>,
  range: string | undefined,
): {
  readonly status: 200 | 206 | 416;
  readonly body: Uint8Array<ArrayBuffer>;
  readonly headers: Record<string, string>;
} {
  const match = /^bytes=(\d{0,15})-(\d{0,15})$/.exec(range ?? "");
  const [, from = "", to = ""] = match ?? [];
  const isRange = match !== null && (from !== "" || to !== "");
  const accept = { "accept-ranges": "bytes" };
  if (!isRange || (to !== "" && from !== "" && Number(to) < Number(from))) {
    return { status: 200, body, headers: accept };
  }
  const total = body.length;
  // Without a start it is the last so many bytes.
  const start = from === "" ? Math.max(0, total - Number(to)) : Number(from);
  const end = from === "" || to === "" ? total : Math.min(total, Number(to) + 1);
  if (start >= end) {
    const headers = { ...accept, "content-range": `bytes */${total}` };
    return { status: 416, body: new Uint8Array(0), headers };
  }
  const headers = { ...accept, "content-range": `bytes ${start}-${end - 1}/${total}` };
  return { status: 206, body: body.subarray(start, end), headers };
}
