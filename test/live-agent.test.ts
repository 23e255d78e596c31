import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { startSystem } from "./support/system.ts";
import { temporaryFolder, tone, wavFile, writeTinyAvatar } from "./support/tiny-avatar.ts";

const HOME = fileURLToPath(new URL("..", import.meta.url));
const SPEECH = tone(32_000);

test("the example of an agent says what is typed, and keeps what it sees", async (t) => {
  const root = await temporaryFolder(t);
  await writeTinyAvatar(root, "tiny");
  const system = await startSystem(root);
  t.after(() => system.stop());
  const frames = join(root, "frames");
  const voice = join(root, "voice.wav");
  await writeFile(voice, wavFile(SPEECH));
  // Any command that writes WAV speaks; this one is everywhere.
  const agent = spawn(
    process.execPath,
    [
      "examples/live-agent/main.ts",
      ...["--edge", system.edge.url, "--avatar", "tiny", "--record", frames],
      ...["--tts", `cat ${voice}`],
    ],
    { cwd: HOME, stdio: ["pipe", "pipe", "inherit"] },
  );
  t.after(() => agent.kill());
  let output = "";
  agent.stdout.on("data", (chunk: Buffer) => {
    output += chunk.toString();
  });
  agent.stdin.end("Hello there.\n");
  const status = await new Promise((resolve) => agent.once("exit", resolve));
  assert.equal(status, 0, output);
  assert.match(output, /1: heard/);
  assert.match(output, /1: complete after 2000 ms/);
  assert.match(output, /closed: left/);
  const kept = await readdir(frames);
  assert.ok(kept.filter((name) => name.endsWith(".jpg")).length > 25, `${kept.length}`);
  const heard = await readFile(join(frames, "sound.s16le"));
  assert.ok(heard.equals(new Uint8Array(SPEECH.buffer)), `${heard.length} bytes`);
});
