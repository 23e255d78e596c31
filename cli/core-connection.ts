import { type Client, Code, ConnectError, createClient } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-node";
import { type AccessProblem, accessProblemOf } from "../edge/core/access-problem.ts";
import { sendToken } from "../edge/core/send-token.ts";
import {
  type AccessNames,
  type CoreAccessFiles,
  readCoreAccess,
} from "../edge/runtime/core-access.ts";
import { AdminService } from "../proto/gen/mouthpiece/admin/v1/admin_pb.js";
import { InferenceService } from "../proto/gen/mouthpiece/inference/v1/inference_pb.js";
import { CommandError } from "./command-error.ts";

const MAX_TIMEOUT_S = 3600;
const DEFAULT_TIMEOUT_S = 10;

/** Options of every command that may speak with a running core. */
export interface AccessOptions {
  /** Its first token is sent; without it MOUTHPIECE_CORE_TOKEN is. */
  readonly tokenFile?: string;
  /** PEM files for an https: URL. */
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
}

/** Options of every command that asks a running core. */
export interface CoreOptions extends AccessOptions {
  /** `http://host:port` of the core. */
  readonly core: string;
  /** Seconds that one answer may take. */
  readonly timeout?: string;
  readonly json?: boolean;
}

/** What errors call the files. */
export const ACCESS_NAMES: AccessNames = {
  tokenFile: "--token-file",
  ca: "--ca",
  cert: "--cert",
  key: "--key",
};

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
  const { token, tls } = await readCoreAccess(accessFiles(options), ACCESS_NAMES);
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

export function accessFiles({ tokenFile, ca, cert, key }: AccessOptions): CoreAccessFiles {
  return { token_file: tokenFile, tls: { ca, cert, key } };
}

const ACCESS_ADVICE: Record<AccessProblem, string> = {
  token: "use --token-file, or MOUTHPIECE_CORE_TOKEN",
  untrusted:
    "its certificate is not trusted: name the authority with --ca, and the host as it does",
  certificate: "it asks for a certificate of this side: use --cert and --key",
  "no-tls": "it does not speak TLS: use http:",
  "broken-off":
    "it ended the connection: use https: if it speaks TLS, and --cert and --key if it asks for a certificate",
};

function explain(error: ConnectError, url: string, timeoutS: number): string {
  if (error.code === Code.DeadlineExceeded) {
    return `the core at ${url} did not answer within ${timeoutS} s: --timeout allows more`;
  }
  const problem = accessProblemOf(error);
  if (problem) return `the core at ${url}: ${error.rawMessage}; ${ACCESS_ADVICE[problem]}`;
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
