import type { Http2Session } from "node:http2";
import type { Clock } from "../clock.ts";

export interface KeepAliveOptions {
  readonly clock: Clock;
  /** Milliseconds from one answer to the next ping. */
  readonly intervalMs: number;
  /** A peer that sends nothing for so long after a ping has vanished. */
  readonly timeoutMs: number;
}

/** A balancer drops what was silent for a minute; a vanished caller costs a stream until it is found. */
export const KEEP_ALIVE = { intervalMs: 30_000, timeoutMs: 10_000 };

/**
 * Pings a session for as long as it is open and destroys it when its peer has
 * vanished: a machine that lost its power says no goodbye.
 */
export function keepAlive(session: Http2Session, options: KeepAliveOptions): void {
  const { clock, intervalMs, timeoutMs } = options;
  let cancel = clock.after(intervalMs, ping);
  session.once("close", () => cancel());

  function ping(): void {
    if (session.destroyed) return;
    const received = session.socket.bytesRead;
    cancel = clock.after(timeoutMs, () => {
      // An answer can be stuck behind a big message on a slow line, which arrives.
      if (session.socket?.bytesRead === received) session.destroy();
      else next();
    });
    session.ping((error) => {
      if (!error) next();
    });
  }

  function next(): void {
    cancel();
    cancel = clock.after(intervalMs, ping);
  }
}
