import assert from "node:assert/strict";
import { test } from "node:test";
import { AvatarError } from "./avatar-error.ts";
import { findTrack, parseManifest } from "./manifest.ts";

const HASH = "0".repeat(64);
const pack = (file: string) => ({
  file,
  bytes: 100,
  sha256: HASH,
  indexBytes: 40,
  indexSha256: HASH,
});
const stored = (file: string) => ({ file, bytes: 100, sha256: HASH });
const manifest = (changes: object = {}) =>
  JSON.stringify({
    format: "mouthpiece-avatar",
    formatVersion: 1,
    width: 96,
    height: 80,
    fps: 25,
    frameCount: 1,
    playback: "ping-pong",
    rectangles: [[20, 20, 40, 40]],
    model: stored("model.onnx"),
    audioEncoder: stored("audio_encoder.onnx"),
    reference: pack("reference.pack"),
    tracks: [],
    ...changes,
  });
const jpeg = { kind: "jpeg", ...pack("jpeg.pack"), options: { quality: 75, subsampling: "4:2:0" } };

test("tracks are found by their kind; those of tomorrow are ignored", () => {
  const video = { kind: "av1", file: 7, anything: ["may", "be"] };
  const parsed = parseManifest(manifest({ softEdge: 4, tracks: [video, jpeg] }), "m.json");
  assert.equal(parsed.softEdge, 4);
  assert.equal(findTrack(parsed, "png"), null);
  assert.equal(findTrack(parsed, "jpeg")?.options.quality, 75);
});

test("impossible ones are refused with the field", () => {
  const png = { kind: "png", ...pack("png.pack"), options: {} };
  const cases: [RegExp, object][] = [
    [/tracks\.0: options\.quality/, { tracks: [{ ...jpeg, options: { quality: 0 } }] }],
    [/tracks\.1: indexBytes/, { tracks: [jpeg, { ...png, indexBytes: 1e9 }] }],
    [
      /tracks\.0: an index of 101 bytes in a pack of 100/,
      { tracks: [{ ...png, indexBytes: 101 }] },
    ],
    [/reference: an index of 101/, { reference: { ...pack("reference.pack"), indexBytes: 101 } }],
    [/tracks\.1: a second track of the kind png/, { tracks: [png, png] }],
    [/tracks\.0: file/, { tracks: [{ ...png, file: "../png.pack" }] }],
    [/softEdge/, { softEdge: 65 }],
  ];
  for (const [message, changes] of cases) {
    assert.throws(
      () => parseManifest(manifest(changes), "m.json"),
      (error) => error instanceof AvatarError && message.test(error.message),
      String(message),
    );
  }
});
