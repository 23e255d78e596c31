import { limitBody } from "./limit-body.ts";
import { RequestError } from "./request-error.ts";

const BODY_LIMITS = { maxBytes: 4096, idleMs: 10_000, totalMs: 10_000, advice: "" };

/** An empty body asks for nothing in particular. @throws RequestError 400, 413 */
export async function readJson(request: Request): Promise<unknown> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of limitBody(request, BODY_LIMITS)) chunks.push(chunk);
  const text = await new Blob(chunks as Uint8Array<ArrayBuffer>[]).text();
  if (text.trim() === "") return {};
  try {
    return JSON.parse(text);
  } catch {
    throw new RequestError(400, "the body is no JSON");
  }
}
