import { type Client, Code, ConnectError, createClient } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-node";
import { readCoreAccess } from "../edge/runtime/core-access.ts";
import { sendToken } from "../edge/runtime/core-transport.ts";
import { AdminService } from "../proto/gen/mouthpiece/admin/v1/admin_pb.js";
import { InferenceService } from "../proto/gen/mouthpiece/inference/v1/inference_pb.js";
import { CommandError } from "./command-error.ts";

const MAX_TIMEOUT_S = 3600;
const DEFAULT_TIMEOUT_S = 10;

/** Options of every command that asks a running core. */
export interface CoreOptions {
  /** `http://host:port` of the core. */
  readonly core: string;
  /** Seconds that one answer may take. */
  readonly timeout?: string;
  readonly json?: boolean;
  /** Its first token is sent; without it MOUTHPIECE_CORE_TOKEN is. */
  readonly tokenFile?: string;
  /** PEM files for an https: URL. */
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
}

/** What errors call the files. */
const OPTION_NAMES = { tokenFile: "--token-file", ca: "--ca", cert: "--cert", key: "--key" };

export type CoreClient = Client<typeof InferenceService>;
export type AdminClient = Client<typeof AdminService>;

/**
 * Asks a running core.
 * @throws CommandError that says what to do: no core there, too slow, or what the core answered
 */
export async function askCore<T>(
  options: CoreOptions,
  question: (core: CoreClient, admin: AdminClient) => Promise<T>,
  defaultTimeoutS = DEFAULT_TIMEOUT_S,
): Promise<T> {
  const baseUrl = checkUrl(options.core);
  const timeoutS = checkTimeout(options.timeout, defaultTimeoutS);
  const { tokenFile, ca, cert, key } = options;
  const files = { token_file: tokenFile, tls: { ca, cert, key } };
  const { token, tls } = await readCoreAccess(files, OPTION_NAMES);
  // HTTP/1.1: its idle connections do not keep the process alive.
  const transport = createConnectTransport({
    baseUrl,
    httpVersion: "1.1",
    defaultTimeoutMs: timeoutS * 1000,
    nodeOptions: baseUrl.startsWith("https:") ? { ...tls } : {},
    interceptors: token === null ? [] : [sendToken(token)],
  });
  try {
    return await question(
      createClient(InferenceService, transport),
      createClient(AdminService, transport),
    );
  } catch (cause) {
    throw new CommandError(explain(ConnectError.from(cause), baseUrl, timeoutS), { cause });
  }
}

function explain(error: ConnectError, url: string, timeoutS: number): string {
  if (error.code === Code.DeadlineExceeded) {
    return `the core at ${url} did not answer within ${timeoutS} s: --timeout allows more`;
  }
  if (error.code === Code.Unauthenticated) {
    return `${error.rawMessage}: use --token-file, or MOUTHPIECE_CORE_TOKEN`;
  }
  if (error.code === Code.Unimplemented) {
    return `${url} is no core, or one of another version (${error.rawMessage}): use the port that server.port of the core's file says, not the edge's`;
  }
  // What a core answers has no cause on this side; what kept us from it has.
  if (error.cause === undefined) return error.rawMessage;
  return `no core answers at ${url} (${error.rawMessage}): start one with "npx mouthpiece core --config config.yaml", or name it with --core`;
}

function checkUrl(url: string): string {
  const protocol = URL.canParse(url) ? new URL(url).protocol : "";
  if (protocol === "http:" || protocol === "https:") return url.replace(/\/+$/, "");
  throw new CommandError(`--core ${url}: use a URL like http://127.0.0.1:50051`, { isUsage: true });
}

function checkTimeout(text: string | undefined, defaultS: number): number {
  if (text === undefined) return defaultS;
  const seconds = /^\d{1,4}(\.\d{1,3})?$/.test(text) ? Number(text) : 0;
  if (seconds > 0 && seconds <= MAX_TIMEOUT_S) return seconds;
  throw new CommandError(`--timeout ${text}: use seconds, more than 0 and at most 3600`, {
    isUsage: true,
  });
}
