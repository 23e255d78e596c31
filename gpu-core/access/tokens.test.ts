import assert from "node:assert/strict";
import { test } from "node:test";
import { Tokens } from "./tokens.ts";

test("one of the tokens, as a bearer token, and nothing else", () => {
  const tokens = new Tokens(["0123456789abcdef", "another-token-of-ours=="]);
  for (const header of [
    "Bearer 0123456789abcdef",
    "bearer 0123456789abcdef",
    "BEARER  another-token-of-ours== ",
  ]) {
    assert.equal(tokens.accept(header), true, header);
  }
  for (const header of [
    null,
    "",
    "Bearer",
    "Bearer ",
    "0123456789abcdef",
    "Basic 0123456789abcdef",
    "Bearer 0123456789abcde",
    "Bearer 0123456789abcdef0",
    "Bearer 0123456789ABCDEF",
    "Bearer 0123456789abcdef, another-token-of-ours==",
  ]) {
    assert.equal(tokens.accept(header), false, String(header));
  }
});
