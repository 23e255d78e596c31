import assert from "node:assert/strict";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { createImageCodecs } from "../avatar/image/codecs.ts";
import { main } from "../cli/main.ts";
import { readParts, startSystem } from "./support/system.ts";
import { temporaryFolder, tone, wavFile, writeTinyAvatar } from "./support/tiny-avatar.ts";

test("what an edge delivers from packs is what it makes of plain frames, byte for byte", async (t) => {
  const imported = await temporaryFolder(t);
  const published = await temporaryFolder(t);
  await writeTinyAvatar(imported, "tiny");
  const args = ["publish", "tiny", "--to", published, "--root", imported, "--json"];
  assert.equal(await main(args), 0);
  const [version] = (await readdir(join(published, "avatars/tiny"))).filter(
    (name) => name !== "avatar.json",
  );
  const names = await readdir(join(published, "avatars/tiny", version!));
  assert.ok(!names.includes("frames"), "the packs are all that an edge needs");

  const collect = async (root: string) => {
    const system = await startSystem(root);
    try {
      const base = `${system.edge.url}/v1/avatars/tiny`;
      const bodies: Uint8Array[] = [];
      for (const format of ["png", "jpeg"]) {
        const response = await fetch(`${base}/speak?format=${format}&start=1`, {
          method: "POST",
          headers: { "content-type": "audio/wav" },
          body: wavFile(tone(20_000)),
        });
        for (const { body } of await readParts(response)) bodies.push(body);
      }
      for (const name of ["0.png", "3.png", "0.jpg", "2.jpg"]) {
        const idle = await fetch(`${base}/frames/${name}`);
        assert.equal(idle.status, 200);
        bodies.push(new Uint8Array(await idle.arrayBuffer()));
      }
      return bodies;
    } finally {
      await system.stop();
    }
  };
  const fromFrames = await collect(imported);
  const fromPacks = await collect(published);
  assert.equal(fromPacks.length, fromFrames.length);
  for (const [n, body] of fromPacks.entries()) {
    assert.deepEqual(Buffer.from(body), Buffer.from(fromFrames[n]!), `body ${n}`);
  }
});

test("a mouth with a soft edge: published so, spoken so", async (t) => {
  const imported = await temporaryFolder(t);
  const published = await temporaryFolder(t);
  await writeTinyAvatar(imported, "tiny");
  const args = ["publish", "tiny", "--to", published, "--root", imported, "--soft-edge", "6"];
  assert.equal(await main([...args, "--json"]), 0);
  const speak = async (root: string) => {
    const system = await startSystem(root);
    try {
      const response = await fetch(`${system.edge.url}/v1/avatars/tiny/speak?format=png`, {
        method: "POST",
        headers: { "content-type": "audio/wav" },
        body: wavFile(tone(4000)),
      });
      const idle = await fetch(`${system.edge.url}/v1/avatars/tiny/frames/1.png`);
      return { parts: await readParts(response), idle: Buffer.from(await idle.arrayBuffer()) };
    } finally {
      await system.stop();
    }
  };
  const hard = await speak(imported);
  const soft = await speak(published);
  assert.notDeepEqual(soft.parts[0]!.body, hard.parts[0]!.body);
  const { decode } = createImageCodecs();
  // A silent frame is the background, however its edge is blended.
  assert.deepEqual((await decode(soft.idle)).data, (await decode(hard.idle)).data);
});
