import assert from "node:assert/strict";
import { test } from "node:test";
import { BINARY_KINDS, type BinaryKind, decodeBinary, encodeBinary } from "./binary-frame.ts";
import { parseClientMessage } from "./client-message.ts";
import { closeReason } from "./describe-error.ts";
import { SpeechWindow } from "./speech-window.ts";

test("a binary message holds what was put into it, byte by byte", () => {
  const header = { isKeyFrame: true, timestampMs: 86_400_000, sequence: 7, segment: 3 };
  const message = encodeBinary({ kind: "h264", ...header }, [
    new Uint8Array([9, 8]),
    new Uint8Array([7]),
  ]);
  assert.deepEqual(
    [...message],
    [1, 1, 0, 1, 0x05, 0x26, 0x5c, 0x00, 0, 0, 0, 7, 0, 0, 0, 3, 9, 8, 7],
  );
  for (const kind of Object.keys(BINARY_KINDS) as BinaryKind[]) {
    const again = decodeBinary(encodeBinary({ kind, ...header }, [new Uint8Array([5])]).buffer);
    assert.deepEqual(again?.header, { kind, ...header });
    assert.deepEqual([...(again?.body ?? [])], [5]);
  }
  assert.equal(decodeBinary(new ArrayBuffer(15)), null);
  assert.equal(decodeBinary(new Uint8Array(16).buffer), null, "version 0");
  const strange = Uint8Array.from(message);
  strange[1] = 99;
  assert.equal(decodeBinary(strange.buffer), null);
});

test("messages are checked, and what is wrong is named", () => {
  const wrong = (text: string) => {
    const message = parseClientMessage(text);
    return "wrong" in message ? message.wrong : "";
  };
  assert.deepEqual(parseClientMessage('{"type":"ack","sequence":4,"more":1}'), {
    type: "ack",
    sequence: 4,
  });
  assert.match(wrong("{"), /JSON/);
  assert.match(wrong("null"), /no type: use join/);
  assert.match(wrong("[]"), /no type/);
  assert.match(wrong('{"type":"toString"}'), /no type/);
  assert.match(wrong('{"type":"ack"}'), /^ack: sequence/);
  assert.match(wrong('{"type":"bitrate","kilobits":0}'), /^bitrate: kilobits/);
  assert.match(wrong(`"${"x".repeat(9000)}"`), /8192/);
});

test("a reason fits into a close frame and stays text", () => {
  const reason = closeReason("é".repeat(200));
  assert.equal(reason, "é".repeat(60));
  assert.equal(closeReason(`a${"é".repeat(100)}`), `a${"é".repeat(59)}`);
});

test("a window widens by the second, sooner when little is left", () => {
  let room = 160_000;
  const window = new SpeechWindow(() => room);
  assert.equal(window.open(), 160_000);
  window.received(160_000);
  room = 0;
  assert.equal(window.widen(), null);
  room = 3999;
  assert.equal(window.widen(), null);
  room = 4000;
  assert.equal(window.widen(), 164_000);
  room = 30_000;
  assert.equal(window.widen(), 190_000);
  room = 45_000;
  assert.equal(window.widen(), null);
  room = 46_000;
  assert.equal(window.widen(), 206_000);
});
