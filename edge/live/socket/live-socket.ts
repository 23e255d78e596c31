/** A WebSocket, as far as a session needs one; each runtime has its own. */
export interface LiveSocket {
  /** Does nothing once it is closed. */
  send(message: string | Uint8Array<ArrayBuffer>): void;
  /** @param code 1000, 1001 or 4000 to 4999 (RFC 6455, 7.4) */
  close(code: number, reason: string): void;
}

/** Who looks after a WebSocket. */
export interface SocketHandler {
  /** Binary messages come as ArrayBuffers. */
  message(data: string | ArrayBuffer): void;
  /** It is closed, whoever closed it. Called once. */
  closed(): void;
}

export type AcceptSocket = (socket: LiveSocket) => SocketHandler;

/**
 * Makes a WebSocket of the request that is being answered.
 * @param accept called when messages can be sent
 */
export type UpgradeSocket = (accept: AcceptSocket) => Response | Promise<Response>;
