import assert from "node:assert/strict";
import { test } from "node:test";
import { RtcpPacketConverter } from "werift";
import { takeFeedback } from "./rtcp-feedback.ts";

/** What a sender is told by one RTCP packet, given in hexadecimal. */
function told(hex: string): unknown[] {
  const calls: unknown[] = [];
  const note =
    (name: string) =>
    (...of: unknown[]) =>
      void calls.push([name, ...of]);
  const sender = {
    reported: note("reported"),
    lost: note("lost"),
    receiverEstimate: note("estimate"),
    pictureLost: note("pictureLost"),
  };
  const bytes = Buffer.from(hex.replaceAll(" ", ""), "hex");
  for (const packet of RtcpPacketConverter.deSerialize(bytes)) takeFeedback(packet, sender);
  return calls;
}

test("a receiver report (RFC 3550, 6.4.2)", () => {
  const block = "00000002 40 000102 00010003 00000007 b7052000 00054000";
  assert.deepEqual(told(`81 c9 0007 00000001 ${block}`), [
    [
      "reported",
      {
        ssrc: 2,
        highestSequence: 0x10003,
        lost: 0x102,
        lastReport: 0xb7052000,
        sinceLastReport: 0x54000,
      },
    ],
  ]);
});

test("a generic NACK names its packets and those in its mask (RFC 4585, 6.2.1)", () => {
  assert.deepEqual(told("81 cd 0003 00000001 00000002 0064 8001"), [["lost", 2, [100, 101, 116]]]);
});

test("PLI and FIR", () => {
  assert.deepEqual(told("81 ce 0002 00000001 00000002"), [["pictureLost"]]);
  assert.deepEqual(told("84 ce 0004 00000001 00000000 00000002 05000000"), [["pictureLost"]]);
});

test("REMB is kilobits here", () => {
  // 0x30D40 << 2 = 800,000 bits per second.
  assert.deepEqual(told("8f ce 0005 00000001 00000000 52454d42 01 0b0d40 00000002"), [
    ["estimate", 800],
  ]);
});

test("what is not known is skipped", () => {
  // SLI, and an application's own.
  assert.deepEqual(told("82 ce 0003 00000001 00000002 00000000"), []);
  assert.deepEqual(told("80 cc 0002 00000001 41424344"), []);
});
