import { Code, ConnectError, createClient, type Transport } from "@connectrpc/connect";
import { SpanKind, type Context as TraceContext } from "@opentelemetry/api";
import { below, failSpan, noTracing, type Tracing } from "../../avatar/tracing/tracing.ts";
import {
  InferenceService,
  type InferSpeechResponse,
  Priority,
} from "../../proto/gen/mouthpiece/inference/v1/inference_pb.js";
import { type AccessProblem, accessProblemOf } from "./access-problem.ts";
import {
  CoreCallError,
  type CoreCallErrorCode,
  type CoreClient,
  type MouthRegion,
  type SpeechCall,
} from "./core-client.ts";

const HEALTH_TIMEOUT_MS = 3000;

/**
 * A client of one core.
 * @param transport made by the runtime: gRPC on Node, Connect elsewhere
 * @param timeoutMs limit of one speech call
 */
export function createConnectCoreClient(
  transport: Transport,
  timeoutMs: number,
  tracing: Tracing = noTracing,
): CoreClient {
  const client = createClient(InferenceService, transport);
  return {
    async *inferSpeech(call, { signal, requestId, trace, deadlineMs }) {
      const limit = new AbortController();
      const headers = new Headers({ "x-request-id": requestId });
      const span = startCallSpan(tracing, call, trace, headers);
      const options = {
        signal: AbortSignal.any([signal, limit.signal]),
        headers,
        ...(deadlineMs !== undefined && { timeoutMs: millisecondsUntil(deadlineMs) }),
      };
      const responses = client.inferSpeech(toRequest(call), options)[Symbol.asyncIterator]();
      let expected = call.firstFrame;
      try {
        for (;;) {
          // What counts is the wait for the core: the reader may take its time.
          const timer = setTimeout(() => limit.abort(), timeoutMs);
          const step = await responses.next().finally(() => clearTimeout(timer));
          if (step.done) break;
          yield toMouthRegion(step.value, call, expected++);
        }
        const missing = call.firstFrame + call.backgroundIndices.length - expected;
        if (missing > 0) {
          throw new CoreCallError("internal", `the core left out ${missing} frames`);
        }
      } catch (cause) {
        const isLate = limit.signal.aborted && !signal.aborted;
        const error = isLate ? tooSlow(timeoutMs, cause) : toCallError(cause, signal);
        if (span && error.code !== "cancelled") failSpan(span, error.code, error.message);
        throw error;
      } finally {
        // Ends the call of who leaves the loop early.
        limit.abort();
        span?.setAttribute("mouthpiece.frames", expected - call.firstFrame);
        span?.end();
      }
    },

    async loadModel(avatarId, { signal, requestId, trace, deadlineMs }) {
      const limit = AbortSignal.timeout(timeoutMs);
      const headers = new Headers({ "x-request-id": requestId });
      if (trace) tracing.inject(trace, headers);
      const options = {
        signal: AbortSignal.any([signal, limit]),
        headers,
        ...(deadlineMs !== undefined && { timeoutMs: millisecondsUntil(deadlineMs) }),
      };
      try {
        return (await client.loadModel({ modelId: avatarId, prewarm: true }, options)).loadTimeMs;
      } catch (error) {
        if (limit.aborted && !signal.aborted) throw tooSlow(timeoutMs, error);
        throw toCallError(error, signal);
      }
    },

    async checkHealth(signal) {
      const timeout = AbortSignal.timeout(HEALTH_TIMEOUT_MS);
      try {
        const health = await client.health({}, { signal: AbortSignal.any([signal, timeout]) });
        if (health.healthy) return;
      } catch (error) {
        if (timeout.aborted) throw tooSlow(HEALTH_TIMEOUT_MS, error);
        throw toCallError(error, signal);
      }
      throw new CoreCallError("unavailable", "the core has no device that is up");
    },
  };
}

function millisecondsUntil(deadlineMs: number): number {
  return Math.max(1, Math.ceil(deadlineMs - performance.now()));
}

