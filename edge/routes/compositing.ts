import type { MessageInitShape } from "@bufbuild/protobuf";
import {
  type ConnectRouter,
  createConnectRouter,
  createContextKey,
  createContextValues,
  type HandlerContext,
  type ServiceImpl,
} from "@connectrpc/connect";
import {
  type UniversalServerRequest,
  universalServerRequestFromFetch,
  universalServerResponseToFetch,
} from "@connectrpc/connect/protocol";
import { Hono } from "hono";
import { withoutEndlessTimeouts } from "../../avatar/endless-timeouts.ts";
import type { AvatarSummary } from "../../avatar/manifest.ts";
import {
  type AvatarSchema,
  CompositingService,
  type SpeakRequest,
  type SpeakResponseSchema,
  ImageFormat as WireFormat,
} from "../../proto/gen/mouthpiece/compositing/v1/compositing_pb.js";
import type { Access } from "../access/access.ts";
import type { Caller } from "../access/caller.ts";
import type { AvatarDirectory } from "../background/avatar-directory.ts";
import type { IdleFrames } from "../background/idle-frames.ts";
import { checkFrameIndex } from "../background/plain-frames.ts";
import { joinBytes } from "../compositor/join-bytes.ts";
import { megabytes, uploadTimes } from "../config.ts";
import { admitRequest } from "../http/authorise.ts";
import { toConnectError } from "../http/connect-error.ts";
import { limitCall } from "../http/limit-call.ts";
import { toProblem } from "../http/problem.ts";
import { DEFAULT_LIST_LIMIT, MAX_LIST_LIMIT } from "../http/query.ts";
import { refuseCall } from "../http/refuse-call.ts";
import { RequestError } from "../http/request-error.ts";
import type { EdgeVariables } from "../http/variables.ts";
import type { FrameFormat, ImageFormat } from "../speak/image-format.ts";
import type { Prewarmer } from "../speak/prewarmer.ts";
import type { SpokenFrame } from "../speak/speaker.ts";
import { startUtterance, type UtteranceOptions } from "../speak/utterance.ts";

/** What a call is known by before its handler runs. */
export interface CallIdentity {
  readonly requestId: string;
  readonly trace: EdgeVariables["trace"];
  readonly caller: Caller;
}

export interface CompositingOptions extends UtteranceOptions {
  readonly access: Access;
  readonly directory: AvatarDirectory;
  /** An avatar as this edge offers it. */
  readonly describe: (summary: AvatarSummary) => AvatarSummary;
  readonly idleFrames: IdleFrames;
  readonly prewarmer: Prewarmer;
}

/** Tells the handlers who asks; without it there is nobody. */
export const callIdentityKey = createContextKey<CallIdentity | null>(null);

const FORMATS: Record<WireFormat, FrameFormat> = {
  [WireFormat.UNSPECIFIED]: "jpeg",
  [WireFormat.JPEG]: "jpeg",
  [WireFormat.PNG]: "png",
  [WireFormat.H264]: "h264",
};

/** `CompositingService` with its limits, for whatever carries it. */
export function createCompositingRouter(
  options: CompositingOptions,
  protocols: { readonly grpc: boolean },
): ConnectRouter {
  const router = createConnectRouter({
    ...protocols,
    readMaxBytes: megabytes(options.limits.max_body_mb),
    // Pictures do not become smaller.
    acceptCompression: [],
  });
  return router.service(CompositingService, createService(options));
}

/** A call for a handler of the router: who makes it, and that it takes no longer than it may. */
export function boundCall(
  options: Pick<CompositingOptions, "limits" | "logger">,
  call: UniversalServerRequest,
  identity: CallIdentity,
): UniversalServerRequest {
  const explain = (error: unknown) => toConnectError(error, identity, options.logger);
  return {
    ...call,
    header: withoutEndlessTimeouts(call.header),
    // Nobody has parsed it before.
    body: limitCall(call.body as AsyncIterable<Uint8Array>, uploadTimes(options), explain),
    contextValues: createContextValues().set(callIdentityKey, identity),
  };
}

/** Connect and gRPC-Web over `fetch`. */
export function compositingRoutes(options: CompositingOptions): Hono<{ Variables: EdgeVariables }> {
  const { access, logger } = options;
  const app = new Hono<{ Variables: EdgeVariables }>();
  for (const handler of createCompositingRouter(options, { grpc: false }).handlers) {
    app.all(handler.requestPath, async (c) => {
      const known = { requestId: c.get("requestId"), trace: c.get("trace") };
      let caller: Caller;
      try {
        // Before the message is read: a stranger's may be large.
        caller = await admitRequest(c, access);
      } catch (error) {
        const { status } = toProblem(error, known.requestId);
        const told = toConnectError(error, known, logger);
        const { body, ...init } = refuseCall(c.req.header("content-type") ?? "", status, told);
        return new Response(body, init);
      }
      const call = universalServerRequestFromFetch(c.req.raw, {});
      const answer = await handler(boundCall(options, call, { ...known, caller }));
      return universalServerResponseToFetch(answer);
    });
  }
  return app;
}

