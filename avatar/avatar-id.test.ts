import assert from "node:assert/strict";
import { test } from "node:test";
import { AvatarError } from "./avatar-error.ts";
import { checkAvatarId } from "./avatar-id.ts";

test("ids that can be names pass", () => {
  for (const id of ["a", "ada", "ada-2", "7_of_9", "x".repeat(64)])
    assert.equal(checkAvatarId(id), id);
});

test("nothing else reaches a store, and a long one is not repeated in full", () => {
  const bad = [
    "",
    ".",
    "..",
    "../etc",
    "a/b",
    "a\\b",
    "a\0b",
    "A",
    "-a",
    "\u00e4",
    "x".repeat(10_000),
  ];
  for (const id of bad) {
    assert.throws(
      () => checkAvatarId(id),
      (error) => {
        assert.ok(error instanceof AvatarError);
        assert.equal(error.code, "invalid_id");
        assert.ok(error.message.length < 250);
        return true;
      },
    );
  }
});
