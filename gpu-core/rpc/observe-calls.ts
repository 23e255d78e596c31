import { Code, ConnectError, createContextKey, type Interceptor } from "@connectrpc/connect";
import { codeToString } from "@connectrpc/connect/protocol-connect";
import type { Logger } from "../../avatar/logger.ts";
import type { Tracing } from "../../avatar/tracing/tracing.ts";
import { CoreError } from "../core-error.ts";
import { type CallTrace, noCallTrace, SpanCallTrace } from "../observe/call-trace.ts";
import type { CoreObserver } from "../observe/observer.ts";

/** Where a handler finds the trace of its call. */
export const callTraceKey = createContextKey<CallTrace>(noCallTrace, {
  description: "trace of the call",
});

export interface ObserveCallsOptions {
  readonly observer: CoreObserver;
  readonly tracing: Tracing;
  readonly logger: Logger;
  /** Full names of the services that are observed: probes and reflection are not work. */
  readonly services: ReadonlySet<string>;
  /** Milliseconds that never go back. */
  readonly now: () => number;
}

/** Counts, times, traces and logs the calls of some services, to their last message. */
export function observeCalls(options: ObserveCallsOptions): Interceptor {
  const { observer, tracing, logger, services, now } = options;
  return (next) => async (request) => {
    const { service, method } = request;
    if (!services.has(service.typeName)) return next(request);
    const started = now();
    const requestId = request.header.get("x-request-id")?.slice(0, 100);
    const trace = tracing.isOn
      ? new SpanCallTrace(
          tracing,
          `${service.typeName}/${method.name}`,
          {
            "rpc.service": service.typeName,
            "rpc.method": method.name,
            ...(requestId !== undefined && { "mouthpiece.request_id": requestId }),
          },
          tracing.extract(request.header),
        )
      : null;
    if (trace) request.contextValues.set(callTraceKey, trace);
    let hasEnded = false;
    const end = (code: string, message = "", reason = code) => {
      if (hasEnded) return;
      hasEnded = true;
      const durationMs = now() - started;
      observer.requestEnded({ method: method.name, code, reason, durationMs });
      logger.debug("call", {
        method: method.name,
        code,
        reason,
        ms: Math.round(durationMs),
        requestId,
        ...trace?.logFields,
      });
      trace?.end(code, message);
    };
    const fail = (cause: unknown) => {
      const error = toCallError(cause, request.signal);
      const code = codeToString(error.code);
      end(code, error.rawMessage, (error.cause instanceof CoreError && error.cause.reason) || code);
    };
    try {
      const response = await next(request);
      if (!response.stream) {
        end("ok");
        return response;
      }
      return { ...response, message: watched(response.message, end, fail) };
    } catch (error) {
      fail(error);
      throw error;
    }
  };
}

/** What the handler said; of a call that was cut, why it was. */
function toCallError(cause: unknown, signal: AbortSignal): ConnectError {
  const { aborted, reason } = signal;
  if (!aborted || (cause instanceof ConnectError && cause !== reason)) {
    return ConnectError.from(cause);
  }
  // A caller that leaves shows as a failed write or, by how its connection
  // ended, as any code; only that its time was up is another matter.
  const isLate = reason instanceof ConnectError && reason.code === Code.DeadlineExceeded;
  return isLate ? reason : new ConnectError("the caller has gone", Code.Canceled);
}

async function* watched<T>(
  messages: AsyncIterable<T>,
  end: (code: string) => void,
  fail: (cause: unknown) => void,
): AsyncGenerator<T> {
  try {
    yield* messages;
    end("ok");
  } catch (error) {
    fail(error);
    throw error;
  } finally {
    // Only a reader that has left comes here before the end.
    end("canceled");
  }
}
