import assert from "node:assert/strict";
import { test } from "node:test";
import { CubicResizer } from "./resize.ts";
import type { RgbImage } from "./types.ts";

// A 6x5 picture of random values, and what OpenCV 5.0.0 (vector code off) makes of it.
const SOURCE =
  "8b4ae5f1a94106a0956a26afbccdafe562f90a945f5693c642276ad5ab2da7394551370e99b2d74c3427fa48d732a1df70aca1e926115901dd06f27f8f063cd25e19a621f9bd0ccc21397c1ec795ca7748dc03d17a88934d8552";
const EXPECTED = [
  {
    width: 9,
    height: 8,
    hex: "8e3affe3778ae2b7321eba841050b4752bbcaec7b2e1b2e4f75cff3f62a48a8d969fa4831d747d4b5b6eb56569ba8375aa6e88964c96069a572e9d99537ac1442681946b46d7ab30b34d47772c264b340073ccb4537d75612d5bca32b59d7cd14eb9b26ca28c9d5c2dc02300a281fb567680495831de319faa5ebd459ab56897d1bc508ffd0c436600ea278eb214db6978214dbe2516c86539a831ddb110f5c706c33700a8138da520e4838c5f3edd1f44de2984a04abf7e54b6784f911b33700e878c39c78cb59948f02a97d004e4897a9f539f603e9041",
  },
  {
    width: 4,
    height: 3,
    hex: "7872a52c897dab5f7db267a78195a9e536a827b2d7d0452f234e9c877c47d426a0716090",
  },
] as const;

const source: RgbImage = {
  width: 6,
  height: 5,
  data: new Uint8Array(Buffer.from(SOURCE, "hex")),
};
const hexOf = ({ data }: RgbImage) => Buffer.from(data).toString("hex");

for (const { width, height, hex } of EXPECTED) {
  test(`resizes 6x5 to ${width}x${height} as OpenCV does`, () => {
    const resized = new CubicResizer().resize(source, width, height);
    assert.deepEqual([resized.width, resized.height], [width, height]);
    assert.equal(hexOf(resized), hex);
  });
}

test("sizes in turn do not disturb each other, however many there were", () => {
  const resizer = new CubicResizer();
  for (let round = 0; round < 3; round++) {
    for (let side = 1; side < 100; side++) resizer.resize(source, side, 3);
    for (const { width, height, hex } of EXPECTED) {
      assert.equal(hexOf(resizer.resize(source, width, height)), hex);
    }
  }
});
