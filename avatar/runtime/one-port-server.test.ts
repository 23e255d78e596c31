import assert from "node:assert/strict";
import { connect as connectHttp2 } from "node:http2";
import { connect } from "node:net";
import { test } from "node:test";
import { silentLogger } from "../logger.ts";
import { listenOnOnePort } from "./one-port-server.ts";

const LIMIT_MS = 20_000;
const DRIP_MS = 20;

async function start(t: { after(end: () => Promise<void>): void }) {
  const server = await listenOnOnePort(
    (_request, response) => {
      response.writeHead(200, { "content-type": "text/plain" });
      response.end("answered");
    },
    {
      ...{ host: "127.0.0.1", port: 0, tls: null, needsCertificate: false, logger: silentLogger },
      ...{ firstBytesTimeoutMs: 200, requestTimeoutMs: 200 },
    },
  );
  t.after(() => server.close());
  return server;
}

/** What comes back for bytes, and after them one more again and again, until the connection ends. */
async function drip(port: number, text: string): Promise<string> {
  const socket = connect(port, "127.0.0.1");
  const over = Promise.withResolvers<void>();
  let answer = "";
  socket.on("data", (chunk) => {
    answer += chunk;
  });
  socket.on("error", () => over.resolve());
  socket.on("close", () => over.resolve());
  socket.write(text);
  const timer = setInterval(() => socket.write("x"), DRIP_MS);
  const limit = setTimeout(() => over.reject(new Error("the connection stays open")), LIMIT_MS);
  await over.promise.finally(() => {
    clearInterval(timer);
    clearTimeout(limit);
    socket.destroy();
  });
  return answer;
}

test("who never comes to the end of his headers is told so, and cut off", async (t) => {
  const { port } = await start(t);
  assert.match(await drip(port, "GET / HTTP/1.1\r\nhost: "), /^HTTP\/1\.1 408 /);
});

test("who never says what he speaks is cut off", async (t) => {
  const { port } = await start(t);
  const silent = connect(port, "127.0.0.1");
  silent.write("PR");
  await new Promise<void>((resolve, reject) => {
    const limit = setTimeout(() => reject(new Error("the connection stays open")), LIMIT_MS);
    silent.on("error", () => {});
    silent.once("close", () => {
      clearTimeout(limit);
      resolve();
    });
    silent.resume();
  });
});

test("a stream ends with its answer, whatever is still to be uploaded", async (t) => {
  const { port } = await start(t);
  const session = connectHttp2(`http://127.0.0.1:${port}`);
  t.after(async () => session.destroy());
  const call = session.request({ ":method": "POST", ":path": "/" });
  call.write("the upload begins");
  let body = "";
  call.setEncoding("utf8").on("data", (chunk) => {
    body += chunk;
  });
  await new Promise<void>((resolve, reject) => {
    const limit = setTimeout(() => reject(new Error("the stream stays open")), LIMIT_MS);
    call.once("error", reject);
    call.once("close", () => {
      clearTimeout(limit);
      resolve();
    });
  });
  assert.equal(body, "answered");
  assert.equal(call.rstCode, 0);
});
