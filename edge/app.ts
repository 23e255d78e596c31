import { Hono } from "hono";
import { systemClock } from "../avatar/clock.ts";
import { noTracing, traceFields } from "../avatar/tracing/tracing.ts";
import { withoutKeys } from "./access/api-key.ts";
import { AvatarDirectory } from "./background/avatar-directory.ts";
import type { EdgeConfig } from "./config.ts";
import { accessLog } from "./http/access-log.ts";
import { authorise, authoriseInsight, authoriseOperator } from "./http/authorise.ts";
import { problemResponse, toProblem } from "./http/problem.ts";
import { RequestError } from "./http/request-error.ts";
import { stampAnswers } from "./http/stamp-answers.ts";
import { traceRequests } from "./http/trace-requests.ts";
import type { EdgeVariables } from "./http/variables.ts";
import { openLive } from "./live/open-live.ts";
import type { LiveServiceOptions } from "./live/rpc/live-service.ts";
import type { UpgradeSocket } from "./live/socket/live-socket.ts";
import { turnSettingsOf } from "./live/webrtc-settings.ts";
import type { WhepOptions } from "./live/whep/whep.ts";
import { RecentLog } from "./operator/recent-log.ts";
import { Snapshots } from "./operator/snapshot.ts";
import { Watchers } from "./operator/watchers.ts";
import { type EdgeParts, FREE_SHARING } from "./parts.ts";
import { avatarRoutes } from "./routes/avatars.ts";
import { type CompositingOptions, compositingRoutes } from "./routes/compositing.ts";
import { healthRoutes } from "./routes/health.ts";
import { metricsRoutes } from "./routes/metrics.ts";
import { operatorRoutes } from "./routes/operator.ts";
import { pageRoutes } from "./routes/page.ts";
import { recordingRoute } from "./routes/recording.ts";
import { sessionRoutes } from "./routes/sessions.ts";
import { speakRoute } from "./routes/speak.ts";
import { tokenRoutes } from "./routes/tokens.ts";
import { whepRoutes } from "./routes/whep.ts";
import { openComposers } from "./speak/open-composers.ts";
import { Prewarmer } from "./speak/prewarmer.ts";
import { Speaker } from "./speak/speaker.ts";

/** The edge, for a runtime to serve. */
export interface EdgeApp {
  /** As the Fetch standard's handlers; `env` and `context` are a Worker's. */
  fetch(request: Request, env?: unknown, context?: unknown): Response | Promise<Response>;
  /** Answers a request for a WebSocket, which `upgrade` makes. */
  connect(request: Request, upgrade: UpgradeSocket): Response | Promise<Response>;
  /** Ends what would go on for ever: live sessions, and what operators watch. */
  stop(): void;
  /** For a runtime that can carry gRPC. */
  readonly compositing: CompositingOptions;
  readonly liveService: LiveServiceOptions;
}

/** The edge, put together from what the runtime gives it. */
export function createApp(parts: EdgeParts): EdgeApp {
  const {
    config,
    access,
    store,
    core,
    preparer,
    assets,
    now,
    encoders,
    webrtc,
    tracing = noTracing,
    sharing = FREE_SHARING,
  } = parts;
  const recentLog = parts.recentLog ?? new RecentLog();
  const logger = parts.recentLog ? parts.logger : recentLog.around(parts.logger);
  const directory = new AvatarDirectory({ store, logger, now, sharing });
  const { composers, prepared, idleFrames, mouths, tracks, pictures } = openComposers({
    config,
    store,
    preparer,
    sharing,
    ...(encoders && { encoders }),
    now,
  });
  const describe = composers.describe.bind(composers);
  const speaker = new Speaker({
    core,
    composers,
    maxSpeaking: config.limits.max_speaking,
    now,
  });
  const prewarmer = new Prewarmer({ core, composers, now });
  const live = openLive({ config, access, directory, composers, mouths, core, sharing, logger });
  const snapshots = new Snapshots({
    ...{ config, isOpen: access.isOpen, recentLog, sharing, now },
    ...{ prepared, idleFrames, tracks, pictures, speaker, core, live: live.sessions },
  });
  const watchers = new Watchers({ take: () => snapshots.take(), clock: systemClock });
  const { limits } = config;
  const compositing: CompositingOptions = {
    access,
    directory,
    describe,
    idleFrames,
    prewarmer,
    speaker,
    limits,
    logger,
    now,
  };

  const app = new Hono<{ Variables: EdgeVariables }>();
  app.use(stampAnswers(access));
  // Probes and the page's files would drown what is worth looking at.
  app.use("/v1/*", traceRequests(tracing));
  app.use(accessLog(logger, now));
  app.route("/", healthRoutes({ core, store, access, logger }));
  app.use("/metrics", authoriseOperator(access));
  app.route(
    "/",
    metricsRoutes({ prepared, tracks, pictures, speaker, core, live: live.sessions, webrtc }),
  );
  // Before what lets tenants in. `/*` is the path without it, too.
  app.use("/v1/operator/*", authoriseInsight(access));
  app.route("/v1/operator", operatorRoutes({ snapshots, watchers }));
  // Whoever watches has the session's own token, and no key.
  app.route(
    "/v1/sessions",
    whepRoutes({ access, directory, ...live, composers, logger, whep: whepOf(webrtc, config) }),
  );
  app.route("/v1/sessions", recordingRoute({ access, directory, ...live, composers, logger }));
  app.use("/v1/*", authorise(access));
  app.route("/v1/tokens", tokenRoutes(access, directory));
  app.route(
    "/v1/avatars",
    avatarRoutes({ directory, describe, idleFrames, prewarmer, jpeg: config.jpeg }),
  );
  app.route("/v1/avatars", speakRoute(compositing));
  app.route("/v1", sessionRoutes({ directory, ...live, hasWebRtc: webrtc !== undefined }));
  app.route("/", compositingRoutes(compositing));
  if (assets) app.route("/", pageRoutes(assets));

  app.notFound((c) => {
    const path = withoutKeys(c.req.path.slice(0, 100));
    const error = new RequestError(404, `there is nothing at ${path}`);
    return problemResponse(toProblem(error, c.get("requestId")));
  });
  app.onError((error, c) => {
    const problem = toProblem(error, c.get("requestId"));
    if (problem.status >= 500) {
      const what = error.stack ?? error.message;
      const { requestId } = problem;
      logger.error("request failed", { requestId, ...traceFields(c.get("trace")), error: what });
    }
    return problemResponse(problem);
  });
  return {
    fetch: (request, env, context) => app.fetch(request, env as never, context as never),
    connect: live.connect,
    stop() {
      live.sessions.close("going_away");
      watchers.stop();
    },
    compositing,
    liveService: live.service,
  };
}

function whepOf(peers: EdgeParts["webrtc"], { webrtc }: EdgeConfig): WhepOptions | null {
  if (!peers || !webrtc) return null;
  const iceServers = { stun: webrtc.stun, turn: turnSettingsOf(webrtc) };
  return { peers, iceServers, unixMs: Date.now };
}
