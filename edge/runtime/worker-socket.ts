import type { AcceptSocket } from "../live/socket/live-socket.ts";

/** A WebSocket in workerd. The answer hands its other end to the client. */
export function acceptWorkerSocket(accept: AcceptSocket): Response {
  const { 0: client, 1: server } = new WebSocketPair();
  // What comes as a Blob otherwise, from some compatibility date on.
  server.binaryType = "arraybuffer";
  server.accept();
  let isOpen = true;
  const handler = accept({
    send(message) {
      if (isOpen) server.send(message);
    },
    close(code, reason) {
      if (isOpen) server.close(code, reason);
    },
  });
  const end = () => {
    if (!isOpen) return;
    isOpen = false;
    handler.closed();
  };
  server.addEventListener("message", ({ data }) => {
    if (typeof data === "string" || data instanceof ArrayBuffer) handler.message(data);
  });
  server.addEventListener("close", ({ code }) => {
    end();
    // Its own end is closed, too; 1005 and 1006 are not for sending (RFC 6455, 7.4.1).
    server.close(code === 1005 || code === 1006 ? 1000 : code);
  });
  server.addEventListener("error", end);
  return new Response(null, { status: 101, webSocket: client });
}