function createService(options: CompositingOptions): ServiceImpl<typeof CompositingService> {
  const { directory, describe, idleFrames, prewarmer, logger } = options;
  const identify = ({ values }: HandlerContext): CallIdentity => {
    const identity = values.get(callIdentityKey);
    if (!identity) throw new TypeError("a call without an identity");
    return identity;
  };
  const guard = async <T>(
    context: HandlerContext,
    work: (identity: CallIdentity) => Promise<T>,
  ): Promise<T> => {
    const identity = identify(context);
    try {
      return await work(identity);
    } catch (error) {
      throw toConnectError(error, identity, logger);
    }
  };

  return {
    listAvatars: ({ after, limit }, context) =>
      guard(context, async ({ caller }) => {
        if (limit > MAX_LIST_LIMIT) {
          throw new RequestError(400, `limit ${limit}: use 1 to ${MAX_LIST_LIMIT}`);
        }
        const { avatars, next } = await directory.list(after, limit || DEFAULT_LIST_LIMIT, caller);
        return { avatars: avatars.map(describe).map(toAvatar), next: next ?? "" };
      }),

    getAvatar: ({ avatarId }, context) =>
      guard(context, async ({ caller }) => ({
        avatar: toAvatar(describe((await directory.get(avatarId, caller)).summary)),
      })),

    getIdleFrame: ({ avatarId, index, format }, context) =>
      guard(context, async ({ caller }) => {
        const avatar = await directory.get(avatarId, caller);
        checkFrameIndex(avatar, index);
        return { image: await idleFrames.get(avatar, index, readImageFormat(format)) };
      }),

    prewarm: ({ avatarId, start, format }, context) =>
      guard(context, async ({ requestId, trace, caller }) => {
        const avatar = await directory.get(avatarId, caller);
        const { modelMs, framesMs } = await prewarmer.prewarm({
          avatar,
          start,
          format: readFormat(format),
          signal: context.signal,
          deadlineMs: deadlineOf(context),
          requestId,
          trace,
        });
        return { version: avatar.summary.version, modelMs, framesMs };
      }),

    async *speak(request, context) {
      const identity = identify(context);
      try {
        const format = readFormat(request.format);
        const { frames } = startUtterance(options, {
          avatar: await directory.get(request.avatarId, identity.caller),
          audio: once(request.audio),
          contentType: contentTypeOf(request),
          contentLength: request.audio.length,
          start: request.start,
          format,
          signal: context.signal,
          deadlineMs: deadlineOf(context),
          ...identity,
        });
        for await (const frame of frames) yield toSpeakResponse(frame);
      } catch (error) {
        throw toConnectError(error, identity, logger);
      }
    },
  };
}

/** As `performance.now()` counts. */
function deadlineOf(context: HandlerContext): number | undefined {
  const ms = context.timeoutMs();
  return ms === undefined ? undefined : performance.now() + ms;
}

function readFormat(format: WireFormat): FrameFormat {
  const known = FORMATS[format];
  if (known) return known;
  throw new RequestError(
    400,
    `format ${format} is not known: use IMAGE_FORMAT_JPEG, _PNG or _H264`,
  );
}

/** Of a picture that stands alone. */
function readImageFormat(format: WireFormat): ImageFormat {
  const known = readFormat(format);
  if (known !== "h264") return known;
  throw new RequestError(400, "idle frames are pictures: use IMAGE_FORMAT_JPEG or _PNG");
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}

function contentTypeOf({ sampleRate }: SpeakRequest): string {
  return sampleRate === 0 ? "audio/wav" : `audio/l16;rate=${sampleRate}`;
}

function toAvatar(summary: AvatarSummary): MessageInitShape<typeof AvatarSchema> {
  const { id, title, width, height, fps, frameCount, version } = summary;
  const formats = [WireFormat.JPEG, WireFormat.PNG, WireFormat.H264].filter((format) =>
    summary.formats.includes(FORMATS[format]),
  );
  return { id, title, width, height, fps, frameCount, version, formats };
}

function toSpeakResponse(frame: SpokenFrame): MessageInitShape<typeof SpeakResponseSchema> {
  const { timeMs, backgroundIndex, parts, isKeyFrame } = frame;
  return { frame: frame.frame, timeMs, backgroundIndex, image: joinBytes(parts), isKeyFrame };
}
