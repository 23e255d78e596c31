import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { MOUTHPIECE, runNode } from "./support/run-command.ts";
import { spawnServer, until } from "./support/server-process.ts";
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

test("SIGHUP: serve takes over what its core can, says what waits, and goes on", async (t) => {
  const settings = { core: {}, edge: { server: { port: 0 } } };
  const served = await spawnServer(t, "serve", () => settings);
  const url = await served.ready;
  await served.configure({
    core: { log_level: "debug", capacity: { max_models: 7 } },
    edge: { ...settings.edge, log_level: "debug" },
  });
  served.child.kill("SIGHUP");
  const line = () => served.log.find((each) => each.includes("configuration read again"));
  await until(() => line() !== undefined);
  const { applied, pending } = JSON.parse(line() ?? "{}");
  assert.deepEqual([applied, pending], [["log_level"], ["capacity.max_models"]]);
  assert.ok(served.log.some((each) => each.includes("settings of the edge wait")));
  assert.equal((await fetch(`${url}/readyz`)).status, 200);
  served.child.kill("SIGTERM");
  assert.equal(await served.ended, 0);
});
