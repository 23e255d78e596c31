import assert from "node:assert/strict";
import { test } from "node:test";
import { parameterSets } from "../compositor/h264/access-unit.ts";
import { codecString, type StreamFormat } from "../compositor/h264/parameter-sets.ts";
import { avcCodec, avcConfiguration, avcSample } from "./avc.ts";
import { Mp4Error } from "./mp4-error.ts";

const FORMAT: StreamFormat = {
  width: 720,
  height: 974,
  framesPerSecond: 25,
  maxKilobitsPerSecond: 2_000,
};

test("slices with their lengths, parameter sets beside them", () => {
  const sets = parameterSets(FORMAT);
  const long = new Uint8Array(300).fill(7);
  long.set([0, 0, 1, 0x65]);
  const unit = [...sets, long, Uint8Array.of(0, 0, 0, 1, 0x41, 9)];
  const { data, sequenceParameters, pictureParameters } = avcSample(unit);
  assert.deepEqual(data.subarray(0, 6), Uint8Array.of(0, 0, 1, 41, 0x65, 7));
  assert.deepEqual(data.subarray(4 + 297), Uint8Array.of(0, 0, 0, 2, 0x41, 9));
  assert.deepEqual(sequenceParameters, sets[0]!.subarray(4));
  assert.deepEqual(pictureParameters, sets[1]!.subarray(4));
});

test("the configuration record, byte by byte", () => {
  const [sps, pps] = [Uint8Array.of(0x67, 66, 0xc0, 31, 1, 2), Uint8Array.of(0x68, 3)];
  const record = [1, 66, 0xc0, 31, 0xff, 0xe1, 0, 6, ...sps, 1, 0, 2, ...pps];
  assert.deepEqual(avcConfiguration(sps, pps), Uint8Array.from(record));
});

test("of High the record says that it is 4:2:0 of 8 bits", () => {
  const [sps, pps] = [Uint8Array.of(0x67, 100, 0, 31, 1, 2), Uint8Array.of(0x68, 3)];
  const record = [1, 100, 0, 31, 0xff, 0xe1, 0, 6, ...sps, 1, 0, 2, ...pps];
  const found = avcConfiguration(sps, pps);
  assert.deepEqual(found, Uint8Array.from([...record, 0xfd, 0xf8, 0xf8, 0]));
});

test("the codec is the coder's own", () => {
  const [sps] = parameterSets(FORMAT);
  assert.equal(avcCodec(sps!.subarray(4)), codecString(FORMAT));
});

test("what is no access unit is refused", () => {
  const refused = [
    [],
    parameterSets(FORMAT),
    [Uint8Array.of(0x65, 1, 2)],
    [Uint8Array.of(0, 1, 0x65, 2)],
    [Uint8Array.of(0, 0, 1)],
    [new Uint8Array(0)],
  ];
  for (const parts of refused) {
    const isBad = (error: unknown) => error instanceof Mp4Error && error.code === "bad_picture";
    assert.throws(() => avcSample(parts), isBad);
  }
});