/** A span for one call, which the core's own continue. Null when nothing is traced. */
function startCallSpan(
  tracing: Tracing,
  call: SpeechCall,
  trace: TraceContext | undefined,
  headers: Headers,
) {
  if (!trace || !tracing.isOn) return null;
  const attributes = {
    "rpc.service": InferenceService.typeName,
    "rpc.method": InferenceService.method.inferSpeech.name,
    "mouthpiece.avatar": call.avatarId,
    "mouthpiece.first_frame": call.firstFrame,
    "mouthpiece.frames_wanted": call.backgroundIndices.length,
  };
  const name = `${InferenceService.typeName}/${InferenceService.method.inferSpeech.name}`;
  const span = tracing.startSpan(name, { kind: SpanKind.CLIENT, attributes }, trace);
  tracing.inject(below(span), headers);
  return span;
}

function toRequest(call: SpeechCall) {
  const { samples, utteranceSamples } = call;
  return {
    modelId: call.avatarId,
    version: call.version,
    speech: new Uint8Array(samples.buffer, samples.byteOffset, samples.byteLength),
    speechStart: BigInt(call.start),
    ...(utteranceSamples !== null && { utteranceSamples: BigInt(utteranceSamples) }),
    firstFrame: call.firstFrame,
    backgroundIndices: [...call.backgroundIndices],
    priority: Priority.LIVE,
  };
}

function toMouthRegion(
  response: InferSpeechResponse,
  { firstFrame, backgroundIndices }: SpeechCall,
  expected: number,
): MouthRegion {
  const { frame, backgroundIndex, x, y, width, height, pixels, times } = response;
  // None is due after the last one.
  const isDue = frame === expected && backgroundIndex === backgroundIndices[expected - firstFrame];
  if (!isDue || pixels.length !== width * height * 3) {
    throw new CoreCallError(
      "internal",
      `the core sent frame ${frame} over background ${backgroundIndex} (${pixels.length} bytes for ${width}x${height}) where frame ${expected} was due: run the same version of core and edge`,
    );
  }
  const region = { x, y, width, height };
  return { frame, backgroundIndex, region, pixels, times: times ?? null };
}

/**
 * Whether it is not what a core has answered: the network failed, an answer
 * ended in the middle, or what answered was something on the way to it.
 */
function isBrokenOff(error: unknown, code: CoreCallErrorCode): boolean {
  const isAnswer = error instanceof ConnectError && error.isWireError;
  return !isAnswer && (code === "unavailable" || code === "internal");
}

const CODES: Partial<Record<Code, CoreCallErrorCode>> = {
  [Code.Unavailable]: "unavailable",
  [Code.ResourceExhausted]: "busy",
  [Code.NotFound]: "model",
  [Code.FailedPrecondition]: "model",
  [Code.DeadlineExceeded]: "timeout",
  [Code.Canceled]: "cancelled",
};

function tooSlow(limitMs: number, cause: unknown): CoreCallError {
  const message = `the core did not answer within ${limitMs / 1000} seconds (core.timeout_s)`;
  return new CoreCallError("timeout", message, { cause });
}

const ADVICE: Record<AccessProblem, string> = {
  token:
    "the core refuses this edge's token: set core.token_file or MOUTHPIECE_CORE_TOKEN to a token of the core's server.token_file",
  untrusted:
    "the core's certificate is not trusted: set core.tls.ca to the authority of the core's server.tls.cert, and core.url to a host that it names",
  certificate:
    "the core refuses this edge's certificate: set core.tls.cert and core.tls.key to one that the core's server.tls.client_ca signed",
  "no-tls":
    "core.url is https:, and nothing speaks TLS there: set server.tls at the core, or use http:",
  "broken-off":
    "the connection to the core broke off: is it running? A core with server.tls needs an https: core.url, one with server.tls.client_ca also core.tls.cert",
};

/** @param signal the caller's own */
function toCallError(error: unknown, signal: AbortSignal): CoreCallError {
  if (error instanceof CoreCallError) return error;
  const { code, rawMessage } = ConnectError.from(error);
  const problem = signal.aborted ? null : accessProblemOf(error);
  if (problem) {
    const known = problem === "broken-off" ? "unreachable" : "access";
    return new CoreCallError(known, `${ADVICE[problem]} (${rawMessage})`, { cause: error });
  }
  const known = CODES[code] ?? "internal";
  if (!isBrokenOff(error, known)) return new CoreCallError(known, rawMessage, { cause: error });
  const message = `no core answers (${rawMessage}): is it running?`;
  return new CoreCallError("unreachable", message, { cause: error });
}
