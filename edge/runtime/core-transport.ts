import type { ClientHttp2Session } from "node:http2";
import type { Transport } from "@connectrpc/connect";
import { createGrpcTransport, Http2SessionManager } from "@connectrpc/connect-node";
import type { CoreDiscovery } from "../core/discovery-settings.ts";
import { sendToken } from "../core/send-token.ts";
import { type AccessNames, type CoreAccessFiles, readCoreAccess } from "./core-access.ts";

/** A connection to a core, and its end. */
export interface CoreTransport {
  readonly transport: Transport;
  /** Ends what is under way. */
  close(): void;
}

/**
 * What may be on its way before it is read. HTTP/2 begins with 64 KB for all
 * streams of a connection together, less than one mouth: with 10 ms between
 * edge and core that would be 44 frames a second.
 */
const STREAM_WINDOW_BYTES = 2 * 1024 * 1024;
const CONNECTION_WINDOW_BYTES = 64 * 1024 * 1024;

/**
 * gRPC, with what cores ask of their callers: a connection for each that all calls share.
 * @param names what errors call the files, where it is not as the edge's configuration does
 * @throws SettingsError
 */
export async function createCoreTransports(
  files: CoreAccessFiles & { readonly discover?: CoreDiscovery | undefined },
  names?: AccessNames,
): Promise<(url: string) => CoreTransport> {
  const { token, tls } = await readCoreAccess(files, names);
  const { discover } = files;
  // Addresses come and go: no certificate names them.
  const named = discover && { servername: discover.server_name ?? discover.dns };
  return (url) => {
    const settings = { initialWindowSize: STREAM_WINDOW_BYTES };
    const options = { ...tls, ...named, settings };
    const sessionManager = new Http2SessionManager(url, undefined, options);
    tend(sessionManager);
    const transport = createGrpcTransport({
      baseUrl: url,
      acceptCompression: [],
      sessionManager,
      interceptors: token === null ? [] : [sendToken(token)],
    });
    return { transport, close: () => sessionManager.abort() };
  };
}

/** Opens the window of each connection, which no option does, and hears its errors to the end. */
function tend(sessionManager: Http2SessionManager): void {
  const tended = new WeakSet<ClientHttp2Session>();
  const request = sessionManager.request.bind(sessionManager);
  sessionManager.request = async (...call) => {
    const stream = await request(...call);
    // A stream that has ended meanwhile has none.
    const session = stream.session as ClientHttp2Session | undefined;
    if (session && !session.destroyed && !tended.has(session)) {
      tended.add(session);
      session.setLocalWindowSize(CONNECTION_WINDOW_BYTES);
      // The manager tells its callers of them, but stops listening when it is closed: what
      // the core's GOAWAY does in the same moment would then be nobody's, and end the process.
      session.on("error", () => {});
    }
    return stream;
  };
}
