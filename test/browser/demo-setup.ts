import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ensureDemoAvatar } from "../../cli/demo-avatar.ts";
import { demoVideoArguments } from "../../cli/demo-video.ts";
import { main } from "../../cli/main.ts";

/**
 * Draws the demo avatar and codes its video once for all browser tests, before
 * they run side by side: `--test-global-setup` of node:test.
 */
export async function globalSetup(): Promise<void> {
  const root = await mkdtemp(join(tmpdir(), "mouthpiece-demo-"));
  await ensureDemoAvatar(root);
  assert.equal(await main([...demoVideoArguments(root), "--renditions", "24/30"]), 0);
  process.env.MOUTHPIECE_TEST_DEMO = root;
}

export async function globalTeardown(): Promise<void> {
  const root = process.env.MOUTHPIECE_TEST_DEMO;
  if (root !== undefined) await rm(root, { recursive: true, force: true });
}

/** The folder with the demo avatar. Do not write to it. */
export function demoRoot(): string {
  const root = process.env.MOUTHPIECE_TEST_DEMO;
  if (root !== undefined) return root;
  throw new Error("run it by `npm run test:browser`, which makes the demo avatar first");
}
