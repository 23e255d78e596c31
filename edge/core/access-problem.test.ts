import assert from "node:assert/strict";
import { test } from "node:test";
import { Code, ConnectError } from "@connectrpc/connect";
import { accessProblemOf } from "./access-problem.ts";

const failed = (code: string, depth = 1): unknown => {
  let error: Error = Object.assign(new Error("no"), { code });
  for (let i = 0; i < depth; i++) error = new Error("no", { cause: error });
  return ConnectError.from(error, Code.Internal);
};

test("what is wrong with the settings shows in the code behind the error", () => {
  for (const [code, problem] of [
    ["UNABLE_TO_VERIFY_LEAF_SIGNATURE", "untrusted"],
    ["SELF_SIGNED_CERT_IN_CHAIN", "untrusted"],
    ["CERT_HAS_EXPIRED", "untrusted"],
    ["ERR_TLS_CERT_ALTNAME_INVALID", "untrusted"],
    ["ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED", "certificate"],
    ["ERR_SSL_WRONG_VERSION_NUMBER", "no-tls"],
    ["EPROTO", "no-tls"],
    ["ECONNRESET", "broken-off"],
    ["ECONNREFUSED", null],
  ] as const) {
    assert.equal(accessProblemOf(failed(code)), problem, code);
    assert.equal(accessProblemOf(failed(code, 3)), problem, code);
  }
  assert.equal(accessProblemOf(new ConnectError("no", Code.Unauthenticated)), "token");
  assert.equal(accessProblemOf(new ConnectError("closed", Code.Canceled)), "broken-off");
  assert.equal(accessProblemOf(new ConnectError("no", Code.Internal)), null);
});

test("a chain of causes without an end has one", () => {
  const error = new Error("no");
  error.cause = error;
  assert.equal(accessProblemOf(error), null);
});
