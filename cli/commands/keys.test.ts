import assert from "node:assert/strict";
import { readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { hashOfKey, isApiKey } from "../../edge/access/api-key.ts";
import { SessionTokens } from "../../edge/access/session-tokens.ts";
import { parseTokenKeys } from "../../edge/access/token-keys.ts";
import { mouthpiece } from "../../test/support/run-command.ts";
import { temporaryFolder } from "../../test/support/tiny-avatar.ts";

test("keys create: a key and the hash by which an edge knows it", async () => {
  const { out, status } = await mouthpiece("keys", "create", "--json");
  assert.equal(status, 0);
  const { key, hash } = JSON.parse(out);
  assert.ok(isApiKey(key));
  assert.equal(hash, hashOfKey(key));
});

test("keys rotate: tokens of the key before it are still good, those before that are not", async (t) => {
  const file = join(await temporaryFolder(t), "token-keys.json");
  const open = async () =>
    new SessionTokens({
      keys: parseTokenKeys(await readFile(file, "utf8"), file),
      audience: "mouthpiece",
      maxLifetimeS: 600,
      date: Date.now,
    });
  const rotate = async (...more: string[]) => {
    const { out, status, err } = await mouthpiece("keys", "rotate", file, "--json", ...more);
    assert.equal(status, 0, err);
    return JSON.parse(out);
  };
  const issue = async () =>
    (await (await open()).issue({ tenantId: "acme", avatarId: null }, 60)).token;
  assert.deepEqual((await rotate()).kept, []);
  assert.equal((await stat(file)).mode & 0o077, 0, "others may not read it");
  const first = await issue();
  await rotate("--algorithm", "HS256");
  const second = await issue();
  for (const token of [first, second]) await (await open()).check(token);
  await rotate();
  await (await open()).check(second);
  await assert.rejects((await open()).check(first), /key that is not known/);
});

test("what is wrong is said, and nothing is lost", async (t) => {
  const file = join(await temporaryFolder(t), "token-keys.json");
  for (const [more, said] of [
    [["--algorithm", "none"], /use EdDSA or HS256/],
    [["--keep", "99"], /use 0 to 15/],
  ] as const) {
    const { status, err } = await mouthpiece("keys", "rotate", file, ...more);
    assert.equal(status, 2);
    assert.match(err, said);
  }
  await writeFile(file, "nonsense");
  const { status, err } = await mouthpiece("keys", "rotate", file);
  assert.equal(status, 1);
  assert.match(err, /is no JSON/);
  assert.equal(await readFile(file, "utf8"), "nonsense");
});
