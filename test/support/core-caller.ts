import { crc32 } from "node:zlib";
import { type Client, Code, ConnectError, createClient } from "@connectrpc/connect";
import { createGrpcTransport, Http2SessionManager } from "@connectrpc/connect-node";
import { samplesForFramesWithin } from "../../avatar/speech-timing.ts";
import {
  InferenceService,
  type InferSpeechResponse,
  Priority,
} from "../../proto/gen/mouthpiece/inference/v1/inference_pb.js";
import { tone } from "./tiny-avatar.ts";

/** Ten seconds of speech, of which requests take windows. */
const UTTERANCE = tone(160_000);

export interface SpeakOptions {
  readonly firstFrame?: number;
  readonly signal?: AbortSignal;
  readonly timeoutMs?: number;
  readonly priority?: Priority;
  /** Waits after each frame, in milliseconds. */
  readonly pauseMs?: number;
}

/** How a request went. */
export interface Spoken {
  readonly frames: number;
  /** CRC-32 of each frame's pixels. */
  readonly checksums: readonly number[];
  /** Null when it went well. */
  readonly error: ConnectError | null;
  readonly ms: number;
  /** From the request to the first frame. */
  readonly firstMs: number;
  /** Milliseconds that the core spent computing. */
  readonly computeMs: number;
  readonly queueMs: number;
}

export type Call = (modelId: string, frames: number, options?: SpeakOptions) => Promise<Spoken>;

export interface CoreCaller {
  readonly rpc: Client<typeof InferenceService>;
  /** Asks for frames of the utterance that all share. Never rejects. */
  readonly speak: Call;
  close(): void;
}

/** A client over gRPC, on a connection of its own. */
export function connectCaller(url: string): CoreCaller {
  const sessionManager = new Http2SessionManager(url);
  const transport = createGrpcTransport({ baseUrl: url, acceptCompression: [], sessionManager });
  const rpc = createClient(InferenceService, transport);
  return {
    rpc,
    async speak(modelId, frames, options = {}) {
      const { firstFrame = 0, signal, timeoutMs, priority = Priority.LIVE, pauseMs = 0 } = options;
      const { start, end } = samplesForFramesWithin(
        firstFrame,
        firstFrame + frames,
        UTTERANCE.length,
      );
      const checksums: number[] = [];
      const started = performance.now();
      const spoken = { frames: 0, firstMs: 0, computeMs: 0, queueMs: 0 };
      let error: ConnectError | null = null;
      try {
        const request = {
          modelId,
          speech: new Uint8Array(UTTERANCE.slice(start, end).buffer),
          speechStart: BigInt(start),
          utteranceSamples: BigInt(UTTERANCE.length),
          firstFrame,
          backgroundIndices: Array.from({ length: frames }, (_, i) => (firstFrame + i) % 4),
          priority,
        };
        const call = rpc.inferSpeech(request, {
          ...(signal && { signal }),
          ...(timeoutMs !== undefined && { timeoutMs }),
        });
        for await (const mouth of call) {
          if (spoken.frames++ === 0) spoken.firstMs = performance.now() - started;
          spoken.computeMs += computeMs(mouth);
          spoken.queueMs += mouth.times?.queueMs ?? 0;
          checksums.push(crc32(mouth.pixels));
          if (pauseMs > 0) await new Promise((resolve) => setTimeout(resolve, pauseMs).unref());
        }
        if (spoken.frames !== frames) {
          throw new ConnectError(`${spoken.frames} of ${frames} frames came`, Code.DataLoss);
        }
      } catch (cause) {
        error = ConnectError.from(cause);
      }
      return { ...spoken, checksums, error, ms: performance.now() - started };
    },
    close: () => sessionManager.abort(),
  };
}

function computeMs({ times }: InferSpeechResponse): number {
  if (!times) return 0;
  return times.melMs + times.encoderMs + times.prepareMs + times.unetMs + times.fitMs;
}
