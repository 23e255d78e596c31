import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { readAvatar } from "../../avatar/catalogue.ts";
import { REFERENCE_BYTES } from "../../avatar/reference.ts";
import { createFolderStore } from "../../avatar/runtime/folder-store.ts";
import { temporaryFolder, writeTinyAvatar } from "../../test/support/tiny-avatar.ts";
import { CoreError } from "../core-error.ts";
import { ReferenceCrops } from "./reference-crops.ts";

async function tinyPack(t: TestContext) {
  const root = await temporaryFolder(t);
  await writeTinyAvatar(root, "tiny");
  const { manifest, prefix } = await readAvatar(createFolderStore(root), "tiny");
  const path = join(root, prefix, manifest.reference.file);
  return { path, stored: manifest.reference, bytes: await readFile(path) };
}

const isRefusal = (message: RegExp) => (error: unknown) =>
  error instanceof CoreError && error.code === "failed_precondition" && message.test(error.message);

test("crops are read as they were written; one that has changed is refused", async (t) => {
  const { path, stored, bytes } = await tinyPack(t);
  const changed = Buffer.from(bytes);
  changed[stored.indexBytes + REFERENCE_BYTES + 77]! ^= 1;
  await writeFile(path, changed);
  const crops = await ReferenceCrops.open(path, stored);
  t.after(() => crops.close());
  assert.equal(crops.count, 4);
  const crop = new Uint8Array(REFERENCE_BYTES);
  crops.read(0, crop);
  assert.deepEqual(crop, new Uint8Array(bytes.subarray(stored.indexBytes)).slice(0, crop.length));
  assert.throws(() => crops.read(1, crop), isRefusal(/has changed in crop 1/));
  crops.read(2, crop);
});

test("a pack that is damaged, cut short or another's is refused when it is opened", async (t) => {
  const { path, stored, bytes } = await tinyPack(t);
  const flipped = Buffer.from(bytes);
  flipped[30]! ^= 1;
  const cases: [RegExp, Buffer, boolean][] = [
    [/index has changed/, flipped, false],
    [/not the one that was published/, flipped, true],
    [/entry 3 ends at/, bytes.subarray(0, bytes.length - 1), false],
    [/not the one that was published/, bytes.subarray(0, bytes.length - 1), true],
    [/shorter than its header/, bytes.subarray(0, 9), false],
    [/index is cut off/, bytes.subarray(0, 40), false],
    [/mark of a pack/, Buffer.alloc(500), true],
  ];
  for (const [message, content, isKnown] of cases) {
    await writeFile(path, content);
    const opening = ReferenceCrops.open(path, isKnown ? stored : undefined);
    await assert.rejects(opening, isRefusal(message), String(message));
  }
});
