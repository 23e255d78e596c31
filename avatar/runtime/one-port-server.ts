import {
  createServer as createHttp1Server,
  type IncomingMessage,
  type RequestListener,
  type ServerResponse,
} from "node:http";
import {
  createServer as createHttp2Server,
  type Http2ServerRequest,
  type Http2Session,
  type ServerHttp2Stream,
} from "node:http2";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import type { Duplex } from "node:stream";
import {
  createServer as createTlsServer,
  type TlsOptions,
  type Server as TlsServer,
} from "node:tls";
import { systemClock } from "../clock.ts";
import type { Logger } from "../logger.ts";
import { SettingsError } from "../settings.ts";
import { KEEP_ALIVE, type KeepAliveOptions, keepAlive } from "./keep-alive.ts";
import type { TlsMaterial } from "./tls-files.ts";

/** What every HTTP/2 connection starts with (RFC 9113, 3.4); three bytes tell it apart. */
const HTTP2_PREFACE = "PRI";
/** A connection that says nothing for so long, or has not shaken hands, is closed. */
const FIRST_BYTES_TIMEOUT_MS = 10_000;
/**
 * Idle HTTP/1.1 connections stay so long: longer than callers and proxies keep
 * theirs, so that none sends a request into one that is just being closed.
 */
const KEEP_ALIVE_TIMEOUT_MS = 75_000;
/** How often Node looks for requests that have taken too long. */
const LONGEST_CHECK_MS = 30_000;
/** Far more than the edges and probes of one core; each has a file descriptor and its buffers. */
const MAX_CONNECTIONS = 10_000;
/** Of one HTTP/2 connection. A client keeps what goes beyond until others end. */
const MAX_STREAMS = 1000;
/** New streams are refused while a connection holds so many megabytes of answers: a few InferBatch. */
const MAX_SESSION_MEMORY_MB = 256;
/** HTTP/2 error code NO_ERROR. */
const NO_ERROR = 0;
/** Sockets get so long for what was written to leave, when everything is answered. */
const FLUSH_MS = 1000;

export interface OnePortOptions {
  readonly host: string;
  readonly port: number;
  /** Null: plain text. */
  readonly tls: TlsMaterial | null;
  /** Whether a caller needs a certificate of `tls.ca`. */
  readonly needsCertificate: boolean;
  readonly logger: Logger;
  /** Default: a ping every 30 s, which waits 10 s for its answer. */
  readonly keepAlive?: KeepAliveOptions;
  /** Milliseconds for the handshake, and then for the first bytes. Default: 10 s. */
  readonly firstBytesTimeoutMs?: number;
  /** Takes connections that ask for a WebSocket. Default: nobody does. */
  readonly onUpgrade?: (request: IncomingMessage, socket: Duplex, head: Buffer) => void;
  /** Milliseconds for all of an HTTP/1.1 request; its head gets a minute of them. Default: Node's, 5 minutes. */
  readonly requestTimeoutMs?: number;
}

export interface OnePortServer {
  readonly host: string;
  readonly port: number;
  /** For new connections; those that are open keep what they have. */
  setTls(tls: TlsMaterial): void;
  /**
   * Tells connections that they end (GOAWAY, `Connection: close`); answers what
   * is under way and what comes over new connections.
   */
  drain(): void;
  /** Takes no new connections, and ends all of them within about a second. */
  close(): Promise<void>;
}

/**
 * Serves HTTP/1.1 and HTTP/2 on one port, over TLS or in clear text, by looking
 * at the first bytes of each connection: Node's http2 server refuses HTTP/1.1.
 */
