import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const SOURCE = fileURLToPath(new URL("../h264/openh264-decode.cpp", import.meta.url));
const FLAGS = ["-O2", "-std=c++17", "-Wall", "-Wextra", "-Werror"];
const BUILD_LIMIT_MS = 120_000;
/** For a stream of some dozens of small pictures: a decoder that hangs is found out. */
const DECODE_LIMIT_MS = 60_000;
const MAX_OUTPUT_BYTES = 1 << 30;

/** Cisco's decoder, with which Firefox decodes WebRTC, from Debian's `libopenh264-dev`. */
export class OpenH264 {
  readonly #program: string;

  private constructor(program: string) {
    this.#program = program;
  }

  /**
   * Builds the program that feeds it.
   * @param folder where it is put
   * @throws AssertionError when compiler or library are not installed, with what to do
   */
  static build(folder: string): OpenH264 {
    const program = join(folder, "openh264-decode");
    const args = [...FLAGS, "-o", program, SOURCE, "-lopenh264"];
    const { status, stderr, error } = spawnSync("g++", args, { timeout: BUILD_LIMIT_MS });
    const why = error?.message ?? stderr.toString();
    assert.equal(
      status,
      0,
      `OpenH264 is not there: apt-get install g++ libopenh264-dev. The compiler says: ${why}`,
    );
    return new OpenH264(program);
  }

  /**
   * Decodes a stream, an access unit of the byte stream per call.
   * @returns I420 of its pictures, cropped, one behind the other
   * @throws AssertionError when a unit gives no picture, an error or a warning
   */
  decode(units: readonly Uint8Array[]): Buffer {
    const input = Buffer.concat(units.flatMap((unit) => [lengthOf(unit), unit]));
    const { status, stdout, stderr, error } = spawnSync(this.#program, [], {
      input,
      timeout: DECODE_LIMIT_MS,
      maxBuffer: MAX_OUTPUT_BYTES,
    });
    assert.equal(status, 0, `OpenH264: ${error?.message ?? stderr.toString()}`);
    return stdout;
  }
}

function lengthOf({ length }: Uint8Array): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(length);
  return bytes;
}
