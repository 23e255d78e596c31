import assert from "node:assert/strict";
import { chmod, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { silentLogger } from "../../avatar/logger.ts";
import { temporaryFolder } from "../../test/support/tiny-avatar.ts";
import { freeDeviceBytes, parseFreeBytes } from "./device-memory.ts";

const MEBIBYTE = 1024 ** 2;

test("reads what nvidia-smi says of one GPU", () => {
  const output = "0, 23040\n1, 81046\n10, 5\n";
  assert.equal(parseFreeBytes(output, 1), 81_046 * MEBIBYTE);
  assert.equal(parseFreeBytes(output, 10), 5 * MEBIBYTE);
  assert.equal(parseFreeBytes(output, 2), null);
  assert.equal(parseFreeBytes("0, [N/A]\n", 0), null);
  assert.equal(parseFreeBytes("No devices were found\n", 0), null);
});

test("asks the program for the GPU, and knows nothing when it fails or is not there", async (t) => {
  const folder = await temporaryFolder(t);
  const program = async (name: string, script: string) => {
    const path = join(folder, name);
    await writeFile(path, `#!/bin/sh\n${script}\n`);
    await chmod(path, 0o755);
    return path;
  };
  const good = await program(
    "good",
    'for a in "$@"; do case "$a" in --id=*) echo "$(echo "$a" | cut -c 6-), 77";; esac; done',
  );
  assert.equal(await freeDeviceBytes(3, silentLogger, good), 77 * MEBIBYTE);
  const bad = await program("bad", "echo driver mismatch; exit 9");
  assert.equal(await freeDeviceBytes(0, silentLogger, bad), null);
  assert.equal(await freeDeviceBytes(0, silentLogger, join(folder, "absent")), null);
});
