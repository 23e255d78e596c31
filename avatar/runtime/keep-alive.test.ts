import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, createServer, type Http2Session, type ServerHttp2Session } from "node:http2";
import { type AddressInfo, connect as connectSocket, type Socket } from "node:net";
import { test } from "node:test";
import { VirtualClock } from "../clock.ts";
import { keepAlive } from "./keep-alive.ts";

const OPTIONS = { intervalMs: 30_000, timeoutMs: 10_000 };
const PREFACE = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/** Length, type, flags and stream of a SETTINGS frame without settings. */
const EMPTY_SETTINGS = Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0]);

/** A server whose clock stands still, and the session of `caller`. */
async function accept(t: { after(end: () => void): void }, caller: (port: number) => void) {
  const clock = new VirtualClock();
  const server = createServer();
  t.after(() => server.close());
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const opened = once(server, "session");
  caller((server.address() as AddressInfo).port);
  const [session] = (await opened) as [ServerHttp2Session];
  t.after(() => session.destroy());
  keepAlive(session, { clock, ...OPTIONS });
  return { clock, session };
}

test("a caller that answers pings stays, however long it is silent", async (t) => {
  let client: Http2Session | undefined;
  const { clock, session } = await accept(t, (port) => {
    client = connect(`http://127.0.0.1:${port}`);
    client.on("error", () => {});
  });
  t.after(() => client?.destroy());
  for (let minute = 0; minute < 5; minute++) {
    const pinged = once(client!, "ping");
    await clock.advanceBy(OPTIONS.intervalMs);
    await pinged;
    // The answer goes back over a real socket.
    await new Promise((resolve) => setTimeout(resolve, 20));
    assert.equal(session.destroyed, false);
  }
});

test("a caller that has vanished is cut when a ping stays without answer, not before", async (t) => {
  let socket: Socket | undefined;
  const { clock, session } = await accept(t, (port) => {
    socket = connectSocket(port, "127.0.0.1");
    socket.on("error", () => {});
    socket.resume();
    socket.write(PREFACE);
    socket.write(EMPTY_SETTINGS);
  });
  t.after(() => socket?.destroy());
  // What it sent before is read.
  await new Promise((resolve) => setTimeout(resolve, 20));
  await clock.advanceBy(OPTIONS.intervalMs + OPTIONS.timeoutMs - 1);
  assert.equal(session.destroyed, false);
  const closed = Promise.all([once(session, "close"), once(socket!, "close")]);
  await clock.advanceBy(1);
  assert.equal(session.destroyed, true);
  await closed;
});
