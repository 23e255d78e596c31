import type { Transport } from "@connectrpc/connect";
import { createGrpcTransport, Http2SessionManager } from "@connectrpc/connect-node";
import { sendToken } from "../core/send-token.ts";
import { type AccessNames, type CoreAccessFiles, readCoreAccess } from "./core-access.ts";

/** A connection to the core, and its end. */
export interface CoreTransport {
  readonly transport: Transport;
  /** Ends what is under way. */
  close(): void;
}

/**
 * gRPC, with what the core asks of its callers.
 * @param names what errors call the files, where it is not as the edge's configuration does
 * @throws SettingsError
 */
export async function createCoreTransport(
  core: { readonly url: string } & CoreAccessFiles,
  names?: AccessNames,
): Promise<CoreTransport> {
  const { token, tls } = await readCoreAccess(core, names);
  const sessionManager = new Http2SessionManager(core.url, undefined, { ...tls });
  const transport = createGrpcTransport({
    baseUrl: core.url,
    acceptCompression: [],
    sessionManager,
    interceptors: token === null ? [] : [sendToken(token)],
  });
  return { transport, close: () => sessionManager.abort() };
}
