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
  const cases: Record<string, Buffer> = {
    "a changed index": flipped,
    "a byte less": bytes.subarray(0, bytes.length - 1),
    "less than an index": bytes.subarray(0, 40),
    "less than a header": bytes.subarray(0, 9),
    nothing: Buffer.alloc(0),
    "another file": Buffer.alloc(bytes.length),
  };
  for (const [what, content] of Object.entries(cases)) {
    await writeFile(path, content);
    const opening = ReferenceCrops.open(path, stored);
    await assert.rejects(opening, isRefusal(/not the one that was published/), what);
  }
});