export async function listenOnOnePort(
  handler: RequestListener,
  options: OnePortOptions,
): Promise<OnePortServer> {
  const { host, port, logger } = options;
  const firstBytesTimeoutMs = options.firstBytesTimeoutMs ?? FIRST_BYTES_TIMEOUT_MS;
  const sockets = new Set<Socket>();
  const sessions = new Set<Http2Session>();
  let isDraining = false;

  const { requestTimeoutMs } = options;
  const http1Options = {
    keepAliveTimeout: KEEP_ALIVE_TIMEOUT_MS,
    ...(requestTimeoutMs !== undefined && {
      requestTimeout: requestTimeoutMs,
      connectionsCheckingInterval: Math.min(requestTimeoutMs, LONGEST_CHECK_MS),
    }),
    // Who offers anything else, HTTP/2 say, is answered in HTTP/1.1 (RFC 9110, 7.8).
    shouldUpgradeCallback: ({ headers }: IncomingMessage) =>
      options.onUpgrade !== undefined && headers.upgrade?.toLowerCase() === "websocket",
  };
  const http1 = createHttp1Server(http1Options, (request, response) => {
    if (isDraining) response.shouldKeepAlive = false;
    handler(request, response);
  });
  if (options.onUpgrade) http1.on("upgrade", options.onUpgrade);
  // It does not listen itself, and only this starts what enforces its time limits.
  http1.emit("listening");
  const onStream = (request: IncomingMessage, response: ServerResponse) => {
    const { stream } = request as unknown as Http2ServerRequest;
    // The answer's own "finish" waits for the upload. Its trailers leave right after this event.
    stream.once("wantTrailers", () => setImmediate(stopUpload, stream));
    handler(request, response);
  };
  const settings = { maxConcurrentStreams: MAX_STREAMS };
  // The compatibility API hands over the same request and response shapes.
  const http2 = createHttp2Server(
    { settings, maxSessionMemory: MAX_SESSION_MEMORY_MB },
    onStream as never,
  );
  http2.on("session", (session) => {
    sessions.add(session);
    session.on("close", () => sessions.delete(session));
    keepAlive(session, options.keepAlive ?? { ...KEEP_ALIVE, clock: systemClock });
  });

  const track = (socket: Socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
    // A peer that resets its connection is no event of ours.
    socket.on("error", () => socket.destroy());
  };
  const onSocket = (socket: Socket) => {
    track(socket);
    const silence = setTimeout(() => socket.destroy(), firstBytesTimeoutMs);
    socket.on("close", () => clearTimeout(silence));
    sniff(socket, (isHttp2) => {
      clearTimeout(silence);
      (isHttp2 ? http2 : http1).emit("connection", socket);
    });
  };
  // HTTP/1.1 has no ping: the machine's own finds callers that vanished.
  const tcp = { noDelay: true, keepAlive: true, keepAliveInitialDelay: KEEP_ALIVE.intervalMs };
  const secure = options.tls
    ? createTlsServer({
        ...tcp,
        ...tlsOptions(options.tls, options.needsCertificate),
        ALPNProtocols: ["h2", "http/1.1"],
        handshakeTimeout: firstBytesTimeoutMs,
      })
    : null;
  secure?.on("connection", track);
  secure?.on("secureConnection", onSocket);
  secure?.on("tlsClientError", (error, socket) => {
    logger.debug("no handshake", { from: socket.remoteAddress, error: error.message });
  });
  const server: Server | TlsServer = secure ?? createServer(tcp, onSocket);
  server.maxConnections = MAX_CONNECTIONS;
  await new Promise<void>((resolve, reject) => {
    server.once("error", (error) => reject(explainListening(error, host, port)));
    server.listen(port, host, resolve);
  });
  const address = server.address() as AddressInfo;

  return {
    host,
    port: address.port,
    setTls: (tls) => secure?.setSecureContext(tlsOptions(tls, options.needsCertificate)),
    drain() {
      isDraining = true;
      http1.closeIdleConnections();
      for (const session of sessions) session.close();
    },
    async close() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      http1.close();
      for (const session of sessions) session.close();
      const cut = setTimeout(() => {
        for (const socket of sockets) socket.destroy();
      }, FLUSH_MS);
      await closed;
      clearTimeout(cut);
    },
  };
}

/** What an operator can do about it. */
function explainListening(error: Error, host: string, port: number): Error {
  const known: Record<string, string> = {
    EADDRINUSE: "another program listens there: stop it, or set server.port",
    EACCES: "this user may not: use a port from 1024 on, or give it the right",
    EADDRNOTAVAIL: "this machine has no such address: set server.host",
    ENOTFOUND: "there is no such name: set server.host",
  };
  const advice = known[(error as NodeJS.ErrnoException).code ?? ""];
  if (!advice) return error;
  return new SettingsError(`cannot listen on ${host}, port ${port}: ${advice}`, { cause: error });
}

function tlsOptions(tls: TlsMaterial, needsCertificate: boolean): TlsOptions {
  const client = { requestCert: needsCertificate, rejectUnauthorized: needsCertificate };
  return { ...tls, ...client, minVersion: "TLSv1.2" };
}

/** An answer is complete, and nobody reads the rest of its request (RFC 9113, 8.1). */
function stopUpload(stream: ServerHttp2Stream): void {
  if (!stream.readableEnded) stream.close(NO_ERROR);
}

function sniff(socket: Socket, onDecided: (isHttp2: boolean) => void): void {
  let seen = Buffer.alloc(0);
  const onReadable = () => {
    const chunk: Buffer | null = socket.read();
    if (!chunk) return;
    seen = Buffer.concat([seen, chunk]);
    const start = seen.toString("latin1", 0, HTTP2_PREFACE.length);
    if (start.length < HTTP2_PREFACE.length && HTTP2_PREFACE.startsWith(start)) return;
    socket.off("readable", onReadable);
    socket.unshift(seen);
    onDecided(start === HTTP2_PREFACE);
  };
  socket.on("readable", onReadable);
}
