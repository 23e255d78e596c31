import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { MOUTHPIECE, runNode } from "./support/run-command.ts";
import { temporaryFolder, writeTinyAvatar } from "./support/tiny-avatar.ts";

const pem = (name: string) =>
  fileURLToPath(new URL(`support/certificates/${name}`, import.meta.url));

test("serve with a core and an edge that do not fit ends with what to set", async (t) => {
  const root = await temporaryFolder(t);
  // Its name keeps the real demo avatar from being drawn.
  await writeTinyAvatar(root, "demo");
  const path = join(root, "config.yaml");
  const tls = { cert: pem("server.pem"), key: pem("server.key") };
  await writeFile(
    path,
    JSON.stringify({ core: { server: { tls } }, edge: { server: { port: 0 } } }),
  );
  const run = await runNode([MOUTHPIECE, "serve", "--config", path], {
    environment: { MOUTHPIECE_DATA: root },
  });
  assert.equal(run.status, 1, run.err);
  assert.match(run.err, /the edge cannot use the core: .*core\.tls\.ca/);
  assert.doesNotMatch(run.out, /ready/);
});
