import assert from "node:assert/strict";
import { test } from "node:test";
import { withoutEndlessTimeouts } from "./endless-timeouts.ts";

test("a deadline beyond the reach of a timer is none; others and mistakes stay", () => {
  for (const [name, value, isKept] of [
    ["grpc-timeout", "99999999H", false],
    ["grpc-timeout", "597H", false],
    ["grpc-timeout", "596H", true],
    ["grpc-timeout", "99999999S", false],
    ["grpc-timeout", "99999999m", true],
    ["grpc-timeout", "99999999n", true],
    ["grpc-timeout", "5", true],
    ["grpc-timeout", "1x", true],
    ["connect-timeout-ms", "9999999999", false],
    ["connect-timeout-ms", "2147483648", false],
    ["connect-timeout-ms", "2147483647", true],
    ["connect-timeout-ms", "never", true],
  ] as const) {
    const headers = withoutEndlessTimeouts(new Headers({ [name]: value, host: "core" }));
    const kept = isKept ? { [name]: value, host: "core" } : { host: "core" };
    assert.deepEqual(Object.fromEntries(headers), kept, value);
  }
});
