import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { createImageCodecs } from "../avatar/image/codecs.ts";
import { main } from "../cli/main.ts";
import { readParts, startSystem } from "./support/system.ts";
import { temporaryFolder } from "./support/tiny-avatar.ts";

const golden = fileURLToPath(new URL("../../shared/golden/synctalk/", import.meta.url));

interface ExpectedFrame {
  readonly background: number;
  readonly rect: readonly [number, number, number, number];
  readonly crop?: readonly [number, number, number, number];
  readonly file?: string;
}

test("import, core, edge, PNG: the pixels of the original", async (t) => {
  if (!existsSync(golden)) {
    t.diagnostic("the golden data is not here: the comparison did not run");
    return;
  }
  const root = await temporaryFolder(t);
  const status = await main([
    "import",
    "synctalk",
    join(golden, "dataset"),
    "--model",
    join(golden, "unet_328.onnx"),
    "--encoder",
    join(golden, "audio_encoder.onnx"),
    "--id",
    "golden",
    "--root",
    root,
    "--json",
  ]);
  assert.equal(status, 0);
  const system = await startSystem(root);
  t.after(() => system.stop());
  const response = await fetch(`${system.edge.url}/v1/avatars/golden/speak?format=png&start=0`, {
    method: "POST",
    headers: { "content-type": "audio/wav" },
    body: new Uint8Array(await readFile(join(golden, "speech.wav"))),
  });
  const parts = await readParts(response);
  const expected = JSON.parse(await readFile(join(golden, "expected.json"), "utf8")) as {
    frames: ExpectedFrame[];
  };
  assert.equal(parts.length, expected.frames.length);

  const codecs = createImageCodecs();
  let worst = 0;
  for (const [n, { background, rect, crop, file }] of expected.frames.entries()) {
    assert.equal(parts[n]!.headers.get("background-index"), String(background), `frame ${n}`);
    if (!crop || !file) continue;
    const got = await codecs.decode(parts[n]!.body);
    const want = await codecs.decode(await readFile(join(golden, file)));
    let inside = 0;
    let outside = 0;
    for (let i = 0; i < want.data.length; i++) {
      const x = crop[0] + ((i >> 2) % want.width);
      const y = crop[1] + Math.floor((i >> 2) / want.width);
      const difference = Math.abs(want.data[i]! - got.data[4 * (y * got.width + x) + (i & 3)]!);
      if (x >= rect[0] && x < rect[2] && y >= rect[1] && y < rect[3]) inside += difference;
      else outside = Math.max(outside, difference);
    }
    const mean = inside / (3 * (rect[2] - rect[0]) * (rect[3] - rect[1]));
    worst = Math.max(worst, mean);
    assert.ok(mean <= 1.5, `frame ${n}: mean absolute difference ${mean}`);
    // The expected pictures come from another JPEG decoder's pixels.
    assert.ok(outside <= 2, `frame ${n}: ${outside} outside the rectangle`);
  }
  t.diagnostic(`largest mean absolute difference of a mouth: ${worst.toFixed(4)}`);
});
