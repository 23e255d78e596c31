import { type Logger, silentLogger } from "../../avatar/logger.ts";
import { parseEdgeConfig } from "../../edge/config.ts";
import { startNodeEdge } from "../../edge/runtime/node.ts";
import type { RunningEdge } from "../../edge/runtime/running-edge.ts";
import { parseCoreConfig } from "../../gpu-core/config.ts";
import { type RunningCore, startCore } from "../../gpu-core/main.ts";
import type { AdminOptions } from "../../gpu-core/rpc/admin-service.ts";

export interface TestSystem {
  readonly core: RunningCore;
  readonly edge: RunningEdge;
  stop(): Promise<void>;
}

/** A real core and a real edge on free ports of loopback. */
export async function startSystem(
  root: string,
  settings: {
    core?: object;
    edge?: object;
    logger?: Logger;
    assetsRoot?: string;
    admin?: AdminOptions;
    /** See `startNodeEdge`. */
    importWebCodecs?: () => Promise<unknown>;
  } = {},
): Promise<TestSystem> {
  const logger = settings.logger ?? silentLogger;
  const server = { port: 0 };
  const core = await startCore(
    parseCoreConfig({ models_root: root, server, ...settings.core }, "test"),
    logger,
    settings.admin,
  );
  try {
    const edge = await startNodeEdge(
      parseEdgeConfig(
        { avatars_root: root, server, core: { url: core.url }, ...settings.edge },
        "test",
      ),
      settings.assetsRoot ?? null,
      logger,
      settings.importWebCodecs,
    );
    return {
      core,
      edge,
      async stop() {
        await edge.stop();
        await core.stop();
      },
    };
  } catch (error) {
    await core.stop();
    throw error;
  }
}

/** A part of a multipart body. */
export interface ReceivedPart {
  readonly headers: Headers;
  readonly body: Uint8Array;
}

/** Splits a complete multipart body by its lengths. */
export async function readParts(response: Response): Promise<ReceivedPart[]> {
  const boundary = /boundary=(\S+)/.exec(response.headers.get("content-type") ?? "")?.[1];
  if (!boundary) throw new Error(`not multipart: ${response.status} ${await response.text()}`);
  const bytes = Buffer.from(await response.arrayBuffer());
  const parts: ReceivedPart[] = [];
  for (let at = 0; ; ) {
    const line = bytes.indexOf("\r\n", at);
    if (bytes.toString("latin1", at, line) === `--${boundary}--`) return parts;
    const end = bytes.indexOf("\r\n\r\n", at);
    const lines = bytes.toString("latin1", line + 2, end).split("\r\n");
    const headers = new Headers(lines.map((each) => each.split(": ") as [string, string]));
    const length = Number(headers.get("content-length"));
    if (headers.get("content-type") === "application/problem+json") {
      throw new Error(`broke off after ${parts.length} parts: ${bytes.toString("utf8", end + 4)}`);
    }
    parts.push({ headers, body: bytes.subarray(end + 4, end + 4 + length) });
    at = end + 4 + length + 2;
  }
}

/**
 * Who is refused before all of his upload is read may lose the answer, when the
 * connection is closed under what he still sends (RFC 9112, 9.6).
 */
export async function untilAnswered(call: () => Promise<Response>): Promise<Response> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await call();
    } catch (error) {
      if (attempt === 5) throw error;
    }
  }
}
