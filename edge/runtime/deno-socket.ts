import { RequestError } from "../http/request-error.ts";
import type { UpgradeSocket } from "../live/socket/live-socket.ts";

/** What of Deno is used beside what Node has. */
declare const Deno: {
  upgradeWebSocket(request: Request): { readonly response: Response; readonly socket: WebSocket };
};

/** A WebSocket on Deno, which pings it by itself. */
export function upgradeDenoSocket(request: Request): UpgradeSocket {
  return (accept) => {
    const { response, socket } = upgrade(request);
    socket.binaryType = "arraybuffer";
    socket.onopen = () => {
      const handler = accept({
        send(message) {
          if (socket.readyState === WebSocket.OPEN) socket.send(message);
        },
        close: (code, reason) => socket.close(code, reason),
      });
      let isOpen = true;
      const end = () => {
        if (isOpen) handler.closed();
        isOpen = false;
      };
      socket.onmessage = ({ data }: MessageEvent<string | ArrayBuffer>) => handler.message(data);
      socket.onclose = end;
      socket.onerror = end;
    };
    return response;
  };
}

/** @throws RequestError 400 */
function upgrade(request: Request): ReturnType<typeof Deno.upgradeWebSocket> {
  try {
    return Deno.upgradeWebSocket(request);
  } catch {
    throw new RequestError(400, "the handshake is not that of a WebSocket (RFC 6455, 4.2.1)");
  }
}
