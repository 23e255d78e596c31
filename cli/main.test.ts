import assert from "node:assert/strict";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { createImageCodecs } from "../avatar/image/codecs.ts";
import { frameCount } from "../avatar/speech-timing.ts";
import { mouthpiece } from "../test/support/run-command.ts";
import { TINY_WIDTH, tone, wavFile, writeTinyAvatar } from "../test/support/tiny-avatar.ts";

async function folder(t: TestContext): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), "mouthpiece-cli-"));
  t.after(() => rm(dir, { recursive: true, force: true }));
  return dir;
}

test("wrong usage is status 2, with what is allowed", async () => {
  for (const args of [["sing"], ["render", "--avatar", "x"], ["core", "--confg", "x"]]) {
    const { status, err } = await mouthpiece(...args);
    assert.equal(status, 2, err);
    assert.match(err, /error: /);
  }
});

test("a misspelt key is status 1, with file, key and what is allowed", async (t) => {
  const path = join(await folder(t), "config.yaml");
  await writeFile(path, "server:\n  prot: 1\n");
  for (const part of ["core", "edge"]) {
    const { status, err } = await mouthpiece(part, "--config", path);
    assert.equal(status, 1);
    assert.ok(err.includes(`${path}: unknown key server.prot: allowed here are host, port`), err);
  }
  await writeFile(path, "server: [\n");
  assert.match((await mouthpiece("core", "--config", path)).err, /config\.yaml: .*line/s);
  assert.match((await mouthpiece("core", "--config", `${path}x`)).err, /cannot be read/);
});

test("a dataset that is none, or without models, says so", async (t) => {
  const dir = await folder(t);
  const { status, err } = await mouthpiece("import", "synctalk", dir, "--id", "ada", "--root", dir);
  assert.equal(status, 1);
  assert.match(err, /no folder .*full_body_img/);
  const badId = await mouthpiece("import", "synctalk", dir, "--id", "../ada", "--root", dir);
  assert.match(badId.err, /not an avatar id/);
});

test("render writes a numbered PNG per frame", async (t) => {
  const root = await folder(t);
  await writeTinyAvatar(root, "tiny");
  const audio = join(root, "speech.wav");
  await writeFile(audio, wavFile(tone(20_000)));
  const out = join(root, "out");
  const args = ["--avatar", "tiny", "--audio", audio, "--out", out, "--root", root, "--json"];
  const { status, out: printed, err } = await mouthpiece("render", ...args);
  assert.equal(status, 0, err);
  assert.equal(JSON.parse(printed).frames, frameCount(20_000));
  const files = (await readdir(join(out, "frames"))).sort();
  assert.equal(files.length, frameCount(20_000));
  assert.equal(files[0], "000000.png");
  const image = await createImageCodecs().decode(await readFile(join(out, "frames", files[3]!)));
  assert.equal(image.width, TINY_WIDTH);

  const missing = await mouthpiece(
    "render",
    ...args.map((arg) => (arg === audio ? `${audio}x` : arg)),
  );
  assert.equal(missing.status, 1);
  assert.match(missing.err, /cannot read .*speech\.wavx/);
});
