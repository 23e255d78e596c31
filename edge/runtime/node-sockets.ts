import { type IncomingMessage, STATUS_CODES } from "node:http";
import type { Duplex } from "node:stream";
import { type WebSocket, WebSocketServer } from "ws";
import type { Logger } from "../../avatar/logger.ts";
import type { EdgeApp } from "../app.ts";
import { MAX_BINARY_BYTES } from "../live/socket/client-message.ts";
import type { AcceptSocket, SocketHandler } from "../live/socket/live-socket.ts";

/** A reader who takes nothing in for so long that this piles up is cut off. */
const MAX_BUFFERED_BYTES = 16 * 1024 * 1024;

/** Makes WebSockets of Node's connections, for whom `app` lets in. */
export function createSocketListener(app: EdgeApp, logger: Logger) {
  const server = new WebSocketServer({
    noServer: true,
    maxPayload: MAX_BINARY_BYTES,
    // Pictures and sound are compressed already.
    perMessageDeflate: false,
    clientTracking: false,
  });

  async function answer(request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    // Held here, so that it cannot be answered twice.
    const accepted: AcceptSocket[] = [];
    const response = await app.connect(toRequest(request), (accept) => {
      accepted.push(accept);
      return new Response(null, { status: 204 });
    });
    const [accept] = accepted;
    if (socket.destroyed) return;
    if (!accept) return refuse(socket, response);
    server.handleUpgrade(request, socket, head, (webSocket) => serve(webSocket, socket, accept));
  }

  return (request: IncomingMessage, socket: Duplex, head: Buffer): void => {
    socket.on("error", () => socket.destroy());
    answer(request, socket, head).catch((error: unknown) => {
      logger.error("a WebSocket could not be opened", { error: String(error) });
      socket.destroy();
    });
  };
}

function serve(webSocket: WebSocket, socket: Duplex, accept: AcceptSocket): void {
  webSocket.binaryType = "arraybuffer";
  const gather = gatherWrites(socket);
  const handler: SocketHandler = accept({
    send(message) {
      if (webSocket.readyState !== webSocket.OPEN) return;
      gather();
      if (webSocket.bufferedAmount > MAX_BUFFERED_BYTES) webSocket.terminate();
      else webSocket.send(message);
    },
    close: (code, reason) => webSocket.close(code, reason),
  });
  webSocket.on("message", (data, isBinary) => {
    handler.message(isBinary ? (data as ArrayBuffer) : data.toString());
  });
  webSocket.once("close", () => handler.closed());
  // Too large, or no WebSocket at all: it is closed, and that is told above.
  webSocket.on("error", () => {});
}

/**
 * What is written in one turn of the event loop goes out together: a moment's sound, its
 * picture and what is told of it would be a system call each.
 * @returns call it before a write
 */
function gatherWrites(socket: Duplex): () => void {
  let isGathering = false;
  return () => {
    if (isGathering) return;
    isGathering = true;
    socket.cork();
    setImmediate(() => {
      isGathering = false;
      socket.uncork();
    });
  };
}

function toRequest({ url, headers }: IncomingMessage): Request {
  const known = new Headers();
  for (const [name, value] of Object.entries(headers)) {
    // They are about the connection, and `Request` has no body for them to be about.
    if (value !== undefined) known.set(name, Array.isArray(value) ? value.join(", ") : value);
  }
  const base = `http://${headers.host ?? "localhost"}`;
  return new Request(new URL(url ?? "/", base), { headers: known });
}

async function refuse(socket: Duplex, response: Response): Promise<void> {
  const body = Buffer.from(await response.arrayBuffer());
  const lines = [
    `HTTP/1.1 ${response.status} ${STATUS_CODES[response.status] ?? ""}`,
    ...[...response.headers].map(([name, value]) => `${name}: ${value}`),
    `content-length: ${body.length}`,
    "connection: close",
  ];
  socket.end(Buffer.concat([Buffer.from(`${lines.join("\r\n")}\r\n\r\n`), body]));
}
