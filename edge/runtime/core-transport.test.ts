import assert from "node:assert/strict";
import http2 from "node:http2";
import { syncBuiltinESMExports } from "node:module";
import type { AddressInfo } from "node:net";
import { mock, test } from "node:test";
import { createClient } from "@connectrpc/connect";
import { InferenceService } from "../../proto/gen/mouthpiece/inference/v1/inference_pb.js";
import { createCoreTransports } from "./core-transport.ts";

test("a core that says goodbye in the moment in which its connection is closed harms nobody", async (t) => {
  const server = http2.createServer();
  const atServer = new Promise<http2.ServerHttp2Session>((resolve) => {
    server.once("session", resolve);
  });
  server.on("stream", (stream) => stream.respond({ ":status": 503 }, { endStream: true }));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => server.close());

  const sessions: http2.ClientHttp2Session[] = [];
  const connect = http2.connect;
  mock.method(http2, "connect", (...call: Parameters<typeof connect>) => {
    const session = connect(...call);
    sessions.push(session);
    return session;
  });
  syncBuiltinESMExports();
  t.after(() => {
    mock.restoreAll();
    syncBuiltinESMExports();
  });

  const open = await createCoreTransports({});
  const { port } = server.address() as AddressInfo;
  const { transport, close } = open(`http://127.0.0.1:${port}`);
  await assert.rejects(createClient(InferenceService, transport).health({}));
  assert.equal(sessions.length, 1);
  // After the manager's own listener, which ends the session with an error in the next tick.
  sessions[0]!.on("goaway", close);
  const closed = new Promise((resolve) => sessions[0]!.once("close", resolve));
  (await atServer).goaway(http2.constants.NGHTTP2_NO_ERROR);
  await closed;
});
