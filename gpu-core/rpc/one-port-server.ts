import { createServer as createHttp1Server, type RequestListener } from "node:http";
import { createServer as createHttp2Server, type Http2Session } from "node:http2";
import { type AddressInfo, createServer, type Socket } from "node:net";

/** What every HTTP/2 connection starts with (RFC 9113, 3.4); three bytes tell it apart. */
const HTTP2_PREFACE = "PRI";
/** A connection that says nothing for so long is closed. */
const FIRST_BYTES_TIMEOUT_MS = 10_000;

export interface OnePortServer {
  readonly host: string;
  readonly port: number;
  /** Takes no new connections, waits for requests under way up to `limitMs`, then cuts them. */
  close(limitMs: number): Promise<void>;
}

/**
 * Serves HTTP/1.1 and cleartext HTTP/2 on one port, by looking at the first
 * bytes of each connection: Node's http2 server refuses HTTP/1.1.
 */
export async function listenOnOnePort(
  handler: RequestListener,
  host: string,
  port: number,
): Promise<OnePortServer> {
  const http1 = createHttp1Server(handler);
  // The compatibility API hands over the same request and response shapes.
  const http2 = createHttp2Server({}, handler as never);
  const sockets = new Set<Socket>();
  const sessions = new Set<Http2Session>();
  http2.on("session", (session) => {
    sessions.add(session);
    session.on("close", () => sessions.delete(session));
  });

  const server = createServer({ noDelay: true }, (socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
    // A peer that resets its connection is no event of ours.
    socket.on("error", () => socket.destroy());
    const silence = setTimeout(() => socket.destroy(), FIRST_BYTES_TIMEOUT_MS);
    socket.on("close", () => clearTimeout(silence));
    sniff(socket, (isHttp2) => {
      clearTimeout(silence);
      (isHttp2 ? http2 : http1).emit("connection", socket);
    });
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, host, resolve);
  });
  const address = server.address() as AddressInfo;

  return {
    host,
    port: address.port,
    async close(limitMs) {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      http1.closeIdleConnections();
      for (const session of sessions) session.close();
      const cut = setTimeout(() => {
        for (const socket of sockets) socket.destroy();
      }, limitMs);
      await closed;
      clearTimeout(cut);
    },
  };
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
