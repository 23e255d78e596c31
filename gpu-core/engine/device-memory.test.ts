import assert from "node:assert/strict";
import { chmod, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { silentLogger } from "../../avatar/logger.ts";
import { temporaryFolder } from "../../test/support/tiny-avatar.ts";
import { freeDeviceBytes, parseFreeBytes, smiName } from "./device-memory.ts";

const MEBIBYTE = 1024 ** 2;

test("reads what nvidia-smi says of one GPU", () => {
  assert.equal(parseFreeBytes("81046\n"), 81_046 * MEBIBYTE);
  assert.equal(parseFreeBytes("[N/A]\n"), null);
  assert.equal(parseFreeBytes("No devices were found\n"), null);
  assert.equal(parseFreeBytes("23040\n81046\n"), null);
  assert.equal(parseFreeBytes(""), null);
});

test("asks for the GPU that CUDA shows under a number", () => {
  assert.equal(smiName(1, undefined), "1");
  assert.equal(smiName(1, "3,5"), "5");
  assert.equal(smiName(0, "GPU-8932f937-d72c, GPU-1c"), "GPU-8932f937-d72c");
  assert.equal(smiName(1, "GPU-8932f937-d72c, GPU-1c"), "GPU-1c");
  assert.equal(smiName(2, "3,5"), null);
  assert.equal(smiName(0, ""), null);
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
    'for a in "$@"; do case "$a" in --id=*) echo "$(echo "$a" | cut -c 6-)7";; esac; done',
  );
  assert.equal(await freeDeviceBytes("3", silentLogger, good), 37 * MEBIBYTE);
  const bad = await program("bad", "echo driver mismatch; exit 9");
  assert.equal(await freeDeviceBytes("0", silentLogger, bad), null);
  assert.equal(await freeDeviceBytes("0", silentLogger, join(folder, "absent")), null);
});
