import type { ConnectError } from "@connectrpc/connect";
import { type BodyLimits, limitChunks } from "./limit-body.ts";

/**
 * The message of a call, for as long as it comes quickly enough. How large it
 * may be is for the router to say, who answers in the protocol of the call: of
 * any other error he would tell the caller no more than that it is internal.
 * @throws ConnectError
 */
export async function* limitCall(
  message: AsyncIterable<Uint8Array>,
  times: Pick<BodyLimits, "idleMs" | "totalMs">,
  explain: (error: unknown) => ConnectError,
): AsyncGenerator<Uint8Array> {
  const limits = { ...times, maxBytes: Number.POSITIVE_INFINITY, advice: "" };
  try {
    yield* limitChunks(message, limits);
  } catch (error) {
    throw explain(error);
  }
}
