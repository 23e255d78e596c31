import { RequestError } from "../http/request-error.ts";
import type { UpgradeSocket } from "../live/socket/live-socket.ts";

/** What of Deno is used beside what Node has. */
declare const Deno: {
  upgradeWebSocket(request: Request): { readonly response: Response; readonly socket: WebSocket };
};

const POLL_MS = 20;

/** The WebSockets of an edge on Deno, which pings them by itself. */
export class DenoSockets {
  readonly #open = new Set<WebSocket>();

  /** For a request that asks for one. */
  upgrade(request: Request): UpgradeSocket {
    return (accept) => {
      const { response, socket } = upgrade(request);
      socket.binaryType = "arraybuffer";
      socket.onopen = () => {
        this.#open.add(socket);
        const handler = accept({
          send(message) {
            if (socket.readyState === WebSocket.OPEN) socket.send(message);
          },
          close: (code, reason) => socket.close(code, reason),
        });
        const end = () => {
          if (this.#open.delete(socket)) handler.closed();
        };
        socket.onmessage = ({ data }: MessageEvent<string | ArrayBuffer>) => handler.message(data);
        socket.onclose = end;
        socket.onerror = end;
      };
      return response;
    };
  }

  /** Waits until all have closed, no longer than the limit. */
  async closed(limitMs: number): Promise<void> {
    const latest = performance.now() + limitMs;
    while (this.#open.size > 0 && performance.now() < latest) {
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
  }
}

/** @throws RequestError 400 */
function upgrade(request: Request): ReturnType<typeof Deno.upgradeWebSocket> {
  try {
    return Deno.upgradeWebSocket(request);
  } catch {
    throw new RequestError(400, "the handshake is not that of a WebSocket (RFC 6455, 4.2.1)");
  }
}
