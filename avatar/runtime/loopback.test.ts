import assert from "node:assert/strict";
import { test } from "node:test";
import { isLoopback } from "./loopback.ts";

test("what only this machine reaches, and what others do", () => {
  const loopback = ["127.0.0.1", "127.255.0.9", "::1", "0:0:0:0:0:0:0:1", "localhost", "LOCALHOST"];
  for (const host of [...loopback, "::ffff:127.0.0.1", "::ffff:7f00:1"]) {
    assert.equal(isLoopback(host), true, host);
  }
  const beyond = ["0.0.0.0", "::", "::ffff:0.0.0.0", "::ffff:10.0.0.1", "::127.0.0.1", "10.0.0.1"];
  for (const host of [...beyond, "128.0.0.1", "127.1", "0177.0.0.1", "localhost.example", "core"]) {
    assert.equal(isLoopback(host), false, host);
  }
});
